"""Speed of the backtest with every guard on: bars per second of MAIN with its own strategy over generated bars.

The bars are a fixed random walk on real sessions, so that they are the same on every machine and every run.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mqk.backtest import run_backtest
from mqk.guards import compile_bundle
from mqk.market import Bar, calendar_of
from mqk.policy import effective_bundle, load_policies

SYMBOLS = ("AAPL", "AMZN", "GOOG", "IBM", "JPM", "MSFT", "NVDA", "QQQ", "SPY")


@dataclass(frozen=True)
class Speed:
    """One run: how many bars, how fast, and what came of it, to show that something was judged."""

    symbols: int
    bars: int
    bars_per_second: float
    orders: int
    denied: int


def walk(symbols: tuple[str, ...], sessions: int) -> list[Bar]:
    """Daily bars of a random walk with drift, the same every time."""
    calendar = calendar_of("XNYS")
    days = calendar.sessions_between(date(1992, 1, 2), date(2040, 12, 31))[:sessions]
    bars = []
    for symbol in symbols:
        chance = random.Random(symbol)
        price = chance.randrange(20_000_000, 200_000_000)
        for day in days:
            opened = max(price * chance.randrange(9_900, 10_105) // 10_000, 1_000_000)
            closed = max(opened * chance.randrange(9_850, 10_160) // 10_000, 1_000_000)
            high, low = max(opened, closed) * 1_004 // 1_000, min(opened, closed) * 996 // 1_000
            end = calendar.session_close(day)
            bars.append(Bar(symbol, end, opened, high, low, closed, 1_000_000, True, "1D"))
            price = min(closed, 5_000_000_000)
    return bars


def measure(policies: Path, sessions: int = 10_000) -> list[Speed]:
    """One symbol, then nine."""
    guards = compile_bundle(effective_bundle(load_policies([policies]), "MAIN"))
    found = []
    for symbols in (("SPY",), SYMBOLS):
        bars = walk(symbols, sessions)
        start = time.perf_counter()
        summary = run_backtest(guards, bars)
        taken = time.perf_counter() - start
        found.append(Speed(len(symbols), len(bars), len(bars) / taken, summary.orders, summary.denied))
    return found
