"""A guarded position at a broker that links no orders, whatever crosses: never more is sold than is held.

What lives here: policies that say `linking: engine`. What does not: brokers that link (test_order_races.py), and whole
runs (tests/backtest/test_agreement.py).
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mqk.engine import (
    Accepted,
    Cancel,
    Cancelled,
    CancelRejected,
    ClockTicked,
    Effect,
    Event,
    Filled,
    KillSwitch,
    Refused,
    Rejected,
    Replace,
    Replaced,
    ReplaceRejected,
    Submit,
)
from mqk.engine.linkage import outgrown
from mqk.guards import GuardSet, compile_bundle
from mqk.orders import Leg, Order, OrderStatus, OrderType, Side
from mqk.portfolio import Fill
from mqk.quantity import parse_duration
from mqk.strategies import Target
from tests.engine.worlds import MINUTE, USD, Desk, guards, of, submits

PRICE = 100 * USD


@cache
def apart() -> GuardSet:
    """The shipped guards at a broker that links nothing."""
    bundle = guards().bundle
    execution = replace(bundle.execution, linking="engine", stop_within=parse_duration("5m"))
    return compile_bundle(replace(bundle, execution=execution))


class Race(RuleBasedStateMachine):
    """An engine, its broker, and what is on its way between them: of one order in turn, of several in any turn."""

    def __init__(self) -> None:
        super().__init__()
        self.desk, self.minute, self.number = Desk(apart()), 0, 0
        self.book: dict[str, Order] = {}
        self.asked: deque[Effect] = deque()
        self.words: dict[str, deque[Event]] = {}
        self.held = 0

    def tell(self, event: Event) -> None:
        self.asked += self.desk.tell(event)

    def say(self, event: Event, name: str) -> None:
        self.words.setdefault(name, deque()).append(event)

    @rule(qty=st.sampled_from((0, 20, 50)), protect=st.sampled_from((90, 95)), close=st.sampled_from((97, 100, 111)))
    def we_want(self, qty: int, protect: int, close: int) -> None:
        self.minute += 1
        want = Target(qty, protect=protect * USD, take_profit=110 * USD) if qty else Target(0)
        self.asked += self.desk.want({"SPY": want}, "SPY", self.minute, close * USD)

    @rule(on=st.booleans())
    def somebody_throws_the_switch(self, on: bool) -> None:
        self.tell(KillSwitch(on, "a test", self.desk.state.now))

    @rule(reject=st.booleans())
    @precondition(lambda self: self.asked)
    def broker_is_asked(self, reject: bool) -> None:
        effect, state = self.asked.popleft(), self.desk.state
        if isinstance(effect, Submit):
            order = state.orders[effect.order.client_order_id]
            name = order.client_order_id
            if order.status is not OrderStatus.NEW or outgrown(state, order, order.qty):
                if not order.status.is_final:
                    self.say(Cancelled(name, "it has not left", state.now), name)
            elif reject and self.minute % 2:
                self.say(Rejected(name, "a test", state.now), name)
            else:
                self.book[name] = replace(order, status=OrderStatus.ACCEPTED)
                self.say(Accepted(name, state.now), name)
        elif isinstance(effect, Cancel) and effect.client_order_id in self.book:
            held, name = self.book[effect.client_order_id], effect.client_order_id
            if held.leaves:
                self.book[name] = replace(held, status=OrderStatus.CANCELLED)
                self.say(Cancelled(name, "as asked", state.now), name)
            else:
                self.say(CancelRejected(name, "nothing is left", state.now), name)
        elif isinstance(effect, Replace):
            held, name = self.book[effect.client_order_id], effect.client_order_id
            known = state.orders[name]
            if known.replace_qty is None:
                return
            if held.leaves and effect.qty > held.filled and not outgrown(state, known, effect.qty):
                self.book[name] = replace(
                    held, qty=effect.qty, limit_price=effect.limit_price, stop_price=effect.stop_price
                )
                told = Replaced(name, effect.qty, effect.limit_price, effect.stop_price, state.now)
                self.say(told, name)
            else:
                self.say(ReplaceRejected(name, "too late, or too much", state.now), name)

    @rule(data=st.data())
    @precondition(lambda self: any(order.leaves for order in self.book.values()))
    def broker_trades(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from([each for each in self.book.values() if each.leaves]))
        qty = data.draw(st.integers(1, order.leaves))
        self.number += 1
        name = order.client_order_id
        after = replace(order, filled=order.filled + qty)
        self.book[name] = replace(after, status=OrderStatus.FILLED) if after.filled == after.qty else after
        self.held += order.side.sign * qty
        fill = Fill(f"f{self.number}", name, "SPY", order.side.value, qty, PRICE, 0, self.desk.state.now)
        self.say(Filled(fill, name), name)

    @rule(data=st.data(), again=st.booleans())
    @precondition(lambda self: any(self.words.values()))
    def a_word_arrives(self, data: st.DataObject, again: bool) -> None:
        name = data.draw(st.sampled_from([name for name, words in self.words.items() if words]))
        word = self.words[name].popleft()
        for _ in range(1 + (again and isinstance(word, Accepted | Filled | Cancelled))):
            self.tell(word)

    @invariant()
    def never_more_can_be_sold_than_is_held(self) -> None:
        at_work = sum(order.leaves for order in self.book.values() if order.side is Side.SELL)
        assert 0 <= at_work <= self.held
        line = self.desk.state.lines.get("SPY")
        assert line is None or line.working_sell <= max(line.qty, 0)

    def teardown(self) -> None:
        """All is told and carried out: the books are right, and what is held is guarded or on its way out."""
        for _ in range(200):
            while self.asked:
                self.broker_is_asked(reject=False)
            waiting = [words.popleft() for words in self.words.values() if words]
            if not waiting:
                break
            for word in waiting:
                self.tell(word)
        state = self.desk.state
        assert state.ledger.qty("SPY") == self.held
        if self.held and "SPY" not in state.exposed:
            assert sum(each.leaves for each in state.working_of("SPY", Side.SELL)) == self.held


def test_without_linking_no_order_of_events_lets_more_be_sold_than_is_held() -> None:
    run_state_machine_as_test(Race, settings=settings(deadline=None, max_examples=40, stateful_step_count=30))


def taken(desk: Desk, effects: list[Effect]) -> list[Effect]:
    """The broker takes whatever it is asked for but cancels; what follows from that is taken, too."""
    told: list[Effect] = []
    for effect in effects:
        if isinstance(effect, Submit):
            told += taken(desk, desk.tell(Accepted(effect.order.client_order_id, desk.state.now)))
        elif isinstance(effect, Replace):
            answer = Replaced(effect.client_order_id, effect.qty, effect.limit_price, effect.stop_price, desk.state.now)
            told += taken(desk, desk.tell(answer))
    return [*effects, *told]


@pytest.fixture
def desk() -> Desk:
    """A position of 100 with a stop that the broker has accepted, and a target that the engine keeps to itself."""
    desk = Desk(apart())
    want = Target(100, protect=95 * USD, take_profit=110 * USD)
    (entry,) = submits(taken(desk, desk.want({"SPY": want}, "SPY", 1, PRICE)))
    (stop,) = submits(taken(desk, desk.fill(entry, PRICE)))
    assert (stop.leg, stop.qty) == (Leg.STOP, 100)
    return desk


def stop_of(desk: Desk) -> Order:
    (found,) = [order for order in desk.state.working.values() if order.leg is Leg.STOP]
    return found


def test_an_exit_leaves_once_the_cancel_of_its_stop_is_confirmed_and_not_before(desk: Desk) -> None:
    effects = desk.want({"SPY": 0}, "SPY", 2, PRICE)
    (cancel,) = of(Cancel, effects)
    assert (cancel.client_order_id, submits(effects)) == (stop_of(desk).client_order_id, [])
    assert desk.want({"SPY": 0}, "SPY", 3, PRICE) == [], "it is on its way"
    (out,) = submits(desk.tell(Cancelled(cancel.client_order_id, "as asked", desk.state.now)))
    assert (out.leg, out.type, out.qty) == (Leg.EXIT, OrderType.MARKET, 100)


def test_a_stop_that_fills_before_its_cancel_leaves_the_exit_nothing_to_sell(desk: Desk) -> None:
    desk.want({"SPY": 0}, "SPY", 2, PRICE)
    told = desk.tell(Filled(Fill("f", stop_of(desk).client_order_id, "SPY", "SELL", 100, 95 * USD, 0, desk.state.now),
                            stop_of(desk).client_order_id))  # fmt: skip
    assert submits(told) == []
    assert (desk.state.ledger.qty("SPY"), desk.state.working) == (0, {})


def test_an_exit_of_a_part_leaves_once_the_stop_is_smaller_and_the_rest_stays_guarded(desk: Desk) -> None:
    effects = desk.want({"SPY": 60}, "SPY", 2, PRICE)
    (change,) = of(Replace, effects)
    assert (change.qty, submits(effects)) == (60, [])
    (out,) = submits(taken(desk, effects))
    assert (out.qty, stop_of(desk).leaves) == (40, 60)


def test_a_stop_comes_back_when_the_exit_is_rejected_or_nobody_wants_it_any_more(desk: Desk) -> None:
    effects = desk.want({"SPY": 0}, "SPY", 2, PRICE)
    (out,) = submits(desk.tell(Cancelled(stop_of(desk).client_order_id, "as asked", desk.state.now)))
    (again,) = submits(desk.tell(Rejected(out.client_order_id, "a test", desk.state.now)))
    assert (again.leg, again.qty, again.stop_price) == (Leg.STOP, 100, 95 * USD)
    taken(desk, [*effects, Submit(again, PRICE, desk.state.now, None)])
    (cancel,) = of(Cancel, desk.want({"SPY": 0}, "SPY", 3, PRICE))
    desk.want({"SPY": 100}, "SPY", 4, PRICE)
    (third,) = submits(desk.tell(Cancelled(cancel.client_order_id, "as asked", desk.state.now)))
    assert (third.leg, third.qty) == (Leg.STOP, 100)


def test_without_its_stop_and_without_an_exit_a_position_is_flattened_in_time(desk: Desk) -> None:
    desk.tell(ClockTicked(desk.state.now + MINUTE))
    (again,) = submits(desk.tell(Cancelled(stop_of(desk).client_order_id, "the broker's own idea", desk.state.now)))
    assert again.leg is Leg.STOP
    now = desk.state.now + 5 * MINUTE
    (cancel,) = of(Cancel, desk.tell(ClockTicked(now)))
    assert cancel.client_order_id == again.client_order_id, "nobody knows whether the broker has it"
    (out,) = submits(desk.tell(Cancelled(again.client_order_id, "it has not left", now)))
    assert (out.leg, out.qty) == (Leg.EXIT, 100)


def test_a_target_is_kept_by_the_engine_until_the_market_is_there(desk: Desk) -> None:
    assert desk.bar("SPY", 2, 109 * USD) == []
    (cancel,) = of(Cancel, desk.bar("SPY", 3, 110 * USD))
    (out,) = submits(desk.tell(Cancelled(cancel.client_order_id, "as asked", desk.state.now)))
    assert (out.leg, out.qty, out.reason) == (Leg.EXIT, 100, "take profit")


def test_an_exit_that_would_wait_for_a_price_is_refused_since_it_would_take_the_stops_place(desk: Desk) -> None:
    want = Target(0, type=OrderType.LIMIT, limit_price=105 * USD)
    (refused,) = of(Refused, desk.want({"SPY": want}, "SPY", 2, PRICE))
    assert refused.rules == ("linking",)
    assert refused.decision is not None
    assert "would not take off it" in refused.decision.findings[0].message
    assert stop_of(desk).leaves == 100
