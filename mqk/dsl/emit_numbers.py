"""Exact numbers in generated code: pairs of integer expressions, and how they combine and compare without division.

Only text is made here; emit_python.py decides what is computed and in which order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd


@dataclass(frozen=True, slots=True)
class Number:
    """An exact value in generated code: two integer expressions; a denominator is always positive."""

    numerator: str
    denominator: str | int = 1


def set_literal(members: Iterable[str]) -> str:
    """Code for a set of constants, in an order that does not depend on hashing."""
    ordered = sorted(members)
    # An empty tuple would not look at the value at all, and a missing one would pass unseen.
    return "{" + ", ".join(ordered) + "}" if ordered else "frozenset()"


def times(expression: str, factor: str | int) -> str:
    """Code for a product, folded where both sides are constants."""
    if factor == 1:
        return expression
    if expression.lstrip("-").isdigit() and isinstance(factor, int):
        return str(int(expression) * factor)
    return f"{expression} * {factor}"


def relation(op: str, a: Number, b: Number) -> str:
    """`a op b` without division: both denominators are positive, so multiplying across keeps the order."""
    left, right = a.denominator, b.denominator
    if left == right:
        return f"{a.numerator} {op} {b.numerator}"
    if isinstance(left, int) and isinstance(right, int):
        common = gcd(left, right)
        left, right = left // common, right // common
    return f"{times(a.numerator, right)} {op} {times(b.numerator, left)}"


def combine(op: str, a: Number, b: Number) -> Number:
    """Code for `a + b`, `a - b`, and for products; a quotient is a product with a reciprocal."""
    if op in ("+", "-"):
        if a.denominator == b.denominator:
            return Number(f"({a.numerator} {op} {b.numerator})", a.denominator)
        top = f"({times(a.numerator, b.denominator)} {op} {times(b.numerator, a.denominator)})"
        return Number(top, _product(a.denominator, b.denominator))
    # Multiplication, `of`, and division by a number whose reciprocal is given.
    if b.numerator.lstrip("-").isdigit():
        top = times(a.numerator, int(b.numerator))
    elif a.numerator.lstrip("-").isdigit():
        top = times(b.numerator, int(a.numerator))
    else:
        top = f"{a.numerator} * {b.numerator}"
    return Number(f"({top})", _product(a.denominator, b.denominator))


def _product(a: str | int, b: str | int) -> str | int:
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    if a == 1:
        return b
    if b == 1:
        return a
    return f"({a} * {b})"
