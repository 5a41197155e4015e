"""What a split makes of an order at work: as many times the shares, at as many times less the price.

What lives here: one order to another. What does not: telling the broker, who does the same on the ex-day.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mqk.orders.order import OrderStatus, Side
from mqk.quantity import Rounding, divide

if TYPE_CHECKING:
    from fractions import Fraction

    from mqk.orders.order import Order


def split_order(order: Order, ratio: Fraction) -> Order | None:
    """The order in the shares of after a split of `ratio`; None when no whole share of it is left to trade.

    What is filled, what is taken off and what is left are each rounded down to whole shares. Prices are rounded against
    the trader: a limit away from the market, so that it never trades at worse than what was asked, and a stop towards
    it, so that it is hit no later. An order that has ended stays as it is.
    """
    if order.status.is_final:
        return order
    filled, reduced = _shares(order.filled, ratio), _shares(order.reduced, ratio)
    gone = order.filled + order.reduced
    left = _shares(order.qty - gone, ratio)
    if left <= 0:
        return None
    asked = order.replace_qty
    # Where no whole share of what had filled is left, nothing has.
    nothing = not filled and order.status is OrderStatus.PARTIALLY_FILLED
    # Of a buy, limits and stops both fall to the micro below; of a sell, both rise to the one above.
    rounding = Rounding.FLOOR if order.side is Side.BUY else Rounding.CEILING
    limit, stop, limit_asked, stop_asked = (
        split_limit(price, ratio, rounding)
        for price in (order.limit_price, order.stop_price, order.replace_limit, order.replace_stop)
    )
    return replace(
        order,
        status=OrderStatus.ACCEPTED if nothing else order.status,
        qty=filled + reduced + left,
        filled=filled,
        reduced=reduced,
        limit_price=limit,
        stop_price=stop,
        replace_qty=None if asked is None else filled + reduced + _shares(asked - gone, ratio),
        replace_limit=limit_asked,
        replace_stop=stop_asked,
    )


def split_limit(price: int | None, ratio: Fraction, rounding: Rounding) -> int | None:
    """A price in micros after a split, rounded as told, at least one micro; None stays None."""
    return None if price is None else max(divide(price * ratio.denominator, ratio.numerator, rounding), 1)


def _shares(shares: int, ratio: Fraction) -> int:
    return shares * ratio.numerator // ratio.denominator
