"""Turns of the engine: what the feed says in one part of an instant and what the inbox holds, in their order.

The same for a run and for its recovery, which is why the two agree. Nothing is read, written or sent here.
"""

from __future__ import annotations

from enum import IntEnum, unique
from typing import TYPE_CHECKING

from mqk.engine import Informing, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from fractions import Fraction

    from mqk.engine import Effect, EngineState, Event
    from mqk.runtime.feed import Instant


@unique
class Part(IntEnum):
    """The parts of an instant, by what the engine hears in them after what the feed says there.

    Kept with every message that was applied, and with a run that was left in the middle of an instant.
    """

    OPENING = 0
    """The session begins: what the market says of what went ex."""
    TRADING = 1
    """The bars trade: fills, and the answers to what was asked for because of them."""
    ANSWERED = 2
    """The bars are over: the answers to what was asked for because of them, before the market moves on."""


def turn(state: EngineState, events: Iterable[Event], told: Iterable[Event]) -> list[Effect]:
    """Take in what informs, then what the feed says, then what was told. Changes `state` alone.

    Raises EngineError for what cannot be true of the books.
    """
    effects: list[Effect] = []
    heard = list(told)
    informing = [event for event in heard if isinstance(event, Informing)]
    others = [event for event in heard if not isinstance(event, Informing)]
    for group in (informing, events, others):
        for event in group:
            effects += step(state, event)
    return effects


def begin_again(
    state: EngineState, instant: Instant, told: Mapping[Part, Sequence[Event]], borrow: Fraction, upto: Part
) -> list[Effect]:
    """Play the parts of an instant again up to one, with all that was told in each."""
    effects: list[Effect] = []
    instant.look(state)
    for part in (each for each in Part if each <= upto):
        says: Sequence[Event] = ()
        match part:
            case Part.OPENING:
                says = instant.opening(state, borrow)
            case Part.TRADING:
                says = instant.trading(state)
            case Part.ANSWERED:
                effects += turn(state, instant.closing(), ())
        heard = told.get(part, ())
        effects += turn(state, [*says, *instant.switched(state, heard)], heard)
    return effects
