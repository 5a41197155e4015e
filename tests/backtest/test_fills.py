"""The simulated market: fills at the next open, against the trader, with latency, and never without leave."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from mqk.backtest import BacktestError, run_backtest
from mqk.engine import Accepted, Cancelled, CancelRejected, Filled, Permit
from mqk.engine.gate import authorise
from mqk.market import Bar, calendar_of
from mqk.orders import CostModel, Order, OrderType, Side
from mqk.policy import LatencyBars
from mqk.strategies import Context
from mqk.venue import SimulatedMarket, VenueError
from tests.backtest.worlds import Run, micros
from tests.engine.worlds import USD, Desk, bar, daily, guards, host, shipped, submits

CALENDAR = calendar_of("XNYS")


def test_an_order_fills_at_the_open_of_the_next_bar_with_costs_c46() -> None:
    bars = daily("SPY", [100 * USD, 100 * USD, 110 * USD])
    moved = replace(bars[1], open=104 * USD, high=108 * USD, low=99 * USD)
    run = Run([bars[0], moved, bars[2]], {0: {"SPY": 10}})
    (row,) = run.rows("fills.csv")
    # 3 + 5 bps, and half of a range of 9 % of the close: more than the cap of 25 bps.
    assert micros(row["price"]) == 104 * USD * 10_025 // 10_000
    assert row["at"] == "2024-01-04T14:30:00Z"
    calm = Run(bars, {0: {"SPY": 10}, 1: {"SPY": 0}})
    assert [micros(row["price"]) for row in calm.rows("fills.csv")] == [
        100 * USD * 10_008 // 10_000,
        100 * USD * 9_975 // 10_000,
    ]


def test_prices_of_one_symbol_never_fill_another_c45() -> None:
    cheap = daily("AAPL", [10 * USD] * 4)
    dear = daily("SPY", [500 * USD] * 4)

    def there_and_back(context: Context) -> dict[str, int] | None:
        return {"AAPL": 0 if context.position("AAPL") else 1_000} if context.symbol == "AAPL" else None

    run = Run([*cheap, *dear], there_and_back)
    assert len(run.fills()) == 3
    for fill in run.fills():
        assert fill.symbol == "AAPL"
        assert abs(fill.price - 10 * USD) <= 10 * USD * 25 // 10_000
    assert run.summary.final_equity_micros < 100_000 * USD


def test_strategies_see_one_symbol_at_a_time_c45() -> None:
    seen: list[tuple[str, set[str]]] = []
    bars = [*daily("AAPL", [10 * USD] * 5), *daily("SPY", [500 * USD] * 5)]
    Run(bars, lambda c: seen.append((c.symbol, {each.symbol for each in c.bars})), lookback=3)
    assert len(seen) == 10
    assert all(symbols == {symbol} for symbol, symbols in seen)


def test_flattening_costs_what_trading_costs_c47() -> None:
    bars = daily("SPY", [100 * USD, 100 * USD, 81 * USD, 66 * USD, 53 * USD, 60 * USD])
    run = Run(bars, {0: {"SPY": 990}}, set_=guards(shadow=("CAP-01", "LOSS-01")))
    buy, sell = run.fills()
    assert (sell.side, sell.qty) == ("SELL", 990)
    # Down 19 % at the third close: out at the fourth open, that very price less costs.
    assert sell.price == 81 * USD * 9_975 // 10_000
    assert run.summary.posture == "FLATTENING"
    assert run.summary.open_positions == {}
    assert run.summary.final_equity_micros == 100_000 * USD + 990 * (sell.price - buy.price)


def test_an_order_fills_at_the_next_open_whatever_its_bar_turns_out_to_be() -> None:
    """Whether a bar is believed is known when it is over; skipping its open would choose fills with hindsight."""
    bars = daily("SPY", [100 * USD, 100 * USD, 100 * USD, 100 * USD])
    crash = replace(bars[2], open=70 * USD, low=60 * USD, high=70 * USD, close=65 * USD)
    run = Run([bars[0], bars[1], crash, bars[3]], {0: {"SPY": 10}, 1: {"SPY": 0}})
    assert run.summary.bars_rejected == 2
    bought, sold = run.fills()
    assert bought.price > 100 * USD
    assert sold.price < 70 * USD
    assert [row["at"][:10] for row in run.rows("fills.csv")] == ["2024-01-04", "2024-01-05"]


def test_one_instant_is_judged_once_whatever_the_symbols_are_called() -> None:
    """Half the prices of an instant are no account: a fall and a rise that cancel out are no loss."""
    halts = []
    for falling, rising in (("AAPL", "MSFT"), ("MSFT", "AAPL")):
        down = daily(falling, [100 * USD, 100 * USD, 85 * USD, 85 * USD])
        up = daily(rising, [100 * USD, 100 * USD, 115 * USD, 115 * USD])

        def wish(context: Context) -> dict[str, int]:
            return {context.symbol: 190}

        halts.append(Run([*down, *up], wish).summary.halts)
    assert halts == [0, 0]


def test_overnight_losses_belong_to_the_new_day() -> None:
    bars = daily("SPY", [100 * USD, 100 * USD, 100 * USD, 100 * USD])
    gap = replace(bars[2], open=88 * USD, low=88 * USD, close=88 * USD)
    rest = replace(bars[3], open=88 * USD, low=88 * USD, high=88 * USD, close=88 * USD)
    script = {0: {"SPY": 190}, 1: {"SPY": 191}, 2: {"SPY": 192}, 3: {"SPY": 193}}
    run = Run([bars[0], bars[1], gap, rest], script)
    # The fill at the open shows the loss; it holds all day, and not a day longer.
    audit = [json.loads(line) for line in run.files["audit.jsonl"].decode().splitlines()]
    assert [(line["at"], line["kind"]) for line in audit if line["data"].get("rule") == "LOSS-01"] == [
        ("2024-01-05T14:30:00Z", "latch_set"),
        ("2024-01-08T21:00:00Z", "latch_lifted"),
    ]
    assert run.summary.denied_by_rule == {"POSTURE-01": 1}


def test_latency_lets_an_open_pass() -> None:
    bars = daily("SPY", [100 * USD, 101 * USD, 102 * USD, 103 * USD])
    late = Run(bars, {0: {"SPY": 10}}, set_=guards(overlays=("latency_high",)))
    assert [row["at"][:10] for row in late.rows("fills.csv")] == ["2024-01-05"]
    prompt = Run(bars, {0: {"SPY": 10}})
    assert [row["at"][:10] for row in prompt.rows("fills.csv")] == ["2024-01-04"]


def test_stress_costs_more_bt29() -> None:
    bars = daily("SPY", [100 * USD, 101 * USD, 102 * USD, 103 * USD])
    plain = Run(bars, {0: {"SPY": 100}, 1: {"SPY": 0}})
    stress = Run(bars, {0: {"SPY": 100}, 1: {"SPY": 0}}, set_=guards(overlays=("slippage_x2",)))
    assert stress.summary.final_equity_micros < plain.summary.final_equity_micros


def test_what_never_fills_is_cancelled_when_the_data_ends() -> None:
    run = Run(daily("SPY", [100 * USD] * 2), {1: {"SPY": 10}})
    (row,) = run.rows("orders.csv")
    assert (row["status"], row["filled"], row["reason"]) == ("CANCELLED", "0", "the data ended")
    assert run.summary.fills == 0


def test_bars_that_no_engine_could_run_on_are_refused() -> None:
    with pytest.raises(BacktestError, match="trades bars of `1D`, `1H`"):
        run_backtest(shipped(), [bar("SPY", 1, 100 * USD)])
    with pytest.raises(BacktestError, match="no bars"):
        run_backtest(shipped(), [])
    day = CALENDAR.session_close(date(2024, 1, 3))
    with pytest.raises(BacktestError) as caught:
        run_backtest(guards(), [Bar("SPY", day - 10**16, 1, 1, 1, 1, 1, True, "1D")], host=host(lambda _: None))
    assert caught.value.code == "calendar"


# -- the market itself ------------------------------------------------------------------------------------------------


class Floor:
    """A market with an order that an engine placed, and leave for it."""

    def __init__(self, submit: int = 0, cancel: int = 0) -> None:
        desk = Desk()
        (self.order,) = submits(desk.want({"SPY": 10}, "SPY", 1, 100 * USD))
        leave = authorise(desk.state, self.order, epoch=3, now=0, ttl=10)
        assert isinstance(leave, Permit)
        self.permit = leave
        self.market = SimulatedMarket(
            CostModel(0, 0, 0, 0), LatencyBars(submit, cancel, 0), epoch=3, bundle=desk.state.bundle_sha256
        )

    def submit(self) -> None:
        assert self.market.submit(self.permit, self.order, 5) == Accepted(self.order.client_order_id, 5)

    def open(self, minute: int) -> list[object]:
        return list(self.market.open(bar("SPY", minute, 100 * USD), minute))


@pytest.mark.parametrize("bad", ["late", "other", "none", "look-alike"])
def test_nothing_is_taken_without_leave(bad: str) -> None:
    floor = Floor()
    order: Order = replace(floor.order, qty=11) if bad == "other" else floor.order
    permit: object = {"none": None, "look-alike": object.__new__(Permit)}.get(bad, floor.permit)
    with pytest.raises(VenueError) as caught:
        floor.market.submit(permit, order, 11 if bad == "late" else 5)  # type: ignore[arg-type] # the point
    assert caught.value.code == "permit"
    assert not floor.market.busy


def test_an_order_sent_twice_fills_once() -> None:
    floor = Floor()
    floor.submit()
    floor.submit()
    (filled,) = floor.market.open(bar("SPY", 2, 101 * USD, open_=100 * USD), 2)
    assert isinstance(filled, Filled)
    # Worth the open from then on, not what the costs made of it.
    assert filled.mark == 100 * USD
    assert floor.open(3) == []
    floor.submit()
    assert floor.open(4) == []


def test_a_cancel_with_latency_arrives_one_open_later_and_loses_to_a_fill_at_it() -> None:
    floor = Floor(submit=1, cancel=1)
    floor.submit()
    name = floor.order.client_order_id
    assert floor.market.cancel(name, "SPY", "why", 6) is None
    assert floor.market.cancel(name, "SPY", "again", 6) is None
    assert floor.open(2) == [Cancelled(name, "why", 2)], "one bar later, as the paper broker has it"
    assert floor.open(3) == []
    assert floor.market.cancel(name, "SPY", "why", 7) == CancelRejected(name, "nothing of it is left to cancel", 7)

    floor = Floor(cancel=1)
    floor.submit()
    floor.market.cancel(name, "SPY", "why", 6)
    assert [type(event) for event in floor.open(2)] == [Filled]


def test_a_cancel_without_latency_is_done_at_once() -> None:
    floor = Floor()
    floor.submit()
    name = floor.order.client_order_id
    assert floor.market.cancel(name, "SPY", "why", 6) == Cancelled(name, "why", 6)
    assert not floor.market.busy


def test_an_order_of_any_type_is_taken_with_leave_for_it() -> None:
    desk = Desk()
    floor = Floor()
    made = Order("MAIN_t_0", "SPY", Side.BUY, 10, OrderType.LIMIT, limit_price=99 * USD, created_at=desk.state.now)
    desk.bar("SPY", 1, 100 * USD)
    desk.state.worst_prices[made.client_order_id] = 99 * USD
    desk.state.put(made)
    leave = authorise(desk.state, made, epoch=3, now=0, ttl=10)
    assert isinstance(leave, Permit)
    assert floor.market.submit(leave, made, 5) == Accepted("MAIN_t_0", 5)
    with pytest.raises(VenueError, match="for another order"):
        floor.market.replace(leave, replace(made, limit_price=98 * USD), 5)
    assert floor.market.special == 1
