"""Exact numbers as Ibis expressions: whole numbers that know how large they can be, and quotients of two of them.

What lives here: arithmetic on columns. A column is 64 bits wide while everything it can hold fits, and 38 decimal
digits where it does not; what may need more is refused. What does not: what an expression means (emit_ibis.py).

NULL stands for "cannot be judged", and every operation here is strict: one NULL operand makes the result NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import lcm
from typing import Any, Final

from mqk.quantity import INT64_MAX

WIDE: Final = "decimal(38, 0)"
_MOST: Final = 10**38 - 1


class NotEmitted(Exception):
    """An expression that no query can judge exactly; `why` says what is in the way."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class TooWide(NotEmitted):
    """A number that may need more than 38 digits: the same over smaller facts can still be emitted."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number: a constant, or a column whose values lie from `low` to `high`.

    `wide` columns are decimals of 38 digits, others have 64 bits. `nullable` ones may be NULL.
    """

    # Ibis expressions have no useful static type: their methods are made at run time.
    column: Any
    low: int
    high: int
    wide: bool = False
    nullable: bool = False

    @property
    def constant(self) -> int | None:
        """Its value, when it is the same everywhere."""
        return self.column if isinstance(self.column, int) else None

    def held(self, *, wide: bool) -> Any:
        """The column in one of the two widths."""
        import ibis  # noqa: PLC0415 - heavy

        if isinstance(self.column, int):
            return ibis.literal(Decimal(self.column), WIDE) if wide else ibis.literal(self.column, "int64")
        return self.column.cast(WIDE) if wide and not self.wide else self.column


def constant(value: int) -> Whole:
    """A whole number that is the same everywhere."""
    return Whole(value, value, value, wide=_needs_width(value, value))


def _needs_width(low: int, high: int) -> bool:
    if max(abs(low), abs(high)) > _MOST:
        raise TooWide("its numbers may need more than 38 digits")
    return low < -INT64_MAX - 1 or high > INT64_MAX


def _made(parts: Sequence[Whole], low: int, high: int, make: Any) -> Whole:
    """A column made of others, as wide as what goes in and what comes out."""
    wide = _needs_width(low, high) or any(part.wide for part in parts)
    column = make(*(part.held(wide=wide) for part in parts))
    return Whole(column, low, high, wide, any(part.nullable for part in parts))


def plus(a: Whole, b: Whole) -> Whole:
    """The sum of both."""
    if a.constant is not None and b.constant is not None:
        return constant(a.constant + b.constant)
    if a.constant == 0:
        return b
    if b.constant == 0:
        return a
    return _made((a, b), a.low + b.low, a.high + b.high, lambda x, y: x + y)


def negated(a: Whole) -> Whole:
    """The same with the other sign."""
    if a.constant is not None:
        return constant(-a.constant)
    return _made((a,), -a.high, -a.low, lambda x: -x)


def times(a: Whole, b: Whole) -> Whole:
    """The product of both."""
    if a.constant is not None and b.constant is not None:
        return constant(a.constant * b.constant)
    if a.constant == 1:
        return b
    if b.constant == 1:
        return a
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return _made((a, b), min(corners), max(corners), lambda x, y: x * y)


def absolute(a: Whole) -> Whole:
    """The same without its sign."""
    if a.constant is not None:
        return constant(abs(a.constant))
    if a.low >= 0:
        return a
    return _made((a,), max(a.low, -a.high, 0), max(-a.low, a.high), lambda x: x.abs())


def chosen(choices: Sequence[tuple[Any, bool, Whole]], otherwise: Whole) -> Whole:
    """The number of the first condition that holds; each comes with whether it may be NULL, which then is the result.

    A NULL condition ends it: nothing behind it counts.
    """
    parts = [otherwise, *(part for _, _, part in choices)]
    low, high = min(part.low for part in parts), max(part.high for part in parts)
    wide = any(part.wide for part in parts)
    column = choice(
        [(condition, may, part.held(wide=wide)) for condition, may, part in choices], otherwise.held(wide=wide)
    )
    nullable = any(part.nullable for part in parts) or any(may for _, may, _ in choices)
    return Whole(column, low, high, wide, nullable)


def choice(choices: Sequence[tuple[Any, bool, Any]], otherwise: Any) -> Any:
    """`chosen` for any kind of column."""
    import ibis  # noqa: PLC0415 - heavy

    branches: list[tuple[Any, Any]] = []
    for condition, may, value in choices:
        branches.append((condition, value))
        if may:
            # Ibis writes `NOT x IS NULL`, which is read as `NOT (x IS NULL)`: it is asked of a number instead.
            branches.append((condition.cast("int8").isnull(), ibis.null(value.type())))
    return ibis.cases(*branches, else_=otherwise)


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number: a whole number over another one that is never below one. A NULL is in the upper one."""

    top: Whole
    bottom: Whole

    @property
    def nullable(self) -> bool:
        """Whether it may be NULL."""
        return self.top.nullable or self.bottom.nullable


ONE: Final = Whole(1, 1, 1)


def number(top: int, bottom: int = 1) -> Number:
    """A number that is the same everywhere."""
    return Number(constant(top), constant(bottom))


def _common(a: Number, b: Number) -> tuple[Whole, Whole, Whole]:
    """Both upper numbers over one lower number, and that."""
    left, right = a.bottom.constant, b.bottom.constant
    if left is not None and right is not None:
        bottom = lcm(left, right)
        return times(a.top, constant(bottom // left)), times(b.top, constant(bottom // right)), constant(bottom)
    return times(a.top, b.bottom), times(b.top, a.bottom), times(a.bottom, b.bottom)


def add(a: Number, b: Number) -> Number:
    """The sum of both."""
    left, right, bottom = _common(a, b)
    return Number(plus(left, right), bottom)


def multiply(a: Number, b: Number) -> Number:
    """The product of both."""
    return Number(times(a.top, b.top), times(a.bottom, b.bottom))


def negate(a: Number) -> Number:
    """The same with the other sign."""
    return Number(negated(a.top), a.bottom)


def divide(a: Number, b: Number) -> Number:
    """The quotient; NULL where the divisor is zero."""
    import ibis  # noqa: PLC0415 - heavy

    top, bottom, divisor = times(a.top, b.bottom), times(a.bottom, absolute(b.top)), b.top
    if divisor.low > 0:
        return Number(top, bottom)
    if divisor.high < 0:
        return Number(negated(top), bottom)
    turned = negated(top)
    wide = top.wide or turned.wide
    held = divisor.held(wide=divisor.wide)
    branches = []
    if divisor.high > 0:
        branches.append((held > 0, top.held(wide=wide)))
    if divisor.low < 0:
        branches.append((held < 0, turned.held(wide=wide)))
    low, high = min(top.low, turned.low), max(top.high, turned.high)
    none = ibis.null(WIDE if wide else "int64")
    column = ibis.cases(*branches, else_=none) if branches else none
    # Where the quotient is NULL it does not matter below what; nobody may be led to think that it is zero.
    below = Whole(bottom.column, max(bottom.low, 1), max(bottom.high, 1), bottom.wide, bottom.nullable)
    return Number(Whole(column, low, high, wide, nullable=True), ONE if bottom.constant == 0 else below)


def compare(op: str, a: Number, b: Number) -> Any:
    """`a op b` as a condition without division: a plain bool when both are the same everywhere."""
    left, right, _ = _common(a, b)
    if left.constant is not None and right.constant is not None:
        return _RELATIONS[op](left.constant, right.constant)
    wide = left.wide or right.wide
    return _RELATIONS[op](left.held(wide=wide), right.held(wide=wide))


_RELATIONS: Final[dict[str, Any]] = {
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    ">=": lambda x, y: x >= y,
    ">": lambda x, y: x > y,
}


def related(op: str, left: Any, right: Any) -> Any:
    """`left op right` of two columns or constants."""
    return _RELATIONS[op](left, right)


def furthest(function: str, a: Number, b: Number) -> Number:
    """The smaller or the larger of both."""
    import ibis  # noqa: PLC0415 - heavy

    if a.bottom.constant is not None and b.bottom.constant is not None:
        left, right, bottom = _common(a, b)
        ends = min if function == "min" else max
        low, high = ends(left.low, right.low), ends(left.high, right.high)
        if left.constant is not None and right.constant is not None:
            return Number(constant(low), bottom)
        wide = left.wide or right.wide
        x, y = left.held(wide=wide), right.held(wide=wide)
        if not left.nullable and not right.nullable:
            column = ibis.least(x, y) if function == "min" else ibis.greatest(x, y)
            return Number(Whole(column, low, high, wide), bottom)
        first, second = (x <= y, x > y) if function == "min" else (x >= y, x < y)
        column = ibis.cases((first, x), (second, y), else_=ibis.null(x.type()))
        return Number(Whole(column, low, high, wide, nullable=True), bottom)
    condition = compare("<=" if function == "min" else ">=", a, b)
    may = a.nullable or b.nullable
    return Number(chosen([(condition, may, a.top)], b.top), chosen([(condition, may, a.bottom)], b.bottom))


def is_multiple(a: Number, b: Number) -> Any:
    """Whether `a` is a whole multiple of `b`, which is NULL where that is zero; a bool when both are constants."""
    whole, part = times(a.top, b.bottom), times(b.top, a.bottom)
    if whole.constant is not None and part.constant:
        return whole.constant % part.constant == 0
    wide = whole.wide or part.wide
    return whole.held(wide=wide) % part.held(wide=wide).nullif(0) == 0
