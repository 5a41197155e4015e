"""A sample strategy, `breakout_v1`: long after a new high, flat after a new low. Whole numbers only.

What lives here: one strategy, to copy and change. What does not: limits, which are policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import ClassVar

from mqk.strategies import Context, Param


class Breakout:
    """It buys when a bar closes above every high of the `entry` bars before it, for `size` of equity.

    It sells all when a bar closes below every low of the `exit` bars before it.
    """

    # What an engine document may write under `params:`, with defaults in the same words.
    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType(
        {
            "entry": Param("count", "55", "bars whose highs have to be passed", least=2),
            "exit": Param("count", "20", "bars whose lows have to hold", least=2),
            "size": Param("ratio", "10%", "of equity, put into one position"),
        }
    )

    def __init__(self, *, entry: int, exit: int, size: Fraction) -> None:  # noqa: A002 (the parameter's name)
        self._entry = entry
        self._exit = exit
        self._size = size
        # All the history that on_bar ever sees: the bars looked back on, and the one that has just completed.
        self.lookback = max(entry, exit) + 1

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        """The position wanted in the bar's symbol, in shares, or None for no change."""
        if len(context.bars) < self.lookback:
            return None
        *before, last = context.bars
        if context.committed(context.symbol) > 0:
            broken = last.close < min(bar.low for bar in before[-self._exit :])
            return {context.symbol: 0} if broken else None
        if last.close <= max(bar.high for bar in before[-self._entry :]):
            return None
        # Equity and prices are whole micros of a dollar: no floats, the same shares on every machine.
        shares = context.equity * self._size.numerator // (self._size.denominator * last.close)
        return {context.symbol: shares} if shares > 0 else None
