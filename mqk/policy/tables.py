"""Decision tables judged: rows that leave a gap, two rows where one is due, rows that are never reached.

What a cell says is cells.py, the geometry boxes.py. The types of inputs come from whoever knows the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Protocol

from mqk import quantity
from mqk.dsl import types as t
from mqk.policy import boxes
from mqk.policy.cells import Cell, CellError, Part, parse_cell
from mqk.policy.diagnostics import Diagnostic, error
from mqk.policy.sources import TableSource
from mqk.quantity import DAY_MICROS, MICROS, QuantityError

# A stretch begins just before (0) or just after (1) a value.
_Cut = tuple[Fraction, int]


def _shares(text: str) -> Fraction:
    return Fraction(quantity.parse_quantity(text.removesuffix("s").removesuffix(" share")).value)


# Values as numbers that compare, by the kind of the input.
_READERS: Final[Mapping[t.Kind, Callable[[str], Fraction]]] = MappingProxyType(
    {
        t.Kind.RATIO: lambda text: quantity.parse_ratio(text).value,
        t.Kind.MONEY: lambda text: Fraction(quantity.parse_money(text).micros),
        t.Kind.QUANTITY: _shares,
        t.Kind.NUMBER: _shares,
        t.Kind.COUNT: lambda text: Fraction(quantity.parse_count(text).value),
        t.Kind.DURATION: lambda text: Fraction(quantity.parse_duration(text).micros),
        t.Kind.SPAN: lambda text: Fraction(quantity.parse_span(text).count),
        t.Kind.TIME: lambda text: Fraction(quantity.parse_time(text)),
        t.Kind.DATE: lambda text: Fraction(quantity.parse_date(text).toordinal()),
        t.Kind.INSTANT: lambda text: Fraction(quantity.parse_instant(text)),
    }
)
# Whole numbers back to how they are written.
_WRITERS: Final[Mapping[t.Kind, Callable[[int], str]]] = MappingProxyType(
    {
        t.Kind.MONEY: quantity.format_money,
        t.Kind.DURATION: quantity.format_duration,
        t.Kind.TIME: quantity.format_time,
        t.Kind.DATE: lambda day: quantity.format_date(date.fromordinal(day)),
        t.Kind.INSTANT: quantity.format_instant,
    }
)
# What always comes in whole units; others do where the input is a fact and no calculation.
_WHOLE: Final = frozenset({t.Kind.SPAN, t.Kind.TIME, t.Kind.DATE, t.Kind.INSTANT})
# How far a witness stands from a bound, where there is room: a cent, a second, a basis point.
_STEPS: Final[Mapping[t.Kind, Fraction]] = MappingProxyType(
    {
        t.Kind.RATIO: Fraction(1, 10_000),
        t.Kind.MONEY: Fraction(10_000),
        t.Kind.DURATION: Fraction(MICROS),
        t.Kind.TIME: Fraction(60_000_000),
        t.Kind.INSTANT: Fraction(MICROS),
    }
)

Limit = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Input:
    """What an input column holds: its type, whether only whole units occur, and what it is at least."""

    type: t.Type
    whole: bool = False
    low: Fraction | None = None


class _Axis(Protocol):
    """One input, cut into stretches that are numbered from 0."""

    @property
    def all(self) -> int: ...

    def bits(self, cell: Cell) -> int: ...

    def shown(self, stretch: int) -> str: ...


def table_faults(
    table: TableSource, inputs: Mapping[str, Input], limit: Limit = lambda _: None
) -> Iterator[Diagnostic]:
    """Gaps, overlaps and rows never reached, each with a moment that shows it.

    `limit` gives the value of a limit that a cell may name (`limits.<name>`), None for any other word.

    Silent about a table whose cells cannot be read as its inputs' types: that is said where the cells are compiled.
    """
    try:
        cells = [{name: parse_cell(row.cells.get(name)) for name, _ in table.inputs} for row in table.rows]
        axes = {name: _axis(inputs[name], [row[name] for row in cells], limit) for name, _ in table.inputs}
        rows = [tuple(axis.bits(row[name]) for name, axis in axes.items()) for row in cells]
    except (CellError, QuantityError):
        return
    for name in axes:
        if cells and all(row[name] == Cell() for row in cells):
            message = f"no row of `{table.id}` says anything of `{name}`"
            yield error("MQK-1601", message, table.span, "remove it from `input:`, or use it in a row")
    space = tuple(axis.all for axis in axes.values())
    try:
        yield from _dead(table, rows)
        if table.hit == "unique":
            yield from _twice(table, axes, rows)
        # A sum or a count over no row at all is zero; the smallest of none is nothing.
        if table.otherwise is None and table.collect not in ("sum", "count"):
            for gap in boxes.remainder(space, rows)[:1]:
                message = f"no row of `{table.id}` fits {_moment(axes, gap)}"
                yield error("MQK-1229", message, table.span, "add a row for it, or `otherwise:` for all that is left")
    except boxes.TooManyError:
        message = f"the rows of `{table.id}` cut each other into more than {boxes.MAX_PIECES} pieces"
        yield error("MQK-1232", message, table.span, "split the table in two")


def _dead(table: TableSource, rows: Sequence[boxes.Box]) -> Iterator[Diagnostic]:
    ordered = table.hit == "first"
    dead = boxes.shadowed(rows) if ordered else (index for index, row in enumerate(rows) if not all(row))
    for index in dead:
        why = "the rows before it fit all that it fits" if all(rows[index]) else "nothing fits its cells"
        message = f"row {index + 1} of `{table.id}` is never reached: {why}"
        yield error("MQK-1231", message, table.rows[index].span, "remove it, or move it up" if ordered else "remove it")


def _twice(table: TableSource, axes: Mapping[str, _Axis], rows: Sequence[boxes.Box]) -> Iterator[Diagnostic]:
    told: set[int] = set()
    for first, second, shared in boxes.overlaps(rows):
        if second not in told:
            told.add(second)
            message = f"rows {first + 1} and {second + 1} of `{table.id}` both fit {_moment(axes, shared)}"
            notes = [("the other row", table.rows[first].span)]
            help_ = "narrow one of them, or write `hit: first`"
            yield error("MQK-1230", message, table.rows[second].span, help_, notes=notes)


def _moment(axes: Mapping[str, _Axis], box: boxes.Box) -> str:
    """A point of a box in the table's own words."""
    stretches = [(part & -part).bit_length() - 1 for part in box]
    shown = (f"{name}: {axis.shown(at)}" for (name, axis), at in zip(axes.items(), stretches, strict=True))
    return "`" + ", ".join(shown) + "`"


def _axis(column: Input, cells: Sequence[Cell], limit: Limit) -> _Axis:
    if column.type.kind in _READERS:
        return _Ordered.of(column, cells, limit)
    closed = column.type.members if column.type.kind is t.Kind.ENUM else ()
    if column.type.kind is t.Kind.BOOL:
        closed = ("true", "false")
    named = dict.fromkeys(part.text for cell in cells for part in cell.values)
    if closed and not named.keys() <= set(closed):
        raise QuantityError("syntax", "not one of the list")
    return _Words(closed or (*named, ""))


@dataclass(frozen=True, slots=True)
class _Words:
    """Words, one stretch for each; the empty word stands for all that no cell names."""

    words: tuple[str, ...]

    @property
    def all(self) -> int:
        return (1 << len(self.words)) - 1

    def bits(self, cell: Cell) -> int:
        if cell.members is None:
            if cell.values:
                raise QuantityError("syntax", "words are not more or less than each other")
            return self.all
        named = sum({1 << self.words.index(part.text) for part in cell.members})
        return self.all & ~named if cell.negated else named

    def shown(self, stretch: int) -> str:
        return self.words[stretch] or "any other"


@dataclass(frozen=True, slots=True)
class _Ordered:
    """Values by size: stretch `i` lies between cut `i - 1` and cut `i`, the first and the last being endless."""

    column: Input
    cuts: tuple[_Cut, ...]
    limit: Limit

    @classmethod
    def of(cls, column: Input, cells: Sequence[Cell], limit: Limit) -> _Ordered:
        axis = cls(column, (), limit)
        cuts = {end for cell in cells for ends in axis._ranges(cell) for end in ends if end is not None}
        return cls(column, tuple(sorted(cuts | {(end, 0) for end in axis._ends if end is not None})), limit)

    @property
    def _ends(self) -> tuple[Fraction | None, Fraction | None]:
        """The smallest value there is, and the first that is too large."""
        if self.column.type.kind is t.Kind.TIME:
            return Fraction(0), Fraction(DAY_MICROS)
        return self.column.low, None

    @property
    def all(self) -> int:
        low, high = self._ends
        first = 0 if low is None else self.cuts.index((low, 0)) + 1
        last = len(self.cuts) if high is None else self.cuts.index((high, 0))
        return sum(1 << stretch for stretch in range(first, last + 1))

    def bits(self, cell: Cell) -> int:
        found = 0
        for start, end in self._ranges(cell):
            first = 0 if start is None else self.cuts.index(start) + 1
            last = len(self.cuts) if end is None else self.cuts.index(end)
            found |= sum(1 << stretch for stretch in range(first, last + 1))
        return self.all & (~found if cell.negated else found)

    def _ranges(self, cell: Cell) -> list[tuple[_Cut | None, _Cut | None]]:
        """What a cell names, as stretches from cut to cut; negation is left to the bits."""
        if cell.members is not None:
            return [((value, 0), self._after(value)) for value in map(self._read, cell.members)]
        start = end = None
        if cell.low is not None:
            value = self._read(cell.low.value)
            start = (value, 0) if cell.low.included else self._after(value)
        if cell.high is not None:
            value = self._read(cell.high.value)
            end = self._after(value) if cell.high.included else (value, 0)
        return [(start, end)]

    def _after(self, value: Fraction) -> _Cut:
        return (value + 1, 0) if self._whole else (value, 1)

    @property
    def _whole(self) -> bool:
        kind = self.column.type.kind
        return kind in _WHOLE or (self.column.whole and kind is not t.Kind.RATIO)

    def _read(self, part: Part) -> Fraction:
        named, kind = self.limit(part.text), self.column.type
        if isinstance(named, int | Fraction):
            return Fraction(named)
        if kind.kind is t.Kind.MONEY and quantity.parse_money(part.text).currency != kind.currency:
            raise QuantityError("unit", "another currency")
        return _READERS[kind.kind](part.text)

    def shown(self, stretch: int) -> str:
        below = self.cuts[stretch - 1] if stretch > 0 else None
        above = self.cuts[stretch] if stretch < len(self.cuts) else None
        step = _STEPS.get(self.column.type.kind, Fraction(1))
        if below is None and above is None:
            return "any"
        if below is not None and below[1] == 0:
            return self._written(below[0])
        if above is not None and above[1] == 1:
            return self._written(above[0])
        if below is None:
            assert above is not None
            return self._written(above[0] - step)
        if above is None:
            return self._written(below[0] + step)
        if below[0] + step < above[0]:
            return self._written(below[0] + step)
        middle = (below[0] + above[0]) / 2
        whole = self.column.type.kind is t.Kind.RATIO or middle.denominator == 1
        return (
            self._written(middle)
            if whole
            else f"something between {self._written(below[0])} and {self._written(above[0])}"
        )

    def _written(self, value: Fraction) -> str:
        kind = self.column.type
        if kind.kind is t.Kind.RATIO:
            return quantity.format_ratio(value)
        if kind.kind is t.Kind.MONEY:
            return quantity.format_money(int(value), kind.currency)
        return _WRITERS.get(kind.kind, str)(int(value))
