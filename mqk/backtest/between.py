"""What comes before a session trades, and what the market and the feed are asked about the engine's symbols.

What lives here: which events come, in which order. What does not: bars (mqk.venue), telling the engine (runner.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.engine import Cancel, Replace
from mqk.venue import borrowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

    from mqk.backtest.beside import Beside
    from mqk.backtest.feed import RecordedFeed
    from mqk.engine import Effect, EngineState, Event
    from mqk.venue import SimulatedMarket


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
        yield [*borrowed(state, borrow, session, feed.opens)]
    for action in feed.gone_ex():
        told: list[Event] = [action]
        if action.split != 1:
            if beside is not None:
                beside.split(action.symbol, action.split)
            told += market.split(action.symbol, action.split, action.at)
        yield told


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


def in_sending_order(state: EngineState, effects: Sequence[Effect]) -> list[Effect]:
    """What of several effects leaves first: cancels, then changes, by the age of their orders, then new orders."""
    asked = [effect for effect in effects if isinstance(effect, Cancel | Replace)]
    ages = {name: age for age, name in enumerate(state.working)} if len(asked) > 1 else {}

    def place(effect: Effect) -> tuple[int, int]:
        match effect:
            case Cancel(client_order_id=name):
                return 0, ages.get(name, 0)
            case Replace(order=order):
                return 1, ages.get(order.client_order_id, 0)
            case _:
                return 2, 0

    return sorted(effects, key=place)
