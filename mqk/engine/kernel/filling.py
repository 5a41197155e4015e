"""Fills in native code: prices against the trader, lots first in first out, and what a fill comes to.

What lives here: functions that are compiled by mqk.dsl.lower; they are the twins of the cost model, the ledger and
mqk/engine/trades.py. What does not: judging (account.py).
"""

from __future__ import annotations

from mqk.engine.kernel import places as p
from mqk.engine.kernel.account import expose, judge_account, mark, record, tell_time, value
from mqk.engine.kernel.places import Ints
from mqk.engine.kernel.placing import work
from mqk.engine.kernel.worst import against


def fill_price(m: Ints, side: int, open_: int, high: int, low: int, close: int) -> int:
    """The price at which a market order fills in a bar."""
    cost = m[p.BASE]
    if m[p.VOLATILITY_TOP] != 0 and high != low:
        whole = -(-(high - low) * m[p.VOLATILITY_TOP] // (close * m[p.VOLATILITY_BOTTOM]))
        # What is beyond the cap anyhow is bounded first: of a close of a few micros it would leave 64 bits.
        cost += min(whole, m[p.CAP] // m[p.UNIT] + 1) * m[p.UNIT]
    return against(m, side, open_, min(cost, m[p.CAP]))


def take_off(m: Ints, place: int) -> int:
    """Take an order off the market's list: those after it move up."""
    m[p.ACTIVE] -= 1
    for number in range(place, m[p.ACTIVE]):
        m[m[p.AT_ACTIVE] + number] = m[m[p.AT_ACTIVE] + number + 1]
    return 0


def match(m: Ints, line: int, closing: int) -> int:
    """Take shares off the oldest lots on; returns what they cost."""
    cost = 0
    left = closing
    while left != 0:
        lot = line + p.LOTS + m[line + p.LOT_FIRST] % p.LOTS_MOST * 2
        qty = m[lot]
        if abs(qty) > abs(left):
            m[lot] = qty - left
            cost += left * m[lot + 1]
            left = 0
        else:
            cost += qty * m[lot + 1]
            left -= qty
            m[line + p.LOT_FIRST] += 1
            m[line + p.LOT_COUNT] -= 1
    return cost


def fill(m: Ints, f: Ints, a: Ints, row: int, price: int, opened: int) -> int:
    """Book a fill at a price; the open is the price of the symbol from now on."""
    line = m[p.AT_LINES] + m[row + p.ROW_SYMBOL] * p.LINE
    tell_time(m, f, m[row + p.ROW_FILLED_AT])
    held = m[line + p.QTY]
    signed = m[row + p.ROW_QTY] * m[row + p.ROW_SIDE]
    fee = m[p.COMMISSION]
    closes = held != 0 and (held > 0) != (signed > 0)
    closing = 0
    if closes:
        closing = -signed if abs(signed) <= abs(held) else held
    opening = signed + closing
    mark(m, line, opened)
    released = match(m, line, closing)
    if opening != 0:
        if m[line + p.LOT_COUNT] == p.LOTS_MOST:
            m[p.STOPPED] = p.TOO_LARGE
            return 0
        lot = line + p.LOTS + (m[line + p.LOT_FIRST] + m[line + p.LOT_COUNT]) % p.LOTS_MOST * 2
        m[lot] = opening
        m[lot + 1] = price
        m[line + p.LOT_COUNT] += 1
    after = held + signed
    gain = closing * price - released
    m[p.CASH] -= signed * price + fee
    m[p.FEES] += fee
    m[p.REALISED] += gain
    m[line + p.COST] += opening * price - released
    m[p.VALUE] += after * opened - m[line + p.LINE_VALUE]
    m[line + p.LINE_VALUE] = after * opened
    m[line + p.QTY] = after
    m[p.OPEN] += (after != 0) - (held != 0)
    work(m, row, line, -1)
    expose(m, line)
    value(m)
    count(m, f, row, line, held, gain)
    m[row + p.ROW_STATE] = p.FILLED
    m[row + p.ROW_PRICE] = price
    m[row + p.ROW_GAIN] = gain
    m[row + p.ROW_CLOSES] = closes
    judge_account(m, f, a)
    return 0


def count(m: Ints, f: Ints, row: int, line: int, held: int, gain: int) -> int:
    """What a fill comes to beside the books: events, today's openings, and the end of its order."""
    qty = m[row + p.ROW_QTY]
    signed = qty * m[row + p.ROW_SIDE]
    after = held + signed
    closes = held != 0 and (held > 0) != (signed > 0)
    turned = after != 0 and (after > 0) != (held > 0)
    result = gain - m[p.COMMISSION]
    worth = qty * m[row + p.ROW_PRICE]
    record(m, f, p.FILLS_STREAM, worth)
    m[line + p.TOUCHED] = 1
    if closes:
        if m[line + p.DAY_OPENED]:
            record(m, f, p.DAY_TRADES_STREAM, 0)
        m[line + p.DAY_OPENED] = 0
    if not closes or abs(signed) > abs(held):
        m[line + p.DAY_OPENED] = 1
    if closes:
        record(m, f, p.RESULTS_STREAM, result)
        if after == 0 or turned:
            m[line + p.CLOSED_AT] = m[p.NOW]
            m[line + p.ENTRIES] = 0
            m[line + p.OPENED_TODAY] = 0
        m[line + p.OPENED_TODAY] = min(m[line + p.OPENED_TODAY], abs(after))
    if not closes or turned:
        m[line + p.OPENED_TODAY] += abs(after) if closes else qty
        m[line + p.ENTRIES] += 1
    m[p.REALISED_TODAY] = m[p.REALISED] - m[p.FEES] - m[p.REALISED_BEFORE]
    record(m, f, p.TRADES_STREAM, worth)
    if closes:
        if result < 0:
            m[p.STREAK] += 1
            record(m, f, p.LOSING_STREAM, -result)
        else:
            m[p.STREAK] = 0
    return 0
