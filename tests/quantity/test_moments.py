"""Invariants of times, dates and instants: they read back as written, and what does not exist is refused.

Amounts are tested in test_text.py.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.quantity import (
    QuantityError,
    format_date,
    format_instant,
    format_time,
    parse_date,
    parse_instant,
    parse_time,
)

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@given(st.integers(0, 86_399))
def test_a_time_of_day_reads_back_as_written(seconds: int) -> None:
    assert parse_time(format_time(seconds * 1_000_000)) == seconds * 1_000_000


@given(st.dates())
def test_a_date_reads_back_as_written(day: dt.date) -> None:
    assert parse_date(format_date(day)) == day


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_an_instant_reads_back_as_written(moment: dt.datetime) -> None:
    micros = (moment - EPOCH) // dt.timedelta(microseconds=1)
    assert parse_instant(format_instant(micros)) == micros


@pytest.mark.parametrize("text", ["2026-06-04T13:30:00Z", "2026-06-04T13:30:00.25Z", "1969-12-31T23:59:59.999999Z"])
def test_a_canonical_instant_is_written_back_unchanged(text: str) -> None:
    assert format_instant(parse_instant(text)) == text


@pytest.mark.parametrize(
    ("parse", "text", "code"),
    [
        (parse_time, "9:30", "syntax"),
        (parse_time, "24:00", "range"),
        (parse_time, "09:60", "range"),
        (parse_time, "٠٩:٣٠", "syntax"),
        (parse_time, "09:30\n", "syntax"),
        (parse_date, "2026-02-29", "range"),
        (parse_date, "2026-6-4", "syntax"),
        (parse_date, "04.06.2026", "syntax"),
        (parse_instant, "2026-06-04T13:30:00", "syntax"),
        (parse_instant, "2026-06-04T13:30:00+00:00", "syntax"),
        (parse_instant, "2026-06-04 13:30:00Z", "syntax"),
        (parse_instant, "2026-06-31T13:30:00Z", "range"),
        (parse_instant, "2026-06-04T25:30:00Z", "range"),
        (parse_instant, "2026-06-04T13:30:00.0000001Z", "syntax"),
    ],
)
def test_a_moment_that_is_not_one_is_refused(parse: Callable[[str], object], text: str, code: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse(text)
    assert caught.value.code == code


@given(st.sampled_from([parse_time, parse_date, parse_instant]), st.text())
def test_no_text_at_all_raises_anything_but_a_quantity_error(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(QuantityError):
        parse(text)


def test_a_time_of_day_is_within_one_day_and_whole_seconds() -> None:
    for micros, code in ((-1, "range"), (86_400_000_000, "range"), (1, "precision")):
        with pytest.raises(QuantityError) as caught:
            format_time(micros)
        assert caught.value.code == code


def test_an_instant_outside_the_calendar_has_no_text() -> None:
    with pytest.raises(QuantityError) as caught:
        format_instant(2**63 - 1)
    assert caught.value.code == "range"
