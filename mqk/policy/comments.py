"""The comments and blank lines of a policy file, and which key or item each of them belongs to.

What lives here: finding them beside the tree, which knows nothing of them. How they are written again is layout.py.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mqk.policy.diagnostics import Span
from mqk.policy.nodes import Entry, Mapping, Node, Scalar, walk
from mqk.policy.source import Source, split_lines

_HASH = re.compile(r"(?:^|(?<=[ \t]))#.*")


@dataclass(slots=True)
class Around:
    """What stands around a key or an item: lines above it (an empty one is blank), behind it, and at its end."""

    above: list[str] = field(default_factory=list)
    behind: str | None = None
    # Where the comment behind it stands, from 0.
    column: int = 0
    below: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A key or an item of a block: where it begins, the last line of its value, and what stands around it."""

    line: int
    column: int
    last_line: int
    around: Around


class Comments:
    """The comments of a file, each beside the key or item that it belongs to; `tail` stands at the end of the file."""

    def __init__(self, source: Source, root: Mapping) -> None:
        self._lines = split_lines(source.text)
        self._around: dict[int, Around] = {}
        self._scalars = sorted(
            (self._text_of(each) for each in _scalars(root)), key=lambda each: (each.line, each.column)
        )
        anchors = sorted(self._anchors(root), key=lambda each: (each.line, each.column))
        self.tail: list[str] = []
        # Where each comment stands, so that none gets lost unnoticed.
        self.texts: list[str] = []
        self._places: list[tuple[int, int]] = []
        self._share(anchors)

    def around(self, what: Entry | Node) -> Around:
        """What stands around a key, or around an item of a block."""
        return self._around.setdefault(id(what), Around())

    def within(self, span: Span) -> bool:
        """Whether a comment stands inside a value, and not behind its end."""
        begin, end = (span.line, span.column), (span.end_line, span.end_column)
        return any(begin < place < end for place in self._places)

    def _anchors(self, node: Node) -> Iterator[_Anchor]:
        """The keys and items of blocks, the outer ones first; what is within brackets belongs to the bracket's key."""
        if isinstance(node, Scalar) or self.in_brackets(node):
            return
        if isinstance(node, Mapping):
            for entry in node.entries.values():
                last = entry.value.span.end_line if self._compact(entry.value) else entry.key.span.line
                yield _Anchor(entry.key.span.line, entry.key.span.column, last, self.around(entry))
                yield from self._anchors(entry.value)
        else:
            for item in node.items:
                span = item.span
                before = self._lines[span.line - 1][: span.column - 1].rstrip()
                column = len(before) if before.endswith("-") else max(span.column - 2, 1)
                last = span.end_line if self._compact(item) else span.line
                yield _Anchor(span.line, column, last, self.around(item))
                yield from self._anchors(item)

    def in_brackets(self, node: Node) -> bool:
        """Whether a mapping or a list is written in `{}` or `[]`."""
        line = self._lines[node.span.line - 1]
        return not isinstance(node, Scalar) and line[node.span.column - 1 : node.span.column] in ("{", "[")

    def is_block_text(self, node: Node) -> bool:
        """Whether a scalar is written under a `|` or a `>`."""
        line = self._lines[node.span.line - 1]
        return isinstance(node, Scalar) and not node.quoted and line[node.span.column - 1 : node.span.column] in "|>"

    def _text_of(self, scalar: Scalar) -> Span:
        """The place of a scalar's text: that of a block begins on the line after its sign, which may have a comment."""
        span = scalar.span
        return replace(span, line=span.line + 1, column=1) if self.is_block_text(scalar) else span

    def _compact(self, node: Node) -> bool:
        """Whether a comment behind the last line of a value belongs to its key."""
        return (isinstance(node, Scalar) and not self.is_block_text(node)) or self.in_brackets(node)

    def _share(self, anchors: list[_Anchor]) -> None:
        starts = [each.line for each in anchors]
        for number, line in enumerate(self._lines, start=1):
            found = next((each for each in _HASH.finditer(line) if not self._in_scalar(number, each.start() + 1)), None)
            if found is None:
                if not line.strip() and not self._in_scalar(number, 1):
                    self._lone(anchors, starts, number, None, "")
                continue
            text = found[0].rstrip()
            self.texts.append(text)
            self._places.append((number, found.start() + 1))
            if not line[: found.start()].strip(" -"):
                self._lone(anchors, starts, number, found.start() + 1, text)
                continue
            here = [each for each in anchors[: bisect_right(starts, number)] if number in (each.line, each.last_line)]
            if here:
                here[-1].around.behind, here[-1].around.column = text, found.start()

    def _lone(self, anchors: list[_Anchor], starts: list[int], line: int, column: int | None, text: str) -> None:
        """A blank line, or a comment that has a line to itself: it belongs to what follows, unless it stands deeper."""
        index = bisect_right(starts, line)
        following = anchors[index] if index < len(anchors) else None
        floor = following.column if following is not None else 1
        if column is not None and column > floor:
            ended = [each for each in anchors[:index] if each.column <= column]
            if ended and ended[-1].column > floor:
                ended[-1].around.below.append(text)
                return
        (self.tail if following is None else following.around.above).append(text)

    def _in_scalar(self, line: int, column: int) -> bool:
        index = bisect_right(self._scalars, (line, column), key=lambda each: (each.line, each.column)) - 1
        if index < 0:
            return False
        span = self._scalars[index]
        return (line, column) < (span.end_line, span.end_column)


def _scalars(root: Node) -> Iterator[Scalar]:
    """All keys and values that are written at all."""
    for node in walk(root):
        if isinstance(node, Mapping):
            yield from (entry.key for entry in node.entries.values())
        elif isinstance(node, Scalar) and not node.empty:
            yield node
