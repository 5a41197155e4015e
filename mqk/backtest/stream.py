"""The bars of a run in the order in which they are played, and which bars no engine runs on.

What lives here: sorting and refusing. What does not: what the calendar says of them (feed.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from mqk.backtest.errors import BacktestError

if TYPE_CHECKING:
    from mqk.guards import GuardSet
    from mqk.market import Bar

_IN_ORDER: Final = attrgetter("end", "symbol", "timeframe")


def in_order(bars: Sequence[Bar], guards: GuardSet) -> list[Bar]:
    """Bars by end, then symbol. Raises BacktestError "bars" for bars that the engine could not run on."""
    stream = sorted(bars, key=_IN_ORDER)
    if not stream:
        raise BacktestError("bars", "there are no bars to run on")
    for symbol, timeframe in sorted({(bar.symbol, bar.timeframe) for bar in stream}):
        if timeframe not in guards.bundle.timeframes:
            known = ", ".join(f"`{each}`" for each in guards.bundle.timeframes)
            what = f"`{guards.bundle.engine}` trades bars of {known}, and those of `{symbol}` are of `{timeframe}`"
            raise BacktestError("bars", what, "give bars of such a timeframe, or add it to the engine's `timeframes`")
    return stream
