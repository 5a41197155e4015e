"""An instant of a recorded market, as it is shown to who only sees what is shown to him: part after part.

What lives here: the parts, and what belongs to them. What does not: what happens in them (market.py, hours.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mqk.engine import BorrowCharged, CorporateAction
    from mqk.market import Bar


@unique
class Part(IntEnum):
    """What comes after what at one instant. What an engine asks for because of one part is there in the next."""

    CLOSED = 0
    """The session before is over, and with it the orders of its day."""
    BEGUN = 1
    """A session begins: borrowed shares have cost a night, and shares have gone ex."""
    OPENED = 2
    """The bars have opened."""
    PASSED = 3
    """The bars have passed, for what had arrived by their opens."""
    HURT = 4
    """They have hurt what was born of them; as often as something was."""
    ENDED = 5
    """The bars have ended, and perhaps their session."""


@dataclass(frozen=True, slots=True)
class Overnight:
    """What lies before the first bars of a session.

    `closed` is when the session before closed (None: there was none), `opens` when this one opens, in epoch
    microseconds; `events` are what borrowed shares cost and what goes ex, in the order in which they count.
    """

    closed: int | None
    opens: int
    events: tuple[BorrowCharged | CorporateAction, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """The bars that end at one instant, each with when it began, and the session that they belong to.

    `at` is the instant and `closes` when its session closes, in epoch microseconds; `overnight` what comes before the
    first of a session, and None else.
    """

    at: int
    bars: tuple[tuple[Bar, int], ...]
    closes: int
    overnight: Overnight | None = None
