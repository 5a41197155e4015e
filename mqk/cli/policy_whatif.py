"""`mqk policy whatif`: limits set otherwise on the command line, and what follows for a decision and for history.

What lives here: the arguments and the report. What does not: reading the limits (setting.py), the direction of a change
(mqk.analysis.diff), how far a decision is from another one (mqk.analysis.distance), history (mqk.analysis.history).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mqk.analysis.diff import BUDGET, Change, Direction, EngineDiff, joined
from mqk.analysis.diff.pair import Pair
from mqk.analysis.distance import Distance, distance
from mqk.cli import decision, distances, history_source, policy_impact
from mqk.cli.bound import load, policies_at
from mqk.cli.diff_report import VERDICTS, told
from mqk.cli.exits import Failure
from mqk.cli.facts import read_document
from mqk.cli.options import DATA_DIR, AsOfOption, DataDirOption, Format, FormatOption, PoliciesOption
from mqk.cli.output import note, print_json, say
from mqk.cli.recorded import Recorded, recorded
from mqk.cli.sections import text_lines
from mqk.cli.setting import changed
from mqk.guards import Decision, GuardSet, Point, canonical_name, compile_bundle, read_facts
from mqk.policy import Bundle, PolicyError, PolicySet, did_you_mean, effective_bundle

if TYPE_CHECKING:
    from mqk.analysis.history.impact import Impact


@dataclass(frozen=True, slots=True)
class _Judged:
    """A decision under one set of limits, and how far it is from another one."""

    made: Decision
    apart: Distance

    def to_json(self) -> dict[str, Any]:
        return {**self.made.to_json(), "distance": self.apart.to_json()}


def run(
    *,
    settings: Annotated[
        list[str], typer.Option("--set", metavar="LIMIT=VALUE", help="A limit and its value; may be given often.")
    ],
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="ID", help="The engine.", show_default="all; of a decision, its own"),
    ] = None,
    at: Annotated[Point, typer.Option("--at", help="The guard point of `--facts`.")] = Point.ORDER,
    facts: Annotated[
        str | None,
        typer.Option(
            "--facts",
            metavar="FILE",
            help="Facts of a decision, over the engine's baseline; JSON or YAML, `-` is stdin.",
        ),
    ] = None,
    decision_id: Annotated[
        str | None, typer.Option("--decision", metavar="ID", help="A recorded decision, named as in `mqk why`.")
    ] = None,
    decisions: Annotated[
        str | None, typer.Option("--decisions", metavar="SOURCE", help=f"History: {history_source.SOURCE}")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option("--run-dir", metavar="DIR", help="The artifacts of the backtest of `--decision`.")
    ] = None,
    data_dir: DataDirOption = DATA_DIR,
    policies: PoliciesOption = None,
    as_of: AsOfOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Set limits otherwise, and see what follows: the decision, what may pass that did not, and history."""
    if facts is not None and decision_id is not None:
        raise Failure("`--facts` and `--decision` are two decisions", "ask about one of them")
    record = None if decision_id is None else recorded(decision_id, data_dir, run_dir)
    if record is not None:
        engine, as_of, at = record.found["engine"], record.as_of, record.point
    if facts is not None and engine is None:
        raise Failure("`--facts` are of no engine", "name it by `--engine`")
    before = _bundles(load(policies_at(policies)), engine, as_of, record)
    if record is not None and before[record.found["engine"]].sha256 != record.found["bundle"]:
        note("the policies of this decision are not the ones here: `before` is what these say to it")
    after = changed(before, settings)
    moved = {name: Pair(before[name], after[name], BUDGET).run() for name in before if before[name] != after[name]}
    guards = [{name: compile_bundle(each) for name, each in side.items()} for side in (before, after)]
    judged: list[_Judged] = []
    if engine is not None and (facts is not None or record is not None):
        given = read_document(facts) if facts is not None else (record.found["facts"] if record is not None else {})
        sides = zip((before, after), guards, strict=True)
        judged = [_judge(side[engine], compiled[engine], at, given, usual=record is None) for side, compiled in sides]
    history = None if decisions is None else _history(decisions, data_dir, *guards)
    if format_ is Format.JSON:
        print_json(_json(settings, judged, moved, history))
    else:
        say(*_lines(judged, moved, history, title=", ".join(settings)))


def _bundles(policies: PolicySet, engine: str | None, as_of: date | None, record: Recorded | None) -> dict[str, Bundle]:
    """The bundles of the engine meant, or of all."""
    names = policies.ids("engine")
    if engine is not None and engine not in names:
        raise Failure(f"there is no engine `{engine}`", did_you_mean(engine, names))
    if policies.errors:
        raise PolicyError(policies.errors)
    overlays = () if record is None else record.overlays
    wanted = names if engine is None else (engine,)
    return {name: effective_bundle(policies, name, as_of=as_of, overlays=overlays) for name in wanted}


def _judge(bundle: Bundle, guards: GuardSet, at: Point, given: Mapping[str, object], *, usual: bool) -> _Judged:
    said = {canonical_name(name) for name in given}
    texts = bundle.baseline.items() if usual else ()
    base: dict[str, object] = {name: text.text for name, text in texts if canonical_name(name) not in said}
    read_facts(
        given, guards, at
    )  # what is mistyped in them is refused, and what a baseline has for other points is not
    moment = read_facts({**base, **given}, guards, at, lenient=usual)
    made = guards.guards[at].decide(moment.views, moment.problems)
    return _Judged(made, distance(bundle, guards, made, moment))


def _history(decisions: str, data_dir: Path, before: Mapping[str, GuardSet], after: Mapping[str, GuardSet]) -> Impact:
    from mqk.analysis.history.impact import measure_impact  # noqa: PLC0415 - loads Ibis

    with history_source.history(decisions, data_dir, history_source.Reckoner.DUCKDB) as (backend, parts):
        return measure_impact(backend, parts, before, after)


# -- for people ----------------------------------------------------------------------------------------------------

_Moved = Mapping[str, tuple[EngineDiff, list[Change]]]


def _lines(judged: Sequence[_Judged], moved: _Moved, history: Impact | None, *, title: str) -> list[str]:
    found: list[str] = []
    for word, each in zip(("before", "after"), judged, strict=False):
        found += [f"{word}: {line}" if n == 0 else line for n, line in enumerate(decision.lines(each.made.to_json()))]
        found += [*distances.lines(each.apart), ""]
    verdict = joined(engine.verdict for engine, _ in moved.values())
    found.append(f"{verdict}: {VERDICTS[verdict]}")
    for name, (_, changes) in moved.items():
        for change in changes:
            found.append(f"  {name}: {change.direction} {change.path}: {told(change)}")
            found += [f"{' ' * 4}{each.text}" for each in (change.witness, change.tighter) if each is not None]
            found += [f"{' ' * 4}{change.why}"] if change.why else []
    if history is not None:
        found += ["", *text_lines(policy_impact.sections(f"impact of {title}", history))]
    return found


def _json(settings: Sequence[str], judged: Sequence[_Judged], moved: _Moved, history: Impact | None) -> dict[str, Any]:
    sides = dict(zip(("before", "after"), (each.to_json() for each in judged), strict=False))
    verdict = joined(engine.verdict for engine, _ in moved.values()) if moved else Direction.EQUAL
    return {
        "set": list(settings),
        "before": sides.get("before"),
        "after": sides.get("after"),
        "verdict": verdict.value,
        "engines": {name: engine.to_json() for name, (engine, _) in moved.items()},
        "changes": [change.to_json() for _, changes in moved.values() for change in changes],
        "history": None if history is None else policy_impact.to_json(history),
    }
