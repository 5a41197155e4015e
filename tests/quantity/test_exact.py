"""Invariants of the integer arithmetic: bounds, exactness, and what each stated rounding means.

Values with units are tested in test_values.py.
"""

from __future__ import annotations

import decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.quantity import INT64_MAX, INT64_MIN, QuantityError, Rounding, checked, divide, mul_div

WIDE = st.integers(min_value=-(2**80), max_value=2**80)
NONZERO = WIDE.filter(bool)
DECIMAL_NAMES = {
    Rounding.FLOOR: decimal.ROUND_FLOOR,
    Rounding.CEILING: decimal.ROUND_CEILING,
    Rounding.TOWARD_ZERO: decimal.ROUND_DOWN,
    Rounding.AWAY_FROM_ZERO: decimal.ROUND_UP,
    Rounding.HALF_EVEN: decimal.ROUND_HALF_EVEN,
}


@given(st.integers())
def test_checked_returns_exactly_the_64_bit_integers(value: int) -> None:
    if INT64_MIN <= value <= INT64_MAX:
        assert checked(value) == value
    else:
        with pytest.raises(QuantityError) as caught:
            checked(value, "cash")
        assert caught.value.code == "overflow"
        assert str(caught.value) == "cash does not fit in 64 bits"


@pytest.mark.parametrize("value", [INT64_MIN, INT64_MAX])
def test_the_ends_of_64_bits_are_inside(value: int) -> None:
    assert checked(value) == value


@pytest.mark.parametrize("value", [1.0, float("nan"), float("inf"), True, Fraction(1), decimal.Decimal(1), "1", None])
def test_only_plain_integers_are_numbers(value: object) -> None:
    with pytest.raises(QuantityError) as caught:
        checked(value)  # type: ignore[arg-type]
    assert caught.value.code == "precision"


@given(WIDE, NONZERO, st.sampled_from(list(Rounding)))
def test_divide_rounds_as_decimal_does(numerator: int, denominator: int, rounding: Rounding) -> None:
    with decimal.localcontext() as context:
        context.prec = 200
        expected = (decimal.Decimal(numerator) / decimal.Decimal(denominator)).to_integral_value(
            DECIMAL_NAMES[rounding]
        )
    assert divide(numerator, denominator, rounding) == int(expected)


@given(WIDE, NONZERO)
def test_floor_and_ceiling_enclose_the_quotient_within_one(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    floor, ceiling = (divide(numerator, denominator, way) for way in (Rounding.FLOOR, Rounding.CEILING))
    assert floor <= exact <= ceiling
    assert ceiling - floor == (0 if exact.denominator == 1 else 1)


@given(WIDE, WIDE, NONZERO, st.sampled_from(list(Rounding)))
def test_mul_div_rounds_once_and_never_wraps(a: int, b: int, c: int, rounding: Rounding) -> None:
    exact = divide(a * b, c, rounding)
    if INT64_MIN <= exact <= INT64_MAX:
        assert mul_div(a, b, c, rounding) == exact
    else:
        with pytest.raises(QuantityError) as caught:
            mul_div(a, b, c, rounding)
        assert caught.value.code == "overflow"


def test_mul_div_keeps_products_wider_than_64_bits_exact() -> None:
    assert mul_div(INT64_MAX, INT64_MAX, INT64_MAX, Rounding.FLOOR) == INT64_MAX


@pytest.mark.parametrize("rounding", list(Rounding))
def test_division_by_zero_is_an_error_and_never_a_number(rounding: Rounding) -> None:
    with pytest.raises(QuantityError) as caught:
        mul_div(1, 1, 0, rounding)
    assert caught.value.code == "range"
