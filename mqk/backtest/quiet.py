"""Stretches of a run in which nothing is asked for, as the compiled kernel has found them beforehand.

What lives here: playing a whole run in the kernel first, where the strategy can answer in arrays, and then bringing an
engine over each quiet stretch in one go, to the state that `step` would have left. Each instant at which anything is
asked for, filled, begun or unusual is played by `step` itself, so that what is recorded is what it always was. What
does not: any decision. The two are held against each other at the end of every stretch.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from mqk.backtest.arrays import Columns, kernel_of, play, targets_of
from mqk.engine import ahead
from mqk.strategies import StrategyError

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Sequence

    from mqk.backtest.plain import Columns as Numbers
    from mqk.backtest.plain import Instants
    from mqk.engine import EngineState
    from mqk.guards import GuardSet
    from mqk.market import Bar, Calendar
    from mqk.strategies import StrategyHost

    Point = tuple[int, int, int]

# Below this many bars, compiling takes longer than what it saves.
WORTH = 400_000


def pays(bars: Sequence[Bar]) -> bool:
    """Whether so many bars are worth compiling a kernel for."""
    return len(bars) >= WORTH


class Quiet:
    """What the kernel found in a run: equity and cash at each instant, and those at which orders were asked for."""

    __slots__ = ("_asked", "_cash", "_ends", "_equity", "_starts", "_until", "played")

    def __init__(
        self, instants: Instants, ends: array[int], equity: array[int], cash: array[int], asked: Sequence[int]
    ) -> None:
        self._starts, self._until = instants.starts, instants.until
        self._ends, self._equity, self._cash = ends, equity, cash
        self._asked = [*asked, len(equity)]
        self.played = len(equity)

    @classmethod
    def of(
        cls,
        guards: GuardSet,
        host: StrategyHost,
        stream: Sequence[Bar],
        numbers: Numbers,
        instants: Instants,
        calendar: Calendar,
    ) -> Quiet | None:
        """Play a run in the kernel; None where the strategy or the policy has none, or nothing of it can be played."""
        strategy = host.in_arrays
        kernel = None if strategy is None else kernel_of(guards)
        if strategy is None or kernel is None or isinstance(kernel, str):
            return None
        columns = Columns.read(stream, numbers, instants, calendar)
        try:
            found = play(kernel, columns, targets_of(strategy, columns))
        except StrategyError:
            # It is asked bar by bar instead, and what it says then is what counts.
            return None
        return cls(instants, columns.ends, found.equity, found.cash, found.asked()) if found.played else None

    def stop(self, instant: int) -> int:
        """The instant up to which, from this one on, nothing but plain bars comes and nothing is asked for."""
        if instant >= self.played:
            return instant
        return max(min(self._until[instant], self._asked[bisect_left(self._asked, instant)]), instant)

    def pass_over(
        self, state: EngineState, stream: Sequence[Bar], first: int, stop: int, add: Callable[[Sequence[Point]], None]
    ) -> None:
        """Bring an engine over these instants, whose bars all follow each other in the session that it is in."""
        bars = stream[self._starts[first] : self._starts[stop]]
        if len(state.lines) == 1:
            (window,) = state.histories.values()
            window.extend(bars)
        else:
            for bar in bars:
                state.histories[bar.symbol].push(bar)
        ahead.pass_over(state, stop - first, bars[-1].end, max(self._equity[first:stop]))
        account = state.account
        if (account.equity, account.cash) != (self._equity[stop - 1], self._cash[stop - 1]):
            raise AssertionError(f"the kernel's equity at instant {stop - 1} is not the engine's: a defect")
        add(list(zip(self._ends[first:stop], self._equity[first:stop], self._cash[first:stop], strict=True)))
