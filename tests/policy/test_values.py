"""Values: one text, one type; canonical text reads back as the same value; nothing is guessed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.policy import LimitValue, TimeOfDay, canonical_text, read_any, read_limit, type_name
from mqk.policy.schemas import schema_set
from mqk.policy.values import read_value, type_tag
from mqk.quantity import (
    Count,
    Duration,
    Money,
    Quantity,
    QuantityError,
    Rate,
    Ratio,
    SessionSpan,
)

SELF_DESCRIBING: st.SearchStrategy[LimitValue] = st.one_of(
    st.integers(-(10**6), 10**6).map(lambda value: Ratio(Fraction(value, 10_000))),
    st.integers(-(10**15), 10**15).map(Money),
    st.integers(0, 10**12).map(Duration),
    st.integers(0, 999).map(lambda count: SessionSpan(count, "sessions")),
    st.tuples(st.integers(1, 999), st.integers(1, 10**9)).map(lambda pair: Rate(pair[0], Duration(pair[1]))),
    st.integers(0, 86_399).map(lambda second: TimeOfDay(second * 1_000_000)),
    st.dates(),
    st.booleans(),
    st.from_regex(r"[A-Z][A-Z0-9_]{2,8}", fullmatch=True),
)


@given(SELF_DESCRIBING)
def test_canonical_text_reads_back_as_the_same_value(value: LimitValue) -> None:
    again = read_limit(canonical_text(value))
    assert again == value
    assert type(again) is type(value)


@given(st.text(max_size=20))
def test_a_limit_is_read_or_refused_with_help_and_never_guessed(text: str) -> None:
    try:
        value = read_limit(text)
    except QuantityError as error:
        assert error.message
    else:
        assert type_name(value)
        assert type_tag(value)


@pytest.mark.parametrize(
    "text", ["3", "0.20", "25000", "1e5", "no", "yes", "halt", "", " 5%", "5 %", "5%%", "~", "null"]
)
def test_what_names_no_unit_is_no_limit(text: str) -> None:
    with pytest.raises(QuantityError):
        read_limit(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", Quantity(10)),
        ("-5", Quantity(-5)),
        ("3 trades", Count(3)),
        ("BUY", "BUY"),
        ("BRK.B", "BRK.B"),
        ("false", False),
        ("20%", Ratio(Fraction(1, 5))),
    ],
)
def test_a_fact_is_read_as_a_limit_or_a_bare_whole_number(text: str, value: LimitValue) -> None:
    assert read_any(text) == value


def test_every_known_limit_reads_its_own_example() -> None:
    schemas = schema_set()
    for name in schemas.known_limits():
        example = schemas.at("risk", ("limits", name))["examples"][0]
        text = str(example).lower() if isinstance(example, bool) else str(example)
        assert read_value(schemas.limit_format(name), text) is not None


def test_shares_may_be_named() -> None:
    assert read_value("quantity", "500 shares") == read_value("quantity", "500") == Quantity(500)
