"""The laying of layers: which documents lie beneath an engine, in which order, and what they say together, key by key.

Values stay nodes here; what they mean is put together in effective.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from mqk.policy.dates import in_force
from mqk.policy.documents import Document, PolicySet
from mqk.policy.nodes import Mapping, Node, Scalar  # fmt: skip
from mqk.policy.nodes import Sequence as SequenceNode
from mqk.policy.sources import Layer

# What a document says about itself rather than about the policy.
_HEADER = frozenset({"kind", "id", "title", "owner", "extends", "effective", "overlay"})


@dataclass(slots=True)
class Stack:
    """Documents from the lowest layer up, and those that fell out because they are not in force."""

    documents: list[Document] = field(default_factory=list)
    dropped: list[Document] = field(default_factory=list)


def stack(policies: PolicySet, kind: str, names: Iterable[str], as_of: date | None) -> Stack:
    """The documents named, each after all that it extends, each once; the references are known to lead somewhere.

    What a document extends is laid even when the document itself is not in force: its end must not lift the floor.
    """
    found = Stack()
    seen: set[str] = set()
    # Depth first without recursion: a name is met once to lay what is beneath it, and once more to lay itself.
    pending = [(name, False) for name in reversed(list(names))]
    while pending:
        name, beneath_laid = pending.pop()
        versions = policies.versions[kind, name]
        document = in_force(versions, lambda each: each.period, as_of)
        if beneath_laid:
            if document is None:
                found.dropped.append(versions[-1])
            else:
                found.documents.append(document)
        elif name not in seen:
            seen.add(name)
            below = (document or versions[0]).extends
            pending += [(name, True), *((each, False) for each in reversed(below))]
    return found


@dataclass(frozen=True, slots=True)
class Said:
    """What one document says under one key."""

    document: Document
    key: Scalar
    node: Node

    @property
    def layer(self) -> Layer:
        """As provenance shows it."""
        span = self.node.span if isinstance(self.node, Scalar) and not self.node.empty else self.key.span
        return Layer(self.document.name, written(self.node), span)


def keys_said(documents: Sequence[Document]) -> dict[str, list[Said]]:
    """Every dotted key of nested documents (`costs.spread`) with what each layer says of it."""
    found: dict[str, list[Said]] = {}
    for document in documents:
        for path, said in _leaves(document, document.node, ""):
            found.setdefault(path, []).append(said)
    return found


def _leaves(document: Document, node: Mapping, prefix: str) -> Iterator[tuple[str, Said]]:
    for name, entry in node.entries.items():
        if not prefix and name in _HEADER:
            continue
        if isinstance(entry.value, Mapping):
            yield from _leaves(document, entry.value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", Said(document, entry.key, entry.value)


def written(node: Node) -> str:
    """A node on one line, as a person would write it."""
    match node:
        case Scalar(text=text):
            return " ".join(text.split())
        case SequenceNode(items=items):
            return f"[{', '.join(written(item) for item in items)}]"
        case Mapping(entries=entries):
            return "{" + ", ".join(f"{key}: {written(entry.value)}" for key, entry in entries.items()) + "}"
