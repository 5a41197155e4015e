"""Invariants of the written form: what is written reads back the same, and what is ambiguous is refused with help.

Times and dates are tested in test_moments.py.
"""

from __future__ import annotations

import contextlib
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.quantity import (
    INT64_MAX,
    INT64_MIN,
    NOUNS,
    Count,
    Duration,
    Money,
    Price,
    Quantity,
    QuantityError,
    Rate,
    Ratio,
    RatioUnit,
    SessionSpan,
    format_money,
    format_ratio,
    parse_count,
    parse_duration,
    parse_money,
    parse_price,
    parse_quantity,
    parse_rate,
    parse_ratio,
    parse_span,
)

if TYPE_CHECKING:
    from collections.abc import Callable

INT64 = st.integers(min_value=INT64_MIN, max_value=INT64_MAX)
NATURAL = st.integers(min_value=0, max_value=INT64_MAX)
CURRENCY = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3)
UNITS: st.SearchStrategy[RatioUnit] = st.sampled_from(["%", "bps", "x"])
PARSERS: list[Callable[[str], object]] = [
    parse_money,
    parse_price,
    parse_quantity,
    parse_count,
    parse_ratio,
    parse_duration,
    parse_span,
    parse_rate,
]


@given(INT64, CURRENCY)
def test_money_reads_back_as_written(micros: int, currency: str) -> None:
    assert parse_money(str(Money(micros, currency))) == Money(micros, currency)


@given(NATURAL, CURRENCY)
def test_a_price_reads_back_as_written(micros: int, currency: str) -> None:
    assert parse_price(str(Price(micros, currency))) == Price(micros, currency)


@given(INT64)
def test_a_quantity_reads_back_as_written(value: int) -> None:
    assert parse_quantity(str(Quantity(value))) == Quantity(value)


@given(NATURAL, st.sampled_from([None, *NOUNS]))
def test_a_count_reads_back_as_written_with_its_noun(value: int, noun: str | None) -> None:
    read = parse_count(str(Count(value, noun)))
    assert (read.value, read.noun) == (value, noun)


@given(st.integers(-(10**15), 10**15), st.integers(0, 10), UNITS)
def test_a_finite_ratio_reads_back_as_written(digits: int, decimals: int, unit: RatioUnit) -> None:
    scale = {"%": 100, "bps": 10_000, "x": 1}[unit]
    ratio = Ratio(Fraction(digits, 10**decimals * scale), unit)
    read = parse_ratio(str(ratio))
    assert (read, read.unit) == (ratio, unit)


@given(NATURAL)
def test_a_duration_reads_back_as_written(micros: int) -> None:
    assert parse_duration(str(Duration(micros))) == Duration(micros)


@given(NATURAL, st.sampled_from(["sessions", "business_days"]))
def test_a_span_reads_back_as_written(count: int, unit: str) -> None:
    span = SessionSpan(count, unit)  # type: ignore[arg-type]
    assert parse_span(str(span)) == span


@given(st.integers(1, INT64_MAX), st.integers(1, INT64_MAX))
def test_a_rate_reads_back_as_written(count: int, micros: int) -> None:
    rate = Rate(count, Duration(micros))
    assert parse_rate(str(rate)) == rate


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_money, "25_000 USD"),
        (parse_money, "470.12 USD"),
        (parse_money, "-0.000001 EUR"),
        (parse_price, "0 USD"),
        (parse_quantity, "-5"),
        (parse_quantity, "1_000_000"),
        (parse_count, "3"),
        (parse_count, "1 trade"),
        (parse_count, "5 rejects"),
        (parse_ratio, "20%"),
        (parse_ratio, "0.05%"),
        (parse_ratio, "5bps"),
        (parse_ratio, "1.5x"),
        (parse_ratio, "-3%"),
        (parse_duration, "0s"),
        (parse_duration, "90s"),
        (parse_duration, "5m"),
        (parse_duration, "2h"),
        (parse_duration, "250ms"),
        (parse_duration, "10us"),
        (parse_span, "3 sessions"),
        (parse_span, "5 business_days"),
        (parse_rate, "5 per 90s"),
    ],
)
def test_canonical_text_is_written_back_unchanged(parse: Callable[[str], object], text: str) -> None:
    assert str(parse(text)) == text


@given(st.sampled_from(PARSERS), st.text(st.sampled_from("0159_-+.,eE%xbpsmhUSD$ perintfa\n\t٣½"), max_size=12))
def test_any_text_is_read_to_a_canonical_value_or_refused(parse: Callable[[str], object], text: str) -> None:
    try:
        value = parse(text)
    except QuantityError:
        return
    assert parse(str(value)) == value
    assert str(parse(str(value))) == str(value)


@given(st.sampled_from(PARSERS), st.text())
def test_no_text_at_all_raises_anything_but_a_quantity_error(parse: Callable[[str], object], text: str) -> None:
    with contextlib.suppress(QuantityError):
        parse(text)


@pytest.mark.parametrize("parse", PARSERS)
def test_a_hostile_length_is_refused_before_it_costs_anything(parse: Callable[[str], object]) -> None:
    with pytest.raises(QuantityError) as caught:
        parse("9" * 1_000_000)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("parse", "text", "code", "help_"),
    [
        (parse_ratio, "0.20", "unit", "write `20%` or `0.20%`"),
        (parse_ratio, "20", "unit", "write `20%` or `20x`"),
        (parse_ratio, "20 %", "syntax", "write `20%`"),
        (parse_ratio, "0.0000000000001%", "precision", None),
        (parse_ratio, "99999999999999999999%", "overflow", None),
        (parse_ratio, "20 USD", "unit", "write a ratio as `20%`, `5bps` or `1.5x`"),
        (parse_ratio, "~33.3333%", "syntax", None),
        (parse_money, "25000", "unit", "write `25_000 USD`"),
        (parse_money, "25000.5", "unit", "write `25_000.5 USD`"),
        (parse_money, "25,000 USD", "syntax", "write `25_000 USD`"),
        (parse_money, "25_000 usd", "unit", "write `25_000 USD`"),
        (parse_money, "25_000USD", "syntax", "write `25_000 USD`"),
        (parse_money, "+5 USD", "syntax", "write `5 USD`"),
        (parse_money, "0200 USD", "syntax", "write `200 USD`"),
        (parse_money, "2__0 USD", "syntax", "write `20 USD`"),
        (parse_money, ".5 USD", "syntax", "write `0.5 USD`"),
        (parse_money, "-0 USD", "sign", "write `0 USD`"),
        (parse_money, "1e5 USD", "syntax", "write the number out in digits"),
        (parse_money, "470.1234567 USD", "precision", None),
        (parse_money, "9_223_372_036_854.775808 USD", "overflow", None),
        (parse_money, "nan", "syntax", "write money in digits"),
        (parse_money, ".inf USD", "syntax", "write money in digits"),
        (parse_price, "-1 USD", "sign", None),
        (parse_quantity, "1.5", "precision", None),
        (parse_quantity, "100 shares", "unit", "write `100`"),
        (parse_quantity, "no", "syntax", None),
        (parse_count, "-1", "sign", None),
        (parse_count, "3 dogs", "unit", None),
        (parse_duration, "90", "unit", "write `90s` or `90m`"),
        (parse_duration, "1d", "unit", "write `24h` or `1 sessions`"),
        (parse_duration, "1.5h", "precision", "write `90m`"),
        (parse_duration, "0.1us", "precision", "write it in a smaller unit"),
        (parse_duration, "-5s", "sign", None),
        (parse_duration, "3_000_000_000h", "overflow", None),
        (parse_span, "3", "unit", "write `3 sessions` or `3 business_days`"),
        (parse_span, "3 days", "unit", "write a span as `3 sessions` or `5 business_days`"),
        (parse_rate, "5", "syntax", "write a rate as `5 per 300s`"),
        (parse_rate, "5 per 300", "unit", "write `300s` or `300m`"),
        (parse_rate, "0 per 300s", "range", None),
        (parse_rate, "5 per 0s", "range", None),
        (parse_rate, "5 orders per 300s", "unit", "write `5 per 300s`"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_how_to_write_it(
    parse: Callable[[str], object], text: str, code: str, help_: str | None
) -> None:
    with pytest.raises(QuantityError) as caught:
        parse(text)
    assert caught.value.code == code
    if help_ is not None:
        assert caught.value.help == help_


@given(st.fractions())
def test_a_ratio_is_written_exactly_or_marked_and_close(value: Fraction) -> None:
    text = format_ratio(value, "x")
    shown = Fraction(text.lstrip("~").removesuffix("x").replace("_", ""))
    if text.startswith("~"):
        assert shown != value or len(str(shown.denominator)) > 12
        assert abs(shown - value) <= abs(value) / 10**5
    else:
        assert shown == value


def test_a_ratio_without_a_finite_decimal_shows_six_digits() -> None:
    assert format_ratio(Fraction(1, 3)) == "~33.3333%"
    assert format_ratio(Fraction(2, 3), "bps") == "~6_666.67bps"
    assert format_ratio(Fraction(-(10**7), 7), "x") == "~-1_428_571x"


@given(INT64)
def test_money_shows_no_decimals_or_at_least_two(micros: int) -> None:
    _, dot, decimals = format_money(micros).removesuffix(" USD").partition(".")
    assert (not dot and micros % 1_000_000 == 0) or 2 <= len(decimals) <= 6
