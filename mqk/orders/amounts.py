"""What an event does to an order's figures: shares, totals and prices. What cannot be is refused here, whole.

No state is moved here, and no policy can change any of this: which moves there are is the table's (machine.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mqk.orders.errors import OrderEventError
from mqk.orders.events import EventKind
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mqk.orders.errors import OrderErrorCode
    from mqk.orders.events import OrderEvent
    from mqk.orders.order import Order

_E: Final = EventKind


class Asked(NamedTuple):
    """What a replacement asks for: a total in shares, and prices in micros."""

    qty: int
    limit_price: int | None
    stop_price: int | None


class Amounts(NamedTuple):
    """The figures of an order once an event is taken in, and whether the broker knows the order."""

    qty: int
    filled: int
    limit_price: int | None
    stop_price: int | None
    asked: Asked | None
    acknowledged: bool
    reduced: int

    @property
    def complete(self) -> bool:
        """Nothing is left to fill. While a larger total is asked for and unanswered, something may be."""
        return self.filled + self.reduced >= self.qty and (self.asked is None or self.asked.qty <= self.qty)


def take_in(order: Order, event: OrderEvent) -> Amounts:
    """Work out the figures after an event.

    Raises OrderEventError "quantity" for shares and "price" for prices that cannot be: an overfill, nothing or less
    than nothing, a total or a price that nobody asked for.
    """
    effect = _EFFECTS.get(event.kind)
    if effect is None:
        if event.qty:
            raise _wrong(order, event, "carries no quantity")
        asked = None if event.kind is _E.REPLACE_REJECTED else _asked(order)
        acknowledged = order.acknowledged or event.kind is _E.ACCEPTED
        reduced = order.reduced if asked is not None else _off(order, order.qty)
        return Amounts(order.qty, order.filled, order.limit_price, order.stop_price, asked, acknowledged, reduced)
    if type(event.qty) is not int or not 0 < event.qty <= INT64_MAX:
        raise _wrong(order, event, "must be of at least one whole share")
    return effect(order, event)


def _off(order: Order, total: int) -> int:
    """What siblings have taken off an order of this total: no more than had not filled."""
    return min(order.reduced, total - order.filled)


def _asked(order: Order) -> Asked | None:
    if order.replace_qty is None:
        return None
    return Asked(order.replace_qty, order.replace_limit, order.replace_stop)


def _partial_fill(order: Order, event: OrderEvent) -> Amounts:
    was = order.qty, order.limit_price, order.stop_price
    asked = _asked(order)
    filled = order.filled + event.qty
    traded = filled + order.reduced
    if traded > order.qty and asked is not None and traded <= asked.qty:
        # More than the old total has traded: the broker has replaced the order, its word is only late.
        was, asked = asked, None
    if traded > was[0]:
        raise _wrong(order, event, "would overfill it")
    return Amounts(was[0], filled, was[1], was[2], asked, True, order.reduced)


def _final_fill(order: Order, event: OrderEvent) -> Amounts:
    filled = order.filled + event.qty
    if order.reduced or filled not in {order.qty, order.replace_qty}:
        over = filled + order.reduced > order.qty
        raise _wrong(order, event, "would overfill it" if over else "does not complete it")
    return Amounts(filled, filled, order.limit_price, order.stop_price, None, True, 0)


def _replace_requested(order: Order, event: OrderEvent) -> Amounts:
    if event.qty <= order.filled + order.reduced:
        raise _wrong(order, event, "must leave something to fill")
    asked = Asked(event.qty, *_priced(order, event))
    return Amounts(
        order.qty, order.filled, order.limit_price, order.stop_price, asked, order.acknowledged, order.reduced
    )


def _replaced(order: Order, event: OrderEvent) -> Amounts:
    # A total nobody asked for is refused: it would be exposure nobody judged. Less than was asked for is the broker's
    # right, though not less than it has filled.
    asked = _asked(order)
    most = order.qty if asked is None else max(order.qty, asked.qty)
    least = order.qty if asked is None else order.filled
    if not least <= event.qty <= most:
        raise _wrong(order, event, "is not a total that was asked for")
    limit, stop = _priced(order, event)
    known = ((order.limit_price, order.stop_price), None if asked is None else asked[1:])
    if asked is not None and event.limit_price is event.stop_price is None:
        limit, stop = asked.limit_price, asked.stop_price
    if (limit, stop) not in known:
        raise _wrong(order, event, f"at limit `{limit}` and stop `{stop}` was not asked for", "price")
    return Amounts(event.qty, order.filled, limit, stop, None, True, _off(order, event.qty))


def _reduced(order: Order, event: OrderEvent) -> Amounts:
    # Never more than may still fill, and a broker that has nothing left of it says so by itself.
    reduced = order.reduced + min(event.qty, order.leaves)
    return Amounts(
        order.qty,
        order.filled,
        order.limit_price,
        order.stop_price,
        _asked(order),
        order.acknowledged,
        reduced,
    )


def _priced(order: Order, event: OrderEvent) -> tuple[int | None, int | None]:
    """The prices that an event leaves an order with: its own where it says nothing."""
    limit = order.limit_price if event.limit_price is None else event.limit_price
    stop = order.stop_price if event.stop_price is None else event.stop_price
    for had, has in ((order.limit_price, limit), (order.stop_price, stop)):
        if (had is None) != (has is None) or (has is not None and not 0 < has <= INT64_MAX):
            raise _wrong(order, event, f"does not go with limit `{limit}` and stop `{stop}`", "price")
    return limit, stop


_EFFECTS: Final[Mapping[EventKind, Callable[[Order, OrderEvent], Amounts]]] = {
    _E.PARTIAL_FILL: _partial_fill,
    _E.FILL: _final_fill,
    _E.REPLACE_REQUESTED: _replace_requested,
    _E.REPLACED: _replaced,
    _E.REDUCED: _reduced,
}


def _wrong(order: Order, event: OrderEvent, what: str, code: OrderErrorCode = "quantity") -> OrderEventError:
    return OrderEventError(
        code,
        f"`{event.kind}` of `{event.qty}` {what}: order `{order.client_order_id}` is `{order.status}`"
        f" with `{order.filled}` of `{order.qty}` filled",
        "reconcile with the broker before trading on",
    )
