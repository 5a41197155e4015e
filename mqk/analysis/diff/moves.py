"""State machines that are not the same: moves that have come or gone, by whose hands, with which words, and when.

What lives here: one difference for each move from a state to another, with a path to show it. What does not: whether a
machine makes sense (lifecycle.py), and the machine of orders (orders.py).

A move that leads away from trading is how a run is stopped: where it is less possible, less can be stopped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mqk.analysis.diff.differences import Difference, both, place
from mqk.analysis.diff.orders import order_changes
from mqk.analysis.diff.results import Change, Direction, Judgement, ShownWitness, joined
from mqk.analysis.moments import lookup_of, ordinary
from mqk.analysis.names import changed, rests_on
from mqk.analysis.rules import condition, true
from mqk.analysis.verdicts import Answer, Verdict, Witness
from mqk.dsl import Expr
from mqk.guards import GuardSet, Point, compile_bundle
from mqk.guards.environment import PolicyEnvironment
from mqk.policy import Bundle, InvariantSource, LifecycleSource, Span, TransitionSource
from mqk.policy.canonical import canonical_expression, canonical_lifecycle
from mqk.policy.order_life import ORDER_MACHINE

if TYPE_CHECKING:
    from mqk.dsl.emit_smt import Encoder
    from mqk.dsl.emit_smt_numbers import Term

_AT = Point.TRANSITION
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Sides:
    """One engine's bundles on both sides."""

    low: Bundle
    high: Bundle
    budget: int

    @cached_property
    def guards(self) -> tuple[GuardSet, GuardSet]:
        """The compiled guards of both, machines included."""
        return compile_bundle(self.low), compile_bundle(self.high)

    @cached_property
    def differing(self) -> frozenset[str]:
        """The named values that are not the same on both."""
        return frozenset(changed(self.low, self.high))


def differ(low: Bundle, high: Bundle) -> bool:
    """Whether any machine is not the same, apart from what its conditions rest on."""
    return low.lifecycles.keys() != high.lifecycles.keys() or any(
        _content(low.lifecycles[name]) != _content(high.lifecycles[name]) for name in low.lifecycles
    )


def _content(machine: LifecycleSource) -> tuple[object, ...]:
    return canonical_lifecycle(machine), {each.id: _invariant(each) for each in machine.invariants}


def _invariant(one: InvariantSource) -> tuple[object, ...]:
    return one.reach, canonical_expression(one.when), canonical_expression(one.without), one.since


def changes(sides: Sides) -> Iterator[Change]:
    """Everything about state machines that is not the same."""
    low, high = sides.low, sides.high
    for name in sorted(low.lifecycles.keys() | high.lifecycles.keys()):
        one, other = low.lifecycles.get(name), high.lifecycles.get(name)
        if one is None or other is None:
            key = f"lifecycles.{name}"
            # Without the machine, nothing of what it governs can be done at all.
            found = Direction.LOOSER if one is None else Direction.TIGHTER
            told = both(one, other, lambda each: f"{len(each.transitions)} moves")
            difference = Difference(f"lifecycle.{name}", "lifecycle", *told, place(low, key), place(high, key))
            yield difference.change(high.engine, found, "a machine of its own")
            continue
        yield from _states(sides, one, other)
        yield from _invariants(sides, one, other)
        moves = [guards.order_moves for guards in sides.guards] if name == ORDER_MACHINE else [None, None]
        if moves[0] is not None and moves[1] is not None:
            yield from order_changes(high.engine, (one, other), (moves[0], moves[1]))
        else:
            yield from _moves(sides, one, other)


def _states(sides: Sides, one: LifecycleSource, other: LifecycleSource) -> Iterator[Change]:
    key = f"lifecycles.{one.id}"
    for state in sorted(one.states.keys() | other.states.keys()):
        before, after = one.states.get(state), other.states.get(state)
        if before != after:
            found, why = _kind(before, after)
            spans = place(sides.low, key), place(sides.high, key)
            difference = Difference(f"lifecycle.{one.id}.{state}", "state", before, after, *spans)
            yield difference.change(sides.high.engine, found, why)


def _kind(before: str | None, after: str | None) -> tuple[Direction, str]:
    if "initial" in (before, after):
        return Direction.INCOMPARABLE, "a run begins elsewhere"
    if "sticky" in (before, after):
        held = after == "sticky"
        why = "`any` does not lead out of it any more"
        return (Direction.TIGHTER, why) if held else (Direction.LOOSER, "`any` leads out of it too")
    return Direction.EQUAL, "the moves from it and to it are what counts"


def _invariants(sides: Sides, one: LifecycleSource, other: LifecycleSource) -> Iterator[Change]:
    before, after = ({each.id: each for each in machine.invariants} for machine in (one, other))
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was is not None and now is not None and _invariant(was) == _invariant(now):
            continue
        told = both(was, now, lambda each: f"never {each.reach} without {each.without.text}")
        spans = both(was, now, lambda each: each.span)
        found = Direction.TIGHTER if was is None else Direction.LOOSER if now is None else Direction.INCOMPARABLE
        why = "more is proven" if was is None else "it is no longer proven" if now is None else "it says something else"
        difference = Difference(f"lifecycle.{one.id}.{name}", "claim", *told, *spans)
        yield difference.change(sides.high.engine, found, why)


def _by_key(machine: LifecycleSource) -> dict[Key, list[TransitionSource]]:
    found: dict[Key, list[TransitionSource]] = {}
    for move in machine.transitions:
        for state in move.from_states:
            found.setdefault((state, move.by, move.to), []).append(move)
    return found


def _moves(sides: Sides, one: LifecycleSource, other: LifecycleSource) -> Iterator[Change]:
    before, after = _by_key(one), _by_key(other)
    far = _distances(one), _distances(other)
    asked: dict[tuple[Span, ...], Change] = {}
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key, []), after.get(key, [])
        found = _move(sides, other, key, was, now, asked)
        if found is None:
            continue
        # A move that is on one side alone is what it is there.
        stops = {_stops(each, key) for each, moves in zip(far, (was, now), strict=True) if moves}
        if stops == {False} or found.direction in (Direction.EQUAL, Direction.UNDECIDED):
            yield found
        elif stops == {True} and all(each.states.get(key[2]) == "sticky" for each in (one, other)):
            yield replace(found, direction=found.direction.mirrored, witness=None, why=_STOP)
        else:
            yield replace(found, direction=Direction.INCOMPARABLE, why=found.why or _AWAY)


_STOP = "it leads away from trading: where less of it is possible, less can be stopped"
_AWAY = "it is a way to stop, and a way around what other moves ask for"
# Where an engine trades.
_TRADING = "RUNNING"


def _distances(machine: LifecycleSource) -> Mapping[str, int]:
    """How many moves each state is from trading; states from which nothing leads there are furthest."""
    found = {_TRADING: 0} if _TRADING in machine.states else {}
    pending = deque(found)
    while pending:
        state = pending.popleft()
        for move in machine.transitions:
            for start in move.from_states if move.to == state else ():
                if start not in found:
                    found[start] = found[state] + 1
                    pending.append(start)
    return {state: found.get(state, len(machine.states)) for state in machine.states}


def _stops(far: Mapping[str, int], key: Key) -> bool:
    """Whether a move leads away from trading."""
    return far[key[2]] > far[key[0]]


def _move(
    sides: Sides,
    other: LifecycleSource,
    key: Key,
    was: Sequence[TransitionSource],
    now: Sequence[TransitionSource],
    asked: dict[tuple[Span, ...], Change],
) -> Change | None:
    """How one move from a state to another differs; None when it does not."""
    state, _, to = key
    path = f"lifecycle.{other.id}.{state}->{to}"
    told = [", or ".join(_told(each) for each in moves) or None for moves in (was, now)]
    spans = was[0].span if was else None, now[0].span if now else None
    difference = Difference(path, "transition", told[0], told[1], *spans)
    if not was or not now:
        change = difference.change(sides.high.engine, Direction.LOOSER if now else Direction.TIGHTER)
        return replace(change, witness=_path(sides, other, key, now[0], None)) if now else change
    read = rests_on(sides.low, _words_of(was)) | rests_on(sides.high, _words_of(now))
    same = sorted(map(_content_of, was)) == sorted(map(_content_of, now))
    if same and not read & sides.differing:
        return None
    # One answer for the states that exactly the same moves leave.
    spelt = (*(each.span for each in was), was[0].span, *(each.span for each in now))
    if spelt not in asked:
        asked[spelt] = _judged(sides, other, key, was, now, difference)
    return replace(asked[spelt], path=path + _facet(was, now))


def _content_of(move: TransitionSource) -> tuple[str, ...]:
    return tuple(str(each) for each in (*_said(move), move.role, move.confirm))


def _facet(was: Sequence[TransitionSource], now: Sequence[TransitionSource]) -> str:
    """What alone of a move differs, as the end of its path; nothing where it is more, or how things are paired."""
    if len(was) != len(now):
        return ""
    differing = {
        name
        for one, other in zip(was, now, strict=True)
        for name, a, b in (
            (".role", one.role, other.role),
            (".confirm", one.confirm, other.confirm),
            (".require", _said(one), _said(other)),
        )
        if a != b
    }
    return differing.pop() if len(differing) == 1 else "" if differing else ".require"


def _told(move: TransitionSource) -> str:
    said = [f"by {move.by}"]
    said += [f"role {move.role}"] if move.role else []
    said += [f"{word} {text.text}" for word, text in (("when", move.when), ("require", move.require)) if text]
    said += [f"confirm {move.confirm}"] if move.confirm else []
    return ", ".join(said)


def _judged(
    sides: Sides,
    machine: LifecycleSource,
    key: Key,
    was: Sequence[TransitionSource],
    now: Sequence[TransitionSource],
    difference: Difference,
) -> Change:
    """Whether a move is possible at other moments, by other hands or for fewer words than it was, and the reverse."""
    opened = _newly(was, now, sides.low, sides.high, sides.budget)
    closed = _newly(now, was, sides.high, sides.low, sides.budget)
    looser, tighter = (joined(_direction(answer) for _, answer in found) for found in (opened, closed))
    change = difference.change(sides.high.engine, joined([looser, tighter.mirrored]))
    shown = [(move, answer) for move, answer in opened if answer.witness is not None]
    if not shown:
        why = next((answer.why for _, answer in opened if answer.why), "")
        return replace(change, why=why)
    told = [witness for move, answer in shown if (witness := _path(sides, machine, key, move, answer.witness))]
    if told:
        return replace(change, witness=told[0])
    return replace(change, direction=Direction.UNDECIDED, why="the machines do not bear out what the solver found")


def _newly(
    before: Sequence[TransitionSource], after: Sequence[TransitionSource], low: Bundle, high: Bundle, budget: int
) -> list[tuple[TransitionSource, Answer]]:
    """For each move of one side: whether there are moments in which no move of the other can be made in its place."""
    environments = [PolicyEnvironment.of(bundle, _AT) for bundle in (low, high)]
    found = []
    for move in after:
        others = [_conditions(each, environments[0]) for each in before if _asks_no_more(each, move)]
        found.append((move, _opened(others, [_conditions(move, environments[1])], high, budget)))
    return found


def _asks_no_more(one: TransitionSource, other: TransitionSource) -> bool:
    """Whether whoever may make one move, with what is to be typed for it, may make another."""
    words, typed = ([] if each.confirm is None else each.confirm.split() for each in (one, other))
    return one.role in (None, other.role) and all(words.count(word) <= typed.count(word) for word in words)


def _direction(answer: Answer) -> Direction:
    return {
        Verdict.PROVED: Direction.EQUAL,
        Verdict.REFUTED: Direction.LOOSER,
        Verdict.UNDECIDED: Direction.UNDECIDED,
    }[answer.verdict]


def _said(move: TransitionSource) -> tuple[str | None, str | None]:
    return canonical_expression(move.when), canonical_expression(move.require)


def _words_of(moves: Sequence[TransitionSource]) -> list[str]:
    return [text.text for move in moves for text in (move.when, move.require) if text is not None]


def _conditions(move: TransitionSource, environment: PolicyEnvironment) -> list[Expr]:
    checked = [condition(text.text, environment) for text in (move.when, move.require) if text is not None]
    return [each for each in checked if each is not None]


def _opened(before: Sequence[Sequence[Expr]], after: Sequence[Sequence[Expr]], bundle: Bundle, budget: int) -> Answer:
    from mqk.analysis import model, prove  # noqa: PLC0415 - only what differs pays for the solver

    def goal(encoder: Encoder) -> Term:
        return model.newly_possible(encoder, before, after)

    def really(witness: Witness) -> bool:
        lookup = lookup_of(witness)
        was, is_ = (any(all(true(each, lookup) for each in move) for move in moves) for moves in (before, after))
        return is_ and not was

    return prove.find(_AT, goal, ordinary(bundle, _AT), really, budget)


def _path(
    sides: Sides, machine: LifecycleSource, key: Key, move: TransitionSource, witness: Witness | None
) -> ShownWitness | None:
    """A way from the beginning through the move, as both sides' machines judge its last step."""
    state, by, to = key
    moment = witness or Witness(_AT, ordinary(sides.high, _AT))
    views = lookup_of(moment).views
    names = {"run.id": "R-1", "run.engine": sides.high.engine}
    compiled = [guards.machines.get(machine.id) for guards in sides.guards]
    if compiled[0] is None or compiled[1] is None:
        return None
    typed = next(
        (compiled[1].sentence(each, names) for each in compiled[1].transitions if each.span == move.span), None
    )
    told = [
        each.attempt(state, by, role=move.role or "anybody", views=views, names=names, confirmation=typed)
        for each in compiled
        if each is not None
    ]
    if witness is not None and (told[0].to_state == to or told[1].to_state != to):
        return None
    steps = (*_way(machine, state), f"{state} -{by}-> {to}")
    refused = "; ".join(told[0].reasons) or f"`{by}` was not possible from {state}"
    way = " ".join([steps[0], *(step.partition(" ")[2] for step in steps[1:])])
    facts: Mapping[str, str] = {} if witness is None else witness.written()
    text = f"{way}: was refused ({refused}), now possible"
    before, after = Judgement("refused", (), refused), Judgement("possible", (), "")
    return ShownWitness(sides.high.engine, _AT.value, f"{by} from {state}", text, facts, before, after, steps)


def _way(machine: LifecycleSource, target: str) -> tuple[str, ...]:
    """The shortest way from the initial state to another; none when there is none."""
    initial = next(state for state, kind in machine.states.items() if kind == "initial")
    paths: deque[tuple[str, tuple[str, ...]]] = deque([(initial, ())])
    seen = {initial}
    while paths:
        state, path = paths.popleft()
        if state == target:
            return path
        for move in machine.transitions:
            if state in move.from_states and move.to not in seen:
                seen.add(move.to)
                paths.append((move.to, (*path, f"{state} -{move.by}-> {move.to}")))
    return ()
