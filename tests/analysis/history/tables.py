"""The small world of the language's tests as a table of recorded facts, and what the interpreter says of its rules."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute

from mqk.analysis.history.backends import Backend
from mqk.analysis.history.judging import BREACH, ERROR, PASS
from mqk.analysis.history.records import Extent, Part
from mqk.dsl import EvaluationError, Expr, FactRef, Type, evaluate
from mqk.dsl import types as t
from mqk.dsl.emit_python import Rule
from mqk.dsl.missing import MISSING
from mqk.dsl.windows import window_attribute
from mqk.guards import Point
from tests.dsl.worlds import COLLECTIONS, FACTS, SLOTS, Moment

POINT = Point.ORDER


def kind_of(kind: Type) -> pa.DataType:
    if kind == t.BOOL:
        return pa.bool_()
    return pa.string() if kind.kind in (t.Kind.ENUM, t.Kind.SYMBOL, t.Kind.TEXT) else pa.int64()


def columns_of(ref: FactRef, values: Sequence[object]) -> dict[str, pa.Array]:
    name = f"facts.{ref.name}"
    if ref.type != t.RATIO:
        return {name: pa.array(values, kind_of(ref.type))}
    ratios = [value if isinstance(value, Fraction) else None for value in values]
    wide = pa.decimal128(38, 0)
    return {
        f"{name}.num": pa.array([None if r is None else r.numerator for r in ratios], wide),
        f"{name}.den": pa.array([None if r is None else r.denominator for r in ratios], wide),
    }


def table_of(moments: Sequence[Moment]) -> pa.Table:
    """The moments as a table, one row each, numbered."""
    found: dict[str, pa.Array] = {"row": pa.array(range(len(moments)), pa.int64())}
    for name, ref in FACTS.items():
        found |= columns_of(ref, [moment.values.get(name) for moment in moments])
    for slot in SLOTS:
        values = [moment.values.get(slot) for moment in moments]
        found[f"facts.windows.{window_attribute(slot)}"] = pa.array(values, pa.int64())
    for name, collection in COLLECTIONS.items():
        fields = {key: kind_of(ref.type) for key, ref in collection.fields.items() if ref.type != t.RATIO}
        rows = [
            None
            if name not in moment.collections
            else [
                {key: None if (v := getattr(each, key, MISSING)) is MISSING else v for key in fields}
                for each in moment.collections[name]
            ]
            for moment in moments
        ]
        found[f"facts.{name}"] = pa.array(rows, pa.list_(pa.struct(list(fields.items()))))
    return pa.table(found)


def part_of(table: pa.Table, file: Path) -> Part:
    """A table as a part of a history that is kept in a file."""
    extents: dict[str, Extent] = {"unusable.key_value.key": Extent(0, 0)}
    for name in table.column_names:
        column = table[name]
        if column.type == pa.int64():
            held = [value for value in column.to_pylist() if value is not None]
            extents[name] = Extent(min(held, default=0), max(held, default=0), nullable=column.null_count > 0)
        elif not pa.types.is_nested(column.type):
            extents[name] = Extent(nullable=column.null_count > 0)
        else:
            for number, field in enumerate(column.type.value_type):
                if field.type == pa.int64():
                    each = pa.compute.struct_field(pa.compute.list_flatten(column), [number]).drop_null().to_pylist()
                    extents[f"{name}.list.element.{field.name}"] = Extent(min(each, default=0), max(each, default=0))
    return Part((file,), frozenset(table.column_names), len(table), {POINT.value: extents})


def said(rule: Rule, gate: Expr | None, moment: Moment) -> int:
    """What a rule says, by the interpreter."""
    try:
        if rule.symbols is not None and moment.fact(FACTS["b.symbol"]) not in rule.symbols:
            return PASS
        if rule.gated and gate is not None and evaluate(gate, moment):
            return PASS
        if rule.unless is not None and evaluate(rule.unless, moment):
            return PASS
        if rule.when is not None and not evaluate(rule.when, moment):
            return PASS
        return PASS if evaluate(rule.require, moment) else BREACH
    except EvaluationError:
        return ERROR


def codes(backend: Backend, asked: dict[str, Any], table: Any) -> dict[str, list[int]]:
    """The answers of a query, column by column, in the order of the rows."""
    rows = backend.run(table.select("row", **asked).order_by("row")).to_pylist()
    return {name: [row[name] for row in rows] for name in asked}
