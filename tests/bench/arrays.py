"""Bars per second of a strategy in arrays, played by the compiled kernel with every rule of MAIN enforced.

What lives here: the same SMA 20/50 on the same bars as loop.py. What is timed is the strategy and the run: the targets
worked out, bars, account and orders judged, the gate, fills, books and the equity curve. What is paid once beforehand
is told beside it: compiling the kernel, and bringing the bars into columns.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from mqk.backtest.arrays import Columns, kernel_of, play
from mqk.backtest.targets import by_symbol, targets_of
from mqk.strategies import SmaCross
from tests.bench.loop import FAST, NAMES, SHARES, SLOW, guards, minutes, peak

_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Rate:
    """One run: bars a second, the seconds paid beforehand, the most memory in megabytes, and what came of it."""

    name: str
    bars_per_second: float
    compiling: float
    reading: float
    megabytes: int
    orders: int
    denied: int


def measure(policies: Path, *, one: int = 1_000_000, ten: int = 100_000) -> list[Rate]:
    """One symbol and ten, each in a process of its own."""
    found = []
    for symbols, count in ((("SPY",), one), (NAMES, ten)):
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            found.append(pool.submit(measure_one, policies, symbols, count).result())
    return found


def measure_one(policies: Path, symbols: tuple[str, ...], count: int) -> Rate:
    """The median of a few runs over the same bars."""
    set_, bars = guards(policies), minutes(symbols, count)
    start = time.perf_counter()
    kernel = kernel_of(set_)
    compiling = time.perf_counter() - start
    if isinstance(kernel, str):
        raise SystemExit(kernel)
    start = time.perf_counter()
    columns = Columns.of(bars, set_)
    by_symbol(columns)
    reading = time.perf_counter() - start
    strategy = SmaCross(fast=FAST, slow=SLOW, shares=SHARES)
    taken = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        played = play(kernel, columns, targets_of(strategy, columns))
        taken.append(time.perf_counter() - start)
    if played.stopped is not None:
        raise SystemExit(played.stopped)
    name = f"{len(symbols)} x {count:,}"
    return Rate(name, len(bars) / median(taken), compiling, reading, peak(), played.orders, played.denied)
