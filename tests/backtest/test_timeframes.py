"""Several timeframes of one symbol in one stream: traded on the finest, looked at on others once they are complete."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from mqk.backtest import run_backtest
from mqk.backtest.beside import parted, traded_timeframes
from mqk.backtest.lookahead import prove
from mqk.market import Bar, calendar_of
from mqk.policy import Span, StrategySpec
from mqk.quantity import parse_instant
from mqk.strategies import Context, Param
from tests.backtest.test_run import restless
from tests.backtest.worlds import Run
from tests.engine.worlds import USD, guards, host

HOUR = 3_600_000_000


def hours_and_days(symbol: str, sessions: int, seed: int) -> list[Bar]:
    """Hourly bars of some sessions, and the daily bars that they make, each known at the close."""
    calendar = calendar_of("XNYS")
    days = calendar.sessions_between(date(2024, 1, 3), date(2024, 12, 31))[:sessions]
    bars: list[Bar] = []
    price = (100 + seed) * USD
    for day in days:
        opens, closes = calendar.session_open(day), calendar.session_close(day)
        ends = [*range(opens + HOUR, closes, HOUR), closes]
        hourly = []
        for number, end in enumerate(ends):
            before = price
            price = price * (1_000 + (number * 7 + day.toordinal() * 13 + seed) % 19 - 9) // 1_000
            high, low = max(before, price), min(before, price)
            hourly.append(Bar(symbol, end, before, high, low, price, 100, True, "1H"))
        high, low = max(bar.high for bar in hourly), min(bar.low for bar in hourly)
        bars += [*hourly, Bar(symbol, closes, hourly[0].open, high, low, price, 700, True, "1D")]
    return bars


class DaysAndHours:
    """Long while the day before rose, looked at every hour."""

    PARAMS: ClassVar[Mapping[str, Param]] = {}
    lookback = 3

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        days = context.history("1D")
        if len(days) < 2:
            return None
        return {context.symbol: 10 if days[-1].close > days[-2].close else 0}


@pytest.fixture(scope="module")
def bars() -> list[Bar]:
    return [*hours_and_days("AAPL", 12, 1), *hours_and_days("SPY", 12, 4)]


def test_the_finest_timeframe_of_a_symbol_is_traded(bars: list[Bar]) -> None:
    assert traded_timeframes(bars) == {"AAPL": "1H", "SPY": "1H"}
    traded, beside = parted(bars)
    assert {bar.timeframe for bar in traded} == {"1H"}
    assert {bar.timeframe for bar in beside} == {"1D"}
    assert parted(traded) == (traded, [])


def test_a_day_is_seen_once_it_is_over_and_never_before(bars: list[Bar]) -> None:
    seen: list[tuple[int, tuple[int, ...]]] = []

    def looks(context: Context) -> None:
        if context.symbol == "SPY":
            assert {bar.symbol for bar in context.history("1D")} <= {"SPY"}
            seen.append((context.now, tuple(bar.end for bar in context.history("1D"))))

    run_backtest(guards(), bars, host=host(looks, 4))
    days = sorted(bar.end for bar in bars if (bar.symbol, bar.timeframe) == ("SPY", "1D"))
    assert len(seen) == 7 * 12
    for now, ends in seen:
        assert list(ends) == [end for end in days if end <= now][-4:]


def test_orders_fill_on_the_traded_timeframe_alone(bars: list[Bar]) -> None:
    ran = Run(bars, restless, lookback=2)
    assert len(ran.fills()) > 10
    ends = sorted({bar.end for bar in bars if bar.timeframe == "1H"})
    openings = {calendar_of("XNYS").session_open(calendar_of("XNYS").session_of(end)) for end in ends}
    assert {fill.at for fill in ran.fills()} <= {*ends, *openings}


def test_bars_that_nobody_looks_at_change_nothing_that_happens(bars: list[Bar]) -> None:
    alone = Run([bar for bar in bars if bar.timeframe == "1H"], restless, lookback=2)
    beside = Run(bars, restless, lookback=2)
    assert alone.files["equity_curve.csv"] == beside.files["equity_curve.csv"]
    assert [row["price"] for row in alone.rows("fills.csv")] == [row["price"] for row in beside.rows("fills.csv")]
    assert beside.summary.bars == len(bars)
    assert json.loads(beside.files["manifest.json"])["data"]["timeframes"] == ["1D", "1H"]


def test_the_order_of_the_input_does_not_matter(bars: list[Bar]) -> None:
    assert Run(bars, restless, lookback=2).files == Run(bars[::-1], restless, lookback=2).files


def test_a_coarse_bar_that_is_none_is_left_out_and_said_to_be(bars: list[Bar]) -> None:
    torn = [
        replace(bar, complete=False) if (bar.symbol, bar.timeframe, number % 16) == ("SPY", "1D", 7) else bar
        for number, bar in enumerate(bars)
    ]
    ran = Run(torn, lambda _: None, lookback=2)
    lines = [json.loads(line) for line in ran.files["audit.jsonl"].splitlines()]
    said = [line["data"]["reason"] for line in lines if line["kind"] == "bar_rejected"]
    assert len(said) == ran.summary.bars_rejected == sum(not bar.complete for bar in torn) > 0
    assert all("`1D`" in reason for reason in said)


def test_days_and_hours_together_look_at_nothing_ahead(bars: list[Bar]) -> None:
    spec = StrategySpec("DaysAndHours", {}, shadow=False, span=Span.nowhere("test"))
    modules = {"DaysAndHours": f"{__name__}:DaysAndHours"}
    # The hours of one symbol begin later: until then it has only days, and is not traded on them.
    later = [bar for bar in bars if bar.timeframe == "1D" or bar.symbol == "SPY" or bar.end > bars[30].end]
    proof = prove(guards().bundle, later, strategies=[spec], modules=modules, cuts=4)
    assert proof.holds, [str(leak) for leak in proof.leaks]
    assert proof.compared > 200


def test_instants_of_the_curve_are_those_of_the_traded_bars(bars: list[Bar], tmp_path: Path) -> None:
    run_backtest(guards(), bars, out=tmp_path / "run", host=host(restless, 2))
    rows = (tmp_path / "run" / "equity_curve.csv").read_text().splitlines()[1:]
    instants = [parse_instant(row.split(",")[0]) for row in rows]
    assert instants == sorted({bar.end for bar in bars})
    assert all(later > earlier for earlier, later in pairwise(instants))
