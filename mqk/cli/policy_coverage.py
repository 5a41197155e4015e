"""`mqk policy coverage`: what the tests of policies cover, or what recorded decisions have used of them.

What lives here: the arguments and the report over a history. What does not: the measuring (mqk.analysis.history), and
the report over tests (policy_test.py).
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final

from mqk.cli import policy_test
from mqk.cli.bound import policies_at
from mqk.cli.exits import Failure
from mqk.cli.history_source import (
    BackendOption,
    MaybeDecisionsOption,
    Reckoner,
    ReportFormat,
    ReportOption,
    guards_at,
    history,
    report,
)
from mqk.cli.options import DATA_DIR, DataDirOption, Format, MaybeAsOfOption, PathsArgument, today
from mqk.cli.output import print_json
from mqk.cli.sections import Section
from mqk.dsl.types import Kind
from mqk.guards.values import format_value

if TYPE_CHECKING:
    from mqk.analysis.history.headroom import Headroom
    from mqk.analysis.history.usage import RuleUse

# Below half of a limit, it is not in anybody's way.
_APPROACHED: Final = 0.5
_STEP: Final = 10_000


def run(
    paths: PathsArgument = None,
    *,
    decisions: MaybeDecisionsOption = None,
    engine: BackendOption = Reckoner.DUCKDB,
    data_dir: DataDirOption = DATA_DIR,
    as_of: MaybeAsOfOption = None,
    format_: ReportOption = ReportFormat.TEXT,
) -> None:
    """List what no test covers; with `--decisions`, the rules that never fired and what is used of every limit."""
    if decisions is None:
        policy_test.run(paths, coverage=True, as_of=as_of, format_=of_tests(format_))
        return
    from mqk.analysis.history.headroom import measure_headroom  # noqa: PLC0415 - loads Ibis
    from mqk.analysis.history.usage import measure_usage  # noqa: PLC0415 - loads Ibis

    guards = guards_at(paths or [policies_at(None)], as_of or today())
    with history(decisions, data_dir, engine) as (backend, parts):
        used = [each for each in measure_usage(backend, parts, guards) if each.decisions]
        headroom = [each for each in measure_headroom(backend, parts, guards) if each.decisions]
    if format_ is ReportFormat.JSON:
        print_json(to_json(used, headroom))
        return
    title = f"coverage by the decisions of {decisions}"
    report(sections(title, used, headroom), title, format_)


def of_tests(format_: ReportFormat) -> Format:
    """The format of a report over tests. Raises Failure for those that it does not have."""
    if format_ in (ReportFormat.MARKDOWN, ReportFormat.HTML):
        raise Failure(
            f"tests are reported as text or JSON, not as `{format_}`", "name `--decisions`, or another format"
        )
    return Format(format_.value)


def sections(title: str, used: list[RuleUse], headroom: list[Headroom]) -> list[Section]:
    """The report: the sum, the rules that never fired, and the limits."""
    never = [each for each in used if each.never]
    engines = sorted({each.engine for each in used})
    rows = [
        (
            name,
            f"{max(each.decisions for each in used if each.engine == name):,}",
            str(sum(each.engine == name for each in used)),
            str(sum(each.engine == name and not each.never for each in used)),
            str(sum(each.engine == name and each.erred > 0 for each in used)),
            str(sum(each.engine == name and each.lost > 0 for each in used)),
        )
        for name in engines
    ]
    header = ("engine", "decisions", "rules judged", "fired", "erred", "not evaluated")
    lines = [] if rows else ["no decision was recorded of an engine of these policies"]
    made = [Section(title, header, rows, (1, 2, 3, 4, 5), lines)]
    if never:
        listed = [(each.engine, each.point.value, each.rule.id, each.rule.title, str(each.rule.span)) for each in never]
        made.append(Section("rules that never fired", ("engine", "point", "rule", "title", "written at"), listed))
    if headroom:
        made.append(_limits(headroom))
    return made


def _limits(headroom: list[Headroom]) -> Section:
    rows = []
    for each in sorted(headroom, key=lambda one: -(one.most or 0.0)):
        shares = [_percent(share) for share in (each.least, each.low, each.median, each.high, each.most)]
        rows.append(
            (
                each.engine,
                each.clause.limit.name.removeprefix("limits."),
                _value(each),
                each.clause.rule.id,
                f"{each.decisions:,}",
                *shares,
                *_flips(each),
            )
        )
    header = (
        "engine",
        "limit",
        "value",
        "rule",
        "decisions",
        "min",
        "p1",
        "p50",
        "p99",
        "max",
        "flips",
        "away",
        "first",
    )
    quiet = sorted(
        {each.clause.limit.name.removeprefix("limits.") for each in headroom if (each.most or 0.0) < _APPROACHED}
    )
    lines = ["shares of the limit that are used; percentiles are approximate, the value that flips is exact"]
    if quiet:
        lines.append(f"never approached, less than half of it used: {', '.join(quiet)}")
    return Section("what is used of each limit", header, rows, (4, 5, 6, 7, 8, 9, 11), lines)


def _value(each: Headroom) -> str:
    return format_value(each.clause.limit.value, each.clause.limit.type)


def _flips(each: Headroom) -> tuple[str, str, str]:
    """From which value on the first decision that was allowed would have been stopped, and how far away that is."""
    if each.tightest is None:
        return "-", "-", "-"
    kind, value = each.clause.limit.type, each.tightest.value
    end = ceil if each.clause.cap else floor
    step = _STEP if kind.kind is Kind.RATIO else 1
    rounded = Fraction(end(value * step), step)
    word = "below" if each.clause.cap else "above"
    strict = each.clause.op in ("<", ">") and rounded == value
    mark = "" if rounded == value else "~"
    distance = each.tightest.distance(Fraction(each.clause.limit.value))  # type: ignore[arg-type] # it is a number
    away = "-" if distance is None else f"{float(distance):.1%}"
    return f"{'at or ' if strict else ''}{word} {mark}{format_value(rounded, kind)}", away, each.tightest.decision


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def to_json(used: list[RuleUse], headroom: list[Headroom]) -> dict[str, Any]:
    """The report for programs. The value that flips is an exact fraction of the limit's smallest unit."""
    return {
        "rules": [
            {
                "engine": each.engine,
                "point": each.point.value,
                "rule": each.rule.id,
                "at": str(each.rule.span),
                "decisions": each.decisions,
                "fired": each.fired,
                "erred": each.erred,
                "not_evaluated": each.lost,
            }
            for each in used
        ],
        "limits": [
            {
                "engine": each.engine,
                "limit": each.clause.limit.name,
                "value": _value(each),
                "rule": each.clause.rule.id,
                "decisions": each.decisions,
                "used": {
                    "min": each.least,
                    "p1": each.low,
                    "p50": each.median,
                    "p99": each.high,
                    "max": each.most,
                },
                "flips": None
                if each.tightest is None
                else {
                    "direction": "below" if each.clause.cap else "above",
                    "value": str(each.tightest.value),
                    "written": _flips(each)[0],
                    "decision": each.tightest.decision,
                },
            }
            for each in headroom
        ],
    }
