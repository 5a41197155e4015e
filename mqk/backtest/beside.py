"""Coarser bars of a symbol beside those it is traded on: strategies may look at them, and nothing is filled by them.

What lives here: which timeframe of a symbol is traded, and the windows of its others. What does not: the loop.

A symbol is traded on the finest of its timeframes: there its orders fill, its prices are marked and its bars judged.
A coarser bar is known once it has completed: from its end on, for whoever asks by `context.history(timeframe)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from mqk.engine import BarRejected
from mqk.market import TIMEFRAMES, Bar
from mqk.strategies import HostWindow

if TYPE_CHECKING:
    from mqk.backtest.recorder import Recorder
    from mqk.engine import EngineState


def traded_timeframes(bars: Sequence[Bar]) -> dict[str, str]:
    """By symbol the finest timeframe that it has bars of."""
    finest: dict[str, str] = {}
    for symbol, timeframe in sorted({(bar.symbol, bar.timeframe) for bar in bars}):
        known = finest.get(symbol)
        if known is None or TIMEFRAMES[timeframe] < TIMEFRAMES[known]:
            finest[symbol] = timeframe
    return finest


def parted(stream: list[Bar], traded: Mapping[str, str] | None = None) -> tuple[list[Bar], list[Bar]]:
    """The bars that are traded on, and those beside them, in the order of the stream.

    `traded` says which timeframe of each symbol is traded where these bars are only the first of a recording.
    """
    if traded is None and len({(bar.symbol, bar.timeframe) for bar in stream}) == len({bar.symbol for bar in stream}):
        return stream, []
    finest = traded_timeframes(stream) if traded is None else traded
    return (
        [bar for bar in stream if bar.timeframe == finest[bar.symbol]],
        [bar for bar in stream if bar.timeframe != finest[bar.symbol]],
    )


class Beside:
    """The coarser bars of a run as they complete."""

    def __init__(self, state: EngineState, bars: Sequence[Bar]) -> None:
        self._state = state
        self._left = list(reversed(bars))
        self._ends: dict[tuple[str, str], int] = {}
        host = state.host
        self._size = host.lookback or max((strategy.lookback for _, strategy in host.shadows), default=0)
        self._histories = state.context.histories

    def complete(self, until: int, record: Recorder) -> None:
        """Show what has completed by an instant. A bar that is none is left out, and said to be."""
        while self._left and self._left[-1].end <= until:
            bar = self._left.pop()
            key = bar.symbol, bar.timeframe
            if not bar.tradable or bar.end <= self._ends.get(key, 0):
                record.effect(BarRejected(bar, until, f"a bar of `{bar.timeframe}` that nothing can be read from"))
                continue
            self._ends[key] = bar.end
            if key not in self._histories:
                self._histories[key] = HostWindow(self._size)
            self._histories[key].push(bar)

    def split(self, symbol: str, ratio: Fraction) -> None:
        """Restate what is shown of a symbol in the shares of after a split."""
        for (name, _), window in self._histories.items():
            if name == symbol:
                window.split(ratio)
