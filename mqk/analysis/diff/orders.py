"""The machine of orders on both sides: what a broker may say without halting the engine, and where it takes an order.

What lives here: one difference for each state and event, from the tables that both machines are compiled to. What does
not: machines of runs (moves.py).

What has no move cannot have happened, and halts the engine: a new move halts less often, and is looser. A move that is
gone halts more often. An order that goes on as something else is neither.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mqk.analysis.diff.differences import Difference
from mqk.analysis.diff.results import Change, Direction, Judgement, ShownWitness, joined
from mqk.guards import Point
from mqk.guards.order_life import CONDITIONS
from mqk.policy.canonical import canonical_expression
from mqk.policy.order_life import EVENTS

if TYPE_CHECKING:
    from mqk.guards.order_life import OrderMoves
    from mqk.policy import LifecycleSource, TransitionSource

Cells = tuple[str | None, ...]
Table = Mapping[tuple[str, str], Cells]
_NOWHERE: Final[Cells] = (None,) * 2 ** len(CONDITIONS)
_BEGINNING: Final = "NEW"


def order_changes(
    engine: str, machines: tuple[LifecycleSource, LifecycleSource], moves: tuple[OrderMoves, OrderMoves]
) -> Iterator[Change]:
    """Every state and event of two machines of orders, compiled to `moves`, that are not the same."""
    low, high = (_written(machine) for machine in machines)
    tables = moves[0].table, moves[1].table
    for state in dict.fromkeys([*machines[1].states, *machines[0].states]):
        for event in EVENTS:
            key = state, event
            was, now = (table.get(key, _NOWHERE) for table in tables)
            one, other = low.get(key, []), high.get(key, [])
            if was != now or _content(one) != _content(other):
                yield _change(engine, key, (one, other), (was, now), tables)


def _written(machine: LifecycleSource) -> dict[tuple[str, str], list[TransitionSource]]:
    found: dict[tuple[str, str], list[TransitionSource]] = {}
    for move in machine.transitions:
        for state in move.from_states:
            found.setdefault((state, move.by), []).append(move)
    return found


def _content(moves: Sequence[TransitionSource]) -> list[tuple[str, str]]:
    return sorted((move.to, canonical_expression(move.when) or "") for move in moves)


def _change(
    engine: str,
    key: tuple[str, str],
    moves: tuple[Sequence[TransitionSource], Sequence[TransitionSource]],
    cells: tuple[Cells, Cells],
    tables: tuple[Table, Table],
) -> Change:
    (state, event), (was, now) = key, cells
    told = [", or ".join(_told(move) for move in each) or None for each in moves]
    spans = [each[0].span if each else None for each in moves]
    difference = Difference(f"lifecycle.order.{state}.{event}", "transition", told[0], told[1], spans[0], spans[1])
    opened, closed, moved = (
        [i for i, (a, b) in enumerate(zip(was, now, strict=True)) if a != b and which(a, b)]
        for which in (_opens, _closes, _moves)
    )
    found = [
        *([Direction.LOOSER] if opened else []),
        *([Direction.TIGHTER] if closed else []),
        *([Direction.INCOMPARABLE] if moved else []),
    ]
    change = difference.change(engine, joined(found), _why(key, cells, opened, closed, moved))
    way = _way(tables, state)
    return replace(
        change,
        witness=_shown(engine, key, opened, now, way) if opened else None,
        tighter=_shown(engine, key, closed, was, way, mirrored=True) if closed else None,
    )


def _opens(before: str | None, _: str | None) -> bool:
    return before is None


def _closes(_: str | None, after: str | None) -> bool:
    return after is None


def _moves(before: str | None, after: str | None) -> bool:
    return before is not None and after is not None


def _told(move: TransitionSource) -> str:
    return f"to {move.to} by {move.by}" + (f", when {move.when.text}" if move.when is not None else "")


def _why(
    key: tuple[str, str], cells: tuple[Cells, Cells], opened: Sequence[int], closed: Sequence[int], moved: Sequence[int]
) -> str:
    """What it comes to, in words."""
    state, event = key
    said = []
    if opened:
        said.append(f"the engine halts less often: an order in {state} may be told `{event}`")
    if closed:
        said.append(f"the engine halts more often: an order in {state} may not be told `{event}` any more")
    if moved:
        before, after = cells[0][moved[0]], cells[1][moved[0]]
        said.append(f"told `{event}`, an order in {state} becomes {after} where it became {before}")
    return "; ".join(said) or "the same orders come to the same"


def _shown(
    engine: str, key: tuple[str, str], where: Sequence[int], ends: Cells, way: Sequence[str], *, mirrored: bool = False
) -> ShownWitness:
    """The events that end in one which halts one side and not the other; `mirrored`: the new side."""
    state, event = key
    facts = {
        f"order.{name}": "true" if held.pop() else "false"
        for bit, name in enumerate(reversed(CONDITIONS))
        if len(held := {bool(i >> bit & 1) for i in where}) == 1
    }
    to = ends[where[0]]
    steps = (*way, f"{state} -{event}-> {to}")
    line = " ".join([steps[0], *(step.partition(" ")[2] for step in steps[1:])])
    with_ = f" (with {', '.join(f'{name} {value}' for name, value in facts.items())})" if facts else ""
    halts, goes_on = (
        Judgement("halt", (), f"`{event}` cannot happen to an order in {state}"),
        Judgement(str(to), (), ""),
    )
    told = ("went on", "now halts the engine") if mirrored else ("halted the engine", "now goes on")
    sides = (goes_on, halts) if mirrored else (halts, goes_on)
    subject = f"`{event}` for an order in {state}"
    return ShownWitness(
        engine, Point.TRANSITION.value, subject, f"{line}{with_}: {told[0]}, {told[1]}", facts, *sides, steps
    )


def _way(tables: tuple[Table, Table], target: str) -> tuple[str, ...]:
    """The fewest events that bring a new order to a state on both sides, or else on either; none when none do."""
    common: set[tuple[str, str, str]] = set()
    either: set[tuple[str, str, str]] = set()
    for state, event in tables[0].keys() | tables[1].keys():
        for ends in zip(*(table.get((state, event), _NOWHERE) for table in tables), strict=True):
            edges = {(state, event, to) for to in ends if to is not None}
            either |= edges
            common |= edges if ends[0] == ends[1] else set()
    return _path(common, target) or _path(either, target)


def _path(edges: set[tuple[str, str, str]], target: str) -> tuple[str, ...]:
    paths: deque[tuple[str, tuple[str, ...]]] = deque([(_BEGINNING, ())])
    seen = {_BEGINNING}
    # What fills an order whole is told as that.
    ordered = sorted(edges, key=lambda edge: (edge[1] == "partial_fill", EVENTS.index(edge[1]), edge[0], edge[2]))
    while paths:
        state, path = paths.popleft()
        if state == target:
            return path
        for start, event, to in ordered:
            if start == state and to not in seen:
                seen.add(to)
                paths.append((to, (*path, f"{state} -{event}-> {to}")))
    return ()
