"""Integer arithmetic with stated rounding and 64-bit bounds: the only place where mqk rounds.

No units and no text here; values.py gives numbers their units, parse.py and format.py their written form.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import Final

from mqk.quantity.errors import QuantityError

MICROS: Final = 1_000_000
DAY_MICROS: Final = 86_400 * MICROS
"""A day of 24 hours, in micros of a second."""
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1


@unique
class Rounding(Enum):
    """Where a value that falls between two integers goes. There is no default anywhere: the caller says."""

    FLOOR = "floor"
    CEILING = "ceiling"
    TOWARD_ZERO = "toward_zero"
    AWAY_FROM_ZERO = "away_from_zero"
    HALF_EVEN = "half_even"


def checked(value: int, what: str = "value") -> int:
    """Return `value` when it is an integer of 64 bits.

    Raises QuantityError "overflow" outside [INT64_MIN, INT64_MAX] and "precision" for anything but a plain `int`
    (a float or a bool here is a bug of the caller, and floats never reach a decision).
    """
    if type(value) is not int:
        raise QuantityError("precision", f"{what} must be a whole number, found {type(value).__name__} `{value!r}`")
    if not INT64_MIN <= value <= INT64_MAX:
        raise QuantityError("overflow", f"{what} does not fit in 64 bits")
    return value


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Return numerator / denominator as an integer, rounded as stated. The result is not bounded to 64 bits.

    Raises QuantityError "range" when the denominator is zero.
    """
    if denominator == 0:
        raise QuantityError("range", "division by zero")
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    floor, rest = divmod(numerator, denominator)
    if rest == 0 or rounding is Rounding.FLOOR:
        return floor
    if rounding is Rounding.CEILING:
        return floor + 1
    if rounding is Rounding.TOWARD_ZERO:
        return floor + 1 if numerator < 0 else floor
    if rounding is Rounding.AWAY_FROM_ZERO:
        return floor if numerator < 0 else floor + 1
    doubled = 2 * rest
    if doubled == denominator:
        return floor + (floor & 1)
    return floor + 1 if doubled > denominator else floor


def mul_div(a: int, b: int, c: int, rounding: Rounding) -> int:
    """Return a * b / c, exact until the one stated rounding.

    Raises QuantityError "range" when c is zero and "overflow" when the result leaves 64 bits.
    """
    return checked(divide(a * b, c, rounding), "result")
