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
SET cash = %(cash)s, market_time = %(market_time)s, last_message = %(last_message)s, shown_at = %(shown_at)s,
    shown_part = %(shown_part)s, version = version + 1
WHERE account = %(account)s
"""
SHOWN: Final = "SELECT shown_at, shown_part FROM paper_broker.accounts WHERE account = %(account)s"
MARKET: Final = "SELECT * FROM paper_broker.market WHERE account = %(account)s"
POSITIONS: Final = "SELECT symbol, qty FROM paper_broker.positions WHERE account = %(account)s"
OPEN_ORDERS: Final = """
SELECT * FROM paper_broker.orders WHERE account = %(account)s AND status = 'ACCEPTED' ORDER BY place, number
"""
SHOW: Final = """
INSERT INTO paper_broker.market (account, symbol, bar_end, close, bars, used_end, unused)
VALUES (%(account)s, %(symbol)s, %(bar_end)s, %(close)s, %(bars)s, %(used_end)s, %(unused)s)
ON CONFLICT (account, symbol) DO UPDATE
SET bar_end = excluded.bar_end, close = excluded.close, bars = excluded.bars, used_end = excluded.used_end,
    unused = excluded.unused
"""
HOLD: Final = """
INSERT INTO paper_broker.positions (account, symbol, qty) VALUES (%(account)s, %(symbol)s, %(qty)s)
ON CONFLICT (account, symbol) DO UPDATE SET qty = excluded.qty
"""
ORDER: Final = "SELECT * FROM paper_broker.orders WHERE account = %(account)s AND client_order_id = %(key)s"
NEW_ORDER: Final = """
INSERT INTO paper_broker.orders (
    account, client_order_id, symbol, side, qty, type, filled, status, due, reason,
    limit_price, stop_price, tif, parent_id, leg
)
VALUES (
    %(account)s, %(key)s, %(symbol)s, %(side)s, %(qty)s, %(type)s, 0, %(status)s, 0, %(reason)s,
    %(limit)s, %(stop)s, %(tif)s, %(parent)s, %(leg)s
)
RETURNING *
"""
KEEP: Final = """
UPDATE paper_broker.orders
SET status = %(status)s, qty = %(qty)s, limit_price = %(limit_price)s, stop_price = %(stop_price)s,
    filled = %(filled)s, reduced = %(reduced)s, fills = %(fills)s, traded = %(traded)s, value = %(value)s,
    fee = %(fee)s, set_off = %(set_off)s, worst = %(worst)s, here = %(here)s, seen = %(seen)s, due = %(due)s,
    since = %(since)s, sent_at = %(sent_at)s, cancel_due = %(cancel_due)s, change_due = %(change_due)s,
    new_qty = %(new_qty)s, new_limit = %(new_limit)s, new_stop = %(new_stop)s, asked = %(asked)s, place = %(place)s
WHERE account = %(account)s AND client_order_id = %(key)s
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
