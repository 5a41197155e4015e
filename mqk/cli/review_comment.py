"""The comment on a pull request that changes policies: what the change means, and what history would say of it.

What lives here: the comment as a whole, and the part on history. What does not: the comparison (diff_pages.py), the
judging again (mqk.analysis.history), posting (the action that `mqk init` copies).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mqk.analysis.diff import Direction, PolicyDiff
from mqk.cli.diff_pages import cell, markdown

# Finds the comment again, so that a later push brings it up to date instead of adding another.
MARKER: Final = "<!-- mqk policy review -->"
_SIGNS: Final = {
    Direction.EQUAL: "⚪",
    Direction.TIGHTER: "🟢",
    Direction.LOOSER: "🔴",
    Direction.INCOMPARABLE: "🟠",
    Direction.UNDECIDED: "🟠",
}


def comment(found: PolicyDiff, history: Mapping[str, Any] | None, title: str) -> str:
    """The comment, as Markdown. `history` is the impact on recorded decisions, where some were given."""
    told = markdown(found, title)
    for direction, sign in _SIGNS.items():
        told = told.replace(f"**{direction}**", f"{sign} **{direction}**")
    head = told.replace(f"### Policies: {found.verdict}", f"## {_SIGNS[found.verdict]} Policies: {found.verdict}", 1)
    # A name behind an `@` would be called, whether the sign is escaped or not.
    quiet = head.replace("\\@", "@\u200b")
    return "\n".join([MARKER, quiet, *_history(history), *_foot(found)])


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
    days = f"{history['first'][:10]} to {history['last'][:10]}"
    yield f"{judged:,} recorded decisions, {days}, judged again: **{flipped:,} come out otherwise**."
    yield ""
    if flips:
        yield "| | Engine | Rules | Was | Is | Decisions |"
        yield "|---|---|---|---|---|---:|"
        for (direction, engine, rules, was, now), count in _summed(flips).items():
            sign = _SIGNS[Direction(direction)]
            yield f"| {sign} **{direction}** | {cell(engine)} | {cell(rules)} | {was} | {now} | {count:,} |"
        yield from _some(history["sample"])
    lost = sorted({each["rule"] for each in history["lost"]})
    if lost:
        yield f"Not known, because what they read was not recorded: {cell(', '.join(lost))}."
        yield ""
    yield "Each decision is judged by itself, as it was recorded: what would have followed is not played."
    yield ""


def _some(sample: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("", "<details><summary>Some of them</summary>", "")
    yield "| Decision | At | Order | Was | Is |"
    yield "|---|---|---|---|---|"
    for each in sample:
        order = " ".join(str(each[key]) for key in ("side", "qty", "symbol") if each[key] is not None)
        outcomes = f"{each['before']['outcome']} | {each['after']['outcome']}"
        yield f"| {cell(each['decision'])} | {each['at']} | {cell(order)} | {outcomes} |"
    yield from ("", "</details>", "")


def _summed(flips: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], int]:
    """Flips of all days together, by what they are, the most first."""
    found: dict[tuple[str, ...], int] = {}
    for each in flips:
        key = (each["direction"], each["engine"], ", ".join(each["rules"]), each["before"], each["after"])
        found[key] = found.get(key, 0) + each["decisions"]
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _foot(found: PolicyDiff) -> Iterator[str]:
    needed = "two approvals" if found.verdict.loosens else "one approval"
    yield "<sub>Proven for all inputs; each example was judged by the real rules of both sides. Under change control it"
    yield f"takes effect with {needed}, by others than who proposes it.</sub>"
    yield ""
