"""The life of an order as one declared table, and the pure function that moves an order along it.

It forgives every race a broker can honestly produce and refuses whatever cannot have happened; who sends events, and
what a fill does to the account, is not its business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from mqk.orders.errors import OrderEventError
from mqk.orders.order import Order, OrderStatus
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@unique
class EventKind(StrEnum):
    """What happened to an order. The two requests are ours, everything else is the broker's word."""

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


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One event of one order. The same `event_id` is the same event, whatever lane brought it, and counts once.

    `qty` is the shares of this fill for PARTIAL_FILL and FILL (a FILL says that it completes the order), the new total
    for REPLACE_REQUESTED and REPLACED, and zero for every other kind. `reason` is the broker's text, if any.
    """

    event_id: str
    kind: EventKind
    qty: int = 0
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Edge:
    """One line of the table: on `event`, an order in one of `sources` goes to `to` (None: stays) when `when` holds.

    `when` judges the order after its quantities took the event in. The first edge that fits is taken.
    """

    event: EventKind
    sources: tuple[OrderStatus, ...]
    to: OrderStatus | None
    when: str = "always"


class _Amounts(NamedTuple):
    """The quantities of an order once an event is taken in, and whether the broker knows the order."""

    qty: int
    filled: int
    replace_qty: int | None
    acknowledged: bool


_E: Final = EventKind
_S: Final = OrderStatus

_RESTING: Final = (_S.ACCEPTED, _S.PARTIALLY_FILLED)
_WORKING: Final = (_S.NEW, *_RESTING)
_PENDING: Final = (_S.PENDING_CANCEL, _S.PENDING_REPLACE)
_ALIVE: Final = (*_WORKING, *_PENDING)
_PULLED: Final = (_S.CANCELLED, _S.EXPIRED)
_OVER: Final = (_S.FILLED, *_PULLED, _S.REJECTED)

CONDITIONS: Final[Mapping[str, Callable[[_Amounts], bool]]] = MappingProxyType(
    {
        "always": lambda _: True,
        # Filled to its total. While a larger total is asked for and unanswered, a partial fill does not complete it.
        "complete": lambda a: a.filled == a.qty and (a.replace_qty is None or a.replace_qty <= a.qty),
        "replacing": lambda a: a.replace_qty is not None,
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
    Edge(_E.REPLACED, (_S.PENDING_REPLACE,), _S.PARTIALLY_FILLED, "started"),
    Edge(_E.REPLACED, (_S.PENDING_REPLACE,), _S.ACCEPTED),
    Edge(_E.REPLACED, (*_RESTING, _S.PENDING_CANCEL, _S.FILLED, *_PULLED), None),
    Edge(_E.REPLACE_REJECTED, _PENDING, _S.FILLED, "complete"),
    Edge(_E.REPLACE_REJECTED, (_S.PENDING_REPLACE,), _S.PARTIALLY_FILLED, "started"),
    Edge(_E.REPLACE_REJECTED, (_S.PENDING_REPLACE,), _S.ACCEPTED),
    Edge(_E.REPLACE_REJECTED, (*_RESTING, _S.PENDING_CANCEL, *_OVER), None),
    # A reject ends an order also after a partial fill, whose shares remain. It cannot undo a complete one.
    Edge(_E.REJECTED, _ALIVE, _S.REJECTED),
    Edge(_E.REJECTED, (*_PULLED, _S.REJECTED), None),
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
    amounts = _take_in(order, event)
    for edge in _TABLE.get((order.status, event.kind), ()):
        if edge.when == "always" or CONDITIONS[edge.when](amounts):
            return Order(
                order.client_order_id,
                order.symbol,
                order.side,
                amounts.qty,
                order.type,
                order.limit_price,
                order.stop_price,
                edge.to or order.status,
                amounts.filled,
                order.created_at,
                event.reason or order.reason,
                amounts.acknowledged,
                amounts.replace_qty,
                {**order.events, event.event_id: event},
                order.tif,
                order.reduce_only,
            )
    raise OrderEventError(
        "event",
        f"order `{order.client_order_id}` is `{order.status}`, in which `{event.kind}` cannot happen",
        "reconcile with the broker before trading on",
    )


def _take_in(order: Order, event: OrderEvent) -> _Amounts:
    """Work out the quantities after an event. Raises OrderEventError "quantity" for those that cannot be."""
    effect = _EFFECTS.get(event.kind)
    if effect is None:
        if event.qty:
            raise _wrong(order, event, "carries no quantity")
        asked = None if event.kind is _E.REPLACE_REJECTED else order.replace_qty
        return _Amounts(order.qty, order.filled, asked, order.acknowledged or event.kind is _E.ACCEPTED)
    if type(event.qty) is not int or not 0 < event.qty <= INT64_MAX:
        raise _wrong(order, event, "must be of at least one whole share")
    return effect(order, event)


def _partial_fill(order: Order, event: OrderEvent) -> _Amounts:
    qty, asked = order.qty, order.replace_qty
    filled = order.filled + event.qty
    if filled > qty and asked is not None and filled <= asked:
        # More than the old total has traded: the broker has replaced the order, its word is only late.
        qty, asked = asked, None
    if filled > qty:
        raise _wrong(order, event, "would overfill it")
    return _Amounts(qty, filled, asked, True)


def _final_fill(order: Order, event: OrderEvent) -> _Amounts:
    filled = order.filled + event.qty
    if filled not in {order.qty, order.replace_qty}:
        raise _wrong(order, event, "would overfill it" if filled > order.qty else "does not complete it")
    return _Amounts(filled, filled, None, True)


def _replace_requested(order: Order, event: OrderEvent) -> _Amounts:
    if event.qty <= order.filled:
        raise _wrong(order, event, "must leave something to fill")
    return _Amounts(order.qty, order.filled, event.qty, order.acknowledged)


def _replaced(order: Order, event: OrderEvent) -> _Amounts:
    # A total nobody asked for is refused: it would be exposure nobody judged. Less than was asked for is the broker's
    # right, though not less than it has filled.
    most = order.qty if order.replace_qty is None else max(order.qty, order.replace_qty)
    least = order.qty if order.replace_qty is None else order.filled
    if not least <= event.qty <= most:
        raise _wrong(order, event, "is not a total that was asked for")
    return _Amounts(event.qty, order.filled, None, True)


_EFFECTS: Final[Mapping[EventKind, Callable[[Order, OrderEvent], _Amounts]]] = MappingProxyType(
    {
        _E.PARTIAL_FILL: _partial_fill,
        _E.FILL: _final_fill,
        _E.REPLACE_REQUESTED: _replace_requested,
        _E.REPLACED: _replaced,
    }
)


def _wrong(order: Order, event: OrderEvent, what: str) -> OrderEventError:
    return OrderEventError(
        "quantity",
        f"`{event.kind}` of `{event.qty}` {what}: order `{order.client_order_id}` is `{order.status}`"
        f" with `{order.filled}` of `{order.qty}` filled",
        "reconcile with the broker before trading on",
    )
