"""What the simulated market owes to when things happen: ends of sessions, and bars that are not over yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from mqk.engine import Cancelled, Filled, Replaced
from mqk.guards import compile_bundle
from mqk.market import Bar, calendar_of
from mqk.orders import Leg, OrderType, Side, TimeInForce
from mqk.policy import LatencyBars
from mqk.strategies import Context, Target
from mqk.venue import FillRules
from tests.backtest.floor import PASS, Floor, dollars, order
from tests.backtest.worlds import Run
from tests.engine.worlds import MINUTE, USD, guards

CALENDAR = calendar_of("XNYS")
FIRST, SECOND, THIRD = CALENDAR.sessions_between(date(2024, 1, 3), date(2024, 1, 5))
# Bars are left out on purpose.
WORLD = guards(shadow=tuple(f"DATA-{number}" for number in ("01", "03", "04", "05", "05b", "06", "07", "08")))


def minute(symbol: str, day: date, number: int, low: int = 100) -> Bar:
    """The n-th minute of a session, at 100, and down to `low`."""
    end = CALENDAR.session_open(day) + number * MINUTE
    return Bar(symbol, end, 100 * USD, 100 * USD, low * USD, 100 * USD, 1_000, True, "1m")


@pytest.mark.parametrize("tif", [TimeInForce.DAY, TimeInForce.GTC])
@pytest.mark.parametrize("entering", ["QQQ", "SPY"])
def test_an_order_of_the_day_ends_with_its_session_whoevers_bar_enters_the_next(
    tif: TimeInForce, entering: str
) -> None:
    # The rest of the first day is missing, and of the second the first minutes of one symbol.
    bars = [minute(symbol, FIRST, number) for symbol in ("QQQ", "SPY") for number in range(1, 6)]
    bars += [minute(symbol, SECOND, number, 94) for symbol in ("QQQ", "SPY") for number in range(3, 6)]
    bars += [minute(entering, SECOND, number, 94) for number in (1, 2)]
    sent = CALENDAR.session_open(FIRST) + 2 * MINUTE

    def wish(context: Context) -> Mapping[str, Target] | None:
        if context.symbol != "SPY" or context.now != sent:
            return None
        return {"SPY": Target(100, type=OrderType.LIMIT, limit_price=95 * USD, tif=tif)}

    run = Run(bars, wish, set_=WORLD)
    (row,) = run.rows("orders.csv")
    assert row["status"] == ("EXPIRED" if tif is TimeInForce.DAY else "FILLED")
    assert len(run.fills()) == (tif is TimeInForce.GTC)


@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.LIMIT])
@pytest.mark.parametrize("tif", [TimeInForce.DAY, TimeInForce.GTC])
def test_an_order_of_the_day_that_meets_no_bar_ends_with_its_session_all_the_same(
    tif: TimeInForce, kind: OrderType
) -> None:
    # Of one symbol the rest of the day is missing; the other trades on, until the close or not quite.
    closes = (CALENDAR.session_close(FIRST) - CALENDAR.session_open(FIRST)) // MINUTE
    limit = None if kind is OrderType.MARKET else 101 * USD
    for last in (closes, closes - 1):
        bars = [minute("SPY", FIRST, number) for number in (1, 2)]
        bars += [minute("QQQ", FIRST, number) for number in (1, 2, 3, last)]
        bars += [minute(symbol, SECOND, number) for symbol in ("QQQ", "SPY") for number in (1, 2)]

        def wish(context: Context) -> Mapping[str, Target] | None:
            if context.symbol != "SPY" or context.now != CALENDAR.session_open(FIRST) + 2 * MINUTE:
                return None
            return {"SPY": Target(100, type=kind, limit_price=limit, tif=tif)}

        run = Run(bars, wish, set_=WORLD)
        (row,) = run.rows("orders.csv")
        assert row["status"] == ("EXPIRED" if tif is TimeInForce.DAY else "FILLED")


def test_an_order_that_is_decided_at_the_close_or_arrives_there_is_for_the_next_session() -> None:
    bars = [minute("SPY", day, number) for day in (FIRST, SECOND, THIRD) for number in (389, 390)]
    for sent, late in ((390, 0), (389, 1), (390, 1)):

        def wish(context: Context, sent: int = sent) -> Mapping[str, int] | None:
            return {"SPY": 100} if context.now == CALENDAR.session_open(FIRST) + sent * MINUTE else None

        bundle = WORLD.bundle
        latency = replace(bundle.execution, latency_bars=LatencyBars(late, 0, 0))
        run = Run(bars, wish, set_=compile_bundle(replace(bundle, execution=latency)))
        (row,) = run.rows("orders.csv")
        assert row["status"] == "FILLED"


def test_what_is_used_up_of_a_bar_stays_used_up_when_no_order_is_left() -> None:
    stop = order("e-stop", Side.SELL, 100, stop=98, leg=Leg.STOP, parent="e")
    floor = Floor(rules=FillRules(participation=Fraction(1, 100)), children={"e": [stop]})
    floor.send(order("e", Side.BUY, 100))
    floor.show(dollars(1, 100, 101, 95, 96, 10_000))
    assert [(each.order_id, each.qty) for each in floor.fills] == [("e", 100)], "all that was ours of the bar is gone"
    floor.show(dollars(2, 97, 98, 97, 97, 10_000))
    assert [(each.order_id, each.qty) for each in floor.fills[1:]] == [("e-stop", 100)]


@pytest.mark.parametrize("latency", [0, 1])
@pytest.mark.parametrize(("kind", "price"), [("market", None), ("limit", 98), ("stop", 102)])
def test_a_cancel_never_undoes_what_the_bar_in_progress_may_have_filled_before_it(
    kind: str, price: int | None, latency: int
) -> None:
    """The bars of `floor` last from 1 to 10: a cancel of 5 is too late for what it opens or trades at."""
    floor = Floor(latency=LatencyBars(0, latency, 0))
    terms = {} if price is None else {kind: price}
    floor.send(order("a", Side.BUY, 10, **terms), order("far", Side.BUY, 10, limit=50))
    for name in ("a", "far"):
        assert floor.market.cancel(name, "SPY", "why", 5, 1) is None
    told = floor.show(dollars(1, 100, 103, 97, 100), began=1)
    assert [type(each) for each in told] == [Filled, Cancelled]
    assert not floor.market.busy
    assert floor.market.special == 0


def test_a_change_reaches_an_order_after_the_bar_in_progress_and_before_the_one_after_it() -> None:
    old = order("a", Side.BUY, 10, limit=98)
    floor = Floor()
    floor.send(old)
    assert floor.market.replace(PASS, replace(old, limit_price=90 * USD), 5, 1) is None
    floor.show(dollars(1, 100, 101, 97, 100), began=1)
    assert floor.prices() == [98], "the bar came by the old price before it was changed"
    missing = Floor()
    missing.send(old)
    assert missing.market.replace(PASS, replace(old, limit_price=90 * USD), 5, 1) is None
    told = missing.show(dollars(2, 100, 101, 97, 100), began=11)
    assert told == [Replaced("a", 10, 90 * USD, None, 11)]


def test_an_order_that_the_bar_in_progress_does_not_meet_is_cancelled_at_once() -> None:
    floor = Floor()
    floor.send(order("a", Side.BUY, 10), at=3)
    assert floor.market.cancel("a", "SPY", "why", 5, 1) == Cancelled("a", "why", 5)
    gone = Floor()
    gone.send(order("a", Side.BUY, 10))
    assert gone.market.cancel("a", "SPY", "why", 5, 1) is None
    assert gone.show(dollars(2, 100, 101, 97, 100), began=11) == [Cancelled("a", "why", 11)], "its bar never came"
    assert gone.market.special == 0


def test_news_of_another_symbol_takes_nothing_back_that_has_opened_before() -> None:
    days = (FIRST, SECOND, THIRD)
    bars = [
        Bar("QQQ", CALENDAR.session_close(day), *(close * USD for close in (100, 100, low, low)), 1_000, True, "1D")
        for day, low in zip(days, (100, 92, 92), strict=True)
    ]
    for day in days:
        ends = range(CALENDAR.session_open(day) + 60 * MINUTE, CALENDAR.session_close(day) + 1, 60 * MINUTE)
        bars += [Bar("SPY", end, *[100 * USD] * 4, 1_000, True, "1H") for end in ends]
    news = CALENDAR.session_open(SECOND) + 180 * MINUTE

    def wish(context: Context) -> Mapping[str, int] | None:
        if context.symbol == "QQQ":
            return {"QQQ": 100} if context.now == CALENDAR.session_close(FIRST) else None
        return {"QQQ": 0} if context.now == news else None

    run = Run(bars, wish, set_=WORLD)
    assert [(fill.symbol, fill.side, fill.qty) for fill in run.fills()] == [("QQQ", "BUY", 100)]
