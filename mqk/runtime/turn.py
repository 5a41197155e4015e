"""One turn of the engine: what the inbox holds and what the feed says at one instant, in the order in which it counts.

The same for a run and for its recovery, which is why the two agree. Nothing is read, written or sent here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.engine import Informing, step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mqk.engine import Effect, EngineState, Event
    from mqk.runtime.feed import Instant


def turn(state: EngineState, instant: Instant, told: Iterable[Event]) -> list[Effect]:
    """Take in what informs, the session that begins, what was told, silent feeds and the bars. Changes `state` alone.

    Raises EngineError for what cannot be true of the books.
    """
    effects: list[Effect] = []
    heard = list(told)
    informing = [event for event in heard if isinstance(event, Informing)]
    others = [event for event in heard if not isinstance(event, Informing)]
    for events in (informing, instant.opening, others, instant.closing):
        for event in events:
            effects += step(state, event)
    return effects
