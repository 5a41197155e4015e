"""Conditions of three values as Ibis expressions: true, false, and NULL for what cannot be judged.

What lives here: connecting them. SQL's `and` and `or` let a settled answer hide a NULL; the language never does, unless
a test of presence settles it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from mqk.dsl.emit_ibis_numbers import choice


@dataclass(frozen=True, slots=True)
class Truth:
    """A column of conditions, or of words; `nullable` says that it may be NULL.

    `constant` is what a condition always is, None when that depends on the facts.
    """

    # Ibis expressions have no useful static type: their methods are made at run time.
    column: Any
    nullable: bool
    constant: bool | None = None

    def opposite(self) -> Truth:
        """The negation."""
        return (
            constant_truth(holds=not self.constant) if self.constant is not None else Truth(~self.column, self.nullable)
        )


def constant_truth(*, holds: bool) -> Truth:
    """A condition that is the same everywhere."""
    import ibis  # noqa: PLC0415 - heavy

    return Truth(ibis.literal(holds, "boolean"), nullable=False, constant=holds)


def all_of(parts: Sequence[Truth]) -> Truth:
    """Whether all hold; NULL as soon as one is."""
    return _connected("and", parts)


def any_of(parts: Sequence[Truth]) -> Truth:
    """Whether one holds; NULL as soon as one is."""
    return _connected("or", parts)


def _connected(op: str, parts: Sequence[Truth]) -> Truth:
    settles = op == "or"
    left = [part for part in parts if part.constant is not (not settles)]
    if not left:
        return constant_truth(holds=not settles)
    if len(left) == 1:
        return left[0]
    columns = [part.column for part in left]
    if not any(part.nullable for part in left):
        if any(part.constant is settles for part in left):
            return constant_truth(holds=settles)
        joined = reduce(lambda a, b: a | b, columns) if settles else reduce(lambda a, b: a & b, columns)
        return Truth(joined, nullable=False)
    # As numbers they are strict, and each is written out once.
    ends = [column.cast("int8").cast("int64") for column in columns]
    if settles:
        return Truth(reduce(lambda a, b: a + b, ends) > 0, nullable=True)
    return Truth(reduce(lambda a, b: a * b, ends) == 1, nullable=True)


def either(condition: Truth, then: Truth, otherwise: Truth) -> Truth:
    """`then` where the condition holds, else `otherwise`; NULL where it is."""
    if condition.constant is not None:
        return then if condition.constant else otherwise
    column = choice([(condition.column, condition.nullable, then.column)], otherwise.column)
    return Truth(column, condition.nullable or then.nullable or otherwise.nullable)


def presence_first(op: str, parts: Sequence[tuple[Truth, bool]]) -> Truth:
    """A connective whose operands come with whether they are tests of presence alone.

    Where such a test settles the result, what stands behind it is not judged; what stood before it was.
    """
    settles = op == "or"
    for place, (part, presence) in enumerate(parts[:-1]):
        if presence and any(each.nullable for each, _ in parts[place + 1 :]):
            rest = presence_first(op, parts[place + 1 :])
            settled = constant_truth(holds=settles)
            tail = either(part, settled, rest) if settles else either(part, rest, settled)
            return _connected(op, [*(each for each, _ in parts[:place]), tail])
    return _connected(op, [each for each, _ in parts])
