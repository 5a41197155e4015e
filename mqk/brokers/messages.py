"""What a broker tells us: an event of the engine, under the broker's own name for it and its place in the stream.

What the event does to an order or the ledger is the engine's business; keeping it is the inbox's.
"""

from __future__ import annotations

from dataclasses import dataclass

from mqk.engine import Accepted, Cancelled, CancelRejected, Expired, Filled, Rejected, Replaced, ReplaceRejected

BrokerEvent = Accepted | Rejected | Filled | Cancelled | CancelRejected | Replaced | ReplaceRejected | Expired


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an account's stream.

    `message_id` is the same however often it is told; `cursor` is its place in the stream, from 1 on.
    """

    message_id: str
    cursor: int
    event: BrokerEvent

    @property
    def fill_id(self) -> str | None:
        """The economic event behind a fill, whatever message told it; None for everything else."""
        return self.event.fill.fill_id if isinstance(self.event, Filled) else None
