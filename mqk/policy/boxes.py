"""Rows of a decision table as boxes of points: where no row fits, where two do, and which row can never be reached.

Each input is an axis, cut wherever a cell says something changes; between two cuts all points are alike. A box holds
one set of such stretches for each axis, as bits. Nothing here knows what a value is (tables.py does).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

# One set of stretches for each axis, as the bits of a whole number.
Box = tuple[int, ...]
# Beyond this many pieces a table is not understood by anybody.
MAX_PIECES = 20_000


class TooManyError(Exception):
    """The rows cut the space into more pieces than anybody looks at."""


def intersection(one: Box, other: Box) -> Box | None:
    """The points in both boxes, None when there are none."""
    both = tuple(a & b for a, b in zip(one, other, strict=True))
    return both if all(both) else None


def without(box: Box, other: Box) -> Iterator[Box]:
    """The points of a box that are not in another, as boxes that share none."""
    if intersection(box, other) is None:
        yield box
        return
    rest = list(box)
    for axis, taken in enumerate(other):
        outside = rest[axis] & ~taken
        if outside:
            yield (*rest[:axis], outside, *rest[axis + 1 :])
            rest[axis] &= taken


def remainder(space: Box, boxes: Sequence[Box]) -> list[Box]:
    """The points of the space that are in none of the boxes. Raises TooManyError."""
    left = [space]
    for box in boxes:
        left = [piece for each in left for piece in without(each, box)]
        if len(left) > MAX_PIECES:
            raise TooManyError
    return left


def overlaps(boxes: Sequence[Box]) -> Iterator[tuple[int, int, Box]]:
    """Each two boxes that share points, with what they share."""
    for (first, one), (second, other) in combinations(enumerate(boxes), 2):
        shared = intersection(one, other)
        if shared is not None:
            yield first, second, shared


def shadowed(boxes: Sequence[Box]) -> Iterator[int]:
    """Each box whose points all lie in boxes before it, or that has none. Raises TooManyError."""
    for index, box in enumerate(boxes):
        if not all(box) or not remainder(box, boxes[:index]):
            yield index
