"""The one calendar: sessions, their opens and closes, and which bars are due between them.

Holidays, half days, lunch breaks and daylight saving come from exchange_calendars, which is imported only when a
calendar is built. No clock is read here: the range of days is given, and so is every moment.
"""

from __future__ import annotations

import warnings
from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from mqk.market.bar import TIMEFRAMES
from mqk.market.errors import CalendarError
from mqk.market.sessions import SessionPlan
from mqk.quantity import DAY_MICROS, MICROS, format_date, format_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_DAY: Final = date(1990, 1, 1)
LAST_DAY: Final = date(2049, 12, 31)
_EPOCH: Final = date(1970, 1, 1)
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SATURDAY: Final = 5
_DAY_NANOS: Final = 1_000 * DAY_MICROS


class Calendar:
    """The sessions of one exchange from `first` to `last`, by its ISO 10383 code (`XNYS`), or of `24/7`.

    All instants are micros since 1970 UTC and are ends of bars, so a session holds what lies after its open, up to and
    including its close: an instant exactly at an open still belongs to the session before.
    Raises CalendarError for an unknown name or a range without sessions.
    """

    __slots__ = ("_business", "_closes", "_days", "_elapsed", "_lunches", "_opens", "_zone", "name")

    def __init__(self, name: str, first: date = FIRST_DAY, last: date = LAST_DAY) -> None:
        self.name = name
        nanos, zone = _nanos(name, first, last)
        self._zone = ZoneInfo(zone)
        # Sums over the sessions before each one, for those who ask for plans.
        self._elapsed: tuple[int, ...] = ()
        self._business: tuple[int, ...] = ()
        self._days = tuple(_EPOCH + timedelta(days=day // _DAY_NANOS) for day in nanos[0])
        self._opens = tuple(nano // 1000 for nano in nanos[1])
        self._closes = tuple(nano // 1000 for nano in nanos[2])
        # Where a session has no break, both ends are "not a time", the lowest integer there is.
        self._lunches = {
            index: (start // 1000, stop // 1000)
            for index, (start, stop) in enumerate(zip(nanos[3], nanos[4], strict=True))
            if start > 0
        }

    @property
    def first(self) -> date:
        """The first session this calendar knows."""
        return self._days[0]

    @property
    def last(self) -> date:
        """The last session this calendar knows."""
        return self._days[-1]

    def is_session(self, day: date) -> bool:
        """Whether the exchange opens on this day. Raises CalendarError outside the range of the calendar."""
        self._inside(day)
        index = bisect_left(self._days, day)
        return index < len(self._days) and self._days[index] == day

    def session_open(self, day: date) -> int:
        """The instant a session opens. Raises CalendarError when the day is no session."""
        return self._opens[self._index_of_day(day)]

    def session_close(self, day: date) -> int:
        """The instant a session closes, early on half days. Raises CalendarError when the day is no session."""
        return self._closes[self._index_of_day(day)]

    def sessions_between(self, first: date, last: date) -> tuple[date, ...]:
        """All sessions from `first` to `last`, both included. Raises CalendarError outside the range."""
        self._inside(first)
        self._inside(last)
        return self._days[bisect_left(self._days, first) : bisect_right(self._days, last)]

    def next_session(self, day: date) -> date:
        """The first session after a day. Raises CalendarError when the calendar ends before it."""
        self._inside(day)
        index = bisect_right(self._days, day)
        if index == len(self._days):
            raise self._ends()
        return self._days[index]

    def plan(self, day: date) -> SessionPlan:
        """All that is known of a session. Raises CalendarError when the day is no session."""
        index = self._index_of_day(day)
        if not self._elapsed:
            lengths = [sum(stop - start for start, stop in self._stretches(i)) for i in range(len(self._days))]
            self._elapsed = tuple(accumulate(lengths, initial=0))
            self._business = tuple(accumulate(int(each.weekday() < _SATURDAY) for each in self._days))
        until = self._opens[index + 1] if index + 1 < len(self._opens) else self._closes[index]
        return SessionPlan(
            day.toordinal(),
            index,
            self._business[index],
            tuple(self._stretches(index)),
            self._elapsed[index],
            self._zones(self._opens[index], until),
        )

    def _zones(self, low: int, high: int) -> tuple[tuple[int, int], ...]:
        """The offset of the exchange's time from an instant on, and once more where it changes before another."""
        offset, later = self._offset(low), self._offset(high)
        if offset == later:
            return ((low, offset),)
        before, after = low, high
        while after - before > MICROS:
            middle = (before + after) // 2
            before, after = (middle, after) if self._offset(middle) == offset else (before, middle)
        # Clocks are changed at whole seconds.
        return ((low, offset), (after // MICROS * MICROS, later))

    def _offset(self, instant: int) -> int:
        """What to add to UTC, in micros, for the time at the exchange."""
        offset = (_START + timedelta(microseconds=instant)).astimezone(self._zone).utcoffset()
        assert offset is not None
        return offset // timedelta(microseconds=1)

    def session_of(self, instant: int) -> date:
        """The session an instant belongs to: the one that opened last before it, also after its close.

        So a bar that ends at midnight of `24/7` belongs to the day it ends, and a Sunday belongs to Friday.
        """
        return self._days[self._index(instant)]

    def in_session(self, instant: int) -> bool:
        """Whether a bar may end at this instant: after an open, not in a lunch break, not after the close."""
        index = self._index(instant)
        return any(start < instant <= stop for start, stop in self._stretches(index))

    def is_session_end(self, instant: int) -> bool:
        """Whether this instant is the close of a session."""
        return self._closes[self._index(instant)] == instant

    def missing_bars(self, previous_end: int, end: int, timeframe: str) -> int:
        """How many bars should have ended strictly between two ends of bars of one symbol.

        Bars of `1D` are counted in sessions. Shorter ones lie on the grid of the later bar (some feeds count hours
        from the open, some from midnight), end within sessions, and include the last, shorter bar of a session.
        Bars outside sessions are never missed. Zero when `end` is not after `previous_end`.
        Raises CalendarError for an unknown timeframe or outside the range of the calendar.
        """
        step = _step(timeframe)
        if end <= previous_end:
            return 0
        last = self._index(end)
        if (
            end - previous_end <= step
            and self._opens[last] <= previous_end
            and end <= self._closes[last]
            and last not in self._lunches
        ):
            # The next bar of the same session, which nearly all bars are: there is no room for another between.
            return 0
        first = self._index(previous_end)
        if timeframe == "1D":
            return max(last - first - 1, 0)
        phase = self._phase(end, previous_end, step)
        return sum(self._count(index, previous_end, end, phase=phase, step=step) for index in range(first, last + 1))

    def next_due(self, end: int, timeframe: str, *, previous_end: int | None = None) -> int:
        """When the bar after the one that ended at `end` is due, in market time: nothing is due overnight.

        `previous_end` helps to tell the grid of the feed when `end` is the close of a session.
        Raises CalendarError for an unknown timeframe or past the end of the calendar.
        """
        step = _step(timeframe)
        index = self._index(end)
        if timeframe == "1D":
            if index + 1 == len(self._days):
                raise self._ends()
            return self._closes[index + 1]
        phase = self._phase(end, end if previous_end is None else previous_end, step)
        for later in range(index, len(self._days)):
            for start, stop in self._stretches(later):
                grid = self._opens[later] + (phase or step)
                after = max(end, start)
                due = grid + max((after - grid) // step + 1, 0) * step
                if due <= stop:
                    return due
                if end < stop and not self._runs_on(later, stop):
                    return stop
        raise self._ends()

    def _phase(self, end: int, previous_end: int, step: int) -> int:
        """How far after the open, modulo the step, the bars of this feed end.

        A close, or the start of a lunch break, ends a bar on every grid and tells nothing, unless trading runs on.
        """
        for instant in (end, previous_end):
            index = self._index(instant)
            cut = any(instant == stop and not self._runs_on(index, stop) for _, stop in self._stretches(index))
            if not cut:
                return (instant - self._opens[index]) % step
        return 0

    def _count(self, index: int, low: int, high: int, *, phase: int, step: int) -> int:
        """Bars of one session that end strictly between low and high."""
        grid = self._opens[index] + (phase or step)
        total = 0
        for start, stop in self._stretches(index):
            # On the grid, after the start, up to the stop.
            after, until = max(low, start), min(high - 1, stop)
            first = max((after - grid) // step + 1, 0)
            total += max((until - grid) // step - first + 1, 0)
            off_grid = (stop - grid) % step != 0
            if off_grid and low < stop < high and not self._runs_on(index, stop):
                total += 1
        return total

    def _stretches(self, index: int) -> Sequence[tuple[int, int]]:
        """The times of one session in which it trades, each without its start: two where there is a lunch break."""
        start, stop = self._opens[index], self._closes[index]
        lunch = self._lunches.get(index)
        return ((start, stop),) if lunch is None else ((start, lunch[0]), (lunch[1], stop))

    def _runs_on(self, index: int, stop: int) -> bool:
        """Whether trading goes on past this stop without a pause, so that no bar is cut short there."""
        return index + 1 < len(self._opens) and self._opens[index + 1] == stop

    def _index(self, instant: int) -> int:
        index = bisect_left(self._opens, instant) - 1
        if index < 0:
            raise CalendarError(f"`{format_instant(instant)}` is before the calendar {self.name}, {self._range()}")
        # After the last close nothing is known: the next session may have opened already.
        if index + 1 == len(self._opens) and instant > self._closes[index]:
            raise self._ends()
        return index

    def _index_of_day(self, day: date) -> int:
        if not self.is_session(day):
            raise CalendarError(f"`{format_date(day)}` is no session of {self.name}")
        return bisect_left(self._days, day)

    def _inside(self, day: date) -> None:
        if not self.first <= day <= self.last:
            raise CalendarError(f"`{format_date(day)}` is outside the calendar {self.name}, {self._range()}")

    def _range(self) -> str:
        return f"which runs from {format_date(self.first)} to {format_date(self.last)}"

    def _ends(self) -> CalendarError:
        return CalendarError(f"the calendar {self.name} ends on {format_date(self.last)}")


@lru_cache(maxsize=16)
def calendar_of(name: str, first: date = FIRST_DAY, last: date = LAST_DAY) -> Calendar:
    """The calendar of this name and range, built once per process: the same arguments always give an equal one."""
    return Calendar(name, first, last)


def _step(timeframe: str) -> int:
    try:
        return TIMEFRAMES[timeframe]
    except KeyError:
        raise CalendarError(f"`{timeframe}` is not a timeframe; those are {', '.join(TIMEFRAMES)}") from None


def _nanos(name: str, first: date, last: date) -> tuple[list[list[int]], str]:
    """Sessions, opens, closes, break starts and break ends, in nanos since 1970; and the name of the time zone."""
    # Imported here because it brings pandas, whose import costs two seconds that policy work need not pay.
    import exchange_calendars  # noqa: PLC0415

    def build(start: date, end: date) -> Any:
        return exchange_calendars.get_calendar(name, start=format_date(start), end=format_date(end))

    try:
        # What pandas deprecates is between it and exchange_calendars: no user of mqk can do anything about it.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            try:
                calendar = build(first, last)
            except ValueError:
                # Some exchanges are recorded for fewer years only: the calendar knows those, and refuses the rest.
                known = type(exchange_calendars.get_calendar(name))
                begin, stop = known.bound_min(), known.bound_max()
                first = first if begin is None else max(first, begin.date())
                last = last if stop is None else min(last, stop.date())
                calendar = build(first, last)
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise CalendarError(f"`{name}` is not a calendar that exchange_calendars knows") from error
    except (ValueError, exchange_calendars.errors.CalendarError) as error:
        span = f"from {format_date(first)} to {format_date(last)}"
        raise CalendarError(f"the calendar {name} cannot be built {span}: {str(error)[:200]}") from error
    columns = (
        calendar.sessions_nanos,
        calendar.opens_nanos,
        calendar.closes_nanos,
        calendar.break_starts_nanos,
        calendar.break_ends_nanos,
    )
    return [column.tolist() for column in columns], str(calendar.tz)
