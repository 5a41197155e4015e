"""Guarded positions: stop and target as large as what is held, one cancelling the other, never loosened, never missing.

What lives here: what the engine asks for. What does not: how such orders fill (tests/backtest), how they are compared.
"""

from __future__ import annotations

from mqk.engine import (
    Accepted,
    Cancel,
    Cancelled,
    ClockTicked,
    Effect,
    Rejected,
    Replace,
    Replaced,
    ReplaceRejected,
    Submit,
)
from mqk.engine.brackets import Bracket
from mqk.orders import Leg, Order, OrderStatus, OrderType, Side, TimeInForce
from mqk.strategies import Target
from tests.engine.worlds import MINUTE, USD, Desk, of, submits

PRICE = 100 * USD


def accept(desk: Desk, effects: list[Effect]) -> list[Effect]:
    """The broker takes whatever it is asked for; what follows from that is taken, too."""
    told: list[Effect] = []
    for effect in effects:
        if isinstance(effect, Submit):
            told += accept(desk, desk.tell(Accepted(effect.order.client_order_id, desk.state.now)))
        elif isinstance(effect, Replace):
            answer = Replaced(effect.client_order_id, effect.qty, effect.limit_price, effect.stop_price, desk.state.now)
            told += accept(desk, desk.tell(answer))
    return [*effects, *told]


def entered(desk: Desk, want: Target, filled: int | None = None) -> tuple[Order, list[Effect]]:
    """An entry that is accepted and fills, in part or whole; with what the engine asks for then."""
    (entry,) = submits(accept(desk, desk.want({"SPY": want}, "SPY", 1, PRICE)))
    return entry, desk.fill(entry, PRICE, filled)


def leg(desk: Desk, role: Leg) -> Order:
    (found,) = [order for order in desk.state.working.values() if order.leg is role]
    return found


def test_a_fill_is_guarded_at_once_by_a_stop_and_a_target() -> None:
    desk = Desk()
    entry, effects = entered(desk, Target(100, protect=95 * USD, take_profit=110 * USD))
    stop, target = submits(effects)
    assert stop.client_order_id == f"{entry.client_order_id}-stop"
    assert target.client_order_id == f"{entry.client_order_id}-target"
    assert (stop.side, stop.qty, stop.type, stop.stop_price) == (Side.SELL, 100, OrderType.STOP, 95 * USD)
    assert (target.side, target.qty, target.type, target.limit_price) == (Side.SELL, 100, OrderType.LIMIT, 110 * USD)
    assert {stop.tif, target.tif} == {TimeInForce.GTC}
    assert {stop.parent_id, target.parent_id} == {entry.client_order_id}


def test_a_guard_grows_with_what_is_filled() -> None:
    desk = Desk()
    entry, effects = entered(desk, Target(100, protect=95 * USD), 40)
    assert submits(accept(desk, effects))[0].qty == 40
    (change,) = of(Replace, desk.fill(entry, PRICE, 60, name="2"))
    assert (change.qty, change.stop_price) == (100, 95 * USD)
    accept(desk, [change])
    assert leg(desk, Leg.STOP).leaves == 100


def test_a_guard_that_is_not_accepted_yet_is_brought_in_line_once_it_is() -> None:
    desk = Desk()
    entry, effects = entered(desk, Target(100, protect=95 * USD), 40)
    assert desk.fill(entry, PRICE, 60, name="2") == []
    assert [change.qty for change in of(Replace, accept(desk, effects))] == [100]


def test_a_guard_counts_for_nothing_beside_the_position_it_guards() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, protect=95 * USD, take_profit=110 * USD))
    accept(desk, effects)
    line = desk.state.lines["SPY"]
    assert (line.working_sell, line.protecting_sell, line.committed()) == (100, 100, (0, 0))
    assert desk.state.account.gross_exposure == 100 * PRICE
    assert desk.state.context.committed("SPY") == 100
    # The same target again asks for nothing.
    assert desk.want({"SPY": Target(100, protect=95 * USD, take_profit=110 * USD)}, "SPY", 2, PRICE) == []


def test_what_one_of_them_trades_is_taken_off_the_other() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, protect=95 * USD, take_profit=110 * USD))
    accept(desk, effects)
    desk.fill(leg(desk, Leg.TARGET), 110 * USD, 30)
    assert (leg(desk, Leg.STOP).leaves, leg(desk, Leg.TARGET).leaves) == (70, 70)
    target = leg(desk, Leg.TARGET).client_order_id
    desk.fill(leg(desk, Leg.STOP), 95 * USD, 70)
    assert desk.state.orders[target].status is OrderStatus.FILLED
    assert desk.state.orders[target].reduced == 70
    assert (desk.state.ledger.qty("SPY"), desk.state.working, desk.state.lines["SPY"].working_sell) == (0, {}, 0)
    assert desk.state.lines["SPY"].brackets == {}
    # The broker says so, too, and is late.
    assert desk.tell(Cancelled(target, "one cancels the other", desk.state.now)) == []


def test_an_exit_is_not_kept_back_by_the_stop_and_takes_it_away() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, protect=95 * USD))
    accept(desk, effects)
    (out,) = submits(desk.want({"SPY": 60}, "SPY", 2, PRICE))
    assert (out.side, out.qty, out.leg) == (Side.SELL, 40, Leg.EXIT)
    assert desk.state.lines["SPY"].working_sell == 100
    (rest,) = submits(desk.want({"SPY": 0}, "SPY", 3, PRICE))
    assert rest.qty == 60
    desk.fill(out, PRICE)
    assert leg(desk, Leg.STOP).leaves == 60
    desk.fill(rest, PRICE)
    assert (desk.state.ledger.qty("SPY"), desk.state.working) == (0, {})


def test_a_stop_that_trades_leaves_an_exit_nothing_to_sell() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, protect=95 * USD))
    accept(desk, effects)
    (out,) = submits(desk.want({"SPY": 0}, "SPY", 2, PRICE))
    desk.fill(leg(desk, Leg.STOP), 95 * USD)
    assert desk.state.orders[out.client_order_id].status is OrderStatus.CANCELLED
    assert desk.state.ledger.qty("SPY") == 0


def test_a_trailing_stop_follows_the_market_and_never_comes_back() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, trail=5 * USD))
    accept(desk, effects)
    levels = [leg(desk, Leg.STOP).stop_price]
    for minute, close in enumerate((103, 101, 108, 90), 2):
        accept(desk, desk.bar("SPY", minute, close * USD, open_=close * USD))
        levels.append(leg(desk, Leg.STOP).stop_price)
    assert levels == [95 * USD, 98 * USD, 98 * USD, 103 * USD, 103 * USD]


def test_a_short_is_guarded_from_above() -> None:
    bracket = Bracket("MAIN_t_0", "SPY", Side.BUY, Target(-10, protect=105 * USD, trail=4 * USD))
    bracket.follow(100 * USD)
    assert bracket.protect == 104 * USD
    bracket.follow(97 * USD)
    bracket.follow(99 * USD)
    assert bracket.protect == 101 * USD


def test_a_stop_is_never_loosened_while_the_position_stands() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, protect=95 * USD))
    accept(desk, effects)
    assert desk.want({"SPY": Target(100, protect=90 * USD)}, "SPY", 2, PRICE) == []
    (change,) = of(Replace, desk.want({"SPY": Target(100, protect=97 * USD)}, "SPY", 3, PRICE))
    assert change.stop_price == 97 * USD


def test_a_new_position_is_guarded_by_what_was_asked_for_it_and_not_by_the_one_before() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, protect=95 * USD))
    accept(desk, effects)
    desk.fill(leg(desk, Leg.STOP), 95 * USD)
    (entry,) = submits(accept(desk, desk.want({"SPY": Target(100, protect=80 * USD)}, "SPY", 2, 85 * USD)))
    (stop,) = submits(desk.fill(entry, 85 * USD))
    assert (stop.stop_price, stop.parent_id) == (80 * USD, entry.client_order_id)


def test_a_refused_stop_is_asked_for_again_and_at_the_deadline_the_position_is_flattened() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, protect=95 * USD))
    (stop,) = submits(effects)
    start = desk.state.now
    # At the instant of the refusal nothing more is tried.
    assert submits(desk.tell(Rejected(stop.client_order_id, "no stops today", start))) == []
    (again,) = submits(desk.tell(ClockTicked(start + MINUTE // 2)))
    assert again.client_order_id == f"{stop.client_order_id}-2"
    (out,) = submits(desk.tell(ClockTicked(start + desk.state.deadline)))
    assert (out.side, out.qty, out.type, out.leg) == (Side.SELL, 100, OrderType.MARKET, Leg.EXIT)
    assert out.reason.startswith("unprotected")
    desk.fill(out, PRICE)
    assert desk.state.ledger.qty("SPY") == 0
    assert desk.state.exposed == {}


def test_a_stop_accepted_in_time_is_all_that_is_asked() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, protect=95 * USD))
    start = desk.state.now
    desk.tell(ClockTicked(start + desk.state.deadline - 1))
    accept(desk, effects)
    assert submits(desk.tell(ClockTicked(start + 10 * desk.state.deadline))) == []


def test_a_stop_that_the_broker_cancels_unasked_comes_back() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, protect=95 * USD))
    accept(desk, effects)
    (again,) = submits(desk.tell(Cancelled(leg(desk, Leg.STOP).client_order_id, "who knows", desk.state.now + 1)))
    assert (again.qty, again.stop_price) == (100, 95 * USD)


def test_a_refused_change_leaves_the_stop_and_is_asked_for_again() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, trail=5 * USD))
    accept(desk, effects)
    (change,) = of(Replace, desk.bar("SPY", 2, 103 * USD))
    desk.tell(ReplaceRejected(change.client_order_id, "too late", desk.state.now))
    assert leg(desk, Leg.STOP).stop_price == 95 * USD
    (later,) = of(Replace, desk.bar("SPY", 3, 103 * USD))
    assert later.stop_price == 98 * USD


def test_guards_of_a_position_that_is_gone_are_taken_back() -> None:
    desk = Desk()
    desk.hold("SPY", 100, 1, PRICE)
    accept(desk, desk.want({"SPY": Target(100, protect=95 * USD)}, "SPY", 2, PRICE))
    stop = leg(desk, Leg.STOP)
    assert stop.leaves == 100
    (out,) = submits(desk.want({"SPY": 0}, "SPY", 3, PRICE))
    desk.fill(out, PRICE)
    assert desk.state.orders[stop.client_order_id].status is OrderStatus.CANCELLED
    assert of(Cancel, desk.effects) == []


def test_the_digest_tells_guards_apart() -> None:
    digests = set()
    for protect in (94, 95):
        desk = Desk()
        entered(desk, Target(100, protect=protect * USD))
        digests.add(desk.state.digest())
    assert len(digests) == 2


def test_the_fill_of_a_stop_that_comes_twice_counts_once() -> None:
    desk = Desk()
    _, effects = entered(desk, Target(100, protect=95 * USD, take_profit=110 * USD))
    accept(desk, effects)
    stop = leg(desk, Leg.STOP)
    for _ in range(2):
        desk.fill(stop, 95 * USD, 60)
    assert (leg(desk, Leg.STOP).leaves, leg(desk, Leg.TARGET).leaves) == (40, 40)
