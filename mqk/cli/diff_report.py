"""How a comparison of policies reads on a terminal: the verdict first, then changes, then what shows them.

What lives here: the layout as text, and the words that all layouts share. What does not: what a change means
(mqk.analysis.diff).
"""

from __future__ import annotations

from collections.abc import Iterator

from mqk.analysis.diff import Change, Direction, PolicyDiff
from mqk.cli.output import table

VERDICTS = {
    Direction.EQUAL: "nothing that was stopped may pass, and nothing that passed is stopped",
    Direction.TIGHTER: "nothing that was stopped may pass; more is stopped, tested or proven",
    Direction.LOOSER: "something may pass that was stopped, or is no longer watched",
    Direction.INCOMPARABLE: "something may pass that was stopped, and something is stopped that passed",
    Direction.UNDECIDED: "it is not proven that nothing may pass that was stopped",
}


def lines(found: PolicyDiff) -> Iterator[str]:
    """The whole report."""
    yield from head(found)
    if found.changes:
        yield ""
    for change in found.changes:
        yield from _change(change)


def head(found: PolicyDiff) -> Iterator[str]:
    """The verdict, and each engine's."""
    yield f"{found.verdict}: {VERDICTS[found.verdict]}"
    rows = [
        (name, engine.verdict.value, ", ".join(f"{p} {d.verdict}" for p, d in engine.points.items()))
        for name, engine in found.engines.items()
    ]
    yield from table(rows)


def _change(change: Change) -> Iterator[str]:
    engines = f" ({', '.join(change.engines)})" if change.engines else ""
    yield f"{change.direction} {change.path}{engines}"
    yield f"  {told(change)}"
    yield f"  {where(change)}"
    if change.why:
        yield f"  {change.why}"
    for witness in (change.witness, change.tighter):
        if witness is not None:
            yield f"  {witness.engine}: {witness.text}"


def told(change: Change) -> str:
    """What it was and what it is."""
    if change.before is None:
        return f"new: {change.after}"
    return f"gone: {change.before}" if change.after is None else f"{change.before} -> {change.after}"


def where(change: Change) -> str:
    """Its places on both sides."""
    places = [f"{span.file}:{span.line}" for span in (change.before_at, change.after_at) if span is not None]
    return " -> ".join(dict.fromkeys(places)) or "in no file"
