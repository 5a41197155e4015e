"""What the tables of one document must keep beyond their schema: cells that can be read, rows that fit their columns.

Whether the rows leave gaps is tables.py, once the types of the inputs are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mqk.policy.cells import CELLS, CellError, parse_cell
from mqk.policy.codes import QUANTITY_CODES
from mqk.policy.diagnostics import Diagnostic, Span, error, listed, quoted
from mqk.policy.governance import check_once
from mqk.policy.nodes import Mapping, Scalar, Sequence
from mqk.policy.suggest import did_you_mean
from mqk.policy.values import read_any, read_value
from mqk.quantity import QuantityError

# A limit may stand for a value: whether there is one of that name is seen where the table is compiled.
_LIMIT = re.compile(r"limits\.[a-z][a-z0-9_]*")


def check_tables(root: Mapping) -> Iterator[Diagnostic]:
    """Every fault of a table that its schema cannot express."""
    yield from check_once(root, "tables", "table")
    for table in root.mappings("tables"):
        yield from _columns(table)
        inputs, outputs = table.mapping("input"), table.mapping("output")
        for row in table.mappings("rows"):
            yield from _row(row, inputs, outputs)
        otherwise = table.get("otherwise")
        if isinstance(otherwise, Mapping):
            yield from _row(otherwise, Mapping({}, otherwise.span), outputs, span=table.entries["otherwise"].key.span)


def _columns(table: Mapping) -> Iterator[Diagnostic]:
    inputs = table.mapping("input").entries
    for name, entry in table.mapping("output").entries.items():
        if name in inputs:
            notes = [("the input", inputs[name].key.span)]
            message = f"{quoted(name)} is an input as well as an output"
            yield error("MQK-1121", message, entry.key.span, "give one of them another name", notes=notes)


def _row(row: Mapping, inputs: Mapping, outputs: Mapping, span: Span | None = None) -> Iterator[Diagnostic]:
    known = [*inputs.entries, *outputs.entries]
    slips = set()
    for name, entry in row.entries.items():
        if name in outputs.entries:
            yield from _value(entry.value, outputs.scalar(name))
        elif name in inputs.entries:
            yield from _cell(entry.value)
        elif known:
            meant = did_you_mean(name, known)
            slips |= {each for each in outputs.entries if meant and f"`{each}`" in meant}
            help_ = meant or f"the columns are {listed(known, 'and')}"
            yield error("MQK-1121", f"{quoted(name)} is not a column of the table", entry.key.span, help_)
    missing = [name for name in outputs.entries if name not in row.entries and name not in slips]
    if missing and not row.partial:
        first = next((entry.key.span for entry in row.entries.values()), row.span)
        message = f"{'`otherwise`' if span is not None else 'a row'} gives no {listed(missing, 'and')}"
        yield error("MQK-1121", message, first if span is None else span, "give every output column a value")


def _value(value: object, kind: Scalar | None) -> Iterator[Diagnostic]:
    if isinstance(value, Sequence):
        yield error("MQK-1104", "an output column takes a single value, found a list", value.span, "keep one of them")
    elif isinstance(value, Scalar) and not value.empty and kind is not None and not _LIMIT.fullmatch(value.text):
        try:
            read_value(kind.text, value.text)
        except QuantityError as fault:
            help_ = fault.help or f"the column holds {listed([kind.text])} values"
            yield error(QUANTITY_CODES[fault.code], fault.message, value.span, help_)
        except KeyError:
            return  # the schema has refused the type


def _cell(value: object) -> Iterator[Diagnostic]:
    if not isinstance(value, Scalar | Sequence) or (isinstance(value, Scalar) and value.empty):
        return
    try:
        cell = parse_cell(value)
    except CellError as fault:
        yield error("MQK-1119", fault.message, fault.span, fault.help)
        return
    for part in cell.values:
        if _LIMIT.fullmatch(part.text):
            continue
        try:
            read_any(part.text)
        except QuantityError as fault:
            if cell.members is not None and isinstance(value, Scalar) and re.fullmatch(r"[a-z]+ .*", part.text):
                # Words before a value: a bound that is written as none is.
                yield error("MQK-1119", f"{quoted(part.text)} is no cell", part.span, CELLS)
            else:
                yield error(QUANTITY_CODES[fault.code], fault.message, part.span, fault.help)
