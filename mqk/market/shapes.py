"""The three shapes of bar files: which columns each has, and how one file becomes rows of integers.

Fields are read in fields.py; which files there are, and what their rows add up to, is reader.py's.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field
from enum import Enum, unique
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from mqk.market import fields
from mqk.market.errors import BarProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mqk.market.calendars import Calendar

_PRICES: Final = ("open", "high", "low", "close")


@unique
class Shape(Enum):
    """The shapes, each by the columns it must have."""

    INTRADAY = ("ts_close_utc", *_PRICES, "volume")
    DAILY = ("date", *_PRICES, "volume")
    CONTRACT = ("symbol", "timeframe", "end_ts", *_PRICES, "volume", "is_complete")


# What tells a shape: the column no other shape has.
_MARKS: Final = {"ts_close_utc": Shape.INTRADAY, "date": Shape.DAILY, "end_ts": Shape.CONTRACT}
# Lines read at a time: enough for whole columns to be fast, few enough for them to stay in the processor's cache.
_BLOCK: Final = 8_192
_OPTIONAL: Final = {Shape.DAILY: ("dividend", "split")}


@dataclass(slots=True)
class BarFile:
    """One file as read: `lines` holds the line of each good row, `columns` its values, column by column."""

    name: str
    shape: Shape = Shape.CONTRACT
    lines: list[int] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    problems: list[BarProblem] = field(default_factory=list)

    def problem(self, line: int, column: int, message: str, advice: str | None = None) -> None:
        """Note a problem at a 1-based place in this file."""
        self.problems.append(BarProblem(self.name, line, column, message, advice))


def read_file(path: Path, calendar: Callable[[], Calendar]) -> BarFile:
    """Read one file. Whatever is wrong is in `problems`; rows with a problem are left out.

    `calendar` is called only for the daily shape, whose dates mean the close of a session.
    """
    file = BarFile(str(path))
    text = _text(path, file)
    if text is None:
        return file
    lines = text.replace("\r\n", "\n").split("\n")
    header = [name.strip().lower() for name in lines[0].split(",")]
    if not _recognise(header, file):
        return file
    readers = _readers(file, calendar)
    for first in range(1, len(lines), _BLOCK):
        _read_block(file, first, lines[first : first + _BLOCK], header, readers)
    if not file.lines and not file.problems:
        file.problem(1, 1, "the file has no bars")
    # A block notes the lines of another width before it reads the others.
    file.problems.sort(key=attrgetter("line", "column"))
    return file


def _read_block(
    file: BarFile, first: int, lines: list[str], header: list[str], readers: Mapping[str, fields.Reader]
) -> None:
    """Read some lines of a file, the first of which is the given one counted from 0, column by column."""
    width = len(header)
    numbers = list(range(first + 1, first + 1 + len(lines)))
    counts = [line.count(",") + 1 for line in lines]
    if counts.count(width) != len(lines):
        for number, line, count in zip(numbers, lines, counts, strict=True):
            # Empty lines carry no bar and are skipped: writers leave them at the end of a file.
            if count != width and line.strip():
                file.problem(number, 1, f"expected {width} fields, found {count}")
        numbers = [number for number, count in zip(numbers, counts, strict=True) if count == width]
        lines = [line for line, count in zip(lines, counts, strict=True) if count == width]
        if not lines:
            return
    # One split for all lines: field i of every line is every width-th field from i on.
    cells = ",".join(lines).split(",")
    texts = {name: cells[position::width] for position, name in enumerate(header)}
    try:
        values = {name: reader.many(texts[name]) for name, reader in readers.items()}
    except fields.FieldError:
        _read_singly(file, numbers, lines, header, readers)
        return
    file.lines += numbers
    for name, column in values.items():
        file.columns[name] += column


def _text(path: Path, file: BarFile) -> str | None:
    """The text of a file, plain or gzip, without its byte order mark; None when there is none to read."""
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
    except FileNotFoundError:
        file.problem(1, 1, "no such file")
        return None
    except (OSError, EOFError, zlib.error) as error:
        file.problem(1, 1, f"cannot be read: {error}")
        return None
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        # Bars are plain ASCII: digits of other scripts would be read as numbers otherwise.
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        file.problem(before.count(b"\n") + 1, column, f"expected plain ASCII, found byte 0x{raw[error.start]:02x}")
        return None


def _recognise(header: list[str], file: BarFile) -> bool:
    """Tell the shape from the header; note what is missing, unknown or there twice."""
    shape = next((shape for mark, shape in _MARKS.items() if mark in header), None)
    if shape is None:
        known = " or ".join(f"`{','.join(shape.value)}`" for shape in (Shape.INTRADAY, Shape.DAILY, Shape.CONTRACT))
        file.problem(1, 1, "the first line is not the header of a bar file", f"expected {known}")
        return False
    allowed = (*shape.value, *_OPTIONAL.get(shape, ()))
    column = 1
    for position, name in enumerate(header):
        if name not in allowed:
            # Not ignored: a misspelt `dividend` would silently give other prices.
            file.problem(1, column, f"unknown column `{name}`", f"columns are {', '.join(allowed)}")
        elif name in header[:position]:
            file.problem(1, column, f"the column `{name}` is there twice")
        column += len(name) + 1
    missing = [name for name in shape.value if name not in header]
    if missing:
        file.problem(1, 1, f"missing {'columns' if len(missing) > 1 else 'column'} `{', '.join(missing)}`")
    file.shape = shape
    file.columns = {name: [] for name in allowed if name in header}
    return not file.problems


def _readers(file: BarFile, calendar: Callable[[], Calendar]) -> dict[str, fields.Reader]:
    """The reader of each column of the file."""
    table = {
        **dict.fromkeys(_PRICES, fields.PRICE),
        "volume": fields.VOLUME,
        "ts_close_utc": fields.instants(),
        "symbol": fields.by_value(fields.symbol_name),
        "timeframe": fields.by_value(fields.timeframe_name),
        "end_ts": fields.SECONDS,
        "is_complete": fields.by_value(fields.flag),
        "dividend": fields.by_value(fields.factor),
        "split": fields.by_value(fields.split_factor),
    }
    if file.shape is Shape.DAILY:
        table["date"] = fields.session_end(calendar())
    return {name: table[name] for name in file.columns}


def _read_singly(
    file: BarFile, numbers: list[int], lines: list[str], header: list[str], readers: Mapping[str, fields.Reader]
) -> None:
    """Read field by field, noting every bad one at its own column. Slow, and only for lines among which one is bad."""
    for number, line in zip(numbers, lines, strict=True):
        values: dict[str, Any] = {}
        column = 1
        for name, cell in zip(header, line.split(","), strict=True):
            try:
                values[name] = readers[name].one(cell)
            except fields.FieldError as error:
                file.problem(number, column, f"{name}: {error.message}", error.help)
            column += len(cell) + 1
        if len(values) == len(header):
            file.lines.append(number)
            for name, value in values.items():
                file.columns[name].append(value)
