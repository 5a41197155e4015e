"""The cells of decision tables: from `at least 3 USD and below 50 USD` to its bounds, each with its place.

What the values in them are is not known here; which points a cell holds, tables.py works out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mqk.policy.diagnostics import Span
from mqk.policy.nodes import Scalar, Sequence, Text

_BOUND: Final = re.compile(r"(below|at most|above|at least)\s+(\S.*)", re.DOTALL)
_AND: Final = re.compile(r"\s+and\s+")
# The forms there are, for messages.
CELLS: Final = (
    "write a value, a set, `any`, `not V`, `below V`, `at most V`, `above V`, `at least V`, or two bounds with `and`"
)


class CellError(Exception):
    """A cell that says nothing: `message` and `help` tell why, `span` where."""

    def __init__(self, message: str, help: str, span: Span) -> None:
        super().__init__(message)
        self.message, self.help, self.span = message, help, span


@dataclass(frozen=True, slots=True)
class Part:
    """A value within a cell, as written, and its place."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Bound:
    """An end of a range, and whether it belongs to the range."""

    value: Part
    included: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """What fits a cell: one of `members` (or, `negated`, none of them), what lies between two bounds, or anything."""

    members: tuple[Part, ...] | None = None
    negated: bool = False
    low: Bound | None = None
    high: Bound | None = None

    @property
    def values(self) -> tuple[Part, ...]:
        """Every value written in the cell."""
        bounds = (each.value for each in (self.low, self.high) if each is not None)
        return (*(self.members or ()), *bounds)


def parse_cell(cell: Text | Sequence | None) -> Cell:
    """What a cell says; an absent one fits anything. Raises CellError."""
    if cell is None:
        return Cell()
    if isinstance(cell, Sequence):
        return Cell(tuple(Part(item.text.strip(), item.span) for item in cell.items if isinstance(item, Scalar)))
    start = len(cell.text) - len(cell.text.lstrip())
    text = cell.text.strip()
    if text == "any":
        return Cell()
    if text == "not" or text.startswith("not "):
        return _negated(cell, text, start)
    if _BOUND.match(text):
        return _range(cell, text, start)
    if text.split(" ")[0] in ("below", "above", "at"):
        raise CellError(f"`{text}` is no bound", "write `below V`, `at most V`, `above V` or `at least V`", cell.span)
    return Cell((_part(cell, text, start),))


def _part(cell: Text, text: str, start: int) -> Part:
    return Part(text, cell.part(start, start + len(text)))


def _negated(cell: Text, text: str, start: int) -> Cell:
    body = text[3:].strip()
    at = start + text.index(body, 3) if body else start
    if not body or _BOUND.match(body):
        raise CellError(f"`{text}` does not say what not" if not body else f"`{text}` is no cell", CELLS, cell.span)
    if not body.startswith("["):
        return Cell((_part(cell, body, at),), negated=True)
    if not body.endswith("]") or not body[1:-1].strip():
        raise CellError(f"`{text}` has no set behind `not`", "write `not [A, B]`", cell.span)
    members = []
    for match in re.finditer(r"[^,]+", body[1:-1]):
        word = match[0].strip()
        if not word:
            raise CellError(f"`{text}` has an empty member", "write `not [A, B]`", cell.span)
        members.append(_part(cell, word, at + 1 + match.start() + match[0].index(word)))
    return Cell(tuple(members), negated=True)


def _range(cell: Text, text: str, start: int) -> Cell:
    low: Bound | None = None
    high: Bound | None = None
    at = 0
    for piece in _AND.split(text):
        offset = text.index(piece, at)
        at = offset + len(piece)
        match = _BOUND.fullmatch(piece)
        if match is None:
            raise CellError(f"`{piece}` is no bound", CELLS, cell.part(start + offset, start + at))
        word, value = match[1], match[2]
        bound = Bound(_part(cell, value, start + offset + match.start(2)), word in ("at most", "at least"))
        if word in ("below", "at most"):
            if high is not None:
                raise CellError(f"`{text}` has two upper bounds", "keep one of them", bound.value.span)
            high = bound
        else:
            if low is not None:
                raise CellError(f"`{text}` has two lower bounds", "keep one of them", bound.value.span)
            low = bound
    return Cell(low=low, high=high)
