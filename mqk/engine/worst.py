"""What orders can come to at worst: their dearest prices by symbol, and what filling them and getting out again costs.

What lives here: worst prices of orders at work and the figures that rest on them. What does not: prices of fills and
fees themselves (mqk.orders), and how many shares count (state.py, linkage.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.dsl.missing import MISSING
from mqk.orders import OrderError, Side

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.orders import CostModel, Order


def rank(state: EngineState, line: Line, side: Side) -> None:
    """Find the dearest worst price of a symbol's orders at work anew, after one of them went."""
    dearest = 0
    if line.working_buy if side is Side.BUY else line.working_sell:
        for order in state.working.values():
            if order.symbol == line.symbol and order.side is side and order is not state.aside:
                dearest = max(dearest, state.worst_prices[order.client_order_id])
    if side is Side.BUY:
        line.buy_price = dearest
    else:
        line.sell_price = dearest


def reprice(state: EngineState, order: Order, worst: int) -> None:
    """Count an order at work at a dearer worst price from now on; at a cheaper one nothing changes."""
    name, account = order.client_order_id, state.account
    more = worst - state.worst_prices[name]
    if more <= 0:
        return
    state.worst_prices[name] = worst
    # Orders of one parent are counted together, by whoever puts them back (linkage.py).
    if order.leg is None and order.side is Side.BUY:
        account.working_buy_value += more * order.leaves
    elif order.leg is None:
        account.working_sell_value += more * order.leaves


def close_out(
    costs: CostModel, orders: Iterable[tuple[Order, int, int]], held: Iterable[tuple[int, int]]
) -> tuple[int, int]:
    """Fees of filling orders, and all that filling them and getting out of what is held takes off equity, in micros.

    `orders` come with their worst price and the market's, `held` is shares without a sign with the market's price. All
    at worst, rounded against the trader. Raises OrderError "overflow" for a worst price of more than 64 bits.
    """
    fees = total = 0
    for order, worst, price in orders:
        fee = costs.fees.of(order.leaves, order.leaves * worst)
        fees += fee
        total += fee + order.leaves * loss(order, worst, price)
    for qty, price in held:
        total += way_out(costs, qty, price)
    return fees, total


def loss(order: Order, worst: int, price: int) -> int:
    """What a share filled at its worst is worth less at once than it cost, where the market is at `price`, in micros.

    An order that waits for a trigger fills where the market has come to it.
    """
    limit, stop = order.limit_price, order.stop_price
    if order.side is Side.BUY:
        return max(worst - (price if stop is None else max(stop, price)), 0)
    # Of an order that is being changed, either price may be the one that it fills at.
    lowest = worst if limit is None else min(worst, limit)
    return max((price if stop is None else min(stop, price)) - lowest, 0)


def way_out(costs: CostModel, qty: int, price: int) -> int:
    """What getting out of so many shares at the market takes off equity at worst, with its fee, in micros.

    Raises OrderError "overflow" for a worst price of more than 64 bits.
    """
    if not qty:
        return 0
    worst = costs.worst_price(Side.BUY, price)
    return qty * (worst - price) + costs.fees.of(qty, qty * worst)


def show(state: EngineState, busy: Iterable[Line], working: Iterable[Order]) -> None:
    """Show what filling all that works, and getting out of all that is then held, costs at worst.

    Missing, so that rules that ask err, where nobody can say.
    """
    account, found = state.account, of(state, busy, working)
    account.working_fees, account.close_out_costs = (MISSING, MISSING) if found is None else found


def of(state: EngineState, busy: Iterable[Line], working: Iterable[Order]) -> tuple[int, int] | None:
    """As `close_out`, of these orders and of what these symbols can come to hold.

    None where a symbol has no price, or one that leaves 64 bits once costs are added.
    """
    lines, worst = state.lines, state.worst_prices
    try:
        orders = [(each, worst[each.client_order_id], _price(lines[each.symbol])) for each in working]
        held = [(line.worst_qty(), _price(line)) for line in busy]
        return close_out(state.costs, orders, held)
    except OrderError:
        return None


def _price(line: Line) -> int:
    if line.price is None:
        raise OrderError("price", f"`{line.symbol}` has no price")
    return line.price
