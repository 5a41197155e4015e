"""Where a position can end up: what is held, what still works at the broker, and the order in question.

Quantities only; prices, equity and the limits they are held against belong to the guards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mqk.orders.errors import OrderError
from mqk.orders.order import Order, Side
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

_HIGH: Final = INT64_MAX


class Projection(NamedTuple):
    """The farthest a position can go, in signed shares, whichever of the orders fill, in part or whole, in any order.

    `reduces` says that the new order can only shrink the position it finds: it opposes what is held, and with all
    that already works on its side it neither crosses zero nor grows the position.
    """

    highest_qty: int
    lowest_qty: int
    reduces: bool

    @property
    def worst_qty(self) -> int:
        """The largest number of shares, long or short, that can be held."""
        return max(self.highest_qty, -self.lowest_qty)


class Working(NamedTuple):
    """Shares still working at the broker for one symbol, by side, each zero or more."""

    buy: int
    sell: int


def project(position: int, working_buy: int, working_sell: int, side: Side, qty: int) -> Projection:
    """Project a position of signed shares through its working orders and one new order of `qty` shares.

    Raises OrderError "quantity" for a negative quantity (or a new order for nothing), "overflow" beyond 64 bits.
    """
    if working_buy < 0 or working_sell < 0 or qty <= 0:
        raise OrderError(
            "quantity",
            f"quantities to project are above zero, found `{working_buy}` and `{working_sell}` working and `{qty}` new",
        )
    if side is Side.BUY:
        highest, lowest = position + working_buy + qty, position - working_sell
        reduces = working_buy + qty <= -position
    else:
        highest, lowest = position + working_buy, position - working_sell - qty
        reduces = working_sell + qty <= position
    if highest > _HIGH or lowest < -_HIGH:
        raise OrderError("overflow", "the projected position would not fit in 64 bits")
    return Projection(highest, lowest, reduces)


def working_quantities(orders: Iterable[Order]) -> dict[str, Working]:
    """Sum what may still fill of each symbol's orders, by side, the larger total of a pending replacement included.

    Symbols without a share left to fill are left out. Raises OrderError "overflow" beyond 64 bits.
    """
    sums: dict[str, Working] = {}
    for order in orders:
        leaves = order.leaves
        if leaves:
            buy, sell = sums.get(order.symbol, (0, 0))
            total = Working(buy + leaves, sell) if order.side is Side.BUY else Working(buy, sell + leaves)
            if total.buy > _HIGH or total.sell > _HIGH:
                raise OrderError("overflow", f"the working orders of `{order.symbol}` would not fit in 64 bits")
            sums[order.symbol] = total
    return sums
