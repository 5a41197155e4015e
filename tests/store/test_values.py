"""Values cross the border of the database exactly."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from mqk.store import StoreError
from mqk.store.values import canonical_json, instant, micros_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

YEAR_1 = micros_of(datetime(1, 1, 1, tzinfo=UTC))
YEAR_9999 = micros_of(datetime.max.replace(tzinfo=UTC))

micros = st.integers(YEAR_1, YEAR_9999)
whole_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@given(micros)
def test_instants_survive_the_way_through_datetime(value: int) -> None:
    assert micros_of(instant(value)) == value


@given(micros, st.integers(-14 * 60, 14 * 60))
def test_the_zone_of_a_time_does_not_matter(value: int, offset: int) -> None:
    try:
        elsewhere = instant(value).astimezone(timezone(timedelta(minutes=offset)))
    except OverflowError:
        return
    assert micros_of(elsewhere) == value


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(micros)
def test_instants_survive_the_way_through_postgresql(conn: Connection, value: int) -> None:
    assert (
        micros_of(conn.execute(text("SELECT CAST(:at AS timestamptz)"), {"at": instant(value)}).scalar_one()) == value
    )


@pytest.mark.parametrize("value", [YEAR_1 - 1, YEAR_9999 + 1, 2**63, -(2**63)])
def test_an_instant_beyond_the_calendar_is_an_error(value: int) -> None:
    with pytest.raises(StoreError, match="outside the years 1 to 9999"):
        instant(value)


def test_a_time_without_a_zone_is_an_error() -> None:
    with pytest.raises(StoreError, match="has no time zone"):
        micros_of(datetime(2024, 2, 16))  # noqa: DTZ001  (the point of the test)


@given(whole_json)
def test_canonical_json_reads_back_and_does_not_depend_on_order(value: object) -> None:
    written = canonical_json(value)
    assert json.loads(written) == value
    if isinstance(value, dict):
        assert canonical_json(dict(reversed(value.items()))) == written


@pytest.mark.parametrize("value", [0.5, [{"a": 1.0}], {"a": float("inf")}, 2**53, -(2**53), object(), "\ud800"])
def test_what_json_cannot_say_exactly_is_an_error(value: object) -> None:
    with pytest.raises(StoreError):
        canonical_json(value)
