"""A session's plan agrees with its calendar, minute by minute, also where clocks are changed and markets pause."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.market import SessionPlan, calendar_of

MINUTE = 60_000_000
ZONES = {"XNYS": "America/New_York", "XTKS": "Asia/Tokyo", "24/7": "UTC"}
calendars = st.sampled_from(sorted(ZONES))
days = st.dates(date(2023, 1, 1), date(2025, 12, 31))


@given(name=calendars, day=days, minute=st.integers(0, 4 * 24 * 60))
def test_a_plan_says_what_its_calendar_says(name: str, day: date, minute: int) -> None:
    calendar = calendar_of(name)
    session = calendar.next_session(day - timedelta(days=1))
    plan = calendar.plan(session)
    assert (plan.day, plan.opens, plan.closes) == (
        session.toordinal(),
        calendar.session_open(session),
        calendar.session_close(session),
    )
    instant = plan.opens + minute * MINUTE
    until = calendar.session_open(calendar.next_session(session))
    if instant >= until:
        return
    pauses = {start for start, _ in plan.trading} | {plan.opens}
    if instant not in pauses:
        # A calendar's instants are ends of bars, so that an open belongs to what was before it.
        assert plan.is_open(instant) == calendar.in_session(instant)
    local = datetime.fromtimestamp(instant // 1_000_000, tz=UTC).astimezone(ZoneInfo(ZONES[name]))
    assert plan.time_of_day(instant) == (local.hour * 60 + local.minute) * MINUTE


@given(name=calendars, day=days)
def test_the_places_and_hours_of_plans_follow_each_other(name: str, day: date) -> None:
    calendar = calendar_of(name)
    session = calendar.next_session(day)
    later = calendar.next_session(session)
    plan, after = calendar.plan(session), calendar.plan(later)
    assert after.place == plan.place + 1
    assert after.business_day - plan.business_day == (1 if later.weekday() < 5 else 0)
    assert after.elapsed == plan.traded(plan.closes)
    assert plan.traded(plan.opens) == plan.elapsed
    assert plan.traded(after.opens) == plan.traded(plan.closes)


def test_time_stands_still_in_a_lunch_break() -> None:
    plan = calendar_of("XTKS").plan(date(2024, 3, 8))
    (_, noon), (afternoon, _) = plan.trading
    assert plan.traded(afternoon) == plan.traded(noon) == plan.traded((noon + afternoon) // 2)
    assert not plan.is_open((noon + afternoon) // 2)


def test_the_clocks_of_new_york_change_on_the_sunday_after_fridays_session() -> None:
    plan = calendar_of("XNYS").plan(date(2024, 3, 8))
    assert [offset // (60 * MINUTE) for _, offset in plan.zones] == [-5, -4]
    assert datetime.fromtimestamp(plan.zones[1][0] // 1_000_000, tz=UTC) == datetime(2024, 3, 10, 7, tzinfo=UTC)


@pytest.mark.parametrize("day", [date(2024, 3, 8), date(2024, 11, 29)])
def test_a_plan_survives_its_journal(day: date) -> None:
    plan = calendar_of("XNYS").plan(day)
    assert SessionPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
