"""Bars per second of a strategy in Python with every guard of MAIN on, beside the same work in a bare Python loop.

What lives here: the bars, the strategy, the bare loop and their timing. Both trade SMA 20/50, long or flat, at the next
open, on one symbol of a million one-minute bars and on ten of a hundred thousand, interleaved. What does not: peers
from other packages (peers_loop.py).

What is timed as playing is all that lies between the first bar and the last: the strategy asked, the kernel that plays
what it answers, and what it played taken over by the engine and written down. What is paid once beforehand is not in
it, and is in the figure for the whole: compiling the kernel, the bars in columns, and their hashes.

The rules are MAIN's, all of them, over bars of `1m`. One limit is lifted, or the run would soon end in retreat and
measure nothing: how many trades may lose within a week (a crossing of means on a random walk loses most of them).
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final

from mqk.backtest import run_backtest
from mqk.guards import GuardSet, compile_bundle
from mqk.market import Bar, calendar_of
from mqk.policy import Bundle, Span, StrategySpec, effective_bundle, load_policies
from mqk.quantity import Count
from mqk.strategies import Context, Param, Registry, StrategyHost
from tests.bench.memory import peak_megabytes

USD: Final = 1_000_000
MINUTE: Final = 60 * USD
FAST: Final = 20
SLOW: Final = 50
# Few enough that a million minutes of costs do not end in the largest loss that MAIN allows.
SHARES: Final = 5
# As many symbols as asked for, all of them in MAIN's universe after `guards`.
NAMES: Final = ("AAPL", "AMZN", "GOOG", "IBM", "JPM", "MSFT", "NVDA", "QQQ", "SPY", "XOM")


@dataclass(frozen=True, slots=True)
class Speed:
    """One run: how many bars a second, the most memory in megabytes, and what came of it."""

    name: str
    bars: int
    bars_per_second: float
    ratio: float
    megabytes: int
    orders: int
    denied: int


class Crossing:
    """SMA 20/50, long or flat, with rolling sums: what it says depends on the last fifty closes and nothing else."""

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType({})
    lookback = SLOW

    def __init__(self) -> None:
        self._closes: dict[str, deque[int]] = {}
        self._sums: dict[str, list[int]] = {}

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        """Long when the fast mean crosses above the slow one, flat when it crosses below."""
        symbol = context.symbol
        closes = self._closes.get(symbol)
        if closes is None:
            closes = self._closes[symbol] = deque(maxlen=SLOW)
            self._sums[symbol] = [0, 0, 0]
        sums = self._sums[symbol]
        close = context.bar.close
        fast, slow, was = sums
        if len(closes) < SLOW:
            closes.append(close)
            sums[0] = fast + close - (closes[-FAST - 1] if len(closes) > FAST else 0)
            sums[1] = slow + close
            return None
        fast += close - closes[SLOW - FAST]
        slow += close - closes[0]
        closes.append(close)
        sums[0], sums[1] = fast, slow
        # 20 and 50 divided by their greatest common divisor: fast / 20 against slow / 50.
        side = 1 if fast * 5 > slow * 2 else -1
        if side == was:
            return None
        sums[2] = side
        return {symbol: SHARES if side > 0 else 0}


@cache
def minutes(symbols: tuple[str, ...], count: int) -> list[Bar]:
    """One-minute bars of random walks on real sessions, interleaved, `count` for each symbol: the same every time."""
    calendar = calendar_of("XNYS")
    days = calendar.sessions_between(date(2005, 1, 3), date(2040, 12, 31))
    ends: list[int] = []
    for day in days:
        ends += range(calendar.session_open(day) + MINUTE, calendar.session_close(day) + 1, MINUTE)
        if len(ends) >= count:
            break
    columns = []
    for symbol in symbols:
        chance = random.Random(symbol).random
        price = 100 * USD
        bars = []
        for end in ends[:count]:
            opened = price
            # Pulled back towards a hundred dollars, so that a million minutes do not end in pennies.
            price += int((chance() - 0.5) * 160_000) + (100 * USD - price) // 20_000
            high, low = max(opened, price) + 10_000, min(opened, price) - 10_000
            bars.append(Bar(symbol, end, opened, high, low, price, 1_000_000, True, "1m"))
        columns.append(bars)
    return [bar for bars in zip(*columns, strict=True) for bar in bars]


def guards(policies: Path, symbols: Sequence[str] = NAMES) -> GuardSet:
    """All guards of MAIN, for bars of `1m` of these symbols."""
    return compile_bundle(lifted(effective_bundle(load_policies([policies]), "MAIN"), symbols))


def lifted(bundle: Bundle, symbols: Sequence[str] = NAMES) -> Bundle:
    """The bundle for bars of `1m`, with the one limit lifted that would end every run early."""
    many = replace(bundle.limits["losing_trades"], value=Count(10**9, "trades"))
    limits = {**bundle.limits, "losing_trades": many}
    return replace(bundle, timeframes=("1m",), universe=tuple(symbols), limits=limits)


def host() -> StrategyHost:
    """The host of the strategy."""
    registry = Registry()
    registry.register("crossing", Crossing)
    return StrategyHost((StrategySpec("crossing", {}, shadow=False, span=Span.nowhere("bench")),), ("1m",), registry)


def measure(policies: Path, *, one: int = 1_000_000, ten: int = 100_000) -> list[Speed]:
    """One symbol and ten, each in a process of its own, so that the memory of one is not that of the other."""
    found: list[Speed] = []
    for symbols, count in ((("SPY",), one), (NAMES, ten)):
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            found += pool.submit(measure_one, policies, symbols, count).result()
    return found


def measure_one(policies: Path, symbols: tuple[str, ...], count: int) -> list[Speed]:
    """The bare loop, then mqk, on the same bars: ratios are to the bare loop."""
    set_, bars = guards(policies), minutes(symbols, count)
    run_backtest(set_, bars[: 1_000 * len(symbols)], host=host())
    name = f"{len(symbols)} x {count:,}"
    start = time.perf_counter()
    orders = bare(bars)
    base = len(bars) / (time.perf_counter() - start)
    found = [Speed(f"{name}: bare Python loop", len(bars), base, 1.0, peak(), orders, 0)]
    clock = _Clock()
    start = time.perf_counter()
    summary = run_backtest(set_, bars, on_progress=clock, host=host())
    whole = len(bars) / (time.perf_counter() - start)
    rates = {"MAIN, playing": clock.rate(), "MAIN, hashes and artifacts too": whole}
    outcome = (peak(), summary.orders, summary.denied)
    return found + [Speed(f"{name}: {what}", len(bars), rate, rate / base, *outcome) for what, rate in rates.items()]


class _Clock:
    """When a run told of its progress first and last: what lies between is the playing of bars and nothing else."""

    def __init__(self) -> None:
        self._told: list[tuple[int, float]] = []

    def __call__(self, done: int, _: int) -> None:
        self._told.append((done, time.perf_counter()))

    def rate(self) -> float:
        """Bars a second between the two."""
        (done, began), (total, ended) = self._told[0], self._told[-1]
        return (total - done) / (ended - began)


def peak() -> int:
    """The most memory this process has held so far, in megabytes."""
    return peak_megabytes()


# -- the bare loop: what a careful person writes without mqk -------------------------------------------------------


class _Order:
    __slots__ = ("number", "qty", "symbol")

    def __init__(self, number: int, symbol: str, qty: int) -> None:
        self.number, self.symbol, self.qty = number, symbol, qty


class _Series:
    __slots__ = ("closes", "fast", "pending", "price", "qty", "slow", "was")

    def __init__(self) -> None:
        self.closes: deque[int] = deque(maxlen=SLOW)
        self.fast = self.slow = self.was = self.qty = self.price = 0
        self.pending: _Order | None = None


def bare(bars: Sequence[Bar]) -> int:
    """The same strategy on the same bars, with cash and five checks for each order; returns how many orders filled."""
    series: dict[str, _Series] = {}
    cash, fills = 100_000 * USD, 0
    curve: list[int] = []
    value = 0
    for bar in bars:
        line = series.get(bar.symbol)
        if line is None:
            line = series[bar.symbol] = _Series()
        order = line.pending
        if order is not None:
            price = bar.open * (10_008 if order.qty > 0 else 9_992) // 10_000
            cash -= order.qty * price
            line.qty += order.qty
            value += order.qty * line.price
            line.pending = None
            fills += 1
        close = bar.close
        value += line.qty * (close - line.price)
        line.price = close
        curve.append(cash + value)
        closes = line.closes
        if len(closes) < SLOW:
            closes.append(close)
            line.fast += close - (closes[-FAST - 1] if len(closes) > FAST else 0)
            line.slow += close
            continue
        line.fast += close - closes[SLOW - FAST]
        line.slow += close - closes[0]
        closes.append(close)
        side = 1 if line.fast * 5 > line.slow * 2 else -1
        if side == line.was:
            continue
        line.was = side
        wanted = (SHARES if side > 0 else 0) - line.qty
        worth = abs(wanted) * close
        if wanted and abs(wanted) <= 250_000 and worth <= 10**12 and worth <= cash and line.qty + wanted >= 0:
            line.pending = _Order(fills, bar.symbol, wanted)
    return fills
