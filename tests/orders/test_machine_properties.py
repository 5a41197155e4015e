"""What holds of an order's life for every sequence of events, and for every race an honest broker can produce.

Single cases and their numbers are in test_machine_cases.py.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mqk.orders import (
    EventKind,
    Order,
    OrderEvent,
    OrderEventError,
    OrderStatus,
    Side,
)
from tests.orders.lives import apply, machine, shipped

K = EventKind
S = OrderStatus

FILLS = (K.PARTIAL_FILL, K.FILL)
OVER = (S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED)

# What no honest broker and no careful engine can do to an order. Everything else has an edge.
IMPOSSIBLE = {
    *product((S.FILLED, S.REJECTED), FILLS),
    *product(OVER, (K.CANCEL_REQUESTED,)),
    *product((S.NEW, S.PENDING_CANCEL, S.PENDING_REPLACE, *OVER), (K.REPLACE_REQUESTED,)),
    *product((S.NEW, S.REJECTED), (K.REPLACED,)),
    (S.NEW, K.REPLACE_REJECTED),
    (S.FILLED, K.REJECTED),
}


def new(qty: int = 100) -> Order:
    return Order("MAIN_r_0", "SPY", Side.BUY, qty)


def step(order: Order, kind: EventKind, qty: int = 0) -> Order:
    return apply(order, OrderEvent(f"e{len(order.events)}", kind, qty))


def test_every_status_and_event_has_a_move_or_is_declared_impossible() -> None:
    assert set(machine().moves) | IMPOSSIBLE == set(product(S, K))
    assert set(machine().moves) & IMPOSSIBLE == set()


def test_every_move_can_be_made() -> None:
    """No line of the policy is dead: found by walking all orders of two shares."""
    made: set[tuple[OrderStatus, EventKind, OrderStatus]] = set()
    seen: set[tuple[object, ...]] = set()
    queue = deque([new(2)])
    while queue:
        order = queue.popleft()
        state = (order.status, order.qty, order.filled, order.replace_qty, order.acknowledged, order.reduced)
        if state in seen:
            continue
        seen.add(state)
        for kind, qty in product(K, range(4)):
            try:
                following = step(order, kind, qty)
            except OrderEventError:
                continue
            made.add((order.status, kind, following.status))
            queue.append(following)
    declared = {
        (OrderStatus(start), K[move.by.upper()], OrderStatus(move.to))
        for move in shipped("MAIN").lifecycles["order"].transitions
        for start in move.from_states
    }
    assert made == declared


COUNTED = (*FILLS, K.REPLACE_REQUESTED, K.REPLACED, K.REDUCED)
quantities = st.sampled_from((1, 5, 30, 50, 100, 120))
events = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([kind for kind in K if kind not in COUNTED]), st.just(0)),
        st.tuples(st.sampled_from(COUNTED), quantities),
        st.tuples(st.sampled_from(list(K)), st.sampled_from((-1, 0, 1, 101))),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(events)
def test_whatever_comes_an_order_stays_sound_and_refusals_change_nothing(sequence: list[tuple[EventKind, int]]) -> None:
    """C-31 to C-33: no overfill, no negative fill, no resurrection, and no trace of a refused event."""
    order = new()
    for number, (kind, qty) in enumerate(sequence):
        before = (repr(order), dict(order.events))
        event = OrderEvent(f"e{number}", kind, qty)
        following = order
        with suppress(OrderEventError):
            following = apply(order, event)
        if following is not order:
            assert apply(order, event) == following
            assert apply(following, event) is following
        assert (repr(order), dict(order.events)) == before
        assert 0 <= order.filled <= following.filled <= following.qty
        assert following.leaves >= 0
        assert (following.leaves == 0) == following.status.is_final
        if kind not in FILLS:
            assert following.filled == order.filled
        if order.status.is_final:
            assert following.status in {order.status, S.FILLED}
        if following.status is S.FILLED:
            assert following.filled + following.reduced == following.qty
        order = following


class HonestBroker:
    """A broker that tells the truth, late: requests and answers cross, fills overtake acknowledgements.

    Fills arrive in the order in which they traded. Everything else may be delivered at any later moment, and twice:
    by another lane under another id, or by the same lane under its own.
    """

    def __init__(self, qty: int) -> None:
        self.total, self.filled, self.alive, self.known = qty, 0, True, False
        self.requests: deque[tuple[EventKind, int]] = deque()
        self.fills: deque[OrderEvent] = deque()
        self.words: list[OrderEvent] = []
        self.number = 0

    def say(self, kind: EventKind, qty: int = 0) -> None:
        self.number += 1
        event = OrderEvent(f"b{self.number}", kind, qty)
        self.fills.append(event) if kind in FILLS else self.words.append(event)

    def trade(self, qty: int) -> None:
        self.filled += qty
        self.alive = self.filled < self.total
        self.say(K.PARTIAL_FILL if self.alive else K.FILL, qty)

    def answer(self) -> None:
        kind, qty = self.requests.popleft()
        if kind is K.CANCEL_REQUESTED:
            self.say(K.CANCELLED if self.alive else K.CANCEL_REJECTED)
            self.alive = False
        elif self.alive and qty > self.filled:
            self.total = qty
            self.say(K.REPLACED, qty)
        else:
            self.say(K.REPLACE_REJECTED)

    def end(self, kind: EventKind) -> None:
        self.alive = False
        self.say(kind)


class Race(RuleBasedStateMachine):
    """One order between us and an honest broker. C-31: every interleaving ends in the broker's own truth.

    An OrderEventError anywhere fails the run. One replacement at most: a second one, asked for while the word on the
    first is still on its way, could not be told from it without ids of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.order, self.broker = new(), HonestBroker(100)
        self.replaced, self.repeats = False, 0

    @rule()
    def nothing_happens(self) -> None:
        """All is over and everyone knows: the one move that is always there."""

    @rule()
    @precondition(lambda self: not self.order.status.is_final)
    def we_cancel(self) -> None:
        self.order = step(self.order, K.CANCEL_REQUESTED)
        self.broker.requests.append((K.CANCEL_REQUESTED, 0))

    @rule(data=st.data())
    @precondition(lambda self: self.order.status in {S.ACCEPTED, S.PARTIALLY_FILLED} and not self.replaced)
    def we_replace(self, data: st.DataObject) -> None:
        total = data.draw(st.integers(self.order.filled + 1, 200))
        self.order, self.replaced = step(self.order, K.REPLACE_REQUESTED, total), True
        self.broker.requests.append((K.REPLACE_REQUESTED, total))

    @rule()
    @precondition(lambda self: self.broker.requests)
    def broker_answers(self) -> None:
        self.broker.answer()

    @rule()
    @precondition(lambda self: self.broker.alive and not self.broker.known)
    def broker_accepts(self) -> None:
        self.broker.known = True
        self.broker.say(K.ACCEPTED)

    @rule(data=st.data())
    @precondition(lambda self: self.broker.alive)
    def broker_trades(self, data: st.DataObject) -> None:
        left = self.broker.total - self.broker.filled
        self.broker.trade(data.draw(st.one_of(st.integers(1, left), st.just(left))))

    @rule(kind=st.sampled_from((K.CANCELLED, K.EXPIRED, K.REJECTED)))
    @precondition(lambda self: self.broker.alive)
    def broker_ends(self, kind: EventKind) -> None:
        pristine = not self.broker.known and not self.broker.filled
        self.broker.end(kind if pristine or kind is not K.REJECTED else K.EXPIRED)

    @rule()
    @precondition(lambda self: self.broker.fills)
    def fill_arrives(self) -> None:
        self.order = apply(self.order, self.broker.fills.popleft())

    @rule(data=st.data(), again=st.booleans())
    @precondition(lambda self: self.broker.words)
    def word_arrives(self, data: st.DataObject, again: bool) -> None:
        word = data.draw(st.sampled_from(self.broker.words))
        if again:
            self.repeats += 1
            word = OrderEvent(f"lane{self.repeats}", word.kind, word.qty)
        else:
            self.broker.words.remove(word)
        self.order = apply(self.order, word)

    @invariant()
    def what_may_fill_is_never_understated(self) -> None:
        if self.broker.alive and not self.order.status.is_final:
            assert self.order.filled + self.order.leaves >= self.broker.total

    def teardown(self) -> None:
        while self.broker.requests:
            self.broker.answer()
        for event in (*self.broker.fills, *self.broker.words):
            self.order = apply(apply(self.order, event), event)
        assert self.order.filled == self.broker.filled
        assert self.order.status.is_final != self.broker.alive
        if self.broker.alive:
            assert (self.order.qty, self.order.replace_qty) == (self.broker.total, None)


def test_no_race_of_an_honest_broker_is_ever_an_error() -> None:
    run_state_machine_as_test(Race, settings=settings(deadline=None, max_examples=150, stateful_step_count=25))


@pytest.mark.parametrize(
    "kinds",
    [
        [(K.CANCEL_REQUESTED, 0), (K.PARTIAL_FILL, 30), (K.CANCELLED, 0)],
        [(K.CANCEL_REQUESTED, 0), (K.FILL, 100), (K.CANCEL_REJECTED, 0)],
        [(K.FILL, 100), (K.ACCEPTED, 0)],
        [(K.CANCEL_REQUESTED, 0), (K.ACCEPTED, 0), (K.CANCELLED, 0)],
        [(K.ACCEPTED, 0), (K.REPLACE_REQUESTED, 120), (K.PARTIAL_FILL, 30), (K.REPLACED, 120)],
        [(K.ACCEPTED, 0), (K.REPLACE_REQUESTED, 120), (K.PARTIAL_FILL, 110), (K.REPLACED, 120)],
        [(K.ACCEPTED, 0), (K.CANCELLED, 0)],
        [(K.PARTIAL_FILL, 30), (K.EXPIRED, 0)],
        [(K.REJECTED, 0), (K.REJECTED, 0)],
        [(K.CANCEL_REQUESTED, 0), (K.CANCELLED, 0), (K.PARTIAL_FILL, 30)],
        [(K.CANCEL_REQUESTED, 0), (K.CANCELLED, 0), (K.FILL, 100)],
        [(K.ACCEPTED, 0), (K.REPLACE_REQUESTED, 120), (K.CANCEL_REQUESTED, 0), (K.REPLACED, 120), (K.CANCELLED, 0)],
    ],
)
def test_the_races_of_c_31_are_legal(kinds: list[tuple[EventKind, int]]) -> None:
    order = new()
    for kind, qty in kinds:
        order = step(order, kind, qty)
    assert order.filled == sum(qty for kind, qty in kinds if kind in FILLS)
