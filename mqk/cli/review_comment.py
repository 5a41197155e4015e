"""The comment on a pull request that changes policies: the verdict, what changed, what flips, what history would say.

What lives here: the words and the layout. What does not: what a change means (mqk.analysis.diff), what it would have
done (mqk.analysis.history), and posting it (the action that `mqk init` copies).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mqk.analysis.diff import Change, Direction, PolicyDiff, ShownWitness
from mqk.cli.diff_report import VERDICTS

# Finds the comment again, so that a later push brings it up to date instead of adding another.
MARKER: Final = "<!-- mqk policy review -->"
_SIGNS: Final = {
    Direction.EQUAL: "⚪",
    Direction.TIGHTER: "🟢",
    Direction.LOOSER: "🔴",
    Direction.INCOMPARABLE: "🟠",
    Direction.UNDECIDED: "🟠",
}
_LEVELS: Final = {Direction.TIGHTER: "notice", Direction.EQUAL: "notice"}
# Beyond so many a comment is not read, and at some length not taken.
_MOST_CHANGES: Final = 40
_MOST_SHOWN: Final = 10


def comment(found: PolicyDiff, history: Mapping[str, Any] | None, base: str) -> str:
    """The comment, as Markdown. `history` is the impact on recorded decisions, where some were given."""
    parts = (_verdict(found), _changes(found), _shown(found), _history(history), _foot(found, base))
    return "\n".join([MARKER, *(line for part in parts for line in part)])


def _verdict(found: PolicyDiff) -> Iterator[str]:
    yield f"## {_SIGNS[found.verdict]} {found.verdict}: {VERDICTS[found.verdict]}"
    yield ""
    told = []
    for name, engine in found.engines.items():
        moved = [f"{point} {each.verdict}" for point, each in engine.points.items() if each.verdict != Direction.EQUAL]
        beside = f" ({', '.join(moved)})" if moved else ""
        told.append(f"{_SIGNS[engine.verdict]} **{name}** {engine.verdict}{beside}")
    if told:
        yield " · ".join(told)
        yield ""


def _changes(found: PolicyDiff) -> Iterator[str]:
    moved = [each for each in found.changes if each.direction is not Direction.EQUAL]
    still = [each for each in found.changes if each.direction is Direction.EQUAL]
    if moved:
        yield "| | Change | Before | After | Engines | Where |"
        yield "|---|---|---|---|---|---|"
    for change in moved[:_MOST_CHANGES]:
        cells = (
            f"{_SIGNS[change.direction]} {change.direction}",
            _code(change.path) + (f"<br>{_line(change.why)}" if change.why else ""),
            _value(change.before),
            _value(change.after),
            ", ".join(change.engines),
            "" if change.at is None else f"`{change.at.file}:{change.at.line}`",
        )
        yield f"| {' | '.join(cells)} |"
    if moved:
        yield ""
    if len(moved) > _MOST_CHANGES:
        yield f"and {len(moved) - _MOST_CHANGES} more changes"
        yield ""
    if still:
        more = f" and {len(still) - _MOST_CHANGES} more" if len(still) > _MOST_CHANGES else ""
        yield f"Changed without effect: {', '.join(_code(each.path) for each in still[:_MOST_CHANGES])}{more}."
        yield ""
    if not found.changes:
        yield "Nothing changed that means anything: names, layout, comments and order do not count."
        yield ""


def _shown(found: PolicyDiff) -> Iterator[str]:
    witnesses = [
        (change.path, witness, loosens)
        for change in found.changes
        for witness, loosens in ((change.witness, change.direction.loosens), (change.tighter, False))
        if witness is not None
    ]
    told = {witness.text for _, witness, _ in witnesses}
    # What is stopped that passed is proven for a point as a whole, whichever changes it comes from.
    witnesses += [
        (point, each.tighter, False)
        for engine in found.engines.values()
        for point, each in engine.points.items()
        if each.tighter is not None and each.tighter.text not in told
    ]
    # What may pass that could not is what a reviewer is asked about.
    witnesses.sort(key=lambda each: not each[2])
    if not witnesses:
        return
    yield "### What comes out otherwise"
    yield ""
    for what, witness, _ in witnesses[:_MOST_SHOWN]:
        yield from _witness(what, witness)
    if len(witnesses) > _MOST_SHOWN:
        yield f"and {len(witnesses) - _MOST_SHOWN} more"
    yield ""


def _witness(what: str, witness: ShownWitness) -> Iterator[str]:
    head = f"- {_code(what)}, {witness.engine}: "
    if witness.before is None or witness.after is None:
        yield f"{head}{_line(witness.text)}"
        return
    beside = ", ".join(f"{name} {value}" for name, value in witness.facts.items() if not name.startswith("order."))
    yield f"{head}**{_line(witness.subject)}**" + (f", with {_line(beside)}" if beside else "")
    yield f"  - before: {_judged(witness.before.outcome, witness.before.rules, witness.before.says)}"
    yield f"  - after: {_judged(witness.after.outcome, witness.after.rules, witness.after.says)}"


def _judged(outcome: str, rules: Sequence[str], says: str) -> str:
    by = f" by {', '.join(rules)}" if rules else ""
    return f"**{outcome}**{by}" + (f": {_line(says)}" if says else "")


def _history(history: Mapping[str, Any] | None) -> Iterator[str]:
    if history is None:
        return
    judged = sum(count for points in history["judged"].values() for count in points.values())
    yield "### On recorded history"
    yield ""
    if not judged:
        yield "No decision was recorded of an engine that both sides have."
        yield ""
        return
    flips = history["flips"]
    flipped = sum(each["decisions"] for each in flips)
    yield (
        f"{judged:,} recorded decisions, {history['first']} to {history['last']}, judged again: "
        f"**{flipped:,} come out otherwise**."
    )
    yield ""
    if flips:
        yield "| | Engine | Rules | Was | Is | Decisions |"
        yield "|---|---|---|---|---|---:|"
        for (direction, engine, rules, was, now), count in _summed(flips).items():
            sign = _SIGNS[Direction(direction)]
            yield f"| {sign} {direction} | {engine} | {rules} | {was} | {now} | {count:,} |"
        yield ""
        yield "<details><summary>Some of them</summary>"
        yield ""
        yield "| Decision | At | Order | Was | Is |"
        yield "|---|---|---|---|---|"
        for each in history["sample"]:
            order = " ".join(str(each[key]) for key in ("side", "qty", "symbol") if each[key] is not None)
            outcomes = f"{each['before']['outcome']} | {each['after']['outcome']}"
            yield f"| {_code(each['decision'])} | {each['at']} | {order} | {outcomes} |"
        yield ""
        yield "</details>"
        yield ""
    lost = {each["rule"] for each in history["lost"]}
    if lost:
        yield f"Not known, because what they read was not recorded: {', '.join(sorted(lost))}."
        yield ""
    yield "Each decision is judged by itself, as it was recorded: what would have followed is not played."
    yield ""


def _summed(flips: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], int]:
    """Flips of all days together, by what they are, the most first."""
    found: dict[tuple[str, ...], int] = {}
    for each in flips:
        key = (each["direction"], each["engine"], ", ".join(each["rules"]), each["before"], each["after"])
        found[key] = found.get(key, 0) + each["decisions"]
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _foot(found: PolicyDiff, base: str) -> Iterator[str]:
    needed = "two approvals" if found.verdict.loosens else "one approval"
    yield "<sub>Proven for all inputs; each example was judged by the real rules of both sides. Under change control it"
    yield f"takes effect with {needed}, by others than who proposes it. Compared with {_code(base)}.</sub>"
    yield ""


def beside_lines(found: PolicyDiff) -> Iterator[tuple[str, Change, str]]:
    """What to show beside a changed line: how loud, which change, in which words."""
    for change in found.changes:
        if change.after_at is not None and change.direction is not Direction.EQUAL:
            shown = [each.text for each in (change.witness, change.tighter) if each is not None]
            lines = [f"{_plain(change.before)} → {_plain(change.after)}", *filter(None, [change.why]), *shown]
            yield _LEVELS.get(change.direction, "warning"), change, "\n".join(lines)


def _plain(text: str | None) -> str:
    return "nothing" if text is None else text


def _value(text: str | None) -> str:
    return "" if text is None else _code(text)


def _code(text: str) -> str:
    """Text as code: a back-quote in it would end it."""
    return f"`{_line(text).replace('`', chr(39))}`"


def _line(text: str) -> str:
    """Text on one line, which ends no cell of a table, is no HTML and calls nobody by their name."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("@", "@\u200b")
