"""The recorded feed as a run plays it: one instant after the other, with what the calendar says about each.

What lives here: cutting bars into instants, and what the engine is told and the market shown in the parts of each. What
does not: the calendar's answers (mqk.backtest.RecordedFeed gives the same ones to backtests), or what the engine makes
of it.
"""

from __future__ import annotations

from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from mqk.backtest import RecordedFeed, held_by
from mqk.engine import (
    BarArrived,
    BorrowCharged,
    ClockTicked,
    CorporateAction,
    KillSwitch,
    LatchReleased,
    RunMoved,
    SessionPlanned,
)
from mqk.market import calendar_of, data_sha256
from mqk.quantity import format_instant
from mqk.runtime.errors import FeedError
from mqk.venue import Moment, Overnight, borrowed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from mqk.engine import EngineState, Event
    from mqk.market import Bar, Calendar
    from mqk.policy import Bundle

_IN_ORDER: Final = attrgetter("end", "symbol", "timeframe")
_SWITCHES: Final = (RunMoved, KillSwitch, LatchReleased)


class Instant:
    """All that the feed has to say at one instant, in parts: before its session, at its opens, at its ends.

    `position` counts instants from 0; `at` is the end of its bars in epoch microseconds; `begins` says that a session
    begins with it. It is to be played before the one after it is asked for, and looked at (`look`) first.
    """

    def __init__(self, playback: Playback, position: int, bars: Sequence[Bar]) -> None:
        feed, self._playback = playback.recorded, playback
        self.position = position
        self.at = at = bars[0].end
        self.session = feed.enter(at)
        self.begins = self.session != playback.session
        self._closed = None if playback.session is None else feed.closed
        playback.session = self.session
        self._opens, self._closes = feed.opens, feed.closes
        self._plan = feed.plan() if self.begins else None
        self._actions = tuple(feed.gone_ex()) if self.begins else ()
        self._late = feed.late(at)
        self._over = tuple(each for each in feed.late(at, lambda _: True) if each not in self._late)
        last = len(bars) - 1
        self._bars = tuple((bar, feed.start(bar)) for bar in bars)
        self._arrived = tuple(
            BarArrived(bar, feed.arrive(bar), self.session, at, None, i < last) for i, bar in enumerate(bars)
        )
        self._clock: tuple[Event, ...] = ()
        self._looked = False

    def look(self, state: EngineState) -> None:
        """See, once and before anything of it is played, which symbols are late: also what is held and comes no more.

        What was late is told once more after all are back in time, so that the engine knows.
        """
        if self._looked:
            return
        self._looked = True
        held = held_by(state)
        late = tuple(sorted([*self._late, *(each for each in self._over if held(each[0]))]))
        if late or self._playback.was_late:
            self._clock = (ClockTicked(self.at, late, self.session),)
        self._playback.was_late = bool(late)

    def opening(self, state: EngineState, borrow: Fraction) -> list[Event]:
        """What comes before the session trades: its plan, what borrowed shares cost at a yearly rate, what goes ex."""
        if self._plan is None:
            return []
        charged = borrowed(state, borrow, self.session, self._opens)
        return [SessionPlanned(self._plan), *charged, *self._actions]

    def trading(self, state: EngineState) -> list[Event]:
        """What comes before anything trades: the session begins before its first fill, and what happened overnight."""
        if state.session == self.session:
            return []
        for bar, began in self._bars:
            if bar.tradable and state.working_of(bar.symbol):
                at = max(began, state.now)
                late = self._playback.recorded.late(at, held_by(state))
                return [ClockTicked(at, late, self.session)]
        return []

    def switched(self, state: EngineState, told: Sequence[Event]) -> list[Event]:
        """What comes before people's switches: the session begins before anything is judged because of them."""
        if state.session == self.session or not any(isinstance(event, _SWITCHES) for event in told):
            return []
        at = max(self._opens, state.now)
        return [ClockTicked(at, self._playback.recorded.late(at, held_by(state)), self.session)]

    def closing(self) -> list[Event]:
        """What comes once all is told that happened in between: silent feeds, then the bars themselves."""
        return [*self._clock, *self._arrived]

    def moment(self, opening: Sequence[Event] = ()) -> Moment:
        """The instant as the market is shown it; `opening` is what came before its session."""
        overnight = None
        if self.begins:
            overnight = Overnight(
                self._closed,
                self._opens,
                tuple(event for event in opening if isinstance(event, BorrowCharged | CorporateAction)),
            )
        return Moment(self.at, self._bars, self._closes, overnight)


class Playback:
    """One playing of a feed: the instants from the first on, in order, and what the calendar knows of the last one.

    Raises CalendarError outside the days that the calendar knows.
    """

    def __init__(self, calendar: Calendar, groups: Iterator[Sequence[Bar]], bars: Sequence[Bar]) -> None:
        self.recorded = RecordedFeed(calendar, bars)
        self.session: int | None = None
        self.was_late = False
        self._groups = enumerate(groups)

    def __iter__(self) -> Playback:
        return self

    def __next__(self) -> Instant:
        position, group = next(self._groups)
        return Instant(self, position, group)


class Feed:
    """Recorded bars, by instant. `ends` are the instants in order, `sha256` the hash of the bars.

    Raises FeedError for no bars at all, for two of one symbol that end together, and for bars of timeframes that the
    engine does not trade or cannot tell apart; CalendarError for a calendar that cannot be built.
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

    def play(self) -> Playback:
        """Begin to play it from its first instant on."""
        stops = [*self._starts[1:], len(self._bars)]
        groups = (self._bars[start:stop] for start, stop in zip(self._starts, stops, strict=True))
        return Playback(self._calendar, groups, self._bars)


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
    for one, other in pairwise(bars):
        if (one.symbol, one.end) == (other.symbol, other.end) and one.timeframe == other.timeframe:
            problems.append(f"there are two bars of `{one.symbol}` that end at {format_instant(one.end)}")
    if problems:
        raise FeedError(problems, "give bars of one of the engine's timeframes, one for each symbol")
