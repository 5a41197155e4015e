"""Columns of numbers as text, all at once: tables of commas as artifacts hold them, a million rows in a moment.

What lives here: amounts, instants, words and rows. What does not: which tables there are (artifacts.py).
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final

from mqk.quantity import DAY_MICROS, format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Words that no table quotes.
_PLAIN: Final = re.compile(r"[\w.:-]+", re.ASCII)
# Where the date ends in an instant: `2026-06-04T`.
_DATE: Final = 11


def amounts(micros: Sequence[int]) -> Any:
    """Amounts with all six decimals and nothing else. They fit in 64 bits."""
    import numpy as np  # noqa: PLC0415 - heavy
    import pyarrow as pa  # noqa: PLC0415 - heavy

    values = np.asarray(micros, np.int64)
    # The same numbers of twice the width, which are decimals of six places as they stand.
    wide = np.empty((len(values), 2), np.int64)
    wide[:, 0], wide[:, 1] = values, values >> 63
    return pa.Array.from_buffers(pa.decimal128(38, 6), len(values), [None, pa.py_buffer(wide)]).cast(pa.large_string())


def whole(numbers: Sequence[int]) -> Any:
    """Whole numbers of 64 bits."""
    import numpy as np  # noqa: PLC0415 - heavy
    import pyarrow as pa  # noqa: PLC0415 - heavy

    return pa.array(np.asarray(numbers, np.int64)).cast(pa.large_string())


def instants(micros: Sequence[int]) -> Any:
    """Instants as `format_instant` writes them: dates change once a day, and times of the day come back every day."""
    import numpy as np  # noqa: PLC0415 - heavy
    import pyarrow as pa  # noqa: PLC0415 - heavy
    import pyarrow.compute as pc  # noqa: PLC0415 - heavy

    values = np.asarray(micros, np.int64)
    days, times = pa.array(values // DAY_MICROS).dictionary_encode(), pa.array(values % DAY_MICROS).dictionary_encode()
    dates = [format_instant(day * DAY_MICROS)[:_DATE] for day in days.dictionary.to_pylist()]
    hours = [format_instant(time)[_DATE:] for time in times.dictionary.to_pylist()]
    parts = [_taken(dates, days.indices), _taken(hours, times.indices)]
    return pc.binary_join_element_wise(*parts, pa.scalar("", pa.large_string()))


def words(texts: Iterable[str]) -> Any:
    """Words that come again and again, each quoted where a table asks for it."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    found: dict[str, int] = {}
    places = pa.array([found.setdefault(text, len(found)) for text in texts], pa.int64())
    return _taken([_quoted(text) for text in found], places)


def table(header: Sequence[str], columns: Sequence[Any]) -> bytes:
    """A table of commas: a header, and columns of one length."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    import pyarrow.compute as pc  # noqa: PLC0415 - heavy

    head = ",".join(header).encode() + b"\n"
    if not len(columns[0]):
        return head
    rows = pc.binary_join_element_wise(*columns, pa.scalar(",", pa.large_string()))
    ended = pc.binary_join_element_wise(rows, pa.scalar("\n", pa.large_string()), pa.scalar("", pa.large_string()))
    # One after the other, the texts of an array are the file.
    offsets = ended.buffers()[1]
    last = int.from_bytes(offsets[8 * len(ended) : 8 * len(ended) + 8], "little")
    content: bytes = ended.buffers()[2][:last].to_pybytes()
    return head + content


def _taken(texts: Sequence[str], places: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - heavy

    return pa.array(texts, pa.large_string()).take(places)


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow((text, ""))
    return line.getvalue()[:-1]
