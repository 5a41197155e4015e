"""How bars fill the paper broker's orders, whole or not at all: at the open, within the bar, and what leaves after.

What lives here: one symbol's orders and one bar to what becomes of them, by the prices of mqk.orders.matching. What
does not: keeping and telling it (paper.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from mqk.orders import (
    Leg,
    Order,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    Touch,
    at_open,
    reaches,
    taken_off,
    within,
)  # fmt: skip
from mqk.quantity import DAY_MICROS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mqk.market import Bar
    from mqk.orders import CostModel

_AT_ONCE: Final = (TimeInForce.IOC, TimeInForce.FOK)


@dataclass(frozen=True, slots=True)
class Told:
    """What has become of an order: the shares, price and mark in micros when it filled, or why it is gone."""

    what: Literal["filled", "cancelled", "expired", "changed"]
    order: Order
    number: int
    qty: int = 0
    price: int = 0
    mark: int = 0
    at: int = 0
    why: str = ""
    taken_off: tuple[tuple[str, int], ...] = ()


class Resting:
    """An order at the market, as its row says and as the bar changes it. A day is one of UTC, by when bars open."""

    def __init__(self, row: Any) -> None:
        self.row = row
        self.order = order_of(row)
        self.set_off: bool = row.set_off
        self.met_day: int | None = row.met_day
        self.worst: int | None = row.worst
        self._gone = False

    def rests(self) -> bool:
        """Whether it is still at the market."""
        return not self._gone

    def gone(self) -> None:
        """It is at the market no more."""
        self._gone = True

    @property
    def changed(self) -> bool:
        """Whether a row that is still open has to be written anew."""
        row = self.row
        was = (row.set_off, row.met_day, row.reduced)
        return self.rests() and was != (self.set_off, self.met_day, self.order.reduced)

    def figures(self) -> dict[str, Any]:
        """What of it changes while it rests."""
        return {
            "set_off": self.set_off, "met_day": self.met_day, "reduced": self.order.reduced, "number": self.row.number,
        }  # fmt: skip

    def over(self, what: Literal["cancelled", "expired"], why: str) -> Told:
        """It is gone."""
        self.gone()
        return Told(what, self.order, self.row.number, why=why)


def order_of(row: Any) -> Order:
    """The order that a row keeps."""
    return Order(
        row.client_order_id,
        row.symbol,
        Side(row.side),
        row.qty,
        OrderType(row.type),
        row.limit_price,
        row.stop_price,
        OrderStatus(row.status),
        row.filled,
        tif=TimeInForce(row.tif),
        parent_id=row.parent_id,
        leg=None if row.leg is None else Leg(row.leg),
        reduced=row.reduced,
    )


def played(
    book: Sequence[Resting], bar: Bar, opened: int, bars: int, costs: CostModel, *, linked: bool = True
) -> Iterator[Told]:
    """What a bar, the `bars`th of its symbol, does to the orders that rest in it, oldest first.

    Where it touches a stop and a target, it has touched the stop. A limit order trades beyond its limit only. `linked`:
    what one order of a position trades is taken off the others.
    """
    day = opened // DAY_MICROS
    for resting in book:
        order = resting.order
        if not resting.rests():
            continue
        if order.tif is TimeInForce.DAY and resting.met_day is not None and day > resting.met_day:
            yield resting.over("expired", "its day is over")
            continue
        if resting.row.due > bars:
            if order.type is OrderType.MARKET:
                resting.worst = _worse(resting, _cost(costs, order.side, bar.open, bar))
            continue
        resting.met_day = day
        touch = at_open(order, resting.set_off, bar.open, through=True)
        if touch is not None:
            yield from _filled(book if linked else (), resting, touch, bar, costs, opened)
        elif order.stop_price is not None and reaches(order.side, order.stop_price, bar.open):
            resting.set_off = True
        if resting.rests() and order.tif in _AT_ONCE and (order.stop_price is None or resting.set_off):
            yield resting.over("expired", f"nothing of it may wait, as `{order.tif.value}` says")
    for resting in sorted(book, key=lambda each: each.order.stop_price is None):
        if not resting.rests() or resting.row.due > bars or resting.order.type is OrderType.MARKET:
            continue
        resting.set_off, touch = within(
            resting.order, resting.set_off, bar.open, bar.high, bar.low, bar.close, through=True
        )
        if touch is not None:
            yield from _filled(book if linked else (), resting, touch, bar, costs, bar.end)
    for resting in book:
        row = resting.row
        if resting.rests() and row.change_due is not None and row.change_due <= bars:
            resting.order = replace(resting.order, qty=row.new_qty, limit_price=row.new_limit, stop_price=row.new_stop)
            yield Told("changed", resting.order, row.number)
        if resting.rests() and row.cancel_due is not None and row.cancel_due <= bars:
            yield resting.over("cancelled", "cancelled on request")


def _filled(
    book: Sequence[Resting], resting: Resting, touch: Touch, bar: Bar, costs: CostModel, at: int
) -> Iterator[Told]:
    """An order fills, and what that leaves of the others of its parent in `book`."""
    order, qty = resting.order, resting.order.leaves
    price = touch.price if touch.limit else _worse(resting, _cost(costs, order.side, touch.price, bar))
    resting.gone()
    siblings = {
        each.order.client_order_id: each
        for each in book
        if each.rests() and order.leg is not None and each.order.parent_id == order.parent_id
    }
    after = replace(order, filled=order.filled + qty)
    taken = taken_off(after, qty, [each.order for each in siblings.values()])
    told = tuple((sibling.client_order_id, shares) for sibling, shares in taken)
    yield Told("filled", order, resting.row.number, qty, price, touch.price, at, taken_off=told)
    for sibling, shares in taken:
        left = siblings[sibling.client_order_id]
        left.order = replace(sibling, reduced=sibling.reduced + shares)
        if not left.order.leaves:
            yield left.over("cancelled", "one cancels the other")


def _cost(costs: CostModel, side: Side, price: int, bar: Bar) -> int:
    return costs.fill_price(side, price, bar.high, bar.low, bar.close)


def _worse(resting: Resting, price: int) -> int:
    """The price, or the worst that the order could have had since it was sent."""
    if resting.worst is None:
        return price
    return max(price, resting.worst) if resting.order.side is Side.BUY else min(price, resting.worst)
