"""The life of an order as one declared table, and the pure function that moves an order along it.

It forgives every race a broker can honestly produce and refuses whatever cannot have happened; who sends events, and
what a fill does to the account, is not its business.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from mqk.orders.amounts import Amounts, take_in
from mqk.orders.errors import OrderEventError
from mqk.orders.events import EventKind, OrderEvent
from mqk.orders.order import Order, OrderStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Edge:
    """One line of the table: on `event`, an order in one of `sources` goes to `to` (None: stays) when `when` holds.

    `when` judges the order after its quantities took the event in. The first edge that fits is taken.
    """

    event: EventKind
    sources: tuple[OrderStatus, ...]
    to: OrderStatus | None
    when: str = "always"


_E: Final = EventKind
_S: Final = OrderStatus

_RESTING: Final = (_S.ACCEPTED, _S.PARTIALLY_FILLED)
_WORKING: Final = (_S.NEW, *_RESTING)
_PENDING: Final = (_S.PENDING_CANCEL, _S.PENDING_REPLACE)
_ALIVE: Final = (*_WORKING, *_PENDING)
_PULLED: Final = (_S.CANCELLED, _S.EXPIRED)
_OVER: Final = (_S.FILLED, *_PULLED, _S.REJECTED)

CONDITIONS: Final[Mapping[str, Callable[[Amounts], bool]]] = MappingProxyType(
    {
        "always": lambda _: True,
        "complete": lambda a: a.complete and a.filled > 0,
        "spent": lambda a: a.complete and not a.filled,
        "replacing": lambda a: a.asked is not None,
        "started": lambda a: a.filled > 0,
        "acknowledged": lambda a: a.acknowledged,
    }
)

EDGES: Final[tuple[Edge, ...]] = (
    # An acknowledgement may come late, twice, or after the fill or the end it was overtaken by.
    Edge(_E.ACCEPTED, (_S.NEW,), _S.ACCEPTED),
    Edge(_E.ACCEPTED, (*_RESTING, *_PENDING, *_OVER), None),
    # Fills count in every status in which shares can have traded: also before the acknowledgement, while a request is
    # pending (which stays pending), and when they crossed a cancel on its way.
    Edge(_E.PARTIAL_FILL, (*_ALIVE, *_PULLED), _S.FILLED, "complete"),
    Edge(_E.PARTIAL_FILL, _WORKING, _S.PARTIALLY_FILLED),
    Edge(_E.PARTIAL_FILL, (_S.PENDING_CANCEL, *_PULLED), None),
    Edge(_E.PARTIAL_FILL, (_S.PENDING_REPLACE,), None, "replacing"),
    Edge(_E.PARTIAL_FILL, (_S.PENDING_REPLACE,), _S.PARTIALLY_FILLED),
    Edge(_E.FILL, (*_ALIVE, *_PULLED), _S.FILLED),
    # Cancelling is always open to us, also before the acknowledgement and over a pending replacement. After the end
    # there is nothing to cancel, and asking for it is a mistake of ours.
    Edge(_E.CANCEL_REQUESTED, (*_WORKING, _S.PENDING_REPLACE), _S.PENDING_CANCEL),
    Edge(_E.CANCEL_REQUESTED, (_S.PENDING_CANCEL,), None),
    # The broker may cancel or expire what it likes, asked or not; what ended stays ended the way it did.
    Edge(_E.CANCELLED, _ALIVE, _S.CANCELLED),
    Edge(_E.CANCELLED, _OVER, None),
    Edge(_E.EXPIRED, _ALIVE, _S.EXPIRED),
    Edge(_E.EXPIRED, _OVER, None),
    # A refused cancel gives the order back to whatever it was doing. Refused twice, or too late, it changes nothing.
    Edge(_E.CANCEL_REJECTED, (_S.PENDING_CANCEL,), _S.PENDING_REPLACE, "replacing"),
    Edge(_E.CANCEL_REJECTED, (_S.PENDING_CANCEL,), _S.PARTIALLY_FILLED, "started"),
    Edge(_E.CANCEL_REJECTED, (_S.PENDING_CANCEL,), _S.ACCEPTED, "acknowledged"),
    Edge(_E.CANCEL_REJECTED, (_S.PENDING_CANCEL,), _S.NEW),
    Edge(_E.CANCEL_REJECTED, (*_WORKING, _S.PENDING_REPLACE, *_OVER), None),
    # One replacement at a time, and only of what the broker is known to hold.
    Edge(_E.REPLACE_REQUESTED, _RESTING, _S.PENDING_REPLACE),
    Edge(_E.REPLACED, _PENDING, _S.FILLED, "complete"),
    Edge(_E.REPLACED, _PENDING, _S.CANCELLED, "spent"),
    Edge(_E.REPLACED, (_S.PENDING_REPLACE,), _S.PARTIALLY_FILLED, "started"),
    Edge(_E.REPLACED, (_S.PENDING_REPLACE,), _S.ACCEPTED),
    Edge(_E.REPLACED, (*_RESTING, _S.PENDING_CANCEL, _S.FILLED, *_PULLED), None),
    Edge(_E.REPLACE_REJECTED, _PENDING, _S.FILLED, "complete"),
    Edge(_E.REPLACE_REJECTED, _PENDING, _S.CANCELLED, "spent"),
    Edge(_E.REPLACE_REJECTED, (_S.PENDING_REPLACE,), _S.PARTIALLY_FILLED, "started"),
    Edge(_E.REPLACE_REJECTED, (_S.PENDING_REPLACE,), _S.ACCEPTED),
    Edge(_E.REPLACE_REJECTED, (*_RESTING, _S.PENDING_CANCEL, *_OVER), None),
    # A reject ends an order also after a partial fill, whose shares remain. It cannot undo a complete one.
    Edge(_E.REJECTED, _ALIVE, _S.REJECTED),
    Edge(_E.REJECTED, (*_PULLED, _S.REJECTED), None),
    # What a sibling has traded is taken off this one; with nothing left it is over.
    Edge(_E.REDUCED, (_S.PARTIALLY_FILLED, *_PENDING), _S.FILLED, "complete"),
    Edge(_E.REDUCED, (_S.NEW, _S.ACCEPTED, *_PENDING), _S.CANCELLED, "spent"),
    Edge(_E.REDUCED, (*_ALIVE, *_OVER), None),
)


def _compiled(edges: tuple[Edge, ...]) -> dict[tuple[OrderStatus, EventKind], tuple[Edge, ...]]:
    """Index the table by where an order is and what happens to it, in the table's order."""
    table: dict[tuple[OrderStatus, EventKind], tuple[Edge, ...]] = {}
    for edge in edges:
        for source in edge.sources:
            key = (source, edge.event)
            table[key] = (*table.get(key, ()), edge)
    return table


_TABLE: Final[Mapping[tuple[OrderStatus, EventKind], tuple[Edge, ...]]] = MappingProxyType(_compiled(EDGES))


def apply(order: Order, event: OrderEvent) -> Order:
    """Return the order after the event; the very same order when the event was applied before.

    Raises OrderEventError when the event cannot have happened: no edge of the table fits, a quantity is not above zero
    where one is due, fills exceed the total, or an id comes back with other contents. Nothing changes then.
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
    for edge in _TABLE.get((order.status, event.kind), ()):
        if edge.when == "always" or CONDITIONS[edge.when](amounts):
            return _moved(order, event, amounts, edge.to or order.status)
    raise OrderEventError(
        "event",
        f"order `{order.client_order_id}` is `{order.status}`, in which `{event.kind}` cannot happen",
        "reconcile with the broker before trading on",
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
