"""A policy document line by line, each with its full path: what it means, and nothing of how it is laid out.

What lives here: the text that `git diff` compares. Comments, order of keys and of ids, and ways to write a value leave
no trace in it; laying a file out for people is layout.py, what a whole engine comes to is canonical.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mqk.dsl import DslError, format_expression, parse_expression
from mqk.policy.loader import load_bytes
from mqk.policy.nodes import Mapping, Node, Scalar, Sequence
from mqk.policy.schemas import KINDS, SchemaSet, schema_set
from mqk.policy.values import canonical_text, read_any, read_value
from mqk.quantity import QuantityError

# What names an item of a list; an item without any of them is told in one line.
_NAMES: Final = ("id", "name")
# Lists whose order means something: what lies beneath, the lowest first.
_ORDERED: Final = frozenset({"extends", "uses"})
_READ: Final = frozenset({"quantity-any", "limit"})

Path = tuple[str | int, ...]


def normal_lines(data: bytes, file: str) -> list[str] | None:
    """The document, one line for each value; None when the file is no document that can be read."""
    loaded = load_bytes(data, file)
    kind = None if loaded.root is None else loaded.root.scalar("kind")
    if loaded.root is None or loaded.diagnostics or kind is None or kind.text not in KINDS:
        return None
    return list(_mapping(loaded.root, kind.text, schema_set(), (), ""))


def _mapping(
    node: Mapping, kind: str, schemas: SchemaSet, path: Path, shown: str, *, named: bool = False
) -> Iterator[str]:
    """The values below a key. `named`: what names it stands in the path already."""
    for name in _order(node, kind, schemas, path):
        if named and name == next(key for key in _NAMES if key in node.entries):
            continue
        yield from _value(node.entries[name].value, kind, schemas, (*path, name), f"{shown}.{name}" if shown else name)


def _order(node: Mapping, kind: str, schemas: SchemaSet, path: Path) -> list[str]:
    """The keys as the schema lists them; those of one's own by name."""
    order = {name: number for number, name in enumerate(schemas.at(kind, path).get("properties", {}))}
    return sorted(node.entries, key=lambda name: (order.get(name, len(order)), name))


def _value(node: Node, kind: str, schemas: SchemaSet, path: Path, shown: str) -> Iterator[str]:
    match node:
        case Mapping():
            yield from _mapping(node, kind, schemas, path, shown)
        case Sequence(items=items) if items and all(isinstance(item, Mapping) and _named(item) for item in items):
            # Cases, rules and tables stand side by side: their order means nothing.
            named = {_named(item): item for item in items if isinstance(item, Mapping)}
            for name in sorted(named) if len(named) == len(items) else ():
                yield from _mapping(named[name], kind, schemas, (*path, 0), f"{shown}[{name}]", named=True)
            if len(named) != len(items):
                yield from (f"{shown}: {_flow(item, kind, schemas, (*path, 0))}" for item in items)
        case Sequence(items=items) if any(isinstance(item, Mapping) for item in items):
            told = [f"{shown}: {_flow(item, kind, schemas, (*path, 0))}" for item in items]
            # Of the rows of a table the first may win; elsewhere no order means anything.
            yield from told if path[0] == "tables" else sorted(told)
        case _:
            yield f"{shown}: {_flow(node, kind, schemas, path)}"


def _named(node: Mapping) -> str:
    return next((found.text for key in _NAMES if (found := node.scalar(key)) is not None), "")


def _flow(node: Node, kind: str, schemas: SchemaSet, path: Path) -> str:
    """A value on one line."""
    match node:
        case Scalar():
            return _scalar(node, kind, schemas, path)
        case Sequence(items=items):
            told = [_flow(item, kind, schemas, (*path, 0)) for item in items]
            return f"[{', '.join(told if _ORDERED & {*path} else sorted(told))}]"
        case Mapping():
            keys = _order(node, kind, schemas, path)
            told = [f"{key}: {_flow(node.entries[key].value, kind, schemas, (*path, key))}" for key in keys]
            return f"{{{', '.join(told)}}}"


def _scalar(node: Scalar, kind: str, schemas: SchemaSet, path: Path) -> str:
    schema = schemas.at(kind, path)
    format_ = str(schema.get("format", ""))
    if path[:1] == ("limits",) and len(path) == 2:
        format_ = schemas.limit_format(str(path[1]))
    try:
        if format_ == "expression":
            return format_expression(parse_expression(node.text))
        if format_ in _READ:
            return canonical_text(read_any(node.text))
        return canonical_text(read_value(format_, node.text))
    except (KeyError, QuantityError, DslError):
        return " ".join(node.text.split())
