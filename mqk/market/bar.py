"""The bar, its timeframes, and the hash that says which bars a run saw.

Reading bars from files lives in reader.py; what a bar must be to be traded on is a policy.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mqk.quantity import DAY_MICROS, MICROS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Timeframes as policies write them, to their length in micros. A bar of `1D` is one session, however long that is.
TIMEFRAMES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "1m": 60 * MICROS,
        "5m": 300 * MICROS,
        "15m": 900 * MICROS,
        "30m": 1_800 * MICROS,
        "1H": 3_600 * MICROS,
        "1D": DAY_MICROS,
    }
)

_SERIES: Final = attrgetter("symbol", "timeframe")
_NUMBERS: Final = tuple(map(attrgetter, ("end", "open", "high", "low", "close", "volume", "complete")))


class Ex(NamedTuple):
    """What became of a share before its session opened: it became `split` shares, each of which is paid `dividend`.

    Both are exact: `split` is 1 without a split, `dividend` in micros a share and zero without one.
    """

    split: Fraction = Fraction(1)
    dividend: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Bar:
    """Open, high, low and close of one symbol over one timeframe, known at `end`.

    `end` is in micros since 1970 UTC; prices are micros of a US dollar per share; `volume` is in shares. `complete` is
    False for a bar that was still forming when it was recorded. `timeframe` is a key of TIMEFRAMES.

    Prices and volume are as traded that day. `ex` is the split and dividend that went ex before the session of this
    bar, told by one bar of the session and None on all others.
    """

    symbol: str
    end: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    complete: bool
    timeframe: str
    ex: Ex | None = None

    @property
    def tradable(self) -> bool:
        """Whether anything can have traded at its open: a whole bar whose prices agree with each other."""
        return self.complete and 0 < self.low <= min(self.open, self.close) and max(self.open, self.close) <= self.high


def columns_of(bars: Sequence[Bar]) -> tuple[list[tuple[str, str]], Any]:
    """The series (symbol, timeframe) that bars belong to, in order, and the bars as a table of 64-bit numbers.

    A row is a bar: the number of its series, end, open, high, low, close, volume, and 1 when it is complete.

    Raises OverflowError when a number of a bar does not fit in 64 bits, which no bar of read_bars does.
    """
    import numpy as np  # noqa: PLC0415 - heavy

    keys = list(map(_SERIES, bars))
    series = sorted(set(keys))
    index = {key: number for number, key in enumerate(series)}
    table = np.empty((len(bars), 1 + len(_NUMBERS)), np.int64)
    table[:, 0] = np.frombuffer(array("q", map(index.__getitem__, keys)), np.int64)
    for column, number in enumerate(_NUMBERS, 1):
        table[:, column] = np.fromiter(map(number, bars), np.int64, len(bars))
    return series, table


def data_sha256(bars: Sequence[Bar], columns: tuple[list[tuple[str, str]], Any] | None = None) -> str:
    """Return the SHA-256, in hex, of these bars in this order: every field counts, the files they came from do not.

    `columns` are those of the bars, where they have been taken already. Raises OverflowError as `columns_of` does.
    """
    series, table = columns_of(bars) if columns is None else columns
    head: list[object] = ["mqk bars 1", series]
    actions = [[place, str(bar.ex.split), str(bar.ex.dividend)] for place, bar in enumerate(bars) if bar.ex is not None]
    if actions:
        head = ["mqk bars 2", series, actions]
    digest = hashlib.sha256(json.dumps(head, separators=(",", ":")).encode())
    # JSON never holds a raw line feed, so the series cannot be mistaken for the numbers that follow.
    digest.update(b"\n")
    digest.update(table.astype("<i8", copy=False).tobytes())
    return digest.hexdigest()
