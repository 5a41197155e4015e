"""What can happen to an order, as immutable records. What it does to the order is told in amounts.py and machine.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique


@unique
class EventKind(StrEnum):
    """What happened to an order. The requests are ours, the rest the broker says: REDUCED with a sibling's fill."""

    ACCEPTED = "ACCEPTED"
    PARTIAL_FILL = "PARTIAL_FILL"
    FILL = "FILL"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELLED = "CANCELLED"
    CANCEL_REJECTED = "CANCEL_REJECTED"
    REPLACE_REQUESTED = "REPLACE_REQUESTED"
    REPLACED = "REPLACED"
    REPLACE_REJECTED = "REPLACE_REJECTED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    REDUCED = "REDUCED"


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One event of one order. The same `event_id` is the same event, whatever lane brought it, and counts once.

    `qty` is the shares of this fill for PARTIAL_FILL and FILL (a FILL says that it completes the order), the new total
    for REPLACE_REQUESTED and REPLACED, the shares taken off for REDUCED, and zero for every other kind. `limit_price`
    and `stop_price` (micros) come with replacements, and only where they are to change. `reason` is the broker's text.
    """

    event_id: str
    kind: EventKind
    qty: int = 0
    reason: str = field(default="", compare=False)
    limit_price: int | None = None
    stop_price: int | None = None
