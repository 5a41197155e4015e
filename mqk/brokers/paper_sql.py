"""The statements that the paper broker asks of its own schema, which paper_schema.py makes. No meaning is here."""

from __future__ import annotations

from typing import Final

OPEN_ACCOUNT: Final = """
INSERT INTO paper_broker.accounts (account, opening_cash, cash, market_time, epoch, bundle, last_message)
VALUES (%(account)s, %(cash)s, %(cash)s, 0, %(epoch)s, %(bundle)s, 0)
ON CONFLICT (account) DO UPDATE SET epoch = excluded.epoch, bundle = excluded.bundle
WHERE accounts.opening_cash = excluded.opening_cash AND accounts.epoch <= excluded.epoch
"""
ACCOUNT: Final = "SELECT * FROM paper_broker.accounts WHERE account = %(account)s FOR UPDATE"
SAVE_ACCOUNT: Final = """
UPDATE paper_broker.accounts
SET cash = %(cash)s, market_time = %(market_time)s, last_message = %(last_message)s
WHERE account = %(account)s
"""
SHOW: Final = """
INSERT INTO paper_broker.market (account, symbol, bar_end, close, bars)
SELECT %(account)s, symbol, bar_end, close, 1
FROM unnest(%(symbols)s::text[], %(ends)s::bigint[], %(closes)s::bigint[]) AS shown (symbol, bar_end, close)
ON CONFLICT (account, symbol) DO UPDATE
SET bar_end = excluded.bar_end, close = excluded.close, bars = market.bars + 1
WHERE market.bar_end < excluded.bar_end
RETURNING symbol, bars
"""
OPEN_ORDERS: Final = """
SELECT * FROM paper_broker.orders
WHERE account = %(account)s AND status = 'ACCEPTED' AND symbol = ANY(%(symbols)s) ORDER BY number
"""
BARS_OF: Final = "SELECT bars FROM paper_broker.market WHERE account = %(account)s AND symbol = %(symbol)s"
ORDER: Final = "SELECT * FROM paper_broker.orders WHERE account = %(account)s AND client_order_id = %(key)s"
NEW_ORDER: Final = """
INSERT INTO paper_broker.orders (
    account, client_order_id, symbol, side, qty, type, filled, status, due, reason,
    limit_price, stop_price, tif, parent_id, leg
)
VALUES (
    %(account)s, %(key)s, %(symbol)s, %(side)s, %(qty)s, %(type)s, 0, %(status)s, %(due)s, %(reason)s,
    %(limit)s, %(stop)s, %(tif)s, %(parent)s, %(leg)s
)
RETURNING *
"""
FINISH: Final = "UPDATE paper_broker.orders SET status = %(status)s, filled = %(filled)s WHERE number = %(number)s"
OFFER: Final = "UPDATE paper_broker.orders SET worst = %(worst)s WHERE number = %(number)s"
CANCEL_LATER: Final = """
UPDATE paper_broker.orders SET cancel_due = least(cancel_due, %(due)s) WHERE number = %(number)s
"""
MOVE_POSITION: Final = """
INSERT INTO paper_broker.positions (account, symbol, qty) VALUES (%(account)s, %(symbol)s, %(qty)s)
ON CONFLICT (account, symbol) DO UPDATE SET qty = positions.qty + excluded.qty
"""
TELL: Final = """
INSERT INTO paper_broker.messages (account, seq, message_id, event) VALUES (%(account)s, %(seq)s, %(id)s, %(event)s)
"""
MESSAGES: Final = """
SELECT seq, message_id, event FROM paper_broker.messages WHERE account = %(account)s AND seq > %(after)s ORDER BY seq
"""
# One statement, so that all of it is of one moment.
BOOK: Final = """
SELECT cash, market_time,
    (SELECT coalesce(json_agg(json_build_array(client_order_id, symbol, side, qty, filled, status)), '[]')
     FROM paper_broker.orders o
     WHERE o.account = a.account AND (status = 'ACCEPTED' OR client_order_id = ANY(%(keys)s))) AS orders,
    (SELECT coalesce(json_agg(json_build_array(symbol, qty)), '[]')
     FROM paper_broker.positions p WHERE p.account = a.account AND qty <> 0) AS positions
FROM paper_broker.accounts a WHERE account = %(account)s
"""
STAND: Final = """
UPDATE paper_broker.orders SET set_off = %(set_off)s, met_day = %(met_day)s, reduced = %(reduced)s
WHERE number = %(number)s
"""
CHANGE: Final = """
UPDATE paper_broker.orders SET qty = %(qty)s, limit_price = %(limit)s, stop_price = %(stop)s, change_due = NULL
WHERE number = %(number)s
"""
CHANGE_LATER: Final = """
UPDATE paper_broker.orders SET change_due = %(due)s, new_qty = %(qty)s, new_limit = %(limit)s, new_stop = %(stop)s
WHERE number = %(number)s
"""
