"""The life of an order: a lifecycle policy as a table of statuses, and the pure function that moves an order along it.

It takes in every race that the policy has a move for and refuses whatever cannot have happened; who sends events, and
what a fill does to the account, is not its business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqk.orders.amounts import Amounts, take_in
from mqk.orders.errors import OrderEventError
from mqk.orders.events import EventKind, OrderEvent
from mqk.orders.order import Order, OrderStatus
from mqk.policy import PolicyError, Span
from mqk.policy.order_life import lifeless

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mqk.guards import GuardSet

_BY_EVENT: Final = {kind.value.lower(): kind for kind in EventKind}


class OrderMachine:
    """What can happen to the orders of one engine, compiled from its lifecycle `order`.

    `moves` has, for each status and event that any move is written for, the next status in each of the sixteen ways in
    which an order can be complete, started, being replaced and acknowledged; None: it cannot have happened.
    """

    __slots__ = ("moves",)

    def __init__(self, moves: Mapping[tuple[OrderStatus, EventKind], tuple[OrderStatus | None, ...]]) -> None:
        self.moves = moves

    @classmethod
    def of(cls, guards: GuardSet) -> OrderMachine:
        """The machine of an engine that trades. Raises PolicyError MQK-1640 when its policy declares none."""
        if guards.order_moves is None:
            engine = guards.bundle.engine
            raise PolicyError([lifeless(engine, Span.nowhere(f"engine:{engine}"))])
        return cls(
            {
                (OrderStatus(state), _BY_EVENT[event]): tuple(None if to is None else OrderStatus(to) for to in ends)
                for (state, event), ends in guards.order_moves.table.items()
            }
        )

    def reachable(self) -> dict[OrderStatus, frozenset[OrderStatus]]:
        """Where each status can lead, by any number of moves."""
        ahead: dict[OrderStatus, set[OrderStatus]] = {status: set() for status in OrderStatus}
        for (status, _), ends in self.moves.items():
            ahead[status] |= {to for to in ends if to is not None and to is not status}
        for _ in OrderStatus:
            for found in ahead.values():
                found |= {further for status in tuple(found) for further in ahead[status]}
        return {status: frozenset(found) for status, found in ahead.items()}

    def apply(self, order: Order, event: OrderEvent) -> Order:
        """Return the order after the event; the very same order when the event was applied before.

        Raises OrderEventError when the event cannot have happened: the policy has no move for it, a quantity is not
        above zero where one is due, fills exceed the total, or an id comes back with other contents. Nothing changes
        then.
        """
        known = order.events.get(event.event_id)
        if known is not None:
            if known == event:
                return order
            raise OrderEventError(
                "conflict",
                f"event `{event.event_id}` of order `{order.client_order_id}` came before as `{known.kind}`"
                f" of `{known.qty}`, and now as `{event.kind}` of `{event.qty}`",
            )
        if not event.event_id:
            raise OrderEventError("id", f"an event of order `{order.client_order_id}` has no id")
        amounts = take_in(order, event)
        ends = self.moves.get((order.status, event.kind))
        status = None if ends is None else ends[_index(amounts)]
        if status is None:
            raise OrderEventError(
                "event",
                f"order `{order.client_order_id}` is `{order.status}`, in which `{event.kind}` cannot happen",
                "reconcile with the broker before trading on",
            )
        return _moved(order, event, amounts, status)


def _index(amounts: Amounts) -> int:
    """Which of the sixteen ways it is, as `mqk.guards.order_life.CONDITIONS` numbers them."""
    return (
        (8 if amounts.complete else 0)
        + (4 if amounts.filled else 0)
        + (2 if amounts.asked is not None else 0)
        + (1 if amounts.acknowledged else 0)
    )


def _moved(order: Order, event: OrderEvent, amounts: Amounts, status: OrderStatus) -> Order:
    asked = amounts.asked
    return Order(
        order.client_order_id,
        order.symbol,
        order.side,
        amounts.qty,
        order.type,
        amounts.limit_price,
        amounts.stop_price,
        status,
        amounts.filled,
        order.created_at,
        event.reason or order.reason,
        amounts.acknowledged,
        None if asked is None else asked.qty,
        {**order.events, event.event_id: event},
        order.tif,
        order.reduce_only,
        order.parent_id,
        order.leg,
        None if asked is None else asked.limit_price,
        None if asked is None else asked.stop_price,
        amounts.reduced,
    )
