"""Invariants of the values with units: they mix only with their own unit and never leave their bounds.

Their written form is tested in test_text.py.
"""

from __future__ import annotations

import operator
import pickle
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.quantity import (
    INT64_MAX,
    INT64_MIN,
    Count,
    Duration,
    Money,
    Price,
    Quantity,
    QuantityError,
    Rate,
    Ratio,
    Rounding,
    SessionSpan,
)

if TYPE_CHECKING:
    from collections.abc import Callable

INT64 = st.integers(min_value=INT64_MIN, max_value=INT64_MAX)
SAMPLES: list[Any] = [
    Money(1),
    Money(1, "EUR"),
    Price(1),
    Price(1, "EUR"),
    Quantity(1),
    Count(1, "trades"),
    Ratio(Fraction(1)),
    Duration(1),
    SessionSpan(1, "sessions"),
    SessionSpan(1, "business_days"),
    Rate(1, Duration(1)),
    Rate(1, Duration(2)),
]
ORDER: list[Callable[[Any, Any], Any]] = [operator.lt, operator.le, operator.gt, operator.ge]
PAIRS = [(a, b) for i, a in enumerate(SAMPLES) for j, b in enumerate(SAMPLES) if i != j]


def code_of(action: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(QuantityError) as caught:
        action(*arguments)
    return caught.value.code


@pytest.mark.parametrize(("left", "right"), PAIRS, ids=str)
def test_values_of_different_units_are_never_ordered_or_equal(left: Any, right: Any) -> None:
    assert left != right
    for compare in ORDER:
        assert code_of(compare, left, right) == "unit"


@pytest.mark.parametrize(("left", "right"), PAIRS, ids=str)
def test_values_of_different_units_are_never_added_or_subtracted(left: Any, right: Any) -> None:
    for combine in (operator.add, operator.sub):
        with pytest.raises((QuantityError, TypeError)):
            combine(left, right)


@pytest.mark.parametrize("value", SAMPLES, ids=str)
@pytest.mark.parametrize("bare", [1, 1.0, float("nan"), "1", None, True], ids=repr)
def test_a_bare_number_is_never_comparable_with_a_unit(value: Any, bare: object) -> None:
    assert value != bare
    for compare in ORDER:
        assert code_of(compare, value, bare) == "unit"


@pytest.mark.parametrize("value", [Money(3), Price(3), Quantity(3), Duration(3), Ratio(Fraction(3))], ids=str)
@pytest.mark.parametrize("factor", [1.5, True, "2", None, Money(2), Price(2), Duration(2)], ids=repr)
def test_a_factor_is_a_whole_number_without_a_unit(value: Any, factor: object) -> None:
    assert code_of(operator.mul, value, factor) == "unit"


@given(INT64, INT64)
def test_money_arithmetic_is_exact_or_an_overflow(a: int, b: int) -> None:
    for combine in (operator.add, operator.sub):
        expected = combine(a, b)
        if INT64_MIN <= expected <= INT64_MAX:
            assert combine(Money(a), Money(b)) == Money(expected)
        else:
            assert code_of(combine, Money(a), Money(b)) == "overflow"


@given(st.integers(0, INT64_MAX), INT64)
def test_price_times_shares_is_money_or_an_overflow(micros: int, shares: int) -> None:
    if INT64_MIN <= micros * shares <= INT64_MAX:
        assert Price(micros) * shares == shares * Price(micros) == Money(micros * shares)
    else:
        assert code_of(operator.mul, Price(micros), shares) == "overflow"


@given(INT64, INT64)
def test_order_of_values_is_the_order_of_their_numbers(a: int, b: int) -> None:
    for compare in [*ORDER, operator.eq, operator.ne]:
        assert compare(Money(a), Money(b)) == compare(a, b)
        assert compare(Quantity(a), Quantity(b)) == compare(a, b)


@given(st.fractions(min_value=-5, max_value=5, max_denominator=10**9), st.integers(-(2**40), 2**40))
def test_a_ratio_of_money_rounds_as_stated(value: Fraction, micros: int) -> None:
    ratio, exact = Ratio(value), value * micros
    floor, ceiling = ratio.of(Money(micros), Rounding.FLOOR), ratio.of(Money(micros), Rounding.CEILING)
    assert floor.micros <= exact <= ceiling.micros
    assert ceiling.micros - floor.micros <= 1


@given(st.fractions(max_denominator=10**6, min_value=-1000, max_value=1000))
def test_a_ratio_is_the_same_in_every_unit(value: Fraction) -> None:
    assert Ratio(value, "%") == Ratio(value, "bps") == Ratio(value, "x")
    assert len({Ratio(value, "%"), Ratio(value, "x")}) == 1
    assert Ratio(value, "%") <= Ratio(value, "x")


def test_the_noun_of_a_count_is_for_people_only() -> None:
    assert Count(3, "trades") == Count(3)
    assert (Count(3, "trades") + Count(1)).noun == "trades"


@pytest.mark.parametrize(
    "build",
    [
        lambda: Price(-1),
        lambda: Count(-1),
        lambda: Duration(-1),
        lambda: SessionSpan(-1, "sessions"),
        lambda: Rate(-1, Duration(1)),
        lambda: Count(1) - Count(2),
        lambda: Duration(1) - Duration(2),
    ],
)
def test_what_cannot_be_negative_never_is(build: Callable[[], object]) -> None:
    assert code_of(build) == "sign"


def test_the_difference_of_two_prices_is_signed_money() -> None:
    assert Price(1) - Price(3) == Money(-2)


@pytest.mark.parametrize("build", [lambda: Rate(0, Duration(1)), lambda: Rate(1, Duration(0))])
def test_a_rate_counts_something_over_some_time(build: Callable[[], object]) -> None:
    assert code_of(build) == "range"


@pytest.mark.parametrize("build", [lambda: -Money(INT64_MIN), lambda: abs(Quantity(INT64_MIN))])
def test_the_lowest_number_has_no_opposite(build: Callable[[], object]) -> None:
    assert code_of(build) == "overflow"


@pytest.mark.parametrize("currency", ["usd", "US", "USDT", "", "US1", "USD\n"])
def test_a_currency_is_three_capitals(currency: str) -> None:
    assert code_of(Money, 1, currency) == "unit"


@pytest.mark.parametrize("part", [0.5, 1, "1/2"])
def test_a_ratio_is_never_made_of_a_float(part: Any) -> None:
    assert code_of(Ratio, part) == "precision"


@pytest.mark.parametrize("value", SAMPLES, ids=str)
def test_values_are_immutable_and_survive_pickling(value: Any) -> None:
    first = value.__slots__[0]
    with pytest.raises(AttributeError):
        setattr(value, first, 7)
    assert pickle.loads(pickle.dumps(value)) == value


def test_an_error_survives_pickling_with_its_help() -> None:
    error = pickle.loads(pickle.dumps(QuantityError("unit", "no unit", "write one")))
    assert (error.code, error.message, error.help, str(error)) == ("unit", "no unit", "write one", "no unit")
