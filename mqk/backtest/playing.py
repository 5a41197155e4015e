"""One run of the compiled kernel, played in pieces: as far as a strategy has answered, and on from there.

What lives here: the memory of a run, what the strategy wants, and going on. What does not: the kernel
(mqk.engine.kernel), who asks the strategy (arrays.py, asking.py), and what comes of the run (`Played` in arrays.py).
"""

from __future__ import annotations

from array import array
from ctypes import addressof, c_int64
from typing import TYPE_CHECKING, Final

from mqk.backtest.errors import BacktestError
from mqk.engine.kernel import places as p
from mqk.engine.kernel.columns import Bars
from mqk.engine.kernel.memory import Memory, mapped
from mqk.strategies import HOLD

if TYPE_CHECKING:
    from mqk.backtest.arrays import Columns
    from mqk.backtest.targets import Column
    from mqk.engine.kernel.compiled import Kernel

ROOM: Final = 65_536
"""Orders that there is room for at first, where more targets than that may be given."""
# How many times as many there is room for when there are more.
_LARGER: Final = 8
# What the kernel works on that is its own: the memory, the facts and the answer.
_OWN: Final = 3


class Playing:
    """A run of a kernel over columns. `equity` and `cash` are columns of instants; `memory` is that of the kernel.

    `wants` are the places of `p.WANT`, one after the other, in the order of the bars that they answer; instead of them
    there may be `targets`, one for each bar. With `keeps`, the moments of orders are kept. Raises BacktestError "bars"
    for bars of a timeframe that the engine does not trade.
    """

    __slots__ = (
        "_columns",
        "_dense",
        "_facts",
        "_keeps",
        "_kernel",
        "_room",
        "_table",
        "_targets",
        "cash",
        "equity",
        "memory",
        "stopped",
        "wants",
    )

    def __init__(
        self,
        kernel: Kernel,
        columns: Columns,
        room: int = ROOM,
        *,
        targets: Column | None = None,
        keeps: bool = False,
    ) -> None:
        if columns.timeframe not in kernel.guards.bundle.timeframes:
            raise BacktestError("bars", f"the engine does not trade bars of `{columns.timeframe}`")
        self._kernel, self._columns, self._room, self._keeps = kernel, columns, room, keeps
        count = len(columns.ends)
        self._dense = targets is not None
        # With targets, there is room for the one that is being brought about.
        self.wants = array("q", [0] * p.WANT if self._dense else [])
        self._targets = array("q", [HOLD]) if targets is None else targets
        self.equity, self.cash = (memoryview(mapped(count)).cast("q")[:count] for _ in range(2))
        # Where all that the kernel works on begins: its memory, facts and answer, the columns, at the end the wants.
        told = (*(getattr(columns, name) for name in Bars._fields), self._targets, self.equity, self.cash, self.wants)
        self._table = (c_int64 * (_OWN + len(told)))(*[0] * _OWN, *map(address, told))
        self.stopped = 0
        self._begin()

    @property
    def played(self) -> int:
        """How many instants have been played, all of each."""
        return self.memory.block[p.INSTANT]

    def curve(self) -> tuple[memoryview[int], memoryview[int]]:
        """Equity and cash at each instant that has been played."""
        played = self.played
        return self.equity[:played], self.cash[:played]

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
        self.memory = Memory.of(self._kernel, self._columns.names, self._columns.days, self._room, keeps=self._keeps)
        self.memory.block[p.DENSE] = self._dense
        self._facts = self._kernel.buffer(self._columns.timeframe)
        self._table[:_OWN] = [*map(addressof, (self.memory.block, self._facts, self._kernel.answer))]

    def _play(self, last: int, *, opened: bool) -> None:
        if not self._dense:
            # What grows moves now and then.
            address, count = self.wants.buffer_info()
            self._table[-1], self.memory.block[p.WANTS] = address, count // p.WANT
        self._kernel.play(self._table, last, opened)


def address(column: Column) -> int:
    """Where a column begins, as native code is told it."""
    if isinstance(column, array):
        return column.buffer_info()[0]
    import numpy as np  # noqa: PLC0415 - heavy

    return np.frombuffer(column, np.int64).ctypes.data
