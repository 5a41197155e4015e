"""The recorded feed as a live one would look: its sessions, the bars that did not come, the symbols that are late.

What lives here: calendar questions, answered once per session or instant. What does not: reading bars, judging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqk.engine import CorporateAction
from mqk.market import TIMEFRAMES, CalendarError
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    from mqk.market import Bar, Calendar, SessionPlan

_NEVER: Final = INT64_MAX


class RecordedFeed:
    """What the calendar says about a stream of bars, all known beforehand, that comes in order of their ends.

    `session` is the ordinal of the session of the instant that was entered last, and lasts up to and with `until`.
    """

    __slots__ = (
        "_answers",
        "_calendar",
        "_close",
        "_days",
        "_due",
        "_ends",
        "_ex",
        "_index",
        "_last",
        "_next_close",
        "_open",
        "_over",
        "_places",
        "_regular",
        "closed",
        "session",
        "until",
    )

    def __init__(self, calendar: Calendar, bars: Iterable[Bar] = ()) -> None:
        self._calendar = calendar
        # By symbol: when its recording ends. After that nothing is due, unless somebody holds it: it is not silent.
        self._last: dict[str, int] = {}
        # The bars that tell what went ex before their session, the last one first.
        self._ex: list[Bar] = []
        for bar in bars:
            self._last[bar.symbol] = bar.end
            if bar.ex is not None:
                self._ex.append(bar)
        self._ex.sort(key=lambda bar: (bar.end, bar.symbol), reverse=True)
        # The sessions from the first instant on; the one we are in: its open and close, and what comes after it.
        self._days: tuple[date, ...] = ()
        self._index = 0
        self._open = self._close = self._next_close = 0
        # When the session before the one that was entered last closed.
        self.closed = 0
        self.until = -_NEVER
        self.session = 0
        # Whether bars of a timeframe follow each other in this session without a pause or a short one.
        self._regular: dict[str, bool] = {}
        # What was found out in this session, by the ends of two bars and their timeframe: symbols often share them.
        self._answers: dict[tuple[int, int, str], tuple[int, int]] = {}
        # By symbol: when its last bar ended and in which session, and when the next is due.
        self._ends: dict[str, int] = {}
        self._places: dict[str, int] = {}
        self._due: dict[str, int] = {}
        # By symbol whose recording has ended: when its next bar would have been due.
        self._over: dict[str, int] = {}

    @property
    def first_end(self) -> int:
        """When the first of all recordings ends."""
        return min(self._last.values())

    def expect(self, ends: Mapping[str, int]) -> None:
        """Bars will come until then, by symbol: the recording goes on after what was given of it."""
        self._last |= ends

    def enter(self, instant: int) -> int:
        """Come to an instant; returns the ordinal of its session. Raises CalendarError outside the calendar's days.

        Up to `until` the session stays what it is, and nobody needs to ask.
        """
        if not self._days:
            day = self._calendar.session_of(instant)
            self._days = self._calendar.sessions_between(day, self._calendar.last)
            self._settle(self._calendar.session_open(day), self._calendar.session_close(day))
        while instant > self.until:
            if self._index + 1 == len(self._days):
                self._calendar.session_of(instant)
                break
            self._index += 1
            self._settle(self.until, self._next_close)
        return self.session

    def plan(self) -> SessionPlan:
        """What the calendar says of the session that was entered last."""
        return self._calendar.plan(self._days[self._index])

    def gone_ex(self) -> list[CorporateAction]:
        """What goes ex before the session that was entered last, each once, by symbol; they happen at its open."""
        found: dict[str, CorporateAction] = {}
        while self._ex and self._ex[-1].end <= self.until:
            bar = self._ex.pop()
            if bar.ex is not None:
                found[bar.symbol] = CorporateAction(bar.symbol, self.session, self._open, *bar.ex)
        return [found[symbol] for symbol in sorted(found)]

    @property
    def opens(self) -> int:
        """When the session that was entered last opens."""
        return self._open

    @property
    def closes(self) -> int:
        """When the session that was entered last closes."""
        return self._close

    def start(self, bar: Bar) -> int:
        """When a bar that ends in this session began, at the earliest. The last bar of a day may be a shorter one."""
        return self._open if bar.timeframe == "1D" else max(bar.end - TIMEFRAMES[bar.timeframe], self._open)

    def in_progress(self, symbol: str, timeframe: str, previous_end: int | None, instant: int) -> int | None:
        """When the bar of a symbol began that is in progress at an instant of this session; None: one ends there.

        `previous_end` is the end of the symbol's last bar: the next one begins there, on whatever grid they lie.
        """
        if instant in (previous_end, self._ends.get(symbol)) or not self._open < instant < self._close:
            return None
        if timeframe == "1D":
            return self._open
        began = instant - (instant - self._open) % TIMEFRAMES[timeframe]
        return began if began < instant else None

    def late(self, instant: int, held: Callable[[str], bool] | None = None) -> tuple[tuple[str, int], ...]:
        """The symbols whose next bar was due before an instant and has not come, by how much, by symbol.

        A symbol whose recording has ended is late as long as it is `held`: nobody can get out of it, whoever knew.
        """
        for due in self._due.values():
            if due < instant:
                break
        else:
            if held is None or not self._over:
                return ()
        found = [(symbol, instant - due) for symbol, due in self._due.items() if due < instant]
        if held is not None:
            found += [(symbol, instant - due) for symbol, due in self._over.items() if due < instant and held(symbol)]
        return tuple(sorted(found))

    def arrive(self, bar: Bar) -> int:
        """A bar came: how many were due since the symbol's bar before and did not come; zero for its first.

        From now on the one after it is due, unless it is incomplete or from the past.
        """
        end, symbol = bar.end, bar.symbol
        previous = self._ends.get(symbol, end)
        if bar.timeframe == "1D":
            missing = max(self._index - self._places.get(symbol, self._index) - 1, 0)
            due = self._next_close
        else:
            missing, due = self._answer(end, bar.timeframe, previous)
        if bar.complete and end >= previous:
            self._ends[symbol] = end
            self._places[symbol] = self._index
            self._await(symbol, end, due)
        return missing

    def passed(self, ends: Iterable[tuple[str, int, str]]) -> None:
        """Bars came of which nobody asked, each following the one before: the ends of the last, with timeframes."""
        for symbol, end, timeframe in ends:
            if end <= self._ends[symbol]:
                continue
            self._ends[symbol] = end
            self._places[symbol] = self._index
            due = end + TIMEFRAMES[timeframe]
            # After the last one of a session it is for the calendar to say.
            within = due <= self._close
            self._await(symbol, end, due if within else self._answer(end, timeframe, end - TIMEFRAMES[timeframe])[1])

    def come_to(self, bars: Iterable[Bar]) -> None:
        """Bars came of which nobody asked: the last of every symbol, in the order of their ends."""
        for bar in bars:
            self.enter(bar.end)
            self.arrive(bar)

    def _await(self, symbol: str, end: int, due: int) -> None:
        """The next bar of a symbol is due, if any is to come."""
        if end < self._last.get(symbol, _NEVER):
            self._due[symbol] = due
        else:
            self._due.pop(symbol, None)
            self._over[symbol] = due

    def _settle(self, open_: int, close: int) -> None:
        """Come to the session of the index, which opens and closes then."""
        self.closed, self._open, self._close = self._close, open_, close
        self.until, self._next_close = close, _NEVER
        self.session = self._days[self._index].toordinal()
        self._regular.clear()
        self._answers.clear()
        if self._index + 1 < len(self._days):
            later = self._days[self._index + 1]
            self.until, self._next_close = self._calendar.session_open(later), self._calendar.session_close(later)

    def _answer(self, end: int, timeframe: str, previous: int) -> tuple[int, int]:
        """Bars missing between the one before and the one that ends now, and when the next is due."""
        step = TIMEFRAMES[timeframe]
        after = end + step
        if end - previous == step and previous >= self._open and after <= self._close and self._on_grid(end, timeframe):
            return 0, after
        known = self._answers.get((previous, end, timeframe))
        if known is None:
            missing = self._calendar.missing_bars(previous, end, timeframe)
            try:
                known = (missing, self._calendar.next_due(end, timeframe, previous_end=previous))
            except CalendarError:
                # The calendar ends here, and with it all that could be late.
                known = (missing, _NEVER)
            self._answers[previous, end, timeframe] = known
        return known

    def _on_grid(self, end: int, timeframe: str) -> bool:
        """Whether bars of this session simply follow each other from its open on, and this is one of them."""
        regular = self._regular.get(timeframe)
        step = TIMEFRAMES[timeframe]
        if regular is None:
            whole, rest = divmod(self._close - self._open, step)
            between = self._calendar.missing_bars(self._open + 1, self._close, timeframe)
            regular = self._regular[timeframe] = rest == 0 and between == whole - 1
        return regular and (end - self._open) % step == 0
