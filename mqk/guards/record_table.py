"""Recorded decisions as a table: the columns of `decisions.parquet`, and the same bytes for the same decisions.

One row is one decision. A fact has a column `facts.NAME` at its exact type: amounts, instants, durations and counts as
64-bit whole numbers (micros), words as text, a ratio as two columns `.num` and `.den` of up to 38 digits, a collection
as a list of structs, a window as `facts.windows.ATTRIBUTE`. NULL is a fact that was missing; `unusable` names those
that were given and could not be used. A window without a column was not counted by the run: nobody knows what it held.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from typing import Any, Final

from mqk.dsl import Type
from mqk.dsl.missing import MISSING
from mqk.dsl.types import Kind
from mqk.guards.points import Point
from mqk.guards.record import AGES, FACTS, WINDOWS, Head, Shot, plan
from mqk.guards.values import well_typed
from mqk.quantity import DAY_MICROS

_CHUNK: Final = 20_000
_GROUP: Final = 100_000
_WORDS: Final = frozenset({Kind.SYMBOL, Kind.ENUM, Kind.TEXT})


def arrow_schema(windows: Iterable[str] = (), lacking: Collection[str] = ()) -> Any:
    """The schema of a table of decisions whose run counted these windows (by attribute) and was not told some facts."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    text, whole = pa.string(), pa.int64()
    columns: dict[str, Any] = dict.fromkeys(("decision_id", "run_id", "engine", "bundle", "mode", "point"), text)
    columns |= {"at": pa.timestamp("us", "UTC"), "day": pa.date32(), "outcome": text, "deciding": pa.list_(text)}
    columns |= dict.fromkeys(("client_order_id", "symbol", "side"), text)
    columns |= dict.fromkeys(("qty", "price", "notional"), whole)
    for point in Point:
        layout = plan(point)
        for subject in layout.subjects:
            for ref in subject.facts:
                if ref.name not in lacking:
                    columns |= {f"{FACTS}{name}": kind for name, kind in _columns(ref.name, ref.type).items()}
        for group in layout.groups:
            struct = pa.struct([(name, _arrow_type(group.ref.fields[name].type)) for name in group.fields])
            columns[f"{FACTS}{group.ref.name}"] = pa.list_(struct)
        columns |= {f"{AGES}{ref.name}": whole for ref in layout.aging}
    columns |= {f"{WINDOWS}{attribute}": whole for attribute in sorted(windows)}
    columns["unusable"] = pa.map_(text, text)
    return pa.schema(list(columns.items()))


def _arrow_type(kind: Type) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - heavy

    if kind.kind is Kind.BOOL:
        return pa.bool_()
    return pa.string() if kind.kind in _WORDS else pa.int64()


def _columns(name: str, kind: Type) -> dict[str, Any]:
    import pyarrow as pa  # noqa: PLC0415 - heavy

    if kind.kind is Kind.RATIO:
        return {f"{name}.num": pa.decimal128(38, 0), f"{name}.den": pa.decimal128(38, 0)}
    return {name: _arrow_type(kind)}


@dataclass(slots=True)
class RecordTable:
    """Decisions as they come, kept as columns. `windows` are the attributes of the windows that the run counts.

    Facts that are `lacking` have no column: nobody told the run, and nobody knows what they were.
    """

    windows: tuple[str, ...]
    lacking: frozenset[str] = frozenset()
    _waiting: dict[Point, list[tuple[Head, Shot]]] = field(default_factory=dict)
    _later: dict[Point, list[Callable[[Any], Any]]] = field(default_factory=dict)
    _done: dict[Point, list[Any]] = field(default_factory=dict)

    def add(self, point: Point, head: Head, shot: Shot) -> None:
        """Keep one decision."""
        waiting = self._waiting.setdefault(point, [])
        waiting.append((head, shot))
        if len(waiting) >= _CHUNK:
            self._settle(point)

    def take(self, point: Point, make: Callable[[Any], Any]) -> None:
        """Keep decisions that are columns already: `make` is given the schema, and makes a record batch of it.

        It is asked when the decisions are: that takes longer than to keep them, and the run need not wait for it.
        """
        self._settle(point)
        self._later.setdefault(point, []).append(make)

    def _settle(self, point: Point) -> None:
        """Make batches of what was taken, and of what has come one by one since."""
        made, rows = self._later.pop(point, []), self._waiting.pop(point, [])
        if made or rows:
            schema = arrow_schema(self.windows, self.lacking)
            done = self._done.setdefault(point, [])
            done += [make(schema) for make in made]
            done += [_batch(point, rows, schema)] if rows else []

    def to_bytes(self) -> bytes:
        """The whole as a Parquet file, point by point, each in row groups of its own and in the order it came in."""
        sink = io.BytesIO()
        write(sink, self.batches(), self.windows, self.lacking)
        return sink.getvalue()

    def batches(self) -> list[Any]:
        """The decisions as record batches, by point."""
        for point in Point:
            self._settle(point)
        return [batch for point in Point for batch in self._done.get(point, [])]


def write(sink: Any, batches: Sequence[Any], windows: Iterable[str], lacking: Collection[str] = ()) -> None:
    """Write batches, each of one point, to a Parquet file: nothing of the time or the place gets into it."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    import pyarrow.parquet as pq  # noqa: PLC0415 - heavy

    schema = arrow_schema(windows, lacking)
    with pq.ParquetWriter(sink, schema, compression="zstd", store_schema=False) as writer:
        for point in Point:
            ours = [batch for batch in batches if batch.column("point")[0].as_py() == point.value]
            if ours:
                # As one piece: into how many it was cut as it came is nobody's business.
                whole = pa.Table.from_batches(ours, schema).combine_chunks()
                writer.write_table(whole, row_group_size=_GROUP)


def _batch(point: Point, rows: Sequence[tuple[Head, Shot]], schema: Any) -> Any:
    """Rows of one point as columns."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    unusable: list[dict[str, str]] = [{} for _ in rows]
    made: dict[str, Any] = {}
    heads = list(zip(*(head for head, _ in rows), strict=True))
    for name, values in zip(Head._fields, heads, strict=True):
        made[name] = pa.array(values, schema.field(name).type)
    # In UTC, and written down: histories are counted by day, and to find it in an instant is slow.
    made["day"] = pa.array([head.at // DAY_MICROS for head, _ in rows], pa.int32()).cast(pa.date32())
    layout = plan(point)
    for place, subject in enumerate(layout.subjects):
        columns = zip(*(shot.facts[place] for _, shot in rows), strict=True)
        for ref, values in zip(subject.facts, columns, strict=True):
            made |= _fact(ref.name, ref.type, values, unusable)
    for place, group in enumerate(layout.groups):
        name = f"{FACTS}{group.ref.name}"
        kinds = [group.ref.fields[each].type for each in group.fields]
        moments = [shot.collections[place] for _, shot in rows]
        made[name] = _lists(kinds, moments, schema.field(name).type)
        if made[name] is None:
            found = [
                _elements(group.ref.name, group.fields, kinds, elements, bad)
                for elements, bad in zip(moments, unusable, strict=True)
            ]
            made[name] = pa.array(found, schema.field(name).type)
    for place, ref in enumerate(layout.aging):
        made[f"{AGES}{ref.name}"] = pa.array([shot.ages[place] for _, shot in rows], pa.int64())
    for field_ in schema:
        if field_.name.startswith(WINDOWS):
            attribute = field_.name.removeprefix(WINDOWS)
            values = tuple(shot.windows.get(attribute, MISSING) for _, shot in rows)
            made[field_.name] = _whole(f"windows.{attribute}", values, unusable)
    made["unusable"] = pa.array([list(each.items()) for each in unusable], schema.field("unusable").type)
    nothing = [made[f.name] if f.name in made else pa.nulls(len(rows), f.type) for f in schema]
    return pa.RecordBatch.from_arrays(nothing, schema=schema)


def _fact(name: str, kind: Type, values: Sequence[object], unusable: Sequence[dict[str, str]]) -> Mapping[str, Any]:
    import pyarrow as pa  # noqa: PLC0415 - heavy

    column = f"{FACTS}{name}"
    if kind.kind is Kind.RATIO:
        wide = pa.decimal128(38, 0)
        ratios = [value if well_typed(value, kind) else None for value in values]
        _tell(name, kind, values, unusable)
        tops = [ratio.numerator if isinstance(ratio, Fraction) else None for ratio in ratios]
        bottoms = [ratio.denominator if isinstance(ratio, Fraction) else None for ratio in ratios]
        return {f"{column}.num": pa.array(tops, wide), f"{column}.den": pa.array(bottoms, wide)}
    held = [None if value is MISSING else value for value in values]
    made, fine = None, False
    try:
        made = pa.array(held, _arrow_type(kind))
        fine = kind.kind is not Kind.ENUM or set(held) <= {*kind.members, None}
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError):
        pass  # something is out of its type: each value is looked at
    if not fine:
        made = pa.array([value if well_typed(value, kind) else None for value in values], _arrow_type(kind))
        _tell(name, kind, values, unusable)
    return {column: made}


def _lists(kinds: Sequence[Type], moments: Sequence[Sequence[Sequence[object]] | None], lists: Any) -> Any:
    """The elements of many moments as columns of their fields; None where one is missing or out of its type."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    if any(elements is None for elements in moments):
        return None
    offsets = list(accumulate((len(elements) for elements in moments if elements is not None), initial=0))
    columns = list(zip(*(element for elements in moments for element in elements or ()), strict=True))
    fields = []
    for kind, values, field_ in zip(kinds, columns or [()] * len(kinds), lists.value_type, strict=True):
        held = [None if value is MISSING else value for value in values]
        try:
            fields.append(pa.array(held, field_.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError):
            return None
        if kind.kind is Kind.ENUM and not set(held) <= {*kind.members, None}:
            return None
    structs = pa.StructArray.from_arrays(fields, fields=list(lists.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs, type=lists)


def _whole(name: str, values: Sequence[object], unusable: Sequence[dict[str, str]]) -> Any:
    from mqk.dsl.types import COUNT  # noqa: PLC0415

    return _fact(name, COUNT, values, unusable)[f"{FACTS}{name}"]


def _tell(name: str, kind: Type, values: Sequence[object], unusable: Sequence[dict[str, str]]) -> None:
    """Name the values that were given and are not of their type."""
    for value, bad in zip(values, unusable, strict=True):
        if value is not MISSING and not well_typed(value, kind):
            bad[name] = f"held as {type(value).__name__}, must be {kind}"


def _elements(
    name: str,
    names: Sequence[str],
    kinds: Sequence[Type],
    elements: Sequence[Sequence[object]] | None,
    unusable: dict[str, str],
) -> list[dict[str, object]] | None:
    """The elements of one moment; a field that is out of its type makes the collection unusable, as in a document."""
    if elements is None:
        return None
    found = []
    for element in elements:
        row = {}
        for each, kind, value in zip(names, kinds, element, strict=True):
            if value is not MISSING and not well_typed(value, kind):
                unusable[name] = f"`{each}` held as {type(value).__name__}, must be {kind}"
                return None
            row[each] = None if value is MISSING else value
        found.append(row)
    return found
