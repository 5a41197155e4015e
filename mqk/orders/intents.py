"""From the positions a strategy wants to the orders that bring them about, net of what already works.

Whether an intent may become an order is the guards' decision; nothing here sizes, prices or permits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mqk.orders.errors import OrderError
from mqk.orders.order import OrderType, Side, TimeInForce
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

_HIGH: Final = INT64_MAX
_NONE_WORKING: Final = (0, 0)


class Intent(NamedTuple):
    """So many shares of a symbol, above zero, to be bought or sold, and by what kind of order (prices in micros)."""

    symbol: str
    side: Side
    qty: int
    type: OrderType = OrderType.MARKET
    limit_price: int | None = None
    stop_price: int | None = None
    tif: TimeInForce = TimeInForce.DAY


def targets_to_orders(
    targets: Mapping[str, int], positions: Mapping[str, int], working: Mapping[str, tuple[int, int]]
) -> list[Intent]:
    """The trades that move each targeted symbol from position and working orders to its target, in signed shares.

    `working` is (buy, sell) shares still working per symbol; they count as if filled, so a target that is on its way
    is not ordered again. A symbol without a target is left alone: only a target of zero closes a position. Sells come
    before buys, since they free what buys need, and each side is sorted by symbol.

    Raises OrderError "quantity" for what is not a whole number of shares, "overflow" beyond 64 bits.
    """
    sells: list[Intent] = []
    buys: list[Intent] = []
    for symbol in sorted(targets):
        target = targets[symbol]
        buy, sell = working.get(symbol, _NONE_WORKING)
        position = positions.get(symbol, 0)
        if not type(target) is type(position) is type(buy) is type(sell) is int or buy < 0 or sell < 0:
            raise OrderError(
                "quantity", f"`{symbol}` has quantities that are no whole shares, or negative ones at work"
            )
        delta = target - (position + buy - sell)
        if abs(delta) > _HIGH:
            raise OrderError("overflow", f"the order for `{symbol}` would not fit in 64 bits")
        if delta < 0:
            sells.append(Intent(symbol, Side.SELL, -delta))
        elif delta > 0:
            buys.append(Intent(symbol, Side.BUY, delta))
    return sells + buys
