"""A policy document written again in the house layout, with every comment it had.

What lives here: order of keys, indentation, spacing, breaking of long lines. Which comment belongs where is
comments.py; whether the result may replace the file is formatting.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from typing import Final

from mqk.dsl import DslError, format_expression, parse_expression
from mqk.policy.comments import Around, Comments
from mqk.policy.nodes import Entry, Mapping, Node, Scalar, Sequence
from mqk.policy.schemas import SchemaSet
from mqk.policy.source import Source

WIDTH: Final = 120
_STEP: Final = 2
_SIGN: Final = re.compile(r"[|>][0-9+-]*")
_BREAK: Final = re.compile(r"[ ]*(?:\r\n|\r|\n)[ ]*")
Path = tuple[str | int, ...]


class UnknownLayoutError(Exception):
    """A construct that is better left to the person who wrote it."""


@dataclass(slots=True)
class _Line:
    """A line to be written: its indentation, its text and the comment behind it."""

    indent: int
    text: str
    behind: str | None = None
    column: int = 0

    @property
    def lone(self) -> bool:
        """Whether it is blank or a comment alone."""
        return not self.text or self.text.startswith("#")


class Layout:
    """Writes one document of a kind."""

    def __init__(self, source: Source, root: Mapping, kind: str, schemas: SchemaSet) -> None:
        self._source = source
        self._root = root
        self._kind = kind
        self._schemas = schemas
        self.comments = Comments(source, root)

    def text(self) -> str:
        """The whole file."""
        first = next(iter(self._root.entries.values()), None)
        header: list[str] = []
        if first is not None:
            # What stands at the top speaks of the file, whichever key comes first.
            around = self.comments.around(first)
            header, around.above = around.above, []
        lines = [_Line(0, text) for text in header]
        lines += self._mapping(self._root, 0, ())
        lines += [_Line(0, text) for text in self.comments.tail]
        return _written(lines)

    def _mapping(self, node: Mapping, indent: int, path: Path) -> list[_Line]:
        lines: list[_Line] = []
        for name, entry in self._ordered(node, path):
            around = self.comments.around(entry)
            block = self._entry(entry, indent, (*path, name), around)
            lines += _placed(around, block, indent, first=not lines)
        return lines

    def _ordered(self, node: Mapping, path: Path) -> list[tuple[str, Entry]]:
        """The entries in the order of the schema, where the schema says which there can be."""
        entries = list(node.entries.items())
        schema = self._schemas.at(self._kind, path)
        if schema.get("additionalProperties") is not False:
            return entries
        order = {name: number for number, name in enumerate(schema.get("properties", {}))}
        return sorted(entries, key=lambda each: order.get(each[0], len(order)))

    def _entry(self, entry: Entry, indent: int, path: Path, around: Around) -> list[_Line]:
        key = self._slice(entry.key)
        value = entry.value
        if isinstance(value, Scalar) and value.empty:
            return [_Line(indent, f"{key}:", around.behind, around.column)]
        if isinstance(value, Scalar) or self.comments.in_brackets(value):
            return self._value(f"{key}: ", value, indent, path, around)
        below = (
            self._mapping(value, indent + _STEP, path)
            if isinstance(value, Mapping)
            else self._items(value, indent + _STEP, path)
        )
        return [_Line(indent, f"{key}:", around.behind, around.column), *below]

    def _items(self, node: Sequence, indent: int, path: Path) -> list[_Line]:
        lines: list[_Line] = []
        for number, item in enumerate(node.items):
            around = self.comments.around(item)
            if isinstance(item, Scalar) or self.comments.in_brackets(item):
                block = self._value("- ", item, indent, (*path, number), around)
            else:
                inner = (
                    self._mapping(item, indent + _STEP, (*path, number))
                    if isinstance(item, Mapping)
                    else self._items(item, indent + _STEP, (*path, number))
                )
                # A comment between the dash and the first key moves above the dash.
                lead = next(index for index, line in enumerate(inner) if not line.lone)
                block = [replace(line, indent=indent) for line in inner[:lead]]
                block += [replace(inner[lead], indent=indent, text=f"- {inner[lead].text}"), *inner[lead + 1 :]]
            lines += _placed(around, block, indent, first=not lines)
        return lines

    def _value(self, prefix: str, node: Node, indent: int, path: Path, around: Around) -> list[_Line]:
        """A value that begins on the line of its key or dash."""
        if isinstance(node, Scalar):
            if self.comments.is_block_text(node):
                return self._block_text(prefix, node, indent, around)
            first, *others = self._scalar(node, path).split("\n")
            lines = [_Line(indent, prefix + first)]
            lines += [_Line(indent + _STEP if each.strip() else 0, each.strip()) for each in others]
        elif self.comments.within(node.span):
            lines = self._as_written(prefix, node, indent)
        else:
            lines = self._in_brackets(prefix, node, indent, path)
        lines[-1].behind, lines[-1].column = around.behind, around.column
        return lines

    def _scalar(self, node: Scalar, path: Path) -> str:
        """A scalar as written, an expression with its spaces in order."""
        written = self._slice(node)
        schema = self._schemas.at(self._kind, path)
        if schema.get("format") == "expression" and not node.quoted and "\n" not in written:
            try:
                canonical = format_expression(parse_expression(written))
            except DslError:
                return written
            # Brackets that a person wrote to be understood stay.
            if "".join(canonical.split()) == "".join(written.split()):
                return canonical
        return written

    def _block_text(self, prefix: str, node: Scalar, indent: int, around: Around) -> list[_Line]:
        sign = _SIGN.match(self._slice(node))
        first, *content = self._slice(node).split("\n")
        assert sign is not None, first
        if not content or any(each.isdigit() for each in sign[0]):
            raise UnknownLayoutError
        own = min(len(each) - len(each.lstrip(" ")) for each in content if each.strip())
        lines = [_Line(indent, prefix + sign[0], around.behind, around.column)]
        lines += [_Line(indent + _STEP if each.strip() else 0, each[own:]) for each in content]
        return lines

    def _as_written(self, prefix: str, node: Node, indent: int) -> list[_Line]:
        """A value in brackets with comments inside: its own line breaks, moved to where it now stands."""
        first, *others = self._slice(node).split("\n")
        own = min((len(each) - len(each.lstrip(" ")) for each in others if each.strip()), default=0)
        lines = [_Line(indent, (prefix + first).rstrip())]
        lines += [_Line(indent + _STEP if each.strip() else 0, each[own:].rstrip()) for each in others]
        return lines

    def _in_brackets(self, prefix: str, node: Node, indent: int, path: Path) -> list[_Line]:
        """A mapping or list in brackets on one line, or broken between its parts where it is too long for one."""
        left, parts, right = self._parts(node, path)
        whole = f"{prefix}{left}{', '.join(parts)}{right}"
        if indent + len(whole) <= WIDTH or len(parts) < 2:
            return [_Line(indent, whole)]
        lines = [_Line(indent, prefix + left + parts[0])]
        inner = len(prefix) + len(left)
        for part in parts[1:]:
            last = lines[-1]
            if last.indent + len(last.text) + len(part) + 3 > WIDTH:
                last.text += ","
                lines.append(_Line(indent + inner, part))
            else:
                last.text += f", {part}"
        lines[-1].text += right
        return lines

    def _parts(self, node: Node, path: Path) -> tuple[str, list[str], str]:
        if isinstance(node, Mapping):
            return "{", [self._pair(entry, (*path, name)) for name, entry in self._ordered(node, path)], "}"
        items = node.items if isinstance(node, Sequence) else ()
        return "[", [self._inline(item, (*path, number)) for number, item in enumerate(items)], "]"

    def _pair(self, entry: Entry, path: Path) -> str:
        key = _joined(self._slice(entry.key))
        if isinstance(entry.value, Scalar) and entry.value.empty:
            return f"{key}:"
        return f"{key}: {self._inline(entry.value, path)}"

    def _inline(self, node: Node, path: Path) -> str:
        if isinstance(node, Scalar):
            return _joined(self._scalar(node, path))
        left, parts, right = self._parts(node, path)
        return f"{left}{', '.join(parts)}{right}"

    def _slice(self, node: Node) -> str:
        """What was written between the ends of a node, with plain line ends."""
        start = self._source.starts[node.span.line - 1] + node.span.column - 1
        end = self._source.starts[node.span.end_line - 1] + node.span.end_column - 1
        return self._source.text[start:end].replace("\r\n", "\n").replace("\r", "\n").rstrip(" \n")


def _joined(text: str) -> str:
    """A scalar over several lines on one, which is how YAML reads it; where it would not, it is left to its author."""
    if "\n" not in text:
        return text
    if re.search(r"\\[ ]*\n|\n[ ]*\n", text):
        raise UnknownLayoutError
    return _BREAK.sub(" ", text)


def _placed(around: Around, block: list[_Line], indent: int, *, first: bool) -> list[_Line]:
    """A key or item between the lines around it; nothing begins with a blank line."""
    above = list(around.above)
    while first and above and not above[0]:
        del above[0]
    lines = [_Line(indent if text else 0, text) for text in above]
    return [*lines, *block, *(_Line(indent, text) for text in around.below)]


def _written(lines: Items[_Line]) -> str:
    """The lines as text: comments behind neighbouring lines under each other, blank lines one at a time."""
    out: list[str] = []
    run: list[_Line] = []
    for line in lines:
        if run and (line.lone or line.indent != run[0].indent):
            out += _aligned(run)
            run = []
        if line.lone:
            text = " " * line.indent + line.text
            if text.strip() or (out and out[-1]):
                out.append(text.rstrip())
        else:
            run.append(line)
    out += _aligned(run)
    while out and not out[-1]:
        del out[-1]
    return "".join(f"{line}\n" for line in out)


def _aligned(run: Items[_Line]) -> list[str]:
    """Neighbouring lines with the comments behind them under each other; where they stand so already, they stay."""
    commented = [line for line in run if line.behind is not None]
    column = max((line.indent + len(line.text) + _STEP for line in commented), default=0)
    columns = {line.column for line in commented}
    if len(columns) == 1:
        column = max(column, columns.pop())
    return [
        " " * line.indent + (line.text if line.behind is None else line.text.ljust(column - line.indent) + line.behind)
        for line in run
    ]
