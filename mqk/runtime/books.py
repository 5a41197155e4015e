"""The engine's book beside the broker's: taking both of the same moment, comparing them, saying what came of it.

What lives here: one reconciliation. What does not: what counts as a difference (mqk.reconcile), or halting (loop.py).
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mqk.guards import outside
from mqk.orders import OrderStatus
from mqk.quantity import format_instant, parse_instant
from mqk.reconcile import (
    Book,
    BookError,
    Difference,
    Judged,
    Kind,
    OrderView,
    Severity,
    clean,
    compare,
    freshness,
    judge,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mqk.brokers import Broker
    from mqk.engine import EngineState

# Orders about which we asked the broker for something, and about which it may know more than has reached us.
_ASKED = (OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What one comparison found, and at which instant of the market."""

    at: int
    differences: tuple[Judged, ...]
    orders: int
    positions: int

    @property
    def clean(self) -> bool:
        """Whether nothing was found that must stop the engine."""
        return clean(self.differences)

    @property
    def reason(self) -> str:
        """Why the engine must stop, for people."""
        return "reconciliation found " + "; ".join(_told(each) for each in self._halting())

    @property
    def standing(self) -> Mapping[tuple[str, str], int]:
        """Since when each difference has been there, by kind and subject."""
        return {(each.difference.kind.value, each.difference.subject): each.since for each in self.differences}

    def view(self, now: int) -> outside.Reconcile:
        """The facts about it, for the guard of transitions."""
        view = outside.Reconcile()
        view.clean = self.clean
        view.was(now - self.at)
        view.differences = len(self.differences)
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
            "differences": [_record(each) for each in self.differences],
        }

    def _halting(self) -> list[Judged]:
        return [each for each in self.differences if each.severity is Severity.HALT]


def _told(judged: Judged) -> str:
    found = judged.difference
    by = f" ({', '.join(judged.rules)})" if judged.rules else " (no rule speaks of it)"
    return f"{found.kind.value} of {found.subject}: {found.local} here, {found.broker} at the broker{by}"


def _record(judged: Judged) -> dict[str, Any]:
    return {
        **judged.difference.to_json(),
        "severity": judged.severity.value,
        "outcome": judged.outcome,
        "rules": list(judged.rules),
        "since": format_instant(judged.since),
    }


def standing_of(record: Mapping[str, Any] | None) -> dict[tuple[str, str], int]:
    """Since when the differences of a comparison that the audit trail kept had been there."""
    if record is None:
        return {}
    return {(each["kind"], each["subject"]): parse_instant(each["since"]) for each in record["differences"]}


def broker_book(broker: Broker, state: EngineState) -> Book | BookError:
    """The broker's book now, with all our working orders; what cannot be read is a finding and no failure.

    Raises BrokerUnavailable.
    """
    try:
        return broker.book(state.working)
    except BookError as unreadable:
        return unreadable


def reconcile(
    state: EngineState,
    theirs: Book | BookError,
    unsent: Collection[str],
    *,
    now: int,
    shown: int,
    lag: bool,
    standing: Mapping[tuple[str, str], int],
) -> Reconciliation:
    """Compare the engine's book with the broker's.

    `unsent` are the orders that the broker need not have, because they wait in the outbox or came to nothing; it must
    have every other one that is at work. `shown` is the instant up to which the broker has been shown the market at
    least, `now` the one up to which it may have been (both in epoch microseconds). Orders that we asked something about
    may be further there than here; with `lag` every order may, since messages may be waiting that nobody has taken in.
    `standing` are the differences of the last comparison, with since when they have been there.
    """
    if isinstance(theirs, BookError):
        unreadable = Difference(Kind.UNREADABLE, "book", "a book", theirs.message)
        judged = _judged(state, [unreadable], now, standing)
        return Reconciliation(now, judged, len(state.working), len(state.ledger.positions))
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
    differences = compare(local, theirs, engine=state.engine, ahead=state.machine.reachable(), in_flight=in_flight)
    stale = freshness(theirs, now=now, max_age=now - shown, last=shown)
    if stale is not None:
        differences = (*differences, stale)
    return Reconciliation(now, _judged(state, differences, now, standing), len(local.orders), len(local.positions))


def _judged(
    state: EngineState, differences: Collection[Difference], now: int, standing: Mapping[tuple[str, str], int]
) -> tuple[Judged, ...]:
    """The differences as the engine's own policy sees them, at the moment of the comparison."""
    clock = copy(state.clock)
    clock.now = now
    return judge(state.guards.difference, differences, run=state.run, clock=clock, standing=standing)
