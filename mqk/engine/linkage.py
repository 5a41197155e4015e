"""Orders of one parent in the books: they count together for what they can trade together, and take from each other.

What lives here: the figures of such orders, and what a fill of one does to the others. What does not: the rule by which
they do (mqk.orders.linked), and placing them (brackets.py).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mqk.orders import EventKind, Leg, OrderEvent, Side, most_to_fill, taken_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.orders import Order
    from mqk.portfolio import Fill


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
    if group is None:
        return 0
    return group.protecting if order.leg is Leg.EXIT else group.total


def traded(state: EngineState, order: Order, fill: Fill) -> None:
    """Take what an order with a parent has traded off the others of that parent, as the broker does."""
    group = state.groups.get(order.parent_id)
    for sibling, qty in () if group is None else taken_off(order, fill.qty, tuple(group.orders.values())):
        event = OrderEvent(f"reduced:{fill.fill_id}", EventKind.REDUCED, qty)
        after = state.machine.apply(sibling, event)
        state.put(after)
        if after.status.is_final:
            state.trades.end(state, after)


def recount(state: EngineState, line: Line) -> None:
    """Count the groups of a symbol anew, after its orders were changed in place (a split)."""
    for bracket in line.brackets.values():
        group = state.groups.get(bracket.parent)
        if group is not None:
            group.orders = {name: state.orders[name] for name in group.orders}
            _count(state, line, group, bracket.side)


def _count(state: EngineState, line: Line, group: Group, side: Side) -> None:
    orders = tuple(group.orders.values())
    total = most_to_fill(orders)
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
