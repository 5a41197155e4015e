"""What the paper broker does with shares that go ex: positions, cash and resting orders follow, before anything trades.

What lives here: one new bar that tells of a split or a dividend to changed rows. What does not: trading (paper.py); the
arithmetic is the ledger's, so that broker and engine round alike.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mqk.brokers.paper_matching import order_of
from mqk.market import split_price
from mqk.orders import Side, split_order
from mqk.portfolio import Dividend, Fill, Ledger, Split
from mqk.quantity import Rounding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from mqk.market import Bar, Ex

_POSITION: Final = "SELECT qty FROM paper_broker.positions WHERE account = %(account)s AND symbol = %(symbol)s"
_SET_POSITION: Final = """
UPDATE paper_broker.positions SET qty = %(qty)s WHERE account = %(account)s AND symbol = %(symbol)s
"""
_RESTING: Final = """
SELECT * FROM paper_broker.orders WHERE account = %(account)s AND status = 'ACCEPTED' AND symbol = %(symbol)s
ORDER BY number
"""
_SET_ORDER: Final = """
UPDATE paper_broker.orders
SET qty = %(qty)s, worst = %(worst)s, reduced = %(reduced)s, limit_price = %(limit)s, stop_price = %(stop)s,
    new_qty = %(new_qty)s, new_limit = %(new_limit)s, new_stop = %(new_stop)s
WHERE number = %(number)s
"""
CLOSES: Final = """
SELECT symbol, close FROM paper_broker.market WHERE account = %(account)s AND symbol = ANY(%(symbols)s)
"""


def go_ex(
    connection: psycopg.Connection[Any], account: str, bars: Sequence[Bar], closes: Mapping[str, int | None]
) -> tuple[int, list[Any]]:
    """Take in what went ex before these bars, each shown for the first time.

    `closes` are the last prices before them: what a fraction of a share is paid at. Returns the cash that came of it in
    micros, and the orders of which no whole share is left, still to be taken off.
    """
    paid, gone = 0, []
    for bar in bars:
        assert bar.ex is not None
        key = {"account": account, "symbol": bar.symbol}
        row = connection.execute(_POSITION, key).fetchone()
        close = closes.get(bar.symbol)
        if row is not None and row.qty:
            qty, cash = held(bar.symbol, row.qty, close or split_price(bar.open, 1 / bar.ex.split), bar.ex)
            connection.execute(_SET_POSITION, {**key, "qty": qty})
            paid += cash
        if bar.ex.split == 1:
            continue
        for row in connection.execute(_RESTING, key).fetchall():
            asked = replace(
                order_of(row), replace_qty=row.new_qty, replace_limit=row.new_limit, replace_stop=row.new_stop
            )
            order = split_order(asked, bar.ex.split)
            if order is None:
                gone.append(row)
                continue
            rounding = Rounding.CEILING if order.side is Side.BUY else Rounding.FLOOR
            worst = None if row.worst is None else split_price(row.worst, bar.ex.split, rounding)
            values = {
                "qty": order.qty, "worst": worst, "reduced": order.reduced, "limit": order.limit_price,
                "stop": order.stop_price, "new_qty": order.replace_qty, "new_limit": order.replace_limit,
                "new_stop": order.replace_stop, "number": row.number,
            }  # fmt: skip
            connection.execute(_SET_ORDER, values)
    return paid, gone


def held(symbol: str, qty: int, price: int, ex: Ex) -> tuple[int, int]:
    """Signed shares after what went ex, and the cash in micros that came of it, as a ledger books them."""
    ledger = Ledger(0)
    ledger.apply(Fill("held", "held", symbol, "BUY" if qty > 0 else "SELL", abs(qty), 1, 0, 0))
    before = ledger.cash
    if ex.split != 1:
        ledger.apply(Split("split", symbol, ex.split, price, 0))
    if ex.dividend:
        ledger.apply(Dividend("dividend", symbol, ex.dividend, 0))
    return ledger.qty(symbol), ledger.cash - before
