"""The built-in `swing_trend_v1`: long while the close is above its rising mean, sized by the average true range.

What lives here: one strategy, in integers only. What does not: limits; what it wants may be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import ClassVar, Final

from mqk.strategies.contract import BarWindow, Context
from mqk.strategies.params import Param


class SwingTrend:
    """Trend following, long or flat.

    It buys when the close is above the mean of the last `lookback` closes and that mean has risen over `rise` bars, and
    sells all when the close is below the mean. A position is sized once, so that a fall of `atr_multiple` average true
    ranges (over `atr` bars) costs `risk` of equity, in whole shares; it is never resized.
    """

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType(
        {
            "lookback": Param("count", "50", "closes in the mean", least=2),
            "rise": Param("count", "5", "bars over which the mean must have risen", least=1),
            "atr": Param("count", "14", "bars in the average true range", least=1),
            "atr_multiple": Param("number", "3.0", "average true ranges to the fall that is sized for"),
            "risk": Param("ratio", "0.5%", "of equity, lost in that fall"),
        }
    )

    __slots__ = ("_atr", "_bottom", "_mean", "_rise", "_top", "lookback")

    def __init__(self, *, lookback: int, rise: int, atr: int, atr_multiple: Fraction, risk: Fraction) -> None:
        self._mean: Final = lookback
        self._rise: Final = rise
        self._atr: Final = atr
        # shares = risk of equity / (atr_multiple x the sum of `atr` true ranges / atr), as one fraction of integers.
        self._top: Final = risk.numerator * atr * atr_multiple.denominator
        self._bottom: Final = risk.denominator * atr_multiple.numerator
        self.lookback = max(lookback + rise, atr + 1)

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        """Flat below the mean; long above a rising one; otherwise as it is."""
        bars = context.bars
        if len(bars) < self.lookback:
            return None
        symbol = context.symbol
        mean = self._mean
        closes = bars.closes(mean)
        side = closes[-1] * mean - sum(closes)
        if context.committed(symbol) > 0:
            return {symbol: 0} if side < 0 else None
        if side <= 0 or not self._rising(bars):
            return None
        shares = self._shares(bars, context.equity)
        return {symbol: shares} if shares > 0 else None

    def _rising(self, bars: BarWindow) -> bool:
        """Whether the mean is above the mean `rise` bars ago: what came in since outweighs what went out."""
        rise = self._rise
        closes = bars.closes(self._mean + rise)
        return sum(closes[-rise:]) > sum(closes[:rise])

    def _shares(self, bars: BarWindow, equity: int) -> int:
        ranges = 0
        window = bars[-self._atr - 1 :]
        before = window[0].close
        for bar in window[1:]:
            ranges += max(bar.high, before) - min(bar.low, before)
            before = bar.close
        # Bars that never move carry no measure of risk, and nothing is sized by it.
        return self._top * equity // (self._bottom * ranges) if ranges and self._bottom else 0
