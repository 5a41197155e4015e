"""Strategies that only know what has been, in ways that look suspicious: none of them may be accused.

Nothing here is judged; lookahead.py runs the prover over all of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from mqk.market import Bar
from mqk.strategies import Context, Param, Target

SIZE = 10


class Honest:
    """What all of them share."""

    PARAMS: ClassVar[Mapping[str, Param]] = {}
    lookback = 12

    def on_bar(self, context: Context) -> Mapping[str, int | Target] | None:
        return {context.symbol: SIZE if self.long(context) else 0}

    def long(self, context: Context) -> bool:
        raise NotImplementedError


class Cross(Honest):
    """A short mean above a long one."""

    def long(self, context: Context) -> bool:
        closes = context.bars.closes(12)
        return sum(closes[-4:]) * len(closes) > sum(closes) * min(4, len(closes))


class OwnMemory(Honest):
    """Remembers the highest close since it was made, on itself."""

    def __init__(self) -> None:
        self._highest: dict[str, int] = {}

    def long(self, context: Context) -> bool:
        close = context.bars[-1].close
        self._highest[context.symbol] = max(self._highest.get(context.symbol, 0), close)
        return close * 20 < self._highest[context.symbol] * 19


@lru_cache(maxsize=64)
def _mean(closes: tuple[int, ...]) -> int:
    return sum(closes) // len(closes)


class Cached(Honest):
    """Calculates through a cache that outlives it: the same in, the same out."""

    def long(self, context: Context) -> bool:
        return context.bars[-1].close > _mean(tuple(context.bars.closes(10)))


class Dice(Honest):
    """Chance from a seed and the bar itself: the same whenever it is thrown."""

    def long(self, context: Context) -> bool:
        return hashlib.sha256(f"7 {context.symbol} {context.now}".encode()).digest()[0] < 128


class Counted(Honest):
    """Counts its instances on the class, which decides nothing."""

    made: ClassVar[int] = 0

    def __init__(self) -> None:
        type(self).made += 1

    def long(self, context: Context) -> bool:
        return context.bars[-1].close > context.bars[0].close


class Diary(Honest):
    """Writes a log, and never reads it."""

    def long(self, context: Context) -> bool:
        rising = context.bars[-1].close > context.bars[0].close
        with Path(os.environ["LOOKAHEAD_CSV"]).with_name("diary.log").open("a", encoding="utf-8") as log:
            log.write(f"{context.now} {rising}\n")
        return rising


class Lazy(Honest):
    """Imports what it needs when it needs it."""

    def long(self, context: Context) -> bool:
        import colorsys  # noqa: PLC0415 - that is what it is about

        hue, _, _ = colorsys.rgb_to_hsv(context.bars[-1].close % 7, 3, 5)
        return hue > 0.5


class Curious(Honest):
    """Looks for a file of settings that decides nothing, and goes on without."""

    def long(self, context: Context) -> bool:
        try:
            os.listdir(".")  # noqa: PTH208 - the lowest way there is
        except OSError:
            return context.bars[-1].close > context.bars[0].close
        return context.bars[-1].close > context.bars[0].close


class ByEquity(Honest):
    """Sizes by equity and by what is committed: the account feeds back into it."""

    def on_bar(self, context: Context) -> Mapping[str, int | Target] | None:
        if context.committed(context.symbol) > 0:
            return {context.symbol: 0} if context.bars[-1].close < context.bars[0].close else None
        return {context.symbol: context.equity // (20 * context.bars[-1].close)}


class Pair(Honest):
    """Trades one symbol by what it saw of another."""

    def __init__(self) -> None:
        self._last: dict[str, Bar] = {}

    def on_bar(self, context: Context) -> Mapping[str, int | Target] | None:
        self._last[context.symbol] = context.bars[-1]
        first, *others = sorted(self._last)
        return {first: SIZE if any(self._last[each].close > self._last[first].close for each in others) else 0}


class Guarded(Honest):
    """Asks for a position with a stop below it."""

    def on_bar(self, context: Context) -> Mapping[str, int | Target] | None:
        close = context.bars[-1].close
        if context.position(context.symbol) or close < context.bars[0].close:
            return None
        return {context.symbol: Target(SIZE, protect=close * 9 // 10)}


class HonestArray(Honest):
    """What all array strategies share."""

    def on_bar(self, context: Context) -> Mapping[str, int | Target] | None:  # noqa: ARG002
        return None

    def targets(self, bars: Any) -> Sequence[int]:
        return [SIZE if long else 0 for long in self.column(list(bars.closes))]

    def column(self, closes: list[int]) -> list[bool]:
        raise NotImplementedError


class ArrayCross(HonestArray):
    """A moving average that trails."""

    def column(self, closes: list[int]) -> list[bool]:
        return [close * 10 > sum(closes[max(i - 9, 0) : i + 1]) for i, close in enumerate(closes)]


class Lagged(HonestArray):
    """`shift(1)`: yesterday's return."""

    def column(self, closes: list[int]) -> list[bool]:
        return [False, *(now > before for before, now in pairwise(closes))]


class Expanding(HonestArray):
    """Below the mean of all days so far."""

    def column(self, closes: list[int]) -> list[bool]:
        total, found = 0, []
        for count, close in enumerate(closes, 1):
            total += close
            found.append(close * count < total)
        return found


HONEST: tuple[type, ...] = (
    *(Cross, OwnMemory, Cached, Dice, Counted, Diary, Lazy, Curious, ByEquity, Pair, Guarded),
    *(ArrayCross, Lagged, Expanding),
)
