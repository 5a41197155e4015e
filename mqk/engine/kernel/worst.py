"""What orders come to at worst, in native code: their worst prices, and what filling them and getting out again costs.

What lives here: functions that are compiled by mqk.dsl.lower; they are the twins of those in mqk/engine/worst.py and of
the cost model's. What does not: judging orders (placing.py).
"""

from __future__ import annotations

from mqk.engine.kernel import places as p
from mqk.engine.kernel.places import Ints


def against(m: Ints, side: int, price: int, cost: int) -> int:
    """A price with a cost against the trader."""
    whole = p.BPS * m[p.UNIT]
    if side > 0:
        return -(-price * (whole + cost) // whole)
    return max(price * (whole - cost) // whole, 1)


def costs(m: Ints, row: int, line: int) -> int:
    """What filling an order at its worst price takes off equity, with its fee."""
    loss = m[row + p.ROW_SIDE] * (m[row + p.ROW_WORST] - m[line + p.PRICE])
    return m[row + p.ROW_QTY] * max(loss, 0) + m[p.COMMISSION]


def way_out(m: Ints, qty: int, price: int) -> int:
    """What getting out of so many shares takes off equity at worst, with its fee."""
    if qty == 0:
        return 0
    return qty * (against(m, 1, price, m[p.CAP]) - price) + m[p.COMMISSION]


def close_out(m: Ints, judged: int) -> int:
    """What filling all that works but the order that is judged, and getting out of everything, takes off equity."""
    total = 0
    for number in range(m[p.ACTIVE]):
        row = m[m[p.AT_ACTIVE] + number]
        if row != judged:
            total += costs(m, row, m[p.AT_LINES] + m[row + p.ROW_SYMBOL] * p.LINE)
    for number in range(m[p.BUSY]):
        line = m[m[p.AT_BUSY] + number]
        most = max(m[line + p.QTY] + m[line + p.WORKING_BUY], m[line + p.WORKING_SELL] - m[line + p.QTY])
        total += way_out(m, most, m[line + p.PRICE])
    return total


def dearest(m: Ints, row: int, line: int, times: int) -> int:
    """The dearest worst price of a symbol's orders at work of one side, once one is there too, or has gone."""
    buys = m[row + p.ROW_SIDE] > 0
    most = m[row + p.ROW_WORST] if times > 0 else 0
    if (m[line + p.BUYS] if buys else m[line + p.SELLS]) > max(times, 0):
        for number in range(m[p.ACTIVE] + m[p.FILLING]):
            filling = number - m[p.ACTIVE]
            other = m[m[p.AT_ACTIVE] + number] if filling < 0 else m[m[p.AT_FILLS] + max(filling, 0) * 2]
            here = m[p.AT_LINES] + m[other + p.ROW_SYMBOL] * p.LINE
            theirs = here == line and (m[other + p.ROW_SIDE] > 0) == buys
            if other != row and theirs and m[other + p.ROW_STATE] == p.AT_WORK:
                most = max(most, m[other + p.ROW_WORST])
    return most
