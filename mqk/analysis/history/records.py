"""Recorded decisions as tables: files of one shape together, what they hold, and how large the numbers in them are.

What lives here: from paths to parts, and the columns behind a fact. What does not: judging (judge.py), engines
(backends.py), and how files come to be (mqk.guards.record_table).

How large the numbers of a column are is read from the files themselves, without a look at the rows; it decides in how
many digits a rule is judged. Where even 38 might not do, larger facts are left out: `outside` says of which rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any, Final

from mqk.dsl.emit_ibis import Held, NotRecorded
from mqk.dsl.emit_ibis_numbers import NotEmitted, Whole
from mqk.dsl.environment import CollectionRef, FactRef
from mqk.dsl.types import Kind
from mqk.dsl.windows import window_attribute
from mqk.guards import Point
from mqk.guards.record import AGES, FACTS, WINDOWS
from mqk.quantity import INT64_MAX

_WORDS: Final = frozenset({Kind.SYMBOL, Kind.ENUM, Kind.TEXT, Kind.BOOL})
FULL: Final = 63
_TRUE: Final = True
_FALSE: Final = False
_HELP: Final = "name a `decisions.parquet` that mqk has written"
_MARKERS: Final = frozenset({"decision_id", "day", "point", "outcome", "unusable"})


class RecordsError(ValueError):
    """Files that hold no recorded decisions, with what to do about it."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class Extent:
    """What a column holds at one point: the least and the largest number, and whether any is missing."""

    low: int = -INT64_MAX - 1
    high: int = INT64_MAX
    nullable: bool = True

    def __or__(self, other: Extent) -> Extent:
        return Extent(min(self.low, other.low), max(self.high, other.high), self.nullable or other.nullable)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Files with the same columns. `extents` are those of each column, by point and by column."""

    files: tuple[Path, ...]
    columns: frozenset[str]
    rows: int
    extents: Mapping[str, Mapping[str, Extent]]

    @property
    def points(self) -> tuple[Point, ...]:
        """The points at which it may hold decisions."""
        return tuple(point for point in Point if point.value in self.extents)

    def extent(self, name: str, points: Iterable[Point]) -> Extent:
        """What a column holds at some points."""
        known = [self.extents[point.value] for point in points if point.value in self.extents]
        return reduce(lambda a, b: a | b, (each.get(name, Extent()) for each in known)) if known else Extent()


def read_parts(source: Path) -> tuple[Part, ...]:
    """The parts of a file or of a folder of files. Raises RecordsError for what holds no recorded decisions."""
    if source.is_dir():
        files = sorted(path for path in source.rglob("*.parquet") if path.name.startswith("decisions"))
    else:
        files = [source]
    if not files or not source.exists():
        raise RecordsError(
            f"`{source}` holds no recorded decisions", "name a `decisions.parquet`, or a folder that holds some"
        )
    groups: dict[frozenset[str], list[tuple[Path, Any]]] = {}
    for path in files:
        found = _opened(path)
        columns = frozenset(found.schema.to_arrow_schema().names)
        if not columns >= _MARKERS:
            raise RecordsError(f"`{path}` holds no recorded decisions", _HELP)
        groups.setdefault(columns, []).append((path, found))
    return tuple(
        Part(
            tuple(path for path, _ in group),
            columns,
            sum(found.num_rows for _, found in group),
            _extents([found for _, found in group]),
        )
        for columns, group in groups.items()
    )


def _opened(path: Path) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - heavy
    import pyarrow.parquet as pq  # noqa: PLC0415 - heavy

    try:
        return pq.read_metadata(path)
    except pa.ArrowInvalid:
        raise RecordsError(f"`{path}` is no Parquet file", _HELP) from None


def _extents(files: Iterable[Any]) -> dict[str, dict[str, Extent]]:
    """How large the numbers of every column are, by point, as the files say of themselves."""
    found: dict[str, dict[str, Extent]] = {}
    for file in files:
        for number in range(file.num_row_groups):
            group = file.row_group(number)
            columns = {(each := group.column(i)).path_in_schema: each.statistics for i in range(group.num_columns)}
            said = columns.get("point")
            alone = said is not None and said.has_min_max and said.min == said.max
            for point in [said.min] if said is not None and alone else [each.value for each in Point]:
                known = found.setdefault(point, {})
                for name, statistics in columns.items():
                    extent = _extent(statistics, group.num_rows)
                    known[name] = known[name] | extent if name in known else extent
    return found


def _extent(statistics: Any, rows: int) -> Extent:
    if statistics is None or not statistics.has_null_count:
        return Extent()
    if statistics.null_count >= rows and not statistics.has_min_max:
        return Extent(0, 0, nullable=True)
    if not statistics.has_min_max or not isinstance(statistics.min, int) or isinstance(statistics.min, bool):
        return Extent(nullable=statistics.null_count > 0)
    return Extent(statistics.min, statistics.max, statistics.null_count > 0)


@dataclass(slots=True)
class Recorded:
    """The facts of some points in a table of one part, for the emitter. `reach` is how many bits a fact may have.

    `outside` collects the conditions under which a fact that was asked for has more: it is NULL there.
    """

    table: Any
    part: Part
    points: tuple[Point, ...]
    reach: int = FULL
    outside: list[Any] = field(default_factory=list)
    _known: dict[str, Held] = field(default_factory=dict)

    def fact(self, ref: FactRef) -> Held:
        """A fact's columns; what is stale is NULL."""
        if ref.name not in self._known:
            self._known[ref.name] = self._fact(ref)
        return self._known[ref.name]

    def _fact(self, ref: FactRef) -> Held:
        name = f"{FACTS}{ref.name}"
        if ref.type.kind is Kind.RATIO:
            return self._ratio(ref, name)
        column = self._column(name, ref.name)
        present = column.notnull() | self._unusable(ref.name)
        extent = self._extent(name)
        nullable = extent.nullable
        if ref.max_age is not None:
            import ibis  # noqa: PLC0415 - heavy

            age = self._column(f"{AGES}{ref.name}", f"age({ref.name})")
            if self._extent(f"{AGES}{ref.name}").high > ref.max_age:
                column = ibis.cases((age.fill_null(0) <= ref.max_age, column), else_=ibis.null(column.type()))
                nullable = True
        if ref.type.kind in _WORDS:
            return Held(column, present, nullable)
        return self._bounded(column, present, extent, nullable=nullable)

    def _ratio(self, ref: FactRef, name: str) -> Held:
        top, bottom = self._column(f"{name}.num", ref.name), self._column(f"{name}.den", ref.name)
        most = 2**60
        fits = (top.abs() <= most) & (bottom <= most)
        self.outside.append(~fits.fill_null(_TRUE))
        import ibis  # noqa: PLC0415 - heavy

        none = ibis.null("int64")
        upper = ibis.cases((fits, top.cast("int64")), else_=none)
        lower = ibis.cases((fits, bottom.cast("int64")), else_=none)
        present = top.notnull() | self._unusable(ref.name)
        return Held(upper, present, True, -most, most, Whole(lower, 1, most, nullable=True))

    def window(self, slot: str) -> Held:
        """What a window held."""
        attribute = window_attribute(slot)
        name = f"{WINDOWS}{attribute}"
        if name not in self.part.columns:
            raise NotRecorded(slot)
        column = self.table[name]
        extent = self._extent(name)
        low = max(extent.low, 0) if slot.startswith("count(") else extent.low
        if extent.low < low:
            # A count below zero is none.
            import ibis  # noqa: PLC0415 - heavy

            column = ibis.cases((column >= 0, column), else_=ibis.null("int64"))
        nullable = extent.nullable or extent.low < low
        return self._bounded(column, column.notnull(), Extent(low, max(extent.high, low)), nullable=nullable)

    def elements(self, ref: CollectionRef) -> Any:
        """A collection, as an array of structs; NULL where it is missing or cannot be used."""
        return self._column(f"{FACTS}{ref.name}", ref.name)

    def field(self, element: Any, collection: str, ref: FactRef) -> Held:
        """A field of one of its elements."""
        if ref.type.kind is Kind.RATIO:
            raise NotEmitted("a ratio of an element is not held exactly")
        if ref.name not in element.type().names:
            raise NotRecorded(f"{collection}.{ref.name}")
        column = element[ref.name]
        present = column.notnull()
        if ref.type.kind in _WORDS:
            return Held(column, present)
        extent = self._extent(f"{FACTS}{collection}.list.element.{ref.name}")
        low, high = self._limited(extent)
        if (low, high) != (extent.low, extent.high):
            whole = self.table[f"{FACTS}{collection}"]
            beyond = whole.filter(lambda each: ~each[ref.name].between(low, high).fill_null(_TRUE))
            self.outside.append((beyond.length() > 0).fill_null(_FALSE))
            column = _within(column, low, high)
        return Held(column, present, True, low, high)

    def _bounded(self, column: Any, present: Any, extent: Extent, *, nullable: bool) -> Held:
        """A whole number's columns, NULL where it has more bits than can be reckoned with."""
        low, high = self._limited(extent)
        if (low, high) == (extent.low, extent.high):
            return Held(column, present, nullable, low, high)
        self.outside.append(~column.between(low, high).fill_null(_TRUE))
        return Held(_within(column, low, high), present, True, low, high)

    def _limited(self, extent: Extent) -> tuple[int, int]:
        most = 2**self.reach
        return max(extent.low, -most), min(extent.high, most - 1)

    def _column(self, name: str, fact: str) -> Any:
        if name not in self.part.columns:
            raise NotRecorded(fact)
        return self.table[name]

    def _extent(self, name: str) -> Extent:
        return self.part.extent(name, self.points)

    def _unusable(self, name: str) -> Any:
        """Whether a fact was given and could not be used."""
        import ibis  # noqa: PLC0415 - heavy

        said = self._extent("unusable.key_value.key")
        if (said.low, said.high) == (0, 0):
            return ibis.literal(value=False)
        return self.table["unusable"].contains(name).fill_null(_FALSE)


def _within(column: Any, low: int, high: int) -> Any:
    import ibis  # noqa: PLC0415 - heavy

    return ibis.cases((column.between(low, high), column), else_=ibis.null(column.type()))


def any_of(conditions: Iterable[Any]) -> Any | None:
    """Whether one of these holds; None without any."""
    found = list(conditions)
    return reduce(lambda a, b: a | b, found) if found else None
