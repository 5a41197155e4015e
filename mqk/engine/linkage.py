"""Orders of one parent in the books: they count together for what they can trade together, and take from each other.

What lives here: the figures of such orders, and taking in what the broker took off the others when one of them filled.
What does not: the rule by which brokers do so (mqk.orders.linked), which nobody here works out a second time, and
placing them (brackets.py).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mqk.engine.errors import EngineError
from mqk.orders import EventKind, Leg, OrderEvent, Side, most_to_fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mqk.engine.events import Filled
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.orders import Order


TOO_MUCH: Final = "it is for more than is held by now"


def links(state: EngineState) -> bool:
    """Whether the broker takes what one order of a position trades off the others.

    Otherwise all of them can trade together, and it is for the engine not to have more at work than is held.
    """
    return state.guards.bundle.execution.linking == "broker"


class Group:
    """The working orders of one parent, oldest first.

    `total` is how many shares they can trade together, `protecting` those of them that no exit asks for, and `value` in
    micros what they come to at their worst price.
    """

    __slots__ = ("orders", "protecting", "total", "value")

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.total = self.protecting = self.value = 0


def put(state: EngineState, order: Order) -> None:
    """Hold an order with a parent as it is now, with all that it counts for."""
    group = state.groups.setdefault(order.parent_id, Group())
    if order.status.is_final:
        group.orders.pop(order.client_order_id, None)
    else:
        group.orders[order.client_order_id] = order
    _count(state, state.lines[order.symbol], group, order.side)
    if not group.orders:
        del state.groups[order.parent_id]


@contextmanager
def aside(state: EngineState, order: Order) -> Iterator[None]:
    """Count an order with a parent as if it were not at work, for a while."""
    group = state.groups[order.parent_id]
    line = state.lines[order.symbol]
    held = dict(group.orders)
    del group.orders[order.client_order_id]
    _count(state, line, group, order.side)
    try:
        yield
    finally:
        group.orders = held
        _count(state, line, group, order.side)


def besides(state: EngineState, order: Order) -> int:
    """Working shares of an order's parent that do not stand in its way: it would trade in their place."""
    group = state.groups.get(order.parent_id)
    if group is None or not links(state):
        return 0
    return group.protecting if order.leg is Leg.EXIT else group.total


def taken_off(state: EngineState, order: Order, told: Filled) -> list[Order]:
    """The orders that the broker made smaller when this one filled, as they are then.

    Raises EngineError "book" for orders that do not belong to it, OrderEventError for what cannot happen to them.
    """
    smaller = []
    for name, qty in told.taken_off:
        sibling = state.orders.get(name)
        if sibling is None or sibling.leg is None or sibling.parent_id != order.parent_id:
            what = f"fill `{told.fill.fill_id}` of `{order.client_order_id}` takes nothing off `{name}`"
            raise EngineError("book", what, "halt, and reconcile with the broker")
        event = OrderEvent(f"reduced:{told.fill.fill_id}", EventKind.REDUCED, qty)
        smaller.append(state.machine.apply(sibling, event))
    return smaller


def outgrown(state: EngineState, order: Order, total: int) -> bool:
    """Whether an order that belongs to a position, about to be at the market for a total, is for more than is held now.

    What was decided while fills were on their way is taken back then, and decided again.
    """
    if order.leg is None:
        return False
    line = state.lines[order.symbol]
    held = line.qty if order.side is Side.SELL else -line.qty
    asked = total - order.filled - order.reduced
    group = state.groups.get(order.parent_id)
    apart = not links(state)
    if group is not None and (apart or order.leg is Leg.EXIT):
        others = (each for each in group.orders.values() if each.client_order_id != order.client_order_id)
        asked += sum(each.leaves for each in others if apart or each.leg is Leg.EXIT)
    return asked > max(held, 0)


def recount(state: EngineState, line: Line) -> None:
    """Count the groups of a symbol anew, after its orders were changed in place (a split)."""
    for bracket in line.brackets.values():
        group = state.groups.get(bracket.parent)
        if group is not None:
            group.orders = {name: state.orders[name] for name in group.orders}
            _count(state, line, group, bracket.side)


def _count(state: EngineState, line: Line, group: Group, side: Side) -> None:
    orders = tuple(group.orders.values())
    total = most_to_fill(orders) if links(state) else sum(order.leaves for order in orders)
    protecting = total - sum(order.leaves for order in orders if order.leg is Leg.EXIT)
    value = total * max((state.worst_prices[order.client_order_id] for order in orders), default=0)
    if side is Side.BUY:
        line.working_buy += total - group.total
        line.protecting_buy += protecting - group.protecting
        state.account.working_buy_value += value - group.value
    else:
        line.working_sell += total - group.total
        line.protecting_sell += protecting - group.protecting
        state.account.working_sell_value += value - group.value
    group.total, group.protecting, group.value = total, protecting, value
    state.expose(line)
