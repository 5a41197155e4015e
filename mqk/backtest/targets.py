"""What a strategy in arrays wants at every bar: asked once for each symbol, its answers laid side by side.

What lives here: each symbol's own columns, and asking. What does not: columns of a whole run (arrays.py), playing them.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from mqk.backtest.errors import BacktestError
from mqk.strategies import ArrayStrategy, SymbolBars
from mqk.strategies.host import ask_in_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqk.backtest.arrays import Columns, Rows

    Column = array[int] | memoryview[int]
    """Whole numbers of eight bytes, one after the other."""

# Formats of memory that are whole numbers of eight bytes, where they are as long as that.
_WORDS = ("q", "l")
_TOLD = ("due", "opens", "highs", "lows", "closes", "volumes")


def by_symbol(columns: Columns) -> list[tuple[Rows, SymbolBars]]:
    """The bars of each symbol, and where among all bars they are. They are kept for whoever asks again."""
    if not columns.series:
        columns.series.extend(_apart(columns))
    return columns.series


def _apart(columns: Columns) -> list[tuple[Rows, SymbolBars]]:
    import numpy as np  # noqa: PLC0415 - only who plays arrays pays for it

    parts = [getattr(columns, each) for each in _TOLD]
    if len(columns.names) == 1:
        return [(slice(None), SymbolBars(columns.names[0], *parts))]
    width, symbols = len(columns.names), np.frombuffer(columns.symbols, dtype=np.int64)
    # Where all symbols have a bar in each instant, each has every so many of them.
    even = len(symbols) % width == 0 and bool((symbols.reshape(-1, width) == np.arange(width)).all())
    found = []
    for number, name in enumerate(columns.names):
        rows: Rows = slice(number, None, width) if even else np.flatnonzero(symbols == number)
        theirs = (array("q", np.frombuffer(part, dtype=np.int64)[rows].tobytes()) for part in parts)
        found.append((rows, SymbolBars(name, *theirs)))
    return found


def targets_of(strategy: ArrayStrategy, columns: Columns) -> Column:
    """What a strategy wants at every bar: it is asked once for each symbol, with the bars of that one alone.

    Raises BacktestError "data" for an answer that is not one target for each bar.
    """
    import numpy as np  # noqa: PLC0415 - only who plays arrays pays for it

    series = by_symbol(columns)
    if len(series) == 1:
        return _asked(strategy, series[0][1])
    answers = np.empty(len(columns.symbols), np.int64)
    for rows, bars in series:
        answers[rows] = _asked(strategy, bars)
    return answers.data


def column_of(numbers: Sequence[int]) -> Column:
    """Whole numbers as native code can read them: as they are where they lie so already."""
    if isinstance(numbers, array) and numbers.typecode == "q":
        return numbers
    if isinstance(numbers, memoryview) and numbers.format in _WORDS and numbers.itemsize == 8 and numbers.c_contiguous:
        return numbers
    return array("q", numbers)


def _asked(strategy: ArrayStrategy, bars: SymbolBars) -> Column:
    answer = column_of(ask_in_arrays(strategy, bars))
    if len(answer) != len(bars.closes):
        raise BacktestError("data", f"{len(bars.closes)} bars of `{bars.symbol}` have {len(answer)} targets")
    return answer
