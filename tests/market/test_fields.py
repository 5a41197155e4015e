"""Invariants of reading fields: exact, and the same whether a column is read at once or field by field.

Whole files are tested in test_reader.py.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.market import fields
from mqk.quantity import MICROS

NEARLY = st.text(st.sampled_from("0123456789.-+e_ ,n"), max_size=14)
DECIMALS = st.builds(
    lambda whole, fraction: f"{whole}.{fraction}" if fraction else str(whole),
    st.integers(0, 10**13),
    st.text("0123456789", max_size=7),
)
MOMENTS = st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0"))


@given(st.integers(0, 10**12), st.text("0123456789", max_size=6))
def test_a_price_is_exactly_what_is_written(whole: int, fraction: str) -> None:
    text = f"{whole}.{fraction}" if fraction else str(whole)
    assert fields.price_micros(text) == Fraction(text) * MICROS


@given(NEARLY)
def test_a_text_is_a_price_or_refused_and_never_something_near(text: str) -> None:
    try:
        micros = fields.price_micros(text)
    except fields.FieldError:
        return
    assert Fraction(micros, MICROS) == Fraction(text)
    assert text.replace(".", "").isdigit()


@pytest.mark.parametrize("make", [lambda: fields.PRICE, lambda: fields.VOLUME, lambda: fields.SECONDS, fields.instants])
@given(
    texts=st.one_of(
        st.lists(DECIMALS, min_size=1, max_size=6),
        st.lists(st.integers(0, 10**19).map(str), min_size=1, max_size=6),
        st.lists(MOMENTS, min_size=1, max_size=6),
        st.lists(NEARLY, min_size=1, max_size=3),
    )
)
def test_a_column_read_at_once_equals_its_fields_read_alone(make: Any, texts: list[str]) -> None:
    reader = make()
    try:
        column = reader.many(texts)
    except fields.FieldError:
        # The fast way may give up on what the slow way reads; never the other way round.
        return
    assert column == [reader.one(text) for text in texts]


@pytest.mark.parametrize(
    ("reader", "texts"),
    [
        (fields.PRICE, ["470.12", "0.50", "99.99"]),
        (fields.PRICE, ["470.12", "0.5", "99"]),
        (fields.PRICE, ["1", "2"]),
        (fields.VOLUME, ["100", "0"]),
        (fields.SECONDS, ["1767625200"]),
        (fields.instants(), ["2026-01-05T15:00:00Z", "2026-01-06T15:00:00.25Z"]),
    ],
)
def test_ordinary_columns_are_read_the_fast_way(reader: fields.Reader, texts: list[str]) -> None:
    assert reader.many(texts) == [reader.one(text) for text in texts]


@pytest.mark.parametrize(
    "text", ["", ".5", "5.", "-1", "+1", "1e3", "1_000", "1,000", " 1", "nan", "inf", "1.2.3", "²"]
)
def test_what_is_no_price_is_refused_alone_and_in_a_column(text: str) -> None:
    for column in ([text], ["1.50", text], [text, "1.50"]):
        with pytest.raises(fields.FieldError):
            fields.PRICE.many(column)
    with pytest.raises(fields.FieldError):
        fields.price_micros(text)


@pytest.mark.parametrize("text", ["true", "TRUE", "1", "yes", "Yes"])
def test_a_flag_is_true_in_any_of_its_spellings(text: str) -> None:
    assert fields.flag(text) is True


@pytest.mark.parametrize("text", ["false", "0", "no", "NO"])
def test_a_flag_is_false_in_any_of_its_spellings(text: str) -> None:
    assert fields.flag(text) is False


def test_a_split_of_zero_is_refused_with_help() -> None:
    with pytest.raises(fields.FieldError) as caught:
        fields.split_factor("0.0")
    assert caught.value.help == "write `1` on a day without a split"
    assert fields.split_factor("7.000007") == Fraction(7_000_007, 1_000_000)


def test_a_number_of_megabytes_is_refused_before_it_costs_anything() -> None:
    with pytest.raises(fields.FieldError) as caught:
        fields.volume_shares("9" * 1_000_000)
    assert len(caught.value.message) < 100
