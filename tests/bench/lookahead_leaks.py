"""Strategies that see what they should not: each in a way that people really do it, by accident or not.

Nothing here is judged; lookahead.py runs the prover over all of them.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from mqk.market import Bar
from mqk.strategies import Context, Param

SIZE = 10


def _csv() -> Path:
    """The file with all the prices, as a strategy knows where its data lies."""
    return Path(os.environ["LOOKAHEAD_CSV"])


def _closes(text: str) -> dict[int, int]:
    rows = [line.split(",") for line in text.split()[1:]]
    return {int(end): int(close) for end, close in rows}


def _rises(closes: Mapping[int, int], now: int) -> bool:
    later = sorted(end for end in closes if end > now)
    return bool(later) and closes[later[0]] > closes.get(now, 0)


class Leaky:
    """What all of them share: no parameters, a short window, long or flat."""

    PARAMS: ClassVar[Mapping[str, Param]] = {}
    lookback = 5

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        return {context.symbol: SIZE if self.long(context) else 0}

    def long(self, context: Context) -> bool:
        raise NotImplementedError


class Frames(Leaky):
    """Looks up the stack for the bars that the loop is going through."""

    def long(self, context: Context) -> bool:
        frame = sys._getframe()
        while frame is not None:
            for value in list(frame.f_locals.values()):
                if isinstance(value, list) and value and isinstance(value[-1], Bar):
                    later = [bar for bar in value if bar.symbol == context.symbol and bar.end > context.now]
                    if later:
                        return bool(later[0].close > context.bars[-1].close)
            frame = frame.f_back  # type: ignore[assignment]
        return False


class Collector(Leaky):
    """Asks the garbage collector for every bar there is."""

    def long(self, context: Context) -> bool:
        lists = [each for each in gc.get_objects() if isinstance(each, list) and each and isinstance(each[0], Bar)]
        best = max((bar.end, bar.close) for each in lists for bar in each if isinstance(bar, Bar))
        return best[1] > context.bars[-1].close


class FileAtStart(Leaky):
    """Loads the whole history when it is made."""

    def __init__(self) -> None:
        self._closes = _closes(_csv().read_text("utf-8"))

    def long(self, context: Context) -> bool:
        return _rises(self._closes, context.now)


class FileWhenAsked(Leaky):
    """Looks into the file on every bar, and makes do where it cannot."""

    def long(self, context: Context) -> bool:
        try:
            closes = _closes(_csv().read_text("utf-8"))
        except OSError:
            closes = {}
        return _rises(closes, context.now)


class LowLevelFile(Leaky):
    """The same below Python's files."""

    def long(self, context: Context) -> bool:
        handle = os.open(_csv(), os.O_RDONLY)
        try:
            return _rises(_closes(os.read(handle, 1 << 20).decode()), context.now)
        finally:
            os.close(handle)


class Program(Leaky):
    """Lets another program read the file."""

    def __init__(self) -> None:
        done = subprocess.run(["cat", str(_csv())], capture_output=True, check=True)
        self._closes = _closes(done.stdout.decode())

    def long(self, context: Context) -> bool:
        return _rises(self._closes, context.now)


class Database(Leaky):
    """Asks a database of prices."""

    def long(self, context: Context) -> bool:
        with sqlite3.connect(_csv().with_suffix(".sqlite")) as connection:
            query = "select close from prices where at > ? order by at limit 1"
            row = connection.execute(query, (context.now,)).fetchone()
        return row is not None and row[0] > context.bars[-1].close


class ClassMemory(Leaky):
    """Keeps every close it ever saw on the class, which the next run finds."""

    seen: ClassVar[dict[tuple[str, int], int]] = {}

    def long(self, context: Context) -> bool:
        self.seen[context.symbol, context.now] = context.bars[-1].close
        own = {end: close for (symbol, end), close in self.seen.items() if symbol == context.symbol}
        return _rises(own, context.now)


_HIGHEST: dict[str, int] = {}


class ModuleMemory(Leaky):
    """Buys far below the highest close of its symbol, kept in the module: that of all runs until now."""

    def long(self, context: Context) -> bool:
        close = context.bars[-1].close
        highest = _HIGHEST[context.symbol] = max(_HIGHEST.get(context.symbol, 0), close)
        return close * 50 < highest * 49


class DefaultArgument(Leaky):
    """A container as a default, the oldest trap: it lives as long as the program."""

    def __init__(self, history: dict[str, list[int]] = {}) -> None:  # noqa: B006 - that is what it is about
        self._history = history

    def long(self, context: Context) -> bool:
        own = self._history.setdefault(context.symbol, [])
        own.append(context.bars[-1].close)
        return context.bars[-1].close * len(own) < sum(own)


class Environment(Leaky):
    """Leaves itself word in the environment of the process."""

    def long(self, context: Context) -> bool:
        os.environ[f"CLOSE_{context.symbol}_{context.now}"] = str(context.bars[-1].close)
        prefix = f"CLOSE_{context.symbol}_"
        own = {int(key.removeprefix(prefix)): int(value) for key, value in os.environ.items() if key.startswith(prefix)}
        return _rises(own, context.now)


class Notebook(Leaky):
    """Writes down what it saw, and reads it the next time."""

    def long(self, context: Context) -> bool:
        path = _csv().with_name("notebook.csv")
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{context.now},{context.bars[-1].close}\n")
        try:
            closes = _closes("at,close\n" + path.read_text("utf-8"))
        except OSError:
            closes = {}
        return _rises(closes, context.now)


class ArrayLeak(Leaky):
    """What all array strategies share: the whole column at once, and that is the temptation."""

    def on_bar(self, context: Context) -> Mapping[str, int] | None:  # noqa: ARG002
        return None

    def targets(self, bars: Any) -> Sequence[int]:
        return [SIZE if long else 0 for long in self.column(list(bars.closes))]

    def column(self, closes: list[int]) -> list[bool]:
        raise NotImplementedError


class NextClose(ArrayLeak):
    """`shift(-1)`: the sign of tomorrow's return."""

    def column(self, closes: list[int]) -> list[bool]:
        return [*(later > now for now, later in pairwise(closes)), False]


class NextOpen(ArrayLeak):
    """Buys tonight what will open higher tomorrow."""

    def targets(self, bars: Any) -> Sequence[int]:
        return [SIZE if later > now else 0 for now, later in zip(bars.closes, bars.opens[1:], strict=False)] + [0]


class WholeMean(ArrayLeak):
    """Below the mean of the whole sample."""

    def column(self, closes: list[int]) -> list[bool]:
        return [close * len(closes) < sum(closes) for close in closes]


class WholeRange(ArrayLeak):
    """Scaled by the lowest and the highest of the whole sample."""

    def column(self, closes: list[int]) -> list[bool]:
        low, high = min(closes), max(closes)
        return [4 * (close - low) < high - low for close in closes]


class WholeScore(ArrayLeak):
    """A z-score with the deviation of the whole sample."""

    def column(self, closes: list[int]) -> list[bool]:
        count, total = len(closes), sum(closes)
        variance = count * sum(close * close for close in closes) - total * total
        return [total > count * close and (total - count * close) ** 2 > variance for close in closes]


class Rank(ArrayLeak):
    """Among the cheapest fifth of all days there will be."""

    def column(self, closes: list[int]) -> list[bool]:
        bound = sorted(closes)[len(closes) // 5]
        return [close <= bound for close in closes]


class Centred(ArrayLeak):
    """A moving average that is centred on its bar, as smoothing is."""

    def column(self, closes: list[int]) -> list[bool]:
        wide = [closes[max(i - 3, 0) : i + 4] for i in range(len(closes))]
        return [close * len(part) < sum(part) for close, part in zip(closes, wide, strict=True)]


class BackFilled(ArrayLeak):
    """Fills the warm-up with the first average there is: that of bars which have not come yet."""

    def column(self, closes: list[int]) -> list[bool]:
        means: list[int | None] = [sum(closes[i - 9 : i + 1]) if i >= 9 else None for i in range(len(closes))]
        known = next((mean for mean in means if mean is not None), None)
        filled = [mean if mean is not None else known for mean in means]
        return [mean is not None and close * 10 > mean for close, mean in zip(closes, filled, strict=True)]


class Bottom(ArrayLeak):
    """In at the lowest, out at the highest after it."""

    def column(self, closes: list[int]) -> list[bool]:
        low = closes.index(min(closes))
        high = low + closes[low:].index(max(closes[low:]))
        return [low <= i < high for i in range(len(closes))]


class LastDay(ArrayLeak):
    """Long all the time, and out just before the data end."""

    def column(self, closes: list[int]) -> list[bool]:
        return [i < len(closes) - 2 for i in range(len(closes))]


class Fitted(ArrayLeak):
    """A line fitted through all days, in and out of the sample alike."""

    def column(self, closes: list[int]) -> list[bool]:
        count = len(closes)
        xs, ys = count * (count - 1) // 2, sum(closes)
        slope = count * sum(i * close for i, close in enumerate(closes)) - xs * ys
        spread = count * sum(i * i for i in range(count)) - xs * xs
        return [
            spread and close * count * spread < ys * spread + slope * (count * i - xs) for i, close in enumerate(closes)
        ]  # type: ignore[misc]


class Weekly(ArrayLeak):
    """Compares with the close of the week that the bar is in: known on its last day only."""

    def column(self, closes: list[int]) -> list[bool]:
        return [closes[min(i - i % 5 + 4, len(closes) - 1)] > close for i, close in enumerate(closes)]


class WrittenIn(Leaky):
    """The dates to buy stand in the code: no run can tell knowledge from luck, and none is claimed to."""

    def long(self, context: Context) -> bool:
        return context.now // 86_400_000_000 % 7 in {1, 4}


LEAKS: tuple[type, ...] = (
    *(Frames, Collector, FileAtStart, FileWhenAsked, LowLevelFile, Program, Database, ClassMemory, ModuleMemory),
    *(DefaultArgument, Environment, Notebook, NextClose, NextOpen, WholeMean, WholeRange, WholeScore, Rank, Centred),
    *(BackFilled, Bottom, LastDay, Fitted, Weekly, WrittenIn),
)
BEYOND = frozenset({"WrittenIn"})
"""What cannot be found by running anything."""
