"""What comes to what rests at a market as bars pass, after their opens, and what borrowed shares cost a night.

What lives here: which part of a bar comes after which. What does not: what happens in each (market.py), or telling it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqk.engine import BorrowCharged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from mqk.engine import EngineState, Event
    from mqk.market import Bar
    from mqk.venue.market import SimulatedMarket

# The days of a year for which shares are lent, as lenders count them.
_YEAR: Final = 360


def met(market: SimulatedMarket, bars: Sequence[Bar], session_closes: int) -> Iterator[list[Event]]:
    """What bars of one instant come to after their opens, for limits and stops, in lists that are told one by one.

    What is born of one list may still be hurt by the same bars, and is then in the next.
    """
    born = False
    while answers := within(market, bars, born=born):
        yield answers
        born = True
    yield ended(market, bars, session_closes)


def within(market: SimulatedMarket, bars: Sequence[Bar], *, born: bool) -> list[Event]:
    """What happens between the opens and the ends of bars; `born`: to orders that came since this was asked before."""
    return [answer for bar in bars if bar.tradable for answer in market.within(bar, born=born)]


def ended(market: SimulatedMarket, bars: Sequence[Bar], session_closes: int) -> list[Event]:
    """What leaves the market as bars end, and with them perhaps their session."""
    left = [answer for bar in bars if bar.tradable for answer in market.over(bar)]
    if bars and bars[0].end == session_closes:
        left += market.expire(session_closes, session_closes)
    return left


def borrowed(state: EngineState, rate: Fraction, session: int, opens: int) -> Iterator[BorrowCharged]:
    """What shares cost that were borrowed since the engine's last session, at their last price, by symbol.

    `rate` is what a year costs, of the value; `session` the ordinal of the one that begins, which opens at `opens`.
    """
    before = state.session
    if before is None or not rate:
        return
    for symbol, line in sorted(state.lines.items()):
        if line.qty < 0 and line.price is not None:
            per_share = rate * line.price * (session - before) / _YEAR
            yield BorrowCharged(symbol, session, max(opens, state.now), per_share)
