"""At what price an order trades when all that is known is a bar: at its open, or later within it. Always the worst.

Prices only, before costs; how much trades, when an order arrives and what becomes of the rest is the market's business
(mqk.backtest, mqk.brokers). Prices are micros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mqk.orders.order import OrderType

if TYPE_CHECKING:
    from mqk.orders.order import Order, Side


class Touch(NamedTuple):
    """A price at which an order trades, before costs; at `limit`, it is the limit itself and no cost comes on top."""

    price: int
    limit: bool = False


def reaches(side: Side, stop: int, price: int) -> bool:
    """Whether a price sets off a stop: at it or above for a buy, at it or below for a sell."""
    return (price - stop) * side.sign >= 0


def passes(side: Side, limit: int, price: int, *, through: bool) -> bool:
    """Whether a limit order trades when the market does at `price`: beyond its limit, or at it unless `through`.

    At the very limit others may stand before it, and nobody knows how many.
    """
    better = (limit - price) * side.sign
    return better > 0 or (better == 0 and not through)


def at_open(order: Order, set_off: bool, open_: int, *, through: bool) -> Touch | None:
    """What an order trades at when the market opens, None when it does not.

    A market order trades at the open, and so does a stop that the open has gone through. A limit order is filled at its
    limit even where the open is better. `set_off`: the order's stop has been reached before.
    """
    kind, side = order.type, order.side
    if order.stop_price is not None and not (set_off or reaches(side, order.stop_price, open_)):
        return None
    if order.limit_price is None:
        return Touch(open_)
    assert kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    return Touch(order.limit_price, True) if passes(side, order.limit_price, open_, through=through) else None


def within(
    order: Order, set_off: bool, open_: int, high: int, low: int, close: int, *, through: bool
) -> tuple[bool, Touch | None]:
    """Whether an order's stop has been reached by the end of a bar, and what it trades at in it after the open.

    A stop trades at its own price, or at the open when that is beyond it already. A stop-limit order becomes a limit
    order at that price, and where the bar goes from there is not known but for its close. Market orders trade at opens
    only, and so does a stop that was set off in an earlier bar.
    """
    side, stop, limit = order.side, order.stop_price, order.limit_price
    buying = side.sign > 0
    against, favourable = (high, low) if buying else (low, high)
    if stop is None or set_off:
        if limit is None or not passes(side, limit, favourable, through=through):
            return set_off, None
        return set_off, Touch(limit, True)
    if not reaches(side, stop, against):
        return False, None
    first = max(stop, open_) if buying else min(stop, open_)
    if limit is None:
        return True, Touch(first)
    trades = any(passes(side, limit, price, through=through) for price in (first, close))
    return True, Touch(limit, True) if trades else None
