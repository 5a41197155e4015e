"""The names and tables of documents that no engine compiles, so that their rules can be checked all the same."""

from __future__ import annotations

from collections.abc import Iterable

from mqk.guards.names import Names
from mqk.policy import Document, LetSource, Scalar, TableSource
from mqk.policy.reading import read_table
from mqk.policy.schemas import RULING


def names_in(documents: Iterable[Document]) -> Names:
    """What the documents define, a later one over an earlier one. Tables with a fault of their own are left out."""
    lets: dict[str, LetSource] = {}
    tables: dict[str, TableSource] = {}
    for document in documents:
        if document.kind not in RULING:
            continue
        for name, entry in document.node.mapping("let").entries.items():
            if isinstance(entry.value, Scalar) and not entry.value.empty:
                lets[name] = LetSource(name, entry.value, document.name, entry.key.span, ())
        for node in document.node.mappings("tables"):
            id_ = node.scalar("id")
            columns = [node.mapping(each).entries for each in ("input", "output")]
            whole = node.scalar("title") and all(isinstance(e.value, Scalar) for part in columns for e in part.values())
            filled = all(row.scalar(name) for row in node.mappings("rows") for name in columns[1])
            if id_ is not None and whole and filled and not node.partial and node.mappings("rows"):
                tables[id_.text] = read_table(document, node, ())
    return Names(lets, tables)
