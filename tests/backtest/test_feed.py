"""The recorded feed: its shortcuts say what the calendar says, and silence shows at the next instant there is."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.backtest import RecordedFeed
from mqk.market import TIMEFRAMES, Bar, calendar_of
from tests.backtest.worlds import Run
from tests.engine.worlds import USD, daily

CALENDAR = calendar_of("XNYS")
# With a half day, a holiday, a weekend and a change of the clocks.
DAYS = [date(2024, 3, 8), date(2024, 3, 11), *CALENDAR.sessions_between(date(2024, 11, 27), date(2024, 12, 3))]
MINUTE = 60_000_000


def bar(symbol: str, end: int, timeframe: str, *, complete: bool = True) -> Bar:
    return Bar(symbol, end, 1, 1, 1, 1, 1, complete, timeframe)


def grid(timeframe: str, phase: int) -> list[int]:
    """Ends of bars in the days: on the session's own grid, or so many minutes off it."""
    step = TIMEFRAMES[timeframe]
    ends: list[int] = []
    for day in sorted(DAYS):
        first, last = CALENDAR.session_open(day), CALENDAR.session_close(day)
        ends += [last] if timeframe == "1D" else range(first + phase * MINUTE + step, last + 1, step)
    return ends


@settings(max_examples=40)
@given(
    st.sampled_from(["5m", "30m", "1H", "1D"]),
    st.sampled_from([0, 30]),
    st.lists(st.sets(st.sampled_from(["A", "B", "C"])), min_size=120, max_size=120),
)
def test_missing_and_late_are_what_the_calendar_says(timeframe: str, phase: int, present: list[set[str]]) -> None:
    feed = RecordedFeed(CALENDAR)
    ends: dict[str, int] = {}
    due: dict[str, int] = {}
    for instant, symbols in zip(grid(timeframe, phase)[-120:], present, strict=False):
        assert feed.enter(instant) == CALENDAR.session_of(instant).toordinal() == feed.session
        assert dict(feed.late(instant)) == {symbol: instant - at for symbol, at in due.items() if at < instant}
        for symbol in sorted(symbols):
            before = ends.get(symbol)
            expected = 0 if before is None else CALENDAR.missing_bars(before, instant, timeframe)
            assert feed.arrive(bar(symbol, instant, timeframe)) == expected
            ends[symbol] = instant
            due[symbol] = CALENDAR.next_due(instant, timeframe, previous_end=before)


def test_a_bar_still_forming_is_not_the_one_that_was_due() -> None:
    feed = RecordedFeed(CALENDAR)
    start = CALENDAR.session_open(DAYS[0])
    feed.enter(start + 5 * MINUTE)
    feed.arrive(bar("A", start + 5 * MINUTE, "5m"))
    feed.enter(start + 10 * MINUTE)
    feed.arrive(bar("A", start + 10 * MINUTE, "5m", complete=False))
    feed.enter(start + 15 * MINUTE)
    assert feed.late(start + 15 * MINUTE) == (("A", 5 * MINUTE),)


@pytest.mark.parametrize(("timeframe", "after", "began"), [("1D", 390, 0), ("5m", 10, 5), ("1H", 30, 0)])
def test_a_bar_begins_with_its_session_or_inside_it(timeframe: str, after: int, began: int) -> None:
    feed = RecordedFeed(CALENDAR)
    start = CALENDAR.session_open(DAYS[0])
    feed.enter(start + after * MINUTE)
    assert feed.start(bar("A", start + after * MINUTE, timeframe)) == start + began * MINUTE


def test_at_the_end_of_the_calendar_nothing_is_late() -> None:
    calendar = calendar_of("XNYS", date(2024, 1, 2), date(2024, 1, 5))
    feed = RecordedFeed(calendar)
    last = calendar.session_close(calendar.last)
    feed.enter(last)
    assert feed.arrive(bar("A", last, "1D")) == 0
    assert feed.late(last) == ()


def test_a_recording_that_ends_is_over_and_not_silent() -> None:
    """One symbol's data ending must not disarm the engine for all the others."""
    long, short = daily("SPY", [100 * USD] * 8), daily("IBM", [50 * USD] * 3)
    run = Run([*long, *short], {0: {"SPY": 1}})
    assert run.summary.halts == 0
    assert run.summary.posture == "NORMAL"
    hole = Run([*long, *short, *daily("IBM", [50 * USD] * 8)[6:]], {0: {"SPY": 1}})
    assert hole.summary.posture == "DISARMED"
