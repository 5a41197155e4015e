"""Invariants of the calendar: holidays, half days and daylight saving never look like missing bars; real gaps do.

Reading of bars is tested in test_reader.py.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mqk.market import TIMEFRAMES, Calendar, CalendarError, calendar_of
from mqk.quantity import MICROS, format_instant, parse_instant

HOUR = 3_600 * MICROS
DAYS = st.dates(dt.date(1990, 1, 3), dt.date(2027, 12, 1))


def at(text: str) -> int:
    return parse_instant(f"{text}:00Z")


@pytest.fixture(scope="module")
def nyse() -> Calendar:
    return calendar_of("XNYS")


@pytest.fixture(scope="module")
def always() -> Calendar:
    return calendar_of("24/7")


@pytest.mark.parametrize(
    ("day", "close"),
    [
        (dt.date(1990, 1, 2), "1990-01-02T21:00"),
        (dt.date(2024, 7, 2), "2024-07-02T20:00"),
        (dt.date(2024, 7, 3), "2024-07-03T17:00"),
        (dt.date(2024, 11, 29), "2024-11-29T18:00"),
        (dt.date(2024, 12, 24), "2024-12-24T18:00"),
        (dt.date(2027, 12, 31), "2027-12-31T21:00"),
    ],
)
def test_a_session_closes_early_on_half_days_and_by_the_local_clock(nyse: Calendar, day: dt.date, close: str) -> None:
    assert format_instant(nyse.session_close(day)) == f"{close}:00Z"
    assert nyse.is_session_end(at(close))
    assert nyse.session_of(at(close)) == day


@pytest.mark.parametrize("day", [dt.date(2024, 1, 1), dt.date(2024, 1, 6), dt.date(2025, 1, 9), dt.date(2001, 9, 12)])
def test_a_day_without_trading_is_no_session(nyse: Calendar, day: dt.date) -> None:
    assert not nyse.is_session(day)
    with pytest.raises(CalendarError, match="is no session of XNYS"):
        nyse.session_close(day)


@pytest.mark.parametrize(
    ("seconds", "inside"),
    [
        (1_704_726_000, True),
        (1_704_510_000, False),
        (1_704_596_400, False),
        (1_704_114_000, False),
        (1_713_188_100, True),
        (1_713_211_200, True),
        (1_713_211_260, False),
    ],
)
def test_bars_end_after_the_open_up_to_the_close(nyse: Calendar, always: Calendar, seconds: int, inside: bool) -> None:
    assert nyse.in_session(seconds * MICROS) is inside
    assert always.in_session(seconds * MICROS)


@pytest.mark.parametrize(
    ("previous", "end", "timeframe", "missing"),
    [
        ("2024-01-08T15:00", "2024-01-08T15:05", "5m", 0),
        ("2024-01-08T15:00", "2024-01-08T15:25", "5m", 4),
        ("2024-01-05T21:00", "2024-01-08T14:35", "5m", 0),
        ("2024-01-05T21:00", "2024-01-08T14:40", "5m", 1),
        ("2024-12-24T18:00", "2024-12-26T14:35", "5m", 0),
        ("2024-12-24T21:00", "2024-12-26T14:35", "5m", 0),
        ("2024-12-24T17:55", "2024-12-26T14:35", "5m", 1),
        ("2024-11-27T21:00", "2024-11-29T14:35", "5m", 0),
        ("2024-03-08T21:00", "2024-03-11T13:31", "1m", 0),
        ("2024-03-08T21:00", "2024-03-11T13:32", "1m", 1),
        # Hours counted from the open, the last one short; and hours of the clock, the first one short.
        ("2024-01-08T20:30", "2024-01-08T21:00", "1H", 0),
        ("2024-01-08T19:30", "2024-01-08T21:00", "1H", 1),
        ("2024-01-08T21:00", "2024-01-09T15:30", "1H", 0),
        ("2024-01-08T21:00", "2024-01-09T15:00", "1H", 0),
        ("2024-01-08T21:00", "2024-01-09T21:00", "1H", 6),
        ("2024-01-08T20:30", "2024-01-09T15:30", "1H", 1),
        # After hours, as recorded feeds have them: never missed, and they hide nothing.
        ("2026-01-05T18:00", "2026-01-05T20:00", "1H", 1),
        ("2026-01-05T21:00", "2026-01-05T22:00", "1H", 0),
        ("2026-01-06T01:00", "2026-01-06T16:00", "1H", 1),
        # A bar that is not where bars are leaves one out, however little it is off.
        ("2024-01-08T15:00", "2024-01-08T15:06", "5m", 1),
        ("2024-01-05T21:00", "2024-01-08T21:00", "1D", 0),
        ("2024-01-04T21:00", "2024-01-08T21:00", "1D", 1),
        ("2024-07-02T20:00", "2024-07-03T17:00", "1D", 0),
        ("2024-07-03T17:00", "2024-07-05T20:00", "1D", 0),
        # Daily bars stamped at midnight, across the change of the clocks.
        ("2024-03-09T00:00", "2024-03-12T00:00", "1D", 0),
        ("2024-01-08T15:00", "2024-01-08T15:00", "5m", 0),
        ("2024-01-08T15:00", "2024-01-05T15:00", "5m", 0),
    ],
)
def test_only_bars_of_a_session_can_be_missing(
    nyse: Calendar, previous: str, end: str, timeframe: str, missing: int
) -> None:
    assert nyse.missing_bars(at(previous), at(end), timeframe) == missing


@pytest.mark.parametrize(
    ("previous", "end", "step", "missing"),
    [
        (1_704_488_400, 1_704_724_500, "5m", 786),
        (1_704_501_000, 1_704_501_900, "5m", 2),
        (1_704_499_300, 1_704_499_900, "1m", 9),
    ],
)
def test_a_calendar_without_closes_misses_every_bar(
    always: Calendar, previous: int, end: int, step: str, missing: int
) -> None:
    assert always.missing_bars(previous * MICROS, end * MICROS, step) == missing


def test_a_daily_gap_is_found_around_the_clock() -> None:
    calendar = Calendar("24/7", dt.date(1970, 1, 1), dt.date(1970, 2, 1))
    assert calendar.missing_bars(86_400 * MICROS, 259_200 * MICROS, "1D") == 1
    assert calendar.session_of(86_400 * MICROS) == dt.date(1970, 1, 1)


@settings(deadline=None)
@given(
    DAYS,
    st.sampled_from(sorted(TIMEFRAMES)),
    st.integers(0, 1),
    st.integers(1, 40),
    st.sampled_from(["XNYS", "24/7", "XHKG"]),
)
def test_bars_that_come_when_due_leave_none_missing(
    day: dt.date, timeframe: str, half: int, count: int, name: str
) -> None:
    calendar = calendar_of(name)
    start = calendar.session_open(calendar.next_session(day)) + (half * HOUR // 2 or HOUR)
    ends = [start]
    for _ in range(count):
        ends.append(calendar.next_due(ends[-1], timeframe, previous_end=ends[-2] if len(ends) > 1 else None))
    if timeframe != "1D":
        assert all(calendar.in_session(end) for end in ends)
    for earlier, later in pairwise(ends):
        assert earlier < later
        assert calendar.missing_bars(earlier, later, timeframe) == 0
    # The whole stretch is missing when only its ends are there.
    assert calendar.missing_bars(ends[0], ends[-1], timeframe) == count - 1


@settings(deadline=None)
@given(DAYS, st.integers(1, 6 * 24 * 60), st.sampled_from(["1m", "5m", "30m"]))
def test_missing_bars_are_as_many_as_the_grid_has(day: dt.date, minutes: int, timeframe: str) -> None:
    calendar, step = calendar_of("XNYS"), TIMEFRAMES[timeframe]
    previous = calendar.session_close(calendar.next_session(day)) - HOUR // 2
    end = previous + minutes * 60 * MICROS
    grid = range(end - step, previous, -step)
    closes = {calendar.session_close(one) for one in calendar.sessions_between(day, day + dt.timedelta(days=30))}
    expected = {instant for instant in grid if calendar.in_session(instant)}
    # The close is on every grid, so it does not tell which.
    assume(calendar.in_session(end) and end not in closes)
    short = {close for close in closes if previous < close < end}
    assert calendar.missing_bars(previous, end, timeframe) == len(expected | short)


@pytest.mark.parametrize(
    ("end", "timeframe", "previous", "due"),
    [
        ("2024-01-08T15:00", "5m", None, "2024-01-08T15:05"),
        ("2024-01-08T21:00", "5m", None, "2024-01-09T14:35"),
        ("2024-07-03T17:00", "1m", None, "2024-07-05T13:31"),
        ("2024-01-08T20:30", "1H", None, "2024-01-08T21:00"),
        ("2024-01-08T21:00", "1H", "2024-01-08T20:30", "2024-01-09T15:30"),
        ("2024-01-08T21:00", "1H", "2024-01-08T20:00", "2024-01-09T15:00"),
        ("2024-01-05T21:00", "1D", None, "2024-01-08T21:00"),
        ("2024-07-02T20:00", "1D", None, "2024-07-03T17:00"),
    ],
)
def test_the_next_bar_is_due_in_market_time(
    nyse: Calendar, end: str, timeframe: str, previous: str | None, due: str
) -> None:
    assert nyse.next_due(at(end), timeframe, previous_end=at(previous) if previous else None) == at(due)


def test_no_bar_is_due_in_a_lunch_break() -> None:
    calendar = calendar_of("XHKG")
    assert calendar.next_due(at("2024-01-08T04:00"), "5m") == at("2024-01-08T05:05")
    assert calendar.missing_bars(at("2024-01-08T04:00"), at("2024-01-08T05:05"), "5m") == 0
    assert not calendar.in_session(at("2024-01-08T04:30"))


def test_a_lunch_break_cuts_a_bar_short_without_moving_the_hours_after_it() -> None:
    calendar = calendar_of("XHKG")
    noon = calendar.next_due(at("2024-01-08T03:00"), "1H", previous_end=at("2024-01-08T02:00"))
    assert noon == at("2024-01-08T04:00")
    assert calendar.next_due(noon, "1H", previous_end=at("2024-01-08T03:00")) == at("2024-01-08T06:00")


def test_the_calendar_covers_1990_to_the_year_after_next(nyse: Calendar) -> None:
    assert nyse.first <= dt.date(1990, 1, 2)
    assert nyse.last.year > dt.datetime.now(dt.UTC).year + 1


def test_outside_its_range_a_calendar_refuses_instead_of_guessing() -> None:
    calendar = Calendar("XNYS", dt.date(2024, 1, 1), dt.date(2024, 1, 31))
    with pytest.raises(CalendarError, match="is before the calendar XNYS"):
        calendar.session_of(at("2023-12-29T21:00"))
    for ask in (
        lambda: calendar.session_of(at("2024-02-01T15:00")),
        lambda: calendar.next_due(at("2024-01-31T21:00"), "1D"),
    ):
        with pytest.raises(CalendarError, match="ends on 2024-01-31"):
            ask()
    with pytest.raises(CalendarError, match="is outside the calendar"):
        calendar.is_session(dt.date(2024, 2, 1))
    with pytest.raises(CalendarError, match="ends on"):
        calendar.next_session(dt.date(2024, 1, 31))


def test_an_unknown_calendar_or_timeframe_is_named(nyse: Calendar) -> None:
    with pytest.raises(CalendarError, match="`NYX` is not a calendar"):
        calendar_of("NYX")
    with pytest.raises(CalendarError, match="`2m` is not a timeframe; those are 1m, 5m"):
        nyse.missing_bars(at("2024-01-08T15:00"), at("2024-01-08T16:00"), "2m")


def test_an_exchange_with_fewer_years_on_record_is_known_for_those() -> None:
    calendar = calendar_of("XTKS")
    assert calendar.first.year == 1997
    with pytest.raises(CalendarError, match="is outside the calendar"):
        calendar.is_session(dt.date(1996, 1, 4))


def test_sessions_between_holds_both_ends(nyse: Calendar) -> None:
    assert nyse.sessions_between(dt.date(2024, 7, 3), dt.date(2024, 7, 6)) == (dt.date(2024, 7, 3), dt.date(2024, 7, 5))


def test_importing_the_market_does_not_import_pandas() -> None:
    code = "import sys, mqk.market; sys.exit('pandas' in sys.modules or 'exchange_calendars' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=root).returncode == 0
