"""One run of the compiled kernel, played in pieces: as far as a strategy has answered, and on from there.

What lives here: the memory of a run, what the strategy wants, and going on. What does not: the kernel
(mqk.engine.kernel), who asks the strategy (arrays.py, asking.py), and what comes of the run (`Played` in arrays.py).
"""

from __future__ import annotations

from array import array
from ctypes import POINTER, c_int64, cast
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.errors import BacktestError
from mqk.engine.kernel import places as p
from mqk.engine.kernel.memory import Memory

if TYPE_CHECKING:
    from mqk.backtest.arrays import Columns
    from mqk.engine.kernel.compiled import Kernel

ROOM: Final = 65_536
"""Orders that there is room for at first, where more targets than that may be given."""
# How many times as many there is room for when there are more.
_LARGER: Final = 8
_COLUMNS: Final = (
    *("ends", "firsts", "sessions", "flags", "symbols", "opens", "highs", "lows", "closes", "volumes", "missing"),
    "starts",
)


class Playing:
    """A run of a kernel over columns. `equity` and `cash` are columns of instants; `memory` is that of the kernel.

    `wants` are the places of `p.WANT`, one after the other, in the order of the bars that they answer. Raises
    BacktestError "bars" for bars of a timeframe that the engine does not trade.
    """

    __slots__ = (
        "_arrays",
        "_columns",
        "_facts",
        "_keeps",
        "_kernel",
        "_room",
        "cash",
        "equity",
        "memory",
        "stopped",
        "wants",
    )

    def __init__(self, kernel: Kernel, columns: Columns, room: int = ROOM, *, keeps: bool = False) -> None:
        if columns.timeframe not in kernel.guards.bundle.timeframes:
            raise BacktestError("bars", f"the engine does not trade bars of `{columns.timeframe}`")
        self._kernel, self._columns, self._room, self._keeps = kernel, columns, room, keeps
        count = len(columns.ends)
        self.wants = array("q")
        self.equity, self.cash = array("q", [0]) * count, array("q", [0]) * count
        self._arrays = [
            *(_pointer(getattr(columns, name)) for name in _COLUMNS),
            *map(_pointer, (self.equity, self.cash)),
        ]
        self.stopped = 0
        self._begin()

    @property
    def played(self) -> int:
        """How many instants have been played, all of each."""
        return self.memory.block[p.INSTANT]

    def want(self, bar: int, targets: list[tuple[int, int]]) -> None:
        """Say what a bar is answered with: symbols, in order, and targets within what native code is made for."""
        left = len(targets)
        for symbol, target in targets:
            self.wants.extend((bar, symbol, target, left, 0, 0))
            left -= 1

    def go(self, last: int, *, opened: bool = False) -> bool:
        """Go on to an instant, or into it (`opened`), once all that came before has been answered; False if it stopped.

        Having stopped, the memory is as it was when the last instant that could be played was over.
        """
        self._play(last, opened=opened)
        while self.memory.block[p.STOPPED] == p.ROWS_FULL:
            # More orders than there is room for: from the beginning, with more of it. The same comes of it.
            self._room *= _LARGER
            self._begin()
            self._play(last, opened=opened)
        self.stopped = self.memory.block[p.STOPPED]
        if not self.stopped:
            return True
        played = self.played
        self._begin()
        self._play(played, opened=False)
        return False

    def _begin(self) -> None:
        self.memory = Memory.of(self._kernel, self._columns.names, self._columns.plans, self._room, keeps=self._keeps)
        self._facts = self._kernel.buffer(self._columns.timeframe)

    def _play(self, last: int, *, opened: bool) -> None:
        block, wants = self.memory.block, self.wants
        block[p.WANTS] = len(wants) // p.WANT
        self._kernel.play(block, self._facts, self._kernel.answer, *self._arrays, _pointer(wants), last, int(opened))


def _pointer(column: array[int]) -> Any:
    return cast(column.buffer_info()[0], POINTER(c_int64))
