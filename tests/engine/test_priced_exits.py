"""Orders that wait for a price: no way out while they wait, and no word on what a target's terms are now."""

from __future__ import annotations

from mqk.engine import Accepted, Cancel, Cancelled, Filled, Replace, Submit
from mqk.orders import Order, OrderType, Side, TimeInForce
from mqk.portfolio import Fill
from mqk.quantity import parse_ratio
from mqk.strategies import Target
from tests.engine.worlds import USD, Desk, guards, of, submits


def held(qty: int = 900) -> Desk:
    """A desk that holds shares of SPY for all that it has."""
    desk = Desk(guards(("max_position", parse_ratio("100%"))))
    desk.hold("SPY", qty, 1, 100 * USD)
    return desk


def resting(desk: Desk, want: Target) -> Order:
    """The order that a target comes to, taken by the broker."""
    (order,) = submits(desk.want({"SPY": want}, "SPY", 2, 100 * USD))
    desk.tell(Accepted(order.client_order_id, desk.state.now))
    return order


def out_at(limit: int) -> Target:
    return Target(0, type=OrderType.LIMIT, limit_price=limit * USD, tif=TimeInForce.GTC)


def test_who_flattens_takes_back_exits_that_wait_for_a_price_and_then_gets_out_of_the_whole() -> None:
    desk = held()
    waiting = resting(desk, out_at(109))
    fallen = [
        effect for minute, price in ((3, 95), (4, 88), (5, 78)) for effect in desk.bar("SPY", minute, price * USD)
    ]
    assert desk.state.flattening
    assert [each.client_order_id for each in of(Cancel, fallen)] == [waiting.client_order_id]
    # Both together could sell more than is held: the way out is ordered once the other one is gone.
    assert submits(fallen) == []
    (out,) = submits(desk.tell(Cancelled(waiting.client_order_id, "asked", desk.state.now)))
    assert (out.side, out.qty, out.type) == (Side.SELL, 900, OrderType.MARKET)


def test_a_target_without_terms_takes_back_an_order_that_waits_and_gets_out_when_it_is_asked_for_again() -> None:
    desk = held()
    waiting = resting(desk, out_at(109))
    effects = desk.want({"SPY": 0}, "SPY", 3, 99 * USD)
    assert [each.client_order_id for each in of(Cancel, effects)] == [waiting.client_order_id]
    desk.tell(Cancelled(waiting.client_order_id, "asked", desk.state.now))
    (out,) = submits(desk.want({"SPY": 0}, "SPY", 4, 99 * USD))
    assert (out.qty, out.type) == (900, OrderType.MARKET)


def test_a_target_at_another_price_changes_the_order_that_waits() -> None:
    desk = held()
    waiting = resting(desk, out_at(109))
    effects = desk.want({"SPY": out_at(107)}, "SPY", 3, 99 * USD)
    (change,) = of(Replace, effects)
    assert (change.order.client_order_id, change.order.limit_price) == (waiting.client_order_id, 107 * USD)
    assert of(Cancel, effects) == of(Submit, effects) == []


def test_a_target_on_the_same_terms_lets_its_order_be() -> None:
    desk = held()
    resting(desk, out_at(109))
    assert desk.want({"SPY": out_at(109)}, "SPY", 3, 99 * USD) == []


def test_a_fill_that_is_told_late_does_not_bring_its_price_back() -> None:
    desk = Desk(guards(("max_position", parse_ratio("100%"))))
    (order,) = submits(desk.want({"SPY": 100}, "SPY", 1, 100 * USD))
    desk.bar("SPY", 2, 99 * USD)
    then = desk.state.now
    desk.bar("SPY", 3, 95 * USD)
    name = order.client_order_id
    desk.tell(Filled(Fill(f"{name}-1", name, "SPY", "BUY", 100, 99 * USD, 0, then - 1), name))
    assert desk.state.lines["SPY"].price == desk.state.ledger.last_mark("SPY") == 95 * USD
    assert desk.state.account.equity == desk.state.account.cash + 100 * 95 * USD
    assert desk.state.account.peak_equity == desk.state.guards.bundle.capital.micros
