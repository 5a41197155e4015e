"""C-30 to C-37b of the original system, each made impossible: order ids, races, overfills, doors, intents, retries."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from mqk.engine import (
    Accepted,
    Cancelled,
    ClockTicked,
    EngineError,
    LatchSet,
    Permit,
    Refused,
    Rejected,
    Submit,
)
from mqk.engine.gate import authorise
from mqk.guards import compile_bundle
from mqk.orders import EventKind, Order, OrderEvent, OrderEventError, OrderStatus, Side, client_order_id
from mqk.policy import effective_bundle, load_policies, shipped_policies_dir
from mqk.portfolio import LedgerError
from mqk.quantity import parse_money
from mqk.reconcile import Book, BookError, OrderView
from mqk.strategies import Target
from tests.engine.worlds import MINUTE, USD, Desk, guards, of, submits
from tests.orders.lives import apply

K = EventKind
PRICE = 100 * USD


def moved(*kinds: tuple[EventKind, int] | EventKind) -> Order:
    """An order for 100 shares after these events."""
    order = Order("MAIN_r_0", "SPY", Side.BUY, 100)
    for number, step in enumerate(kinds):
        kind, qty = step if isinstance(step, tuple) else (step, 0)
        order = apply(order, OrderEvent(f"e{number}", kind, qty))
    return order


def test_c30_two_equal_intents_have_two_ids_that_begin_with_their_engine() -> None:
    desk = Desk()
    ids = []
    for minute, target in enumerate((10, 0, 10), 1):
        (order,) = submits(desk.want({"SPY": target}, "SPY", minute, PRICE))
        desk.fill(order, PRICE)
        ids.append(order.client_order_id)
    assert len(set(ids)) == 3
    assert all(each.startswith("MAIN_t_") for each in ids)
    assert client_order_id("MAIN", "t", 0) == ids[0]


@pytest.mark.parametrize(
    ("kinds", "status", "filled"),
    [
        ((K.CANCEL_REQUESTED, (K.PARTIAL_FILL, 30), K.CANCELLED), OrderStatus.CANCELLED, 30),
        (((K.FILL, 100), K.CANCEL_REJECTED), OrderStatus.FILLED, 100),
        (((K.FILL, 100), K.ACCEPTED), OrderStatus.FILLED, 100),
        ((K.CANCEL_REQUESTED, K.ACCEPTED), OrderStatus.PENDING_CANCEL, 0),
        (
            (K.ACCEPTED, (K.REPLACE_REQUESTED, 120), (K.PARTIAL_FILL, 30), (K.REPLACED, 120)),
            OrderStatus.PARTIALLY_FILLED,
            30,
        ),
        ((K.ACCEPTED, K.CANCELLED), OrderStatus.CANCELLED, 0),
        ((K.ACCEPTED, K.EXPIRED), OrderStatus.EXPIRED, 0),
        ((K.REJECTED, K.REJECTED), OrderStatus.REJECTED, 0),
        ((K.CANCEL_REQUESTED, K.CANCELLED, (K.PARTIAL_FILL, 30)), OrderStatus.CANCELLED, 30),
        ((K.CANCEL_REQUESTED, (K.PARTIAL_FILL, 30)), OrderStatus.PENDING_CANCEL, 30),
    ],
)
def test_c31_a_race_is_taken_in_and_a_pending_request_is_remembered(
    kinds: tuple[tuple[EventKind, int] | EventKind, ...], status: OrderStatus, filled: int
) -> None:
    order = moved(*kinds)
    assert (order.status, order.filled) == (status, filled)


def test_c31_what_cannot_have_happened_stops_the_engine_and_what_is_late_does_not() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 10}, "SPY", 1, PRICE))
    desk.fill(order, PRICE)
    assert of(Submit, desk.tell(Accepted(order.client_order_id, desk.state.now))) == []
    before = desk.state.digest()
    with pytest.raises(EngineError) as fault:
        desk.tell(Rejected(order.client_order_id, "after all", desk.state.now))
    assert fault.value.code == "book"
    assert desk.state.digest() == before


def test_c32_an_order_has_a_state_before_the_first_word_and_an_end_when_nothing_is_left() -> None:
    assert moved().status is OrderStatus.NEW
    assert moved((K.PARTIAL_FILL, 60), (K.PARTIAL_FILL, 40)).status is OrderStatus.FILLED
    done = moved(K.ACCEPTED, (K.REPLACE_REQUESTED, 60), (K.PARTIAL_FILL, 60), (K.REPLACED, 60))
    assert (done.status, done.leaves) == (OrderStatus.FILLED, 0)
    with pytest.raises(OrderEventError):
        moved(K.ACCEPTED, (K.REPLACE_REQUESTED, 0))


@pytest.mark.parametrize("qty", [150, 101, 0, -1, -500])
def test_c33_no_overfill_and_no_fill_of_less_than_a_share_reaches_the_ledger(qty: int) -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 100}, "SPY", 1, PRICE))
    before = desk.state.digest()
    with pytest.raises((EngineError, LedgerError)):
        desk.fill(order, PRICE, qty)
    assert desk.state.digest() == before
    assert desk.state.ledger.qty("SPY") == 0


def test_c33_not_even_together_do_a_stop_and_a_target_sell_more_than_is_held() -> None:
    desk = Desk()
    (entry,) = submits(desk.want({"SPY": Target(100, protect=95 * USD, take_profit=110 * USD)}, "SPY", 1, PRICE))
    stop, target = submits(desk.fill(entry, PRICE))
    desk.fill(stop, 95 * USD)
    before = desk.state.digest()
    with pytest.raises(EngineError):
        desk.fill(target, 110 * USD, 1)
    assert desk.state.digest() == before


def test_c34_no_caller_says_that_an_order_may_leave_and_nothing_is_counted_in_floats() -> None:
    with pytest.raises(EngineError):
        Permit(object(), {})
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 10}, "SPY", 1, PRICE))
    permit = authorise(desk.state, order, epoch=0, now=desk.state.now, ttl=1)
    assert isinstance(permit, Permit)
    assert permit.refusal(replace(order, qty=11), now=desk.state.now, epoch=0, bundle=permit.bundle) is not None
    assert not [each.name for each in fields(Order) if "float" in str(each.type)]


def test_c35_a_missing_target_holds_and_a_target_on_its_way_is_not_ordered_again() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 10}, "SPY", 1, PRICE))
    assert desk.want({"SPY": 10}, "SPY", 2, PRICE) == []
    desk.fill(order, PRICE)
    assert desk.want({"QQQ": 0}, "SPY", 3, PRICE) == []
    assert desk.state.ledger.qty("SPY") == 10


@pytest.mark.parametrize(("target", "ordered"), [(99, None), (100, 100), (250, 200)])
def test_c35_what_adds_comes_in_lots_and_is_worth_its_minimum(target: int, ordered: int | None) -> None:
    bundle = guards().bundle
    execution = replace(bundle.execution, lot=100, minimum=parse_money("5 USD"))
    desk = Desk(compile_bundle(replace(bundle, execution=execution)))
    placed = submits(desk.want({"SPY": target}, "SPY", 1, 10 * USD // 100))
    assert [order.qty for order in placed] == ([] if ordered is None else [ordered])


def test_c35_what_takes_a_position_out_is_never_rounded_and_never_too_small() -> None:
    bundle = guards().bundle
    execution = replace(bundle.execution, lot=100, minimum=parse_money("5_000 USD"))
    desk = Desk(compile_bundle(replace(bundle, execution=execution)))
    desk.hold("SPY", 100, 1, PRICE)
    (order,) = submits(desk.want({"SPY": 93}, "SPY", 2, PRICE))
    assert (order.side, order.qty) == (Side.SELL, 7)


@pytest.mark.parametrize("qty", [-7, 0, True])
def test_c36_a_book_that_contradicts_itself_is_no_book(qty: int) -> None:
    with pytest.raises(BookError):
        OrderView("SPY", Side.BUY, qty, 0, OrderStatus.ACCEPTED)


def test_c36_a_quantity_that_cannot_be_read_is_not_dropped_and_a_clock_never_runs_back() -> None:
    with pytest.raises(BookError):
        Book({}, {"SPY": "ten"})  # type: ignore[dict-item] # what a broker might say
    desk = Desk()
    desk.want({"SPY": 10}, "SPY", 2, PRICE)
    now = desk.state.now
    desk.tell(ClockTicked(now - MINUTE))
    assert desk.state.now == now


def test_c37_a_refusal_of_the_gate_gives_the_intent_back_and_rejects_are_counted() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 10}, "SPY", 1, PRICE))
    desk.state.run.killed = True
    leave = authorise(desk.state, order, epoch=0, now=desk.state.now, ttl=1)
    assert not isinstance(leave, Permit)
    desk.tell(Cancelled(order.client_order_id, "refused by the gate", desk.state.now))
    desk.state.run.killed = False
    # The target stands, and so it is ordered again, as an order of its own.
    (again,) = submits(desk.want({"SPY": 10}, "SPY", 2, PRICE))
    assert again.client_order_id != order.client_order_id
    desk.tell(Rejected(again.client_order_id, "no", desk.state.now))
    assert desk.state.run.errors == 1


def test_c37_as_many_rejects_as_the_policy_bears_halt() -> None:
    desk = Desk()
    for minute in range(1, 6):
        (order,) = submits(desk.want({"SPY": 10}, "SPY", minute, PRICE))
        desk.tell(Rejected(order.client_order_id, "no", desk.state.now))
    assert [latch.latch.rule for latch in of(LatchSet, desk.effects)] == ["RATE-05"]
    assert isinstance(desk.want({"SPY": 10}, "SPY", 6, PRICE)[0], Refused)


def test_c37b_what_is_refused_is_asked_again_as_time_goes_and_never_without_end() -> None:
    desk = Desk()
    (entry,) = submits(desk.want({"SPY": Target(10, protect=95 * USD)}, "SPY", 1, PRICE))
    (stop,) = submits(desk.fill(entry, PRICE))
    start, asked = desk.state.now, 0
    for second in range(0, 59, 20):
        at = start + second * 1_000_000
        told = submits([*desk.tell(Rejected(stop.client_order_id, "no", at)), *desk.tell(ClockTicked(at))])
        asked += len(told)
        stop = told[-1] if told else stop
    assert asked == 2
    (out,) = submits(desk.tell(ClockTicked(start + 60_000_000)))
    assert out.reason.startswith("unprotected")


def test_the_policy_that_ships_says_how_long_a_position_may_stand_unprotected() -> None:
    bundle = effective_bundle(load_policies([shipped_policies_dir()]), "MAIN")
    assert bundle.execution.stop_within.micros == 60_000_000
