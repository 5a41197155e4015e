"""Line charts as SVG text: drawn in whole pixels and tenths, coloured by the page's own names of colours.

What lives here: scales, ticks and paths, in integers, so that one run has one picture. What does not: what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from mqk.quantity import MICROS

WIDTH: Final = 760
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 12, 10, 22
# As many points as there are pixels to tell them apart, each bucket with its lowest and its highest.
_BUCKETS: Final = 330
_STEPS: Final = (1, 2, 5)

Series = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name, its points (instant, value), the class that colours it, and whether the area under it is."""

    name: str
    points: Series
    style: str
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line with a name, such as a cap."""

    name: str
    value: int
    style: str = "cap"


def line_chart(
    name: str,
    told: str,
    lines: Sequence[Line],
    write: Callable[[int], str],
    *,
    levels: Sequence[Level] = (),
    height: int = 200,
    least: int | None = None,
) -> str:
    """An SVG figure. `name` and `told` are what it is called and what it shows for those who cannot see it.

    `write` is how a value is written at the axis; `least` is a value that the axis has to reach down to.
    """
    values = [value for line in lines for _, value in line.points] + [level.value for level in levels]
    instants = [at for line in lines for at, _ in line.points]
    if not instants:
        return ""
    low, high = min(values), max(values)
    low = low if least is None else min(low, least)
    if low == high:
        low, high = low - 1, high + 1
    marks = ticks(low, high)
    low, high = min(low, marks[0]), max(high, marks[-1])
    first, last = min(instants), max(instants)
    scale = _Scale(first, max(last, first + 1), low, high, height)
    key = "".join(c if c.isalnum() else "-" for c in name.lower())
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{key}-t {key}-d">',
        f'<title id="{key}-t">{escape(name)}</title><desc id="{key}-d">{escape(told)}</desc>',
    ]
    for mark in marks:
        y = scale.y(mark)
        parts.append(f'<path class="grid" d="M{_LEFT} {y}H{WIDTH - _RIGHT}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 6}" y="{y}" dy="4" text-anchor="end">{escape(write(mark))}</text>'
        )
    for at, label in _dates(first, last):
        x = scale.x(at)
        parts.append(f'<text class="tick" x="{x}" y="{height - 6}" text-anchor="middle">{label}</text>')
    for line in lines:
        points = _thin(line.points)
        path = "L".join(f"{scale.x(at)} {scale.y(value)}" for at, value in points)
        if line.filled and points:
            foot = scale.y(max(low, min(0, high)))
            area = f"M{scale.x(points[0][0])} {foot}L{path}L{scale.x(points[-1][0])} {foot}Z"
            parts.append(f'<path class="area {line.style}" d="{area}"/>')
        parts.append(f'<path class="line {line.style}" d="M{path}"><title>{escape(line.name)}</title></path>')
    for level in levels:
        y = scale.y(level.value)
        # Above its line, where there is room.
        drop = -4 if float(y) > _TOP + 12 else 13
        parts.append(f'<path class="level {level.style}" d="M{_LEFT} {y}H{WIDTH - _RIGHT}"/>')
        parts.append(
            f'<text class="name {level.style}" x="{WIDTH - _RIGHT - 4}" y="{y}" dy="{drop}">{escape(level.name)}</text>'
        )
    parts.append("</svg>")
    return "".join(parts)


def bars(name: str, told: str, rows: Sequence[tuple[str, int, str]]) -> str:
    """Horizontal bars: a label, a length and the words behind it, in the order given."""
    most = max((length for _, length, _ in rows), default=0)
    if not most:
        return ""
    height = 24 * len(rows) + 6
    key = "".join(c if c.isalnum() else "-" for c in name.lower())
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{key}-t {key}-d">',
        f'<title id="{key}-t">{escape(name)}</title><desc id="{key}-d">{escape(told)}</desc>',
    ]
    for number, (label, length, words) in enumerate(rows):
        y, wide = 24 * number + 4, max(length * (WIDTH - 300) // most, 2)
        parts.append(f'<text class="tick end" x="110" y="{y + 12}">{escape(label)}</text>')
        parts.append(f'<rect class="bar" x="118" y="{y}" width="{wide}" height="16"/>')
        parts.append(f'<text class="tick" x="{124 + wide}" y="{y + 12}">{escape(words)}</text>')
    parts.append("</svg>")
    return "".join(parts)


def _thin(points: Series) -> Series:
    """The points of a line that show."""
    if len(points) <= 4 * _BUCKETS:
        return points
    import numpy as np  # noqa: PLC0415 - heavy

    columns = np.array(points, object)
    return thinned(columns[:, 0], columns[:, 1])


def thinned(at: Any, values: Any) -> list[tuple[int, int]]:
    """The points that show: of each stretch of time its first, lowest, highest and last, so that no extreme is lost.

    `at` and `values` are columns. What is thin already stays as it is.
    """
    count = len(at)
    kept = list(range(count))
    if count > 4 * _BUCKETS:
        kept, size = [], -(-count // _BUCKETS)
        for start in range(0, count, size):
            part = values[start : start + size]
            wanted = {0, len(part) - 1, int(part.argmin()), int(part.argmax())}
            kept += [start + each for each in sorted(wanted)]
    return list(zip(at[kept].tolist(), values[kept].tolist(), strict=True))


def ticks(low: int, high: int) -> list[int]:
    """Four to eight round values from just below `low` to just above `high`."""
    step = 1
    while True:
        for factor in _STEPS:
            size = step * factor
            first, last = low // size, -(-high // size)
            if last - first <= 6:
                return [size * i for i in range(first, last + 1)]
        step *= 10


class _Scale:
    """From instants and values to pixels, in tenths."""

    def __init__(self, first: int, last: int, low: int, high: int, height: int) -> None:
        self._first, self._span = first, last - first
        self._high, self._range = high, high - low
        self._height = height - _TOP - _BOTTOM

    def x(self, at: int) -> str:
        return _tenths(_LEFT * 10 + (at - self._first) * (WIDTH - _LEFT - _RIGHT) * 10 // self._span)

    def y(self, value: int) -> str:
        return _tenths(_TOP * 10 + (self._high - value) * self._height * 10 // self._range)


def _tenths(value: int) -> str:
    whole, rest = divmod(value, 10)
    return f"{whole}.{rest}" if rest else str(whole)


def _dates(first: int, last: int) -> list[tuple[int, str]]:
    """Up to seven dates along the axis: years where there are many, else months, else days."""
    begin, end = (datetime.fromtimestamp(at // MICROS, tz=UTC) for at in (first, last))
    span = end.year - begin.year
    if span >= 3:
        step = -(-span // 7)
        stamps = [datetime(year, 1, 1, tzinfo=UTC) for year in range(begin.year + 1, end.year + 1, step)]
        return [(int(each.timestamp()) * MICROS, str(each.year)) for each in stamps]
    months = span * 12 + end.month - begin.month
    if months >= 4:
        step = -(-months // 7)
        counts = range(begin.year * 12 + begin.month, end.year * 12 + end.month, step)
        stamps = [datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC) for count in counts]
        return [(int(each.timestamp()) * MICROS, f"{each:%Y-%m}") for each in stamps]
    return [(first + (last - first) * i // 5, f"{_at(first + (last - first) * i // 5):%m-%d}") for i in range(1, 5)]


def _at(micros: int) -> datetime:
    return datetime.fromtimestamp(micros // MICROS, tz=UTC)
