"""A paper account to rows and back: what the market remembers of an order, a row of it, and nothing lost between them.

What lives here: the two directions. What does not: statements (paper_sql.py), transactions (paper.py), any meaning.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from mqk.brokers.paper_account import REQUESTED
from mqk.orders import Leg, Order, OrderType, Side, TimeInForce
from mqk.venue import Part, Resting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mqk.brokers.paper_account import PaperAccount

_SYMBOL: Final = attrgetter("symbol")
# What is kept of an order under the very names that the market gives it.
_SAME: Final = ("filled", "reduced", "fills", "traded", "fee", "set_off", "worst", "here", "seen", "due", "asked")


def order_of(row: Any) -> Order:
    """What was asked for by the order that a row keeps."""
    return Order(
        row.client_order_id,
        row.symbol,
        Side(row.side),
        row.qty,
        OrderType(row.type),
        row.limit_price,
        row.stop_price,
        tif=TimeInForce(row.tif),
        parent_id=row.parent_id,
        leg=None if row.leg is None else Leg(row.leg),
    )


def restore(
    account: PaperAccount, row: Any, market: Iterable[Any], positions: Iterable[Any], orders: Iterable[Any]
) -> None:
    """Make a new account what its rows say: its own, those of symbols and positions, and open orders in their turn."""
    account.cash, account.market_time, account.last_message = row.cash, row.market_time, row.last_message
    account.shown = row.shown_at, Part(row.shown_part)
    account.positions = {each.symbol: each.qty for each in positions}
    in_turn = sorted(orders, key=_SYMBOL)
    books = {symbol: [_resting(account, each) for each in found] for symbol, found in groupby(in_turn, _SYMBOL)}
    for each in market:
        account.closes[each.symbol] = each.bar_end, each.close
        used = None if each.used_end is None else (each.used_end, each.unused)
        book = books.get(each.symbol, [])
        account.market.take_up(each.symbol, each.bars, book, used)
        account.know(book)


def kept_orders(account: PaperAccount) -> dict[str, dict[str, Any]]:
    """What is to be kept of every order that rests at the market, and of those that have just left it, by id."""
    found = {}
    for place, resting in enumerate(account.market.resting(), start=1):
        found[resting.order.client_order_id] = _figures(resting, "ACCEPTED", place)
    for key, over in account.over.items():
        found[key] = _figures(over.resting, over.status.value, 0)
    return found


def kept_symbols(account: PaperAccount) -> dict[str, dict[str, Any]]:
    """What is to be kept of every symbol that was shown."""
    found = {}
    for symbol, (end, close) in account.closes.items():
        used_end, unused = account.market.used(symbol) or (None, None)
        found[symbol] = {
            "symbol": symbol, "bar_end": end, "close": close, "bars": account.market.opened(symbol),
            "used_end": used_end, "unused": unused,
        }  # fmt: skip
    return found


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Any]:
    """What is not as it was."""
    return [value for key, value in now.items() if before.get(key) != value]


def _resting(account: PaperAccount, row: Any) -> Resting:
    order = order_of(row)
    plain = account.market.is_plain(order) and row.asked is None
    resting = Resting(order, row.due, row.due if row.since is None else row.since, row.sent_at, plain=plain)
    for name in _SAME:
        setattr(resting, name, getattr(row, name))
    resting.value = int(row.value)
    if row.cancel_due is not None:
        resting.cancel, resting.reason = row.cancel_due, REQUESTED
    if row.change_due is not None:
        resting.replace = row.change_due
        resting.replacement = replace(order, qty=row.new_qty, limit_price=row.new_limit, stop_price=row.new_stop)
    return resting


def _figures(resting: Resting, status: str, place: int) -> dict[str, Any]:
    order, change = resting.order, resting.replacement
    return {
        **{name: getattr(resting, name) for name in _SAME},
        "key": order.client_order_id,
        "status": status,
        "qty": order.qty,
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
        "value": resting.value,
        "since": resting.since,
        "sent_at": resting.at,
        "cancel_due": resting.cancel,
        "change_due": None if change is None else resting.replace,
        "new_qty": None if change is None else change.qty,
        "new_limit": None if change is None else change.limit_price,
        "new_stop": None if change is None else change.stop_price,
        "place": place,
    }
