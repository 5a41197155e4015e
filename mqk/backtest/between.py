"""What happens between the opens of bars: what rests at the market meets them, and borrowed shares cost another night.

What lives here: which events come, in which order. What does not: prices (market.py), telling the engine (runner.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqk.engine import BorrowCharged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

    from mqk.backtest.beside import Beside
    from mqk.backtest.feed import RecordedFeed
    from mqk.engine import EngineState, Event
    from mqk.market import Bar
    from mqk.venue import SimulatedMarket

# The days of a year for which shares are lent, as lenders count them.
_YEAR: Final = 360


def met(market: SimulatedMarket, bars: Sequence[Bar], session_closes: int) -> Iterator[list[Event]]:
    """What bars of one instant come to after their opens, for limits and stops, in lists that are told one by one.

    What is born of one list may still be hurt by the same bars, and is then in the next.
    """
    trading = [bar for bar in bars if bar.tradable]
    born = False
    while answers := [answer for bar in trading for answer in market.within(bar, born=born)]:
        yield answers
        born = True
    left = [answer for bar in trading for answer in market.over(bar)]
    if bars[0].end == session_closes:
        left += market.expire(session_closes, session_closes)
    yield left


def overnight(
    state: EngineState,
    feed: RecordedFeed,
    market: SimulatedMarket,
    beside: Beside | None,
    borrow: Fraction,
    session: int,
) -> Iterator[list[Event]]:
    """What comes before a session trades: what was borrowed costs a night, and what goes ex does, in books and market.

    Each list is told, and then what the engine asks for is carried out: it asks in the shares of after a split.
    """
    if borrow:
        yield [*_borrowed(state, borrow, session, feed.opens)]
    for action in feed.gone_ex():
        told: list[Event] = [action]
        if action.split != 1:
            if beside is not None:
                beside.split(action.symbol, action.split)
            told += market.split(action.symbol, action.split, action.at)
        yield told


def _borrowed(state: EngineState, rate: Fraction, session: int, opens: int) -> Iterator[Event]:
    """What shares cost that were borrowed since the engine's last session, at their last price, by symbol."""
    before = state.session
    if before is None:
        return
    for symbol, line in sorted(state.lines.items()):
        if line.qty < 0 and line.price is not None:
            per_share = rate * line.price * (session - before) / _YEAR
            yield BorrowCharged(symbol, session, max(opens, state.now), per_share)


def held_by(state: EngineState) -> Callable[[str], bool]:
    """Whether anything of a symbol is held or at work, whenever it is asked."""

    def held(symbol: str) -> bool:
        line = state.lines.get(symbol)
        return line is not None and line.busy

    return held


def in_progress(state: EngineState, feed: RecordedFeed) -> Callable[[str], int | None]:
    """When the bar of a symbol began that is in progress, if one is, whenever it is asked."""

    def began(symbol: str) -> int | None:
        line = state.lines[symbol]
        return feed.in_progress(symbol, line.timeframe, line.previous_end, state.now)

    return began
