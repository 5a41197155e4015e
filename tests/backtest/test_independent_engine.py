"""Equity agrees with an engine that others wrote, bar by bar, on the same bars at equal costs.

The stated rule of what differs: a fill's price is rounded to a micro against the trader here and not at all there, so
that this equity is below the other by less than a micro for every share traded so far. Dividends are unknown there:
what they paid is added. Splits are unknown there: its prices are divided by the splits that were still to come.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache

import backtesting
import pandas as pd
import pytest

from mqk.guards import GuardSet, compile_bundle
from mqk.market import Bar, read_bars, split_bar
from mqk.quantity import Money, Ratio, parse_instant
from mqk.strategies import Context
from tests.backtest.worlds import SHARED, Run, micros, needs_data, walk
from tests.engine.worlds import USD, guards

CASH = 100_000
SHARES = 100
COST = Fraction(8, 10_000)
COMMISSION = 1


@cache
def free() -> GuardSet:
    """No rules, so that nothing is denied, and costs that both engines know: basis points, and so much an order."""
    bundle = guards().bundle
    none = Ratio(Fraction(0))
    execution = replace(
        bundle.execution,
        spread=none,
        slippage=Ratio(COST),
        volatility=none,
        cap=Ratio(COST),
        commission_per_order=Money(COMMISSION * USD),
    )
    orders = {name: machine for name, machine in bundle.lifecycles.items() if name == "order"}
    nothing = replace(bundle, rules=(), limits={}, lets={}, tables={}, lifecycles=orders)
    return compile_bundle(replace(nothing, execution=execution))


def theirs(bars: Sequence[Bar], strategy: type, shares: int = SHARES) -> list[float]:
    """The other engine's equity after each bar, in dollars."""
    frame = pd.DataFrame(
        {
            name: [getattr(bar, name.lower()) / USD for bar in bars]
            for name in ("Open", "High", "Low", "Close", "Volume")
        },
        index=pd.to_datetime([bar.end for bar in bars], unit="us"),
    )
    engine = backtesting.Backtest(
        frame,
        strategy,
        cash=CASH,
        commission=lambda size, price: COMMISSION + abs(size) * price * float(COST),
        # Nothing is refused for want of cash there: what is allowed is not compared here.
        margin=0.001,
    )
    with warnings.catch_warnings():
        # Trades are left open on purpose, and it asks pandas by older names.
        warnings.simplefilter("ignore")
        run = engine.run(shares=shares)
    return [float(equity) for equity in run["_equity_curve"]["Equity"]]


class Hold(backtesting.Strategy):  # type: ignore[misc] # of a library without types
    """Buys at the open after the first bar that it is asked about, and keeps it."""

    shares = SHARES

    def init(self) -> None:
        """Nothing to prepare."""

    def next(self) -> None:
        if not self.position and not self.orders:
            self.buy(size=self.shares)


class Cross(backtesting.Strategy):  # type: ignore[misc] # of a library without types
    """Long while the mean of 20 closes is above that of 50."""

    shares = SHARES

    def init(self) -> None:
        self.fast = self.I(lambda x: pd.Series(x).rolling(20).mean(), self.data.Close)
        self.slow = self.I(lambda x: pd.Series(x).rolling(50).mean(), self.data.Close)

    def next(self) -> None:
        above = self.fast[-1] > self.slow[-1]
        if above and not self.position:
            self.buy(size=self.shares)
        elif not above and self.position:
            self.position.close()


def hold(context: Context) -> dict[str, int]:
    return {} if context.committed("SPY") else {"SPY": SHARES}


def cross(context: Context) -> dict[str, int]:
    # The other engine asks its strategy for the first time a bar after its means are there.
    if len(context.bars) < 51:
        return {}
    closes = context.bars.closes(50)
    return {"SPY": SHARES if 5 * sum(closes[-20:]) > 2 * sum(closes) else 0}


def assert_agree(ours: Run, other: Sequence[float], paid: Sequence[int] | None = None) -> int:
    """Every point of the curve by the stated rule; returns how many shares were traded."""
    fills = ours.fills()
    traded = 0
    for place, (row, equity) in enumerate(zip(ours.rows("equity_curve.csv"), other, strict=True)):
        while fills and fills[0].at <= parse_instant(row["at"]):
            traded += fills.pop(0).qty
        dividends = paid[place] if paid is not None else 0
        below = equity * USD + dividends - micros(row["equity"])
        # A double holds these sums to some hundredths of a micro, whatever their order.
        assert -2 <= below <= traded + 2
    return traded


@pytest.mark.parametrize("seed", [1, 2])
def test_buying_and_holding_comes_to_the_same(seed: int) -> None:
    bars = walk(["SPY"], 300, seed)
    # The other engine asks its strategy for the first time at the second bar.
    ours = Run(bars, lambda context: hold(context) if len(context.bars) > 1 else {}, set_=free(), lookback=2)
    assert assert_agree(ours, theirs(bars, Hold)) == SHARES


@pytest.mark.parametrize("seed", [3, 4])
def test_crossing_means_come_to_the_same(seed: int) -> None:
    bars = walk(["SPY"], 400, seed, swing=3)
    ours = Run(bars, cross, set_=free(), lookback=51)
    assert assert_agree(ours, theirs(bars, Cross)) >= 4 * SHARES


@needs_data
def test_both_come_to_the_same_on_thirty_years_of_real_bars() -> None:
    bars = [replace(bar, ex=None) for bar in read_bars([SHARED / "bars" / "SPY_1D.csv.gz"])]
    ours = Run(bars, cross, set_=free(), lookback=51)
    assert assert_agree(ours, theirs(bars, Cross)) > 50 * SHARES


@needs_data
def test_holding_through_splits_and_dividends_is_holding_the_shares_of_today_and_being_paid() -> None:
    raw = [replace(bar, symbol="SPY") for bar in read_bars([SHARED / "bars" / "AAPL_1D.csv.gz"])]
    later = Fraction(1)
    today: list[Bar] = []
    for bar in reversed(raw):
        today.append(split_bar(replace(bar, ex=None), later) if later != 1 else replace(bar, ex=None))
        later *= bar.ex.split if bar.ex is not None else 1
    today.reverse()
    paid, total, held = [], 0, 0
    for place, bar in enumerate(raw):
        if bar.ex is not None:
            held = int(held * bar.ex.split)
            total += int(held * bar.ex.dividend)
        if place == 2:
            held = SHARES
        paid.append(total)
    ours = Run(raw, lambda context: hold(context) if len(context.bars) > 1 else {}, set_=free(), lookback=2)
    assert later == 112
    assert ours.summary.open_positions == {"SPY": SHARES * 112}
    other = theirs(today, Hold, SHARES * 112)
    for row, equity, dividends in zip(ours.rows("equity_curve.csv"), other, paid, strict=True):
        # Prices of before a split are rounded to a micro in the shares of today.
        assert abs(equity * USD + dividends - micros(row["equity"])) <= SHARES * 112 * 2
