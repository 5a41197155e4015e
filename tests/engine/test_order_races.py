"""A guarded position against a broker that reorders, repeats and fills in parts: the ledger never sees an overfill.

The broker is honest and slow: cancels and changes cross fills, words come in any order and again, fills in theirs. New
orders reach it before it trades on, and none is decided on while a fill is on its way, as in backtests and on paper.
What the order machine alone does is in tests/orders.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mqk.engine import (
    Accepted,
    Cancel,
    Cancelled,
    CancelRejected,
    Effect,
    Event,
    Filled,
    Replace,
    Replaced,
    ReplaceRejected,
    Submit,
)
from mqk.orders import Leg, Order, OrderStatus, taken_off
from mqk.portfolio import Fill
from mqk.strategies import Target
from tests.engine.worlds import USD, Desk

PRICE = 100 * USD


class Race(RuleBasedStateMachine):
    """An engine, its broker, and everything that is on its way between them."""

    def __init__(self) -> None:
        super().__init__()
        self.desk, self.minute, self.number = Desk(), 0, 0
        self.book: dict[str, Order] = {}
        self.asked: deque[Effect] = deque()
        self.fills: deque[Filled] = deque()
        self.words: list[Event] = []
        self.traded = self.booked = 0

    def tell(self, event: Event) -> None:
        self.asked += self.desk.tell(event)

    def unsent(self) -> bool:
        return any(isinstance(effect, Submit) for effect in self.asked)

    @rule(qty=st.sampled_from((0, 20, 50)), protect=st.sampled_from((90, 95)), profit=st.booleans())
    @precondition(lambda self: not self.fills)
    def we_want(self, qty: int, protect: int, profit: bool) -> None:
        self.minute += 1
        want = Target(qty)
        if qty:
            want = Target(qty, protect=protect * USD, take_profit=110 * USD if profit else None)
        self.asked += self.desk.want({"SPY": want}, "SPY", self.minute, PRICE)

    @rule()
    @precondition(lambda self: self.asked)
    def broker_is_asked(self) -> None:
        effect, now = self.asked.popleft(), self.desk.state.now
        if isinstance(effect, Submit):
            order = effect.order
            self.book[order.client_order_id] = replace(order, status=OrderStatus.ACCEPTED)
            self.words.append(Accepted(order.client_order_id, now))
        elif isinstance(effect, Cancel):
            held = self.book[effect.client_order_id]
            if held.leaves:
                self.ends(held)
            else:
                self.words.append(CancelRejected(held.client_order_id, "nothing is left", now))
        elif isinstance(effect, Replace):
            held = self.book[effect.client_order_id]
            if held.leaves and effect.qty > held.filled + held.reduced:
                changed = replace(held, qty=effect.qty, limit_price=effect.limit_price, stop_price=effect.stop_price)
                self.book[held.client_order_id] = changed
                self.words.append(
                    Replaced(held.client_order_id, effect.qty, effect.limit_price, effect.stop_price, now)
                )
            else:
                self.words.append(ReplaceRejected(held.client_order_id, "too late", now))

    @rule(data=st.data())
    @precondition(lambda self: any(order.leaves for order in self.book.values()) and not self.unsent())
    def broker_trades(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from([each for each in self.book.values() if each.leaves]))
        qty = data.draw(st.integers(1, order.leaves))
        self.number += 1
        key = order.client_order_id
        after = replace(order, filled=order.filled + qty)
        if after.filled + after.reduced == after.qty:
            after = replace(after, status=OrderStatus.FILLED)
        self.book[key] = after
        self.traded += order.side.sign * qty
        fill = Fill(f"f{self.number}", key, "SPY", order.side.value, qty, PRICE, 0, self.desk.state.now)
        smaller: list[tuple[Order, int]] = []
        if order.leg is not None:
            siblings = [each for each in self.book.values() if each.parent_id == order.parent_id and each.leaves]
            smaller = taken_off(after, qty, siblings)
        told = tuple((sibling.client_order_id, taken) for sibling, taken in smaller)
        self.fills.append(Filled(fill, key, taken_off=told))
        for sibling, taken in smaller:
            left = replace(sibling, reduced=sibling.reduced + taken)
            self.book[sibling.client_order_id] = left
            if not left.leaves:
                self.ends(left)

    def ends(self, order: Order) -> None:
        self.book[order.client_order_id] = replace(order, status=OrderStatus.CANCELLED)
        self.words.append(Cancelled(order.client_order_id, "it is gone", self.desk.state.now))

    @rule(again=st.booleans())
    @precondition(lambda self: self.fills)
    def a_fill_arrives(self, again: bool) -> None:
        told = self.fills.popleft()
        self.booked += told.fill.qty if told.fill.side == "BUY" else -told.fill.qty
        for _ in range(1 + again):
            self.tell(told)

    @rule(data=st.data(), again=st.booleans())
    @precondition(lambda self: self.words)
    def a_word_arrives(self, data: st.DataObject, again: bool) -> None:
        word = self.words.pop(data.draw(st.integers(0, len(self.words) - 1)))
        self.tell(word)
        if again and isinstance(word, Accepted | Cancelled):
            self.tell(word)

    @invariant()
    def the_books_are_the_fills_and_nothing_else(self) -> None:
        state = self.desk.state
        assert state.ledger.qty("SPY") == self.booked
        assert self.booked >= 0
        for order in state.orders.values():
            assert order.filled + order.reduced <= max(order.qty, order.replace_qty or 0)
        line = state.lines.get("SPY")
        if line is not None:
            assert line.working_sell <= max(line.qty, 0) + sum(
                order.leaves for order in state.working.values() if order.leg is Leg.STOP
            )

    def teardown(self) -> None:
        while self.fills:
            self.tell(self.fills.popleft())
        assert self.desk.state.ledger.qty("SPY") == self.traded


def test_no_order_of_events_lets_a_guarded_position_trade_more_than_was_asked() -> None:
    run_state_machine_as_test(Race, settings=settings(deadline=None, max_examples=60, stateful_step_count=25))
