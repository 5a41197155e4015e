"""State machines that are not the same: moves that have come or gone, by whose hands, with which words, and when.

What lives here: one difference for each move from a state to another, with a path to show it. What does not: whether a
machine makes sense (lifecycle.py).

A move into a sticky state is how a run is stopped: there less is looser, and more is tighter.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mqk.analysis.diff.differences import Difference, both, place
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

if TYPE_CHECKING:
    from mqk.dsl.emit_smt import Encoder
    from mqk.dsl.emit_smt_numbers import Term

_AT = Point.TRANSITION
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
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
        yield from _moves(sides, one, other)


def _states(sides: Sides, one: LifecycleSource, other: LifecycleSource) -> Iterator[Change]:
    key = f"lifecycles.{one.id}"
    for state in sorted(one.states.keys() | other.states.keys()):
        before, after = one.states.get(state), other.states.get(state)
        if before != after:
            begins = "initial" in (before, after)
            found = Direction.INCOMPARABLE if begins else Direction.EQUAL
            why = "a run begins elsewhere" if begins else "the moves from it and to it are what counts"
            spans = place(sides.low, key), place(sides.high, key)
            difference = Difference(f"lifecycle.{one.id}.{state}", "state", before, after, *spans)
            yield difference.change(sides.high.engine, found, why)


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
    asked: dict[tuple[Span | None, Span | None], Change | None] = {}
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key, []), after.get(key, [])
        sticky = (other if now else one).states[key[2]] == "sticky"
        for found in _move(sides, other, key, was, now, asked):
            yield replace(found, direction=found.direction.mirrored, witness=None) if sticky else found


def _move(
    sides: Sides,
    machine: LifecycleSource,
    key: Key,
    was: Sequence[TransitionSource],
    now: Sequence[TransitionSource],
    asked: dict[tuple[Span | None, Span | None], Change | None],
) -> Iterator[Change]:
    state, _, to = key
    path = f"lifecycle.{machine.id}.{state}->{to}"
    spans = was[0].span if was else None, now[0].span if now else None
    told = [", or ".join(_told(each) for each in moves) or None for moves in (was, now)]
    if not was or not now:
        found = Direction.LOOSER if now else Direction.TIGHTER
        change = Difference(path, "transition", told[0], told[1], *spans).change(sides.high.engine, found)
        yield replace(change, witness=_path(sides, machine, key, None)) if now else change
        return
    hands = _hands(was, now)
    if hands is not None:
        roles = [" or ".join(sorted({each.role or "anybody" for each in moves})) for moves in (was, now)]
        difference = Difference(f"{path}.role", "transition", roles[0], roles[1], *spans)
        yield difference.change(sides.high.engine, hands, "it is made by other hands")
    words = _words(was, now)
    if words is not None:
        sentences = [" or ".join(each.confirm for each in moves if each.confirm) or None for moves in (was, now)]
        difference = Difference(f"{path}.confirm", "transition", sentences[0], sentences[1], *spans)
        yield difference.change(sides.high.engine, words, "what has to be typed for it")
    if spans not in asked:
        asked[spans] = _condition(sides, machine, key, was, now)
    opened = asked[spans]
    if opened is not None:
        yield replace(opened, path=f"{path}.require")


def _told(move: TransitionSource) -> str:
    said = [f"by {move.by}"]
    said += [f"role {move.role}"] if move.role else []
    said += [f"{word} {text.text}" for word, text in (("when", move.when), ("require", move.require)) if text]
    return ", ".join(said)


def _hands(was: Sequence[TransitionSource], now: Sequence[TransitionSource]) -> Direction | None:
    before, after = ({each.role for each in moves} for moves in (was, now))
    if before == after:
        return None
    if None in after and None not in before:
        return Direction.LOOSER
    if None in before and None not in after:
        return Direction.TIGHTER
    return Direction.LOOSER if before < after else Direction.TIGHTER if after < before else Direction.INCOMPARABLE


def _words(was: Sequence[TransitionSource], now: Sequence[TransitionSource]) -> Direction | None:
    """Whether less has to be typed: no sentence at all, or one that names less of what is about to happen."""
    before, after = ([each.confirm for each in moves] for moves in (was, now))
    if sorted(map(str, before)) == sorted(map(str, after)):
        return None
    if None in after and None not in before:
        return Direction.LOOSER
    if None in before and None not in after:
        return Direction.TIGHTER
    named = [set(_PLACEHOLDER.findall(" ".join(filter(None, each)))) for each in (before, after)]
    if named[0] == named[1]:
        return Direction.EQUAL
    return Direction.LOOSER if named[1] < named[0] else Direction.TIGHTER if named[0] < named[1] else Direction.EQUAL


def _condition(
    sides: Sides,
    machine: LifecycleSource,
    key: Key,
    was: Sequence[TransitionSource],
    now: Sequence[TransitionSource],
) -> Change | None:
    """Whether a move is possible at other moments than it was."""
    texts = [[_said(each) for each in moves] for moves in (was, now)]
    read = rests_on(sides.low, _words_of(was)) | rests_on(sides.high, _words_of(now))
    if texts[0] == texts[1] and not read & changed(sides.low, sides.high).keys():
        return None
    before, after = (
        [_conditions(each, PolicyEnvironment.of(bundle, _AT)) for each in moves]
        for bundle, moves in ((sides.low, was), (sides.high, now))
    )
    opened = _opened(before, after, sides.high, sides.budget)
    closed = _opened(after, before, sides.low, sides.budget)
    found = joined([_direction(opened), _direction(closed).mirrored])
    told = [", or ".join(_told(each) for each in moves) for moves in (was, now)]
    change = Difference("", "transition", told[0], told[1], was[0].span, now[0].span).change(sides.high.engine, found)
    if opened.witness is None:
        return replace(change, why=opened.why)
    shown = _path(sides, machine, key, opened.witness)
    if shown is None:
        return replace(change, direction=Direction.UNDECIDED, why="the machines do not bear out what the solver found")
    return replace(change, witness=shown)


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


def _path(sides: Sides, machine: LifecycleSource, key: Key, witness: Witness | None) -> ShownWitness | None:
    """A way from the beginning through the move, as both sides' machines judge its last step."""
    state, by, to = key
    moment = witness or Witness(_AT, ordinary(sides.high, _AT))
    views = lookup_of(moment).views
    move = next(each for each in machine.transitions if each.by == by and each.to == to and state in each.from_states)
    told = []
    for guards in sides.guards:
        compiled = guards.machines.get(machine.id)
        if compiled is None:
            return None
        names = {"run.id": "R-1", "run.engine": sides.high.engine}
        role = move.role or "operator"
        first = compiled.attempt(state, by, role=role, views=views, names=names)
        told.append(compiled.attempt(state, by, role=role, views=views, names=names, confirmation=first.confirm))
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
