"""The machine of orders, changed: every move that comes or goes has its verdict, its words and events that flip it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from mqk.analysis.diff import Change, Direction
from mqk.analysis.diff.moves import Sides, changes, differ
from mqk.analysis.diff.orders import order_changes
from mqk.guards import GuardSet, compile_bundle
from mqk.guards.order_life import CONDITIONS
from mqk.orders import Order, OrderMachine, Side
from mqk.orders.errors import OrderEventError
from mqk.orders.events import EventKind, OrderEvent
from mqk.policy import Bundle, Text, TransitionSource, effective_bundle, load_policies, shipped_policies_dir
from tests.engine.worlds import core

L, T, X, E = Direction.LOOSER, Direction.TIGHTER, Direction.INCOMPARABLE, Direction.EQUAL
STEP = re.compile(r"(\w+) -(\w+)-> (\w+)")


@cache
def shipped() -> Bundle:
    """MAIN with its lifecycles and no rules that anybody would have to compile."""
    bundle = core(effective_bundle(load_policies([shipped_policies_dir()]), "MAIN"), frozenset())
    return replace(bundle, rules=(), limits={}, lets={}, tables={}, lifecycles={"order": bundle.lifecycles["order"]})


@cache
def compiled() -> GuardSet:
    return compile_bundle(shipped())


def moves() -> tuple[TransitionSource, ...]:
    return shipped().lifecycles["order"].transitions


def with_moves(found: Sequence[TransitionSource]) -> Bundle:
    machine = replace(shipped().lifecycles["order"], transitions=tuple(found))
    return replace(shipped(), lifecycles={"order": machine})


def told(low: Bundle, high: Bundle) -> list[Change]:
    return list(changes(Sides(low, high, 1_000))) if differ(low, high) else []


def between(low: GuardSet, high: GuardSet) -> list[Change]:
    """The same of what is compiled already."""
    assert low.order_moves is not None
    assert high.order_moves is not None
    machines = low.bundle.lifecycles["order"], high.bundle.lifecycles["order"]
    return list(order_changes("MAIN", machines, (low.order_moves, high.order_moves)))


def cells(guards: GuardSet, state: str, event: str, facts: dict[str, str]) -> set[str | None]:
    """Where an order goes, in all ways of which these facts are true."""
    assert guards.order_moves is not None
    found = guards.order_moves.table.get((state, event), (None,) * 16)
    wanted = [facts.get(f"order.{name}") for name in CONDITIONS]
    ways = [[bool(i >> 3 - bit & 1) for bit in range(4)] for i in range(16)]
    return {
        found[i]
        for i, way in enumerate(ways)
        if all(want is None or want == str(held).lower() for want, held in zip(wanted, way, strict=True))
    }


@pytest.mark.parametrize("number", range(len(moves())))
def test_a_move_that_comes_halts_less_often_and_one_that_goes_more_often(number: int) -> None:
    move = moves()[number]
    less = with_moves([each for each in moves() if each is not move])
    guards = compile_bundle(less)
    come, gone = between(guards, compiled()), between(compiled(), guards)
    paths = [f"lifecycle.order.{state}.{move.by}" for state in shipped().lifecycles["order"].states]
    expected = [path for path in paths if path.split(".")[2] in move.from_states]
    assert [each.path for each in come] == [each.path for each in gone] == expected
    assert {each.direction for each in come} == {L}
    assert {each.direction for each in gone} == {T}
    for new, old in zip(come, gone, strict=True):
        assert "halts less often" in new.why
        assert "halts more often" in old.why
        assert new.witness is not None
        assert old.tighter is not None
        assert (old.witness, new.tighter) == (None, None)
        assert new.witness.path == old.tighter.path
        steps = [STEP.fullmatch(step) for step in new.witness.path]
        *way, (state, event, to) = [step.groups() for step in steps if step is not None]
        assert [one[2] for one in way] == [one[0] for one in [*way, (state, event, to)]][1:]
        assert all(target in cells(side, at, by, {}) for at, by, target in way for side in (guards, compiled()))
        facts = dict(new.witness.facts)
        assert cells(guards, state, event, facts) == {None}
        assert to in cells(compiled(), state, event, facts)


def test_the_events_that_are_shown_flip_the_machine_itself() -> None:
    late = next(each for each in moves() if each.by == "rejected" and each.to == "CANCELLED")
    (change,) = [
        each
        for each in told(with_moves([each for each in moves() if each is not late]), shipped())
        if each.path == "lifecycle.order.CANCELLED.rejected"
    ]
    assert change.witness is not None
    assert change.witness.text == "NEW -cancelled-> CANCELLED -rejected-> CANCELLED: halted the engine, now goes on"
    order = Order("MAIN_1", "SPY", Side.BUY, 10)
    events = [OrderEvent("1", EventKind.CANCELLED), OrderEvent("2", EventKind.REJECTED)]
    after = OrderMachine.of(compiled())
    before = OrderMachine.of(compile_bundle(with_moves([each for each in moves() if each is not late])))
    assert after.apply(after.apply(order, events[0]), events[1]).status.value == "CANCELLED"
    with pytest.raises(OrderEventError, match="cannot happen"):
        before.apply(before.apply(order, events[0]), events[1])


def test_an_order_that_goes_on_as_something_else_is_neither() -> None:
    ends = next(each for each in moves() if each.by == "rejected" and each.to == "REJECTED")
    found = told(shipped(), with_moves([replace(each, to="CANCELLED") if each is ends else each for each in moves()]))
    assert {each.direction for each in found} == {X}
    assert found[0].why == "told `rejected`, an order in NEW becomes CANCELLED where it became REJECTED"
    assert (found[0].witness, found[0].tighter) == (None, None)


def test_two_moves_that_may_both_apply_halt_more_often() -> None:
    fill = next(each for each in moves() if each.by == "fill")
    rival = replace(fill, from_states=("ACCEPTED",), to="REJECTED", when=None)
    (change,) = told(shipped(), with_moves([*moves(), rival]))
    assert (change.path, change.direction) == ("lifecycle.order.ACCEPTED.fill", X)
    assert "halts more often" in change.why
    assert change.tighter is not None
    assert change.tighter.facts == {"order.complete": "true"}
    assert change.witness is not None
    assert change.witness.facts == {"order.complete": "false"}


def test_the_same_moves_in_other_words_are_equal() -> None:
    assert told(shipped(), with_moves(moves()[::-1])) == []
    parted = [replace(each, from_states=(state,)) for each in moves() for state in each.from_states]
    assert told(shipped(), with_moves(parted)) == []
    fill = next(each for each in moves() if each.by == "fill")
    assert fill.when is not None
    wordy = replace(fill, when=Text("not not order.complete", fill.when.span))
    found = told(shipped(), with_moves([wordy if each is fill else each for each in moves()]))
    assert {each.direction for each in found} == {E}
    assert {each.why for each in found} == {"the same orders come to the same"}
