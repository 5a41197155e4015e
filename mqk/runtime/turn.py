"""One turn of the engine: what the inbox holds and what the feed says at one instant, in the order in which it counts.

The same for a run and for its recovery, which is why the two agree. Nothing is read, written or sent here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.engine import step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mqk.engine import Effect, EngineState, Event
    from mqk.runtime.feed import Instant


def turn(state: EngineState, instant: Instant, told: Iterable[Event]) -> list[Effect]:
    """Take in the session that begins, then what was told, then silent feeds and the bars. Changes `state` alone.

    Raises EngineError for what cannot be true of the books.
    """
    effects: list[Effect] = []
    for events in (instant.opening, told, instant.closing):
        for event in events:
            effects += step(state, event)
    return effects
