"""Ratios to nine decimals, always rounded against whoever wants to be promoted; roots and growth without floats.

What lives here: arithmetic. What does not: what any of it means (figures.py).
"""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction
from math import isqrt
from typing import Final

from mqk.quantity import Rounding, divide

SCALE: Final = 10**9
# Correctly rounded in every digit, whichever machine computes them; far more of them than are kept.
_DIGITS: Final = Context(prec=60)
# A yearly growth of e to the 90th says that a gain of minutes was compounded, and nothing about a strategy.
_MOST: Final = 90


def down(value: Fraction) -> Fraction:
    """The greatest ratio of nine decimals that is not above a value."""
    return Fraction(divide(value.numerator * SCALE, value.denominator, Rounding.FLOOR), SCALE)


def up(value: Fraction) -> Fraction:
    """The least ratio of nine decimals that is not below a value."""
    return -down(-value)


def root_down(square: Fraction) -> Fraction:
    """The greatest ratio of nine decimals whose square is not above one that is at least zero."""
    return Fraction(isqrt(square.numerator * SCALE * SCALE // square.denominator), SCALE)


def root_up(square: Fraction) -> Fraction:
    """The least ratio of nine decimals whose square is not below one that is at least zero."""
    root = root_down(square)
    return root if root * root == square else root + Fraction(1, SCALE)


def growth(ratio: Fraction, years: Fraction) -> Fraction | None:
    """The yearly growth that multiplies by `ratio` (above zero) in so many years, rounded down; None beyond measure."""
    log = _DIGITS.ln(_DIGITS.divide(Decimal(ratio.numerator), Decimal(ratio.denominator)))
    yearly = _DIGITS.divide(_DIGITS.multiply(log, Decimal(years.denominator)), Decimal(years.numerator))
    if yearly > _MOST:
        return None
    return down(Fraction(_DIGITS.exp(yearly)) - 1)
