"""What every broker does for us, what it answers, and how it can fail. No broker is here.

Nothing can be submitted without a Permit, which only the engine's gate mints. What an answer means is the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mqk.brokers.messages import Message
    from mqk.engine import Permit
    from mqk.orders import Order
    from mqk.reconcile import Book


@dataclass(frozen=True, slots=True)
class Ack:
    """The broker's answer for one order: its own id for it, and why it rejected it (None: it did not)."""

    client_order_id: str
    broker_order_id: str
    rejection: str | None = None


class BrokerError(Exception):
    """The broker did not do what was asked. `code` is stable, `message` says what is wrong, `help` what to do."""

    def __init__(self, code: str, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help


class PermitRefused(BrokerError):
    """What came with the order does not let it out, and nothing was done.

    It is nothing that the gate minted, is for another order, has expired, or is of a leader that another has followed.
    """


class BrokerUnavailable(BrokerError):
    """The broker could not be reached, and provably has not got the request."""


class Ambiguous(BrokerError):
    """The request may or may not have reached the broker: it must be asked before anything is sent again."""


class Broker(Protocol):
    """One account at one broker. Every method may raise BrokerUnavailable; instants are in epoch microseconds.

    What an order with a parent trades is taken off the others of that parent, as `mqk.orders.taken_off` says; the fill
    tells of which, and those that have nothing left are cancelled.
    """

    def submit(self, permit: Permit, order: Order) -> Ack:
        """Send an order. The same order again is answered as before, and never traded twice.

        Raises PermitRefused; BrokerError `conflict` when the client order id stands for another order already;
        Ambiguous when nobody knows whether it arrived.
        """

    def find(self, client_order_id: str) -> Ack | None:
        """What the broker answered for this order, as `submit` did; None when it provably never got it."""

    def cancel(self, client_order_id: str) -> bool:
        """Take an order back. False when there is nothing left of it to take back. Idempotent, and needs no permit."""

    def replace(self, permit: Permit, order: Order) -> bool:
        """Change an order to `order`, of the same id. False when there is nothing left of it to change.

        The same change again is no other one. Raises PermitRefused, Ambiguous.
        """

    def events_after(self, cursor: int) -> Sequence[Message]:
        """What was told after this point of the account's stream (0: everything), in order."""

    def book(self, orders: Collection[str] = ()) -> Book:
        """The account as the broker sees it at one moment: its open orders, and those asked for, finished or not."""
