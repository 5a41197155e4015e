"""`mqk policy impact`: recorded decisions judged again under two sets of policies, and what comes out otherwise.

What lives here: the arguments and the report. What does not: the judging (mqk.analysis.history).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mqk.cli.history_source import (
    BackendOption,
    DecisionsOption,
    Reckoner,
    ReportFormat,
    ReportOption,
    guards_of,
    history,
    report,
)
from mqk.cli.options import DATA_DIR, AsOfOption, DataDirOption
from mqk.cli.output import print_json
from mqk.cli.sections import Section
from mqk.quantity import format_money

if TYPE_CHECKING:
    from mqk.analysis.history.impact import Flip, Impact, Shown

_DAYS = 10
_LIMIT = "each decision is judged by itself, as it was recorded: what would have followed from a flip is not played"


def run(
    base: Annotated[str, typer.Argument(metavar="BASE", help="The policies before the change.")],
    head: Annotated[str, typer.Argument(metavar="HEAD", help="The policies after it.")],
    *,
    decisions: DecisionsOption,
    data_dir: DataDirOption = DATA_DIR,
    as_of: AsOfOption = None,
    engine: BackendOption = Reckoner.DUCKDB,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=0, help="How many decisions to show.")] = 10,
    format_: ReportOption = ReportFormat.TEXT,
) -> None:
    """Judge recorded decisions again under two sets of policies, and list what comes out otherwise."""
    from mqk.analysis.history.impact import measure_impact  # noqa: PLC0415 - loads Ibis

    before, after = guards_of(base, as_of), guards_of(head, as_of)
    with history(decisions, data_dir, engine) as (backend, parts):
        found = measure_impact(backend, parts, before, after, limit=limit)
    title = f"impact of {base} → {head}"
    if format_ is ReportFormat.JSON:
        print_json(to_json(found))
    else:
        report(sections(title, found), title, format_)


# -- for people ----------------------------------------------------------------------------------------------------


def sections(title: str, found: Impact) -> list[Section]:
    """The report, from the sum to the single decision."""
    made = [_summary(title, found)]
    if found.flips:
        made += [_by_rule(found), _by_day(found)]
    if found.sample:
        made.append(_sample(found))
    if found.lost:
        made.append(_lost(found))
    return made


def _summary(title: str, found: Impact) -> Section:
    rows = []
    for (engine, point), judged in sorted(found.judged.items()):
        theirs = [flip for flip in found.flips if (flip.engine, flip.point) == (engine, point)]
        tighter, looser = [[f for f in theirs if f.loosens is side] for side in (False, True)]
        unknown = found.unknown.get((engine, point), 0)
        cells = (
            engine,
            point.value,
            f"{judged:,}",
            *_sums(tighter),
            *_sums(looser),
            f"{unknown:,}" if unknown else "-",
        )
        rows.append(cells)
    header = ("engine", "point", "decisions", "tighter", "notional", "looser", "notional", "not evaluated")
    lines = []
    if found.first is not None:
        lines.append(f"recorded from {found.first} to {found.last}")
    if not found.judged:
        lines.append("no decision was recorded of an engine that both sides have")
    if found.unlike:
        lines.append(f"{found.unlike:,} decisions come out otherwise under the very policies that made them")
    if found.other_policies:
        lines.append(f"{found.other_policies:,} decisions were recorded under other policies than the base's")
    lines += [
        f"{count:,} decisions of {name}, an engine that one side lacks" for name, count in found.elsewhere.items()
    ]
    lines.append(_LIMIT)
    return Section(title, header, rows, (2, 3, 4, 5, 6, 7), lines)


def _sums(flips: list[Flip]) -> tuple[str, str]:
    count = sum(flip.decisions for flip in flips)
    return (f"{count:,}", format_money(sum(flip.notional for flip in flips))) if count else ("-", "-")


def _by_rule(found: Impact) -> Section:
    counts: Counter[tuple[str, str, str, str]] = Counter()
    notional: Counter[tuple[str, str, str, str]] = Counter()
    for flip in found.flips:
        for rule in flip.rules:
            key = (flip.engine, rule, flip.before, flip.after)
            counts[key] += flip.decisions
            notional[key] += flip.notional
    rows = [(*key, f"{count:,}", format_money(notional[key])) for key, count in counts.most_common()]
    return Section("by rule", ("engine", "rule", "was", "is", "decisions", "notional"), rows, (4, 5))


def _by_day(found: Impact) -> Section:
    counts: Counter[tuple[date, str]] = Counter()
    notional: Counter[tuple[date, str]] = Counter()
    for flip in found.flips:
        counts[flip.day, flip.engine] += flip.decisions
        notional[flip.day, flip.engine] += flip.notional
    most = sorted(counts, key=lambda key: (-counts[key], key))[:_DAYS]
    rows = [(str(day), engine, f"{counts[day, engine]:,}", format_money(notional[day, engine])) for day, engine in most]
    left = len(counts) - len(most)
    lines = [f"and {left:,} more days"] if left else []
    return Section("by day, the most first", ("day", "engine", "decisions", "notional"), rows, (2, 3), lines)


def _sample(found: Impact) -> Section:
    rows = []
    for each in found.sample:
        what = " ".join(str(x) for x in (each.side, each.qty, each.symbol) if x is not None)
        rows.append((each.decision_id, f"{each.at:%Y-%m-%d %H:%M:%S}", what, _why(each)))
    return Section("a sample, judged again by the real guards", ("decision", "at", "what", "why"), rows)


def _why(each: Shown) -> str:
    """What the side that is severer says."""
    said = [
        f"{finding.rule}: {finding.message}"
        for side in (each.after, each.before)
        for finding in side.findings
        if finding.effect == side.outcome and not side.allowed
    ]
    return f"{each.before.outcome} → {each.after.outcome}" + (f" ({said[0]})" if said else "")


def _lost(found: Impact) -> Section:
    rows = [(e.engine, e.side, e.rule, f"{e.decisions:,}", e.why, e.span) for e in found.lost]
    return Section(
        "not evaluated: what these rules would have said is not known",
        ("engine", "side", "rule", "decisions", "why", "written at"),
        rows,
        (3,),
    )


# -- for programs --------------------------------------------------------------------------------------------------


def to_json(found: Impact) -> dict[str, Any]:
    """The report for programs: amounts as text with their unit."""
    return {
        "first": str(found.first) if found.first else None,
        "last": str(found.last) if found.last else None,
        "judged": _by_point(found.judged),
        "not_evaluated": _by_point(found.unknown),
        "unlike_recorded": found.unlike,
        "other_policies": found.other_policies,
        "other_engines": dict(found.elsewhere),
        "flips": [
            {
                "engine": flip.engine,
                "point": flip.point.value,
                "day": str(flip.day),
                "before": flip.before,
                "after": flip.after,
                "direction": "LOOSER" if flip.loosens else "TIGHTER",
                "rules": list(flip.rules),
                "decisions": flip.decisions,
                "notional": format_money(flip.notional),
            }
            for flip in found.flips
        ],
        "lost": [
            {
                "engine": e.engine,
                "point": e.point.value,
                "side": e.side,
                "rule": e.rule,
                "why": e.why,
                "decisions": e.decisions,
                "at": e.span,
            }
            for e in found.lost
        ],
        "sample": [
            {
                "decision": each.decision_id,
                "engine": each.engine,
                "point": each.point.value,
                "at": each.at.isoformat().replace("+00:00", "Z"),
                "symbol": each.symbol,
                "side": each.side,
                "qty": each.qty,
                "price": None if each.price is None else format_money(each.price),
                "notional": None if each.notional is None else format_money(each.notional),
                "order": each.client_order_id,
                "before": each.before.to_json(),
                "after": each.after.to_json(),
            }
            for each in found.sample
        ],
    }


def _by_point(counts: Mapping[tuple[str, Any], int]) -> dict[str, dict[str, int]]:
    made: dict[str, dict[str, int]] = {}
    for (engine, point), count in sorted(counts.items()):
        made.setdefault(engine, {})[point.value] = count
    return made
