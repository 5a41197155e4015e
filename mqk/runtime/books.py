"""The engine's book beside the broker's: taking both of the same moment, comparing them, saying what came of it.

What lives here: one reconciliation. What does not: what counts as a difference (mqk.reconcile), or halting (loop.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mqk.guards import outside
from mqk.orders import OrderStatus
from mqk.quantity import format_instant
from mqk.reconcile import Book, BookError, Difference, Kind, OrderView, Severity, clean, compare, freshness

if TYPE_CHECKING:
    from collections.abc import Collection

    from mqk.brokers import Broker
    from mqk.engine import EngineState

# Orders about which we asked the broker for something, and about which it may know more than has reached us.
_ASKED = (OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What one comparison found, and at which instant of the market."""

    at: int
    differences: tuple[Difference, ...]
    orders: int
    positions: int

    @property
    def clean(self) -> bool:
        """Whether nothing was found that must stop the engine."""
        return clean(self.differences)

    @property
    def reason(self) -> str:
        """Why the engine must stop, for people."""
        told = [f"{d.kind.value} of {d.subject}: {d.local} here, {d.broker} at the broker" for d in self._halting()]
        return "reconciliation found " + "; ".join(told)

    def view(self, now: int) -> outside.Reconcile:
        """The facts about it, for the guard of transitions."""
        view = outside.Reconcile()
        view.clean = self.clean
        view.age = now - self.at
        return view

    def to_json(self) -> dict[str, Any]:
        """What the audit trail keeps."""
        return {
            "clean": self.clean,
            "market_time": format_instant(self.at),
            "orders": self.orders,
            "positions": self.positions,
            "notes": len(self.differences) - len(self._halting()),
            "halts": len(self._halting()),
            "differences": [difference.to_json() for difference in self.differences],
        }

    def _halting(self) -> list[Difference]:
        return [difference for difference in self.differences if difference.severity is Severity.HALT]


def broker_book(broker: Broker, state: EngineState) -> Book | BookError:
    """The broker's book now, with all our working orders; what cannot be read is a finding and no failure.

    Raises BrokerUnavailable.
    """
    try:
        return broker.book(state.working)
    except BookError as unreadable:
        return unreadable


def reconcile(
    state: EngineState, theirs: Book | BookError, unsent: Collection[str], *, now: int, shown: int, lag: bool
) -> Reconciliation:
    """Compare the engine's book with the broker's.

    `unsent` are the orders that the broker need not have, because they wait in the outbox or came to nothing; it must
    have every other one that is at work. `shown` is the instant up to which the broker has been shown the market at
    least, `now` the one up to which it may have been (both in epoch microseconds). Orders that we asked something about
    may be further there than here; with `lag` every order may, since messages may be waiting that nobody has taken in.
    """
    if isinstance(theirs, BookError):
        unreadable = Difference(Kind.UNREADABLE, "book", "a book", theirs.message, Severity.HALT)
        return Reconciliation(now, (unreadable,), len(state.working), len(state.ledger.positions))
    there = theirs.orders
    ours = {key: order for key, order in state.working.items() if key in there or key not in unsent}
    # An order that is over here and alive there is a difference, and not an unknown order.
    ours.update({key: state.orders[key] for key in there if key in state.orders})
    local = Book(
        {key: OrderView(o.symbol, o.side, o.qty, o.filled, o.status) for key, o in ours.items()},
        {symbol: position.qty for symbol, position in state.ledger.positions.items()},
        state.ledger.cash,
        now,
    )
    in_flight = {key for key, order in ours.items() if key in there and (lag or order.status in _ASKED)}
    differences = compare(local, theirs, engine=state.engine, in_flight=in_flight)
    stale = freshness(theirs, now=now, max_age=now - shown, last=shown)
    if stale is not None:
        differences = (*differences, stale)
    return Reconciliation(now, differences, len(local.orders), len(local.positions))
