"""The equity curve of a run, as columns: equity and cash at every instant of the feed, after all its bars.

What lives here: keeping points. What does not: what they are measured for (figures.py), and files (artifacts.py).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

    Point = tuple[int, int, int]


class Curve:
    """Instants in epoch micros, equity and cash in micros. `add` takes one point: instant, equity, cash."""

    __slots__ = ("_cash", "_ends", "_equity", "_points", "add")

    def __init__(self) -> None:
        self._ends, self._equity, self._cash = array("q"), array("q"), array("q")
        # Points that came one by one, until somebody asks: adding one is asked for at every bar.
        self._points: list[Point] = []
        self.add = self._points.append

    def extend(self, ends: Buffer, equity: Buffer, cash: Buffer) -> None:
        """Add points that are columns of whole numbers already, of eight bytes each."""
        self._settle()
        for column, more in zip((self._ends, self._equity, self._cash), (ends, equity, cash), strict=True):
            column.frombytes(memoryview(more).tobytes())

    def end(self, point: Point) -> None:
        """Add the last point of a run that ended within an instant: it stands for any of that instant, or later."""
        self._settle()
        if self._ends and self._ends[-1] >= point[0]:
            for column in (self._ends, self._equity, self._cash):
                column.pop()
        self.add(point)

    def columns(self) -> tuple[array[int], array[int], array[int]]:
        """Instants, equity and cash."""
        self._settle()
        return self._ends, self._equity, self._cash

    def _settle(self) -> None:
        if self._points:
            ends, equity, cash = zip(*self._points, strict=True)
            self._points.clear()
            self.extend(*(array("q", column) for column in (ends, equity, cash)))
