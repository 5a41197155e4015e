"""The tree of a policy file: scalars that are still text, mappings and sequences, each with its place in the file.

Nothing here knows YAML (loader.py) or what a key means (the schemas).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mqk.policy.diagnostics import Span


@dataclass(frozen=True, slots=True)
class Text:
    """Text from a file that knows where each of its characters stands, so that a fault inside it can be underlined.

    `places` are the line and column of each character and of the end: empty when they could not be told, None when
    the characters simply stand side by side from `lead` columns into the span.
    """

    text: str
    span: Span
    lead: int = 0
    places: tuple[tuple[int, int], ...] | None = None

    def part(self, start: int, end: int) -> Span:
        """The place of `text[start:end]`; the first character of the scalar when it cannot be told."""
        file, line, column = self.span.file, self.span.line, self.span.column
        size = len(self.text)
        start = min(max(start, 0), size)
        end = min(max(end, start), size)
        if self.places is None:
            first = column + self.lead + start
            return Span(file, line, first, line, max(first + end - start, first + 1))
        if not self.places:
            return Span(file, line, column, line, column + 1)
        first_line, first_column = self.places[start]
        if end == start:
            return Span(file, first_line, first_column, first_line, first_column + 1)
        last_line, last_column = self.places[end - 1]
        return Span(file, first_line, first_column, last_line, last_column + 1)


@dataclass(frozen=True, slots=True)
class Scalar(Text):
    """A single value as text; whether it was written in quotes matters only where a yes or no is due."""

    quoted: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing was written where a value could stand."""
        return not self.text and not self.quoted


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value."""

    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order written. `partial`: something in it was refused and left out by the loader."""

    entries: dict[str, Entry]
    span: Span
    partial: bool = False

    def get(self, key: str) -> Node | None:
        """The value under `key`, or None."""
        entry = self.entries.get(key)
        return None if entry is None else entry.value

    def scalar(self, key: str) -> Scalar | None:
        """The value under `key` when it is a scalar that is not empty."""
        value = self.get(key)
        return value if isinstance(value, Scalar) and not value.empty else None

    def mapping(self, key: str) -> Mapping:
        """The value under `key` when it is a mapping, else an empty one."""
        value = self.get(key)
        return value if isinstance(value, Mapping) else Mapping({}, self.span)

    def items(self, key: str) -> tuple[Node, ...]:
        """The items under `key` when it is a sequence, else none."""
        value = self.get(key)
        return value.items if isinstance(value, Sequence) else ()

    def mappings(self, key: str) -> tuple[Mapping, ...]:
        """The items under `key` that are mappings."""
        return tuple(item for item in self.items(key) if isinstance(item, Mapping))

    def scalars(self, key: str) -> tuple[Scalar, ...]:
        """The items under `key` that are scalars."""
        return tuple(item for item in self.items(key) if isinstance(item, Scalar))

    def one_or_more(self, key: str) -> tuple[Scalar, ...]:
        """As `scalars`, where a lone scalar may stand for a list of one."""
        alone = self.scalar(key)
        return self.scalars(key) if alone is None else (alone,)


@dataclass(frozen=True, slots=True)
class Sequence:
    """Items in the order written."""

    items: tuple[Node, ...]
    span: Span = field(compare=False)


Node = Scalar | Mapping | Sequence


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, from the top."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        match node:
            case Mapping(entries=entries):
                pending += [entry.value for entry in reversed(entries.values())]
            case Sequence(items=items):
                pending += reversed(items)
            case _:
                pass
