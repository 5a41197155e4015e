"""The bars of a run in the order in which they are played, and which bars no engine runs on.

What lives here: sorting, refusing, and where bars are played one by one. What does not: what the calendar says of them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter, eq
from typing import TYPE_CHECKING, Final

from mqk.backtest.errors import BacktestError
from mqk.quantity import format_instant

if TYPE_CHECKING:
    from mqk.backtest.plain import Instants
    from mqk.guards import GuardSet
    from mqk.market import Bar

_IN_ORDER: Final = attrgetter("end", "symbol", "timeframe")


def in_order(bars: Sequence[Bar], guards: GuardSet) -> list[Bar]:
    """Bars by end, then symbol. Raises BacktestError "bars" for bars that no engine could run on, and for doubles."""
    stream = sorted(bars, key=_IN_ORDER)
    if not stream:
        raise BacktestError("bars", "there are no bars to run on")
    for symbol, timeframe in sorted({(bar.symbol, bar.timeframe) for bar in stream}):
        if timeframe not in guards.bundle.timeframes:
            known = ", ".join(f"`{each}`" for each in guards.bundle.timeframes)
            what = f"`{guards.bundle.engine}` trades bars of {known}, and those of `{symbol}` are of `{timeframe}`"
            raise BacktestError("bars", what, "give bars of such a timeframe, or add it to the engine's `timeframes`")
    ends = [bar.end for bar in stream]
    # Where no two bars end together, as those of one symbol, nothing more is to be asked.
    for one, other in pairwise(stream) if any(map(eq, ends, ends[1:])) else ():
        if one.end == other.end and one.symbol == other.symbol and one.timeframe == other.timeframe:
            what = f"there are two bars of `{one.symbol}` `{one.timeframe}` that end at {format_instant(one.end)}"
            help_ = "which of them is right is not for a backtest to guess: leave one of them out"
            raise BacktestError("bars", what, help_)
    return stream


def one_by_one(instants: Instants, stream: Sequence[Bar], first: int) -> array[int]:
    """How far plain instants reach when from an instant on each has to be played by itself.

    So it is once a recording has ended before the others: what is held of it is late, which is not looked for in what
    is played in one go; and wherever something is shown beside the bars.
    """
    place = bisect_left(instants.starts, first, hi=len(instants.until), key=lambda row: stream[row].end)
    return array("q", (min(stop, max(i, place + 1)) if i <= place else i for i, stop in enumerate(instants.until)))
