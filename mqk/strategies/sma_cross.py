"""The built-in `sma_cross_v1`: long while the fast mean of closes is above the slow one, flat otherwise.

What lives here: one strategy, bar by bar and for all bars at once. What does not: limits; what it wants may be refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final

from mqk.strategies.contract import HOLD, Context, SymbolBars
from mqk.strategies.errors import StrategyError
from mqk.strategies.params import Param

# Bars that are worked out at a time.
_BLOCK: Final = 32_768


class SmaCross:
    """Long `shares` while the mean of the last `fast` closes is above that of the last `slow`; flat otherwise.

    Means are compared multiplied out, so that nothing is rounded. Raises StrategyError "params" unless `slow` is more.
    """

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType(
        {
            "fast": Param("count", "20", "closes in the fast mean", least=1),
            "slow": Param("count", "50", "closes in the slow mean", least=2),
            "shares": Param("count", "10", "shares held while long", least=1),
        }
    )

    __slots__ = ("_fast", "_shares", "lookback")

    def __init__(self, *, fast: int, slow: int, shares: int) -> None:
        if fast >= slow:
            raise StrategyError("params", [f"`fast` ({fast}) is less than `slow` ({slow})"])
        self._fast: Final = fast
        self._shares: Final = shares
        self.lookback = slow

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        """The position, unless it is held or on its way already."""
        slow, fast = self.lookback, self._fast
        closes = context.bars.closes(slow)
        if len(closes) < slow:
            return None
        wanted = self._shares if sum(closes[-fast:]) * slow > sum(closes) * fast else 0
        return None if context.committed(context.symbol) == wanted else {context.symbol: wanted}

    def targets(self, bars: SymbolBars) -> Sequence[int]:
        """The position at each bar, from the first on that has enough behind it."""
        import numpy as np  # noqa: PLC0415 - only who plays arrays pays for it

        slow, fast, count = self.lookback, self._fast, len(bars.closes)
        closes, answers = np.frombuffer(bars.closes, np.int64), np.empty(count, np.int64)
        answers[: slow - 1] = HOLD
        # Block by block, so that what is worked out on the way stays in the processor's cache.
        for first in range(slow - 1, count, _BLOCK):
            last = min(first + _BLOCK, count)
            # One sum more than there are closes: the first is that of none.
            sums = np.zeros(last - first + slow, np.int64)
            np.cumsum(closes[first - slow + 1 : last], out=sums[1:])
            above = (sums[slow:] - sums[slow - fast : -fast]) * slow > (sums[slow:] - sums[:-slow]) * fast
            np.multiply(above, self._shares, out=answers[first:last])
        return answers.data
