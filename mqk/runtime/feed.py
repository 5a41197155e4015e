"""The recorded feed as a run plays it: one instant after the other, with what the calendar says about each.

What lives here: cutting bars into instants, and their order within a turn of the engine. What does not: the calendar's
answers (mqk.backtest.RecordedFeed gives the same ones to backtests), or what the engine makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from mqk.backtest import RecordedFeed
from mqk.engine import BarArrived, ClockTicked, SessionPlanned
from mqk.market import calendar_of, data_sha256
from mqk.runtime.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mqk.engine import Event
    from mqk.market import Bar
    from mqk.policy import Bundle

_IN_ORDER: Final = attrgetter("end", "symbol", "timeframe")


@dataclass(frozen=True, slots=True)
class Instant:
    """All that the feed has to say at one instant.

    `position` counts instants from 0; `at` is the end of its bars in epoch microseconds; `opens` are the bars with the
    instants at which they opened.
    """

    position: int
    at: int
    opens: tuple[tuple[Bar, int], ...]
    opening: tuple[Event, ...]
    """What comes before anything trades: a session that begins, and what goes ex with it."""
    closing: tuple[Event, ...]
    """What comes once all is told that happened in between: silent feeds, then the bars themselves."""

    def tradable(self) -> list[tuple[Bar, int]]:
        """The bars at whose open orders trade, whatever the policy will make of the whole bar later."""
        found: dict[str, tuple[Bar, int]] = {}
        for bar, opened in self.opens:
            if bar.symbol not in found and bar.tradable:
                found[bar.symbol] = (bar, opened)
        return list(found.values())


class Feed:
    """Recorded bars, by instant. `ends` are the instants in order, `sha256` the hash of the bars.

    Raises FeedError for no bars at all, and for bars of timeframes that the engine does not trade or cannot tell apart;
    CalendarError for a calendar that cannot be built.
    """

    __slots__ = ("_bars", "_calendar", "_starts", "ends", "sha256")

    def __init__(self, bars: Sequence[Bar], bundle: Bundle) -> None:
        self._bars = sorted(bars, key=_IN_ORDER)
        _require_runnable(self._bars, bundle)
        # Built here, because it takes seconds the first time, and turns are timed.
        self._calendar = calendar_of(bundle.calendar)
        self.sha256 = data_sha256(self._bars)
        self._starts = [i for i, bar in enumerate(self._bars) if i == 0 or bar.end != self._bars[i - 1].end]
        self.ends = [self._bars[start].end for start in self._starts]

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def bars(self) -> int:
        """How many bars there are."""
        return len(self._bars)

    def instants(self) -> Iterator[Instant]:
        """Every instant from the first, in order. Raises CalendarError outside the days that the calendar knows."""
        recorded = RecordedFeed(self._calendar, self._bars)
        was_late, last_session, last_at = False, None, 0
        stops = [*self._starts[1:], len(self._bars)]
        for position, (start, stop) in enumerate(zip(self._starts, stops, strict=True)):
            group = self._bars[start:stop]
            at = group[0].end
            session = recorded.enter(at)
            late = recorded.late(at)
            last = len(group) - 1
            arrived = [
                BarArrived(bar, recorded.arrive(bar), session, at, None, i < last) for i, bar in enumerate(group)
            ]
            opens = tuple((bar, max(recorded.start(bar), last_at)) for bar in group)
            opening: tuple[Event, ...] = ()
            if session != last_session:
                # What happened overnight is the new day's: the session begins before its first fill.
                opened = min(instant for _, instant in opens)
                opening = (
                    SessionPlanned(recorded.plan()),
                    ClockTicked(opened, recorded.late(opened), session),
                    *recorded.gone_ex(),
                )
            # Also once after all are back in time, so that the engine knows.
            clock = [ClockTicked(at, late, session)] if late or was_late else []
            was_late, last_session, last_at = bool(late), session, at
            yield Instant(position, at, opens, opening, (*clock, *arrived))


def _require_runnable(bars: Sequence[Bar], bundle: Bundle) -> None:
    if not bars:
        raise FeedError(["there are no bars to run on"])
    problems: list[str] = []
    timeframes: dict[str, str] = {}
    for symbol, timeframe in sorted({(bar.symbol, bar.timeframe) for bar in bars}):
        if timeframes.setdefault(symbol, timeframe) != timeframe:
            problems.append(f"`{symbol}` comes in bars of `{timeframes[symbol]}` and of `{timeframe}`")
        if timeframe not in bundle.timeframes:
            known = ", ".join(f"`{each}`" for each in bundle.timeframes)
            problems.append(f"`{bundle.engine}` trades bars of {known}, and those of `{symbol}` are of `{timeframe}`")
    if problems:
        raise FeedError(problems, "give bars of one of the engine's timeframes, one for each symbol")
