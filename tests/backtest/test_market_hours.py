"""What the simulated market owes to when things happen: ends of sessions, and bars that are not over yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction

import pytest

from mqk.backtest.rules import FillRules
from mqk.market import Bar, calendar_of
from mqk.orders import Leg, OrderType, Side, TimeInForce
from mqk.strategies import Context, Target
from tests.backtest.floor import Floor, dollars, order
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


def test_what_is_used_up_of_a_bar_stays_used_up_when_no_order_is_left() -> None:
    stop = order("e-stop", Side.SELL, 100, stop=98, leg=Leg.STOP, parent="e")
    floor = Floor(rules=FillRules(participation=Fraction(1, 100)), children={"e": [stop]})
    floor.send(order("e", Side.BUY, 100))
    floor.show(dollars(1, 100, 101, 95, 96, 10_000))
    assert [(each.order_id, each.qty) for each in floor.fills] == [("e", 100)], "all that was ours of the bar is gone"
    floor.show(dollars(2, 97, 98, 97, 97, 10_000))
    assert [(each.order_id, each.qty) for each in floor.fills[1:]] == [("e-stop", 100)]
