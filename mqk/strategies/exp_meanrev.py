"""The built-in `exp_meanrev_v1`: buys what has fallen far below its mean, and sells it on the way back.

What lives here: one strategy, in integers only. What does not: limits; what it wants may be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from operator import mul
from types import MappingProxyType
from typing import ClassVar, Final

from mqk.strategies.contract import Context
from mqk.strategies.params import Param


class ExpMeanrev:
    """Mean reversion, long or flat.

    The z-score is the distance of the close from the mean of the last `lookback` closes, in their (population) standard
    deviations. It buys when z < -`zscore_entry`, for `size` of equity in whole shares, and sells all when
    z > -`zscore_exit`. Distances are compared squared, so that no root is ever rounded.
    """

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType(
        {
            "lookback": Param("count", "20", "closes in the mean and the deviation", least=2),
            "zscore_entry": Param("number", "1.8", "deviations below the mean at which it buys"),
            "zscore_exit": Param("number", "0.3", "deviations below the mean at which it sells"),
            "size": Param("ratio", "5%", "of equity, put into one position"),
        }
    )

    __slots__ = ("_entry", "_exit", "_size", "lookback")

    def __init__(self, *, lookback: int, zscore_entry: Fraction, zscore_exit: Fraction, size: Fraction) -> None:
        self.lookback = lookback
        self._entry: Final = (zscore_entry.numerator**2, zscore_entry.denominator**2)
        self._exit: Final = (zscore_exit.numerator**2, zscore_exit.denominator**2)
        self._size: Final = size

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        """Long below the entry, flat above the exit, otherwise as it is."""
        bars = context.bars
        count = self.lookback
        if len(bars) < count:
            return None
        symbol = context.symbol
        closes = bars.closes(count)
        total = sum(closes)
        # Both are exact: `count` times the distance, and `count` squared times the variance.
        distance = count * closes[-1] - total
        held = context.committed(symbol) > 0
        if distance >= 0:
            return {symbol: 0} if held else None
        variance = count * sum(map(mul, closes, closes)) - total * total
        top, bottom = self._exit if held else self._entry
        beyond = distance * distance * bottom - variance * top
        if held:
            return {symbol: 0} if beyond < 0 else None
        if beyond <= 0:
            return None
        shares = self._size.numerator * context.equity // (self._size.denominator * closes[-1])
        return {symbol: shares} if shares > 0 else None
