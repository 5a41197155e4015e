"""The moments in which orders are judged, kept by the kernel for whoever writes them down.

What lives here: what is kept, by a function that is compiled by mqk.dsl.lower. What does not: what it says, which is
for recalled.py.
"""

from __future__ import annotations

from mqk.engine.kernel import places as p
from mqk.engine.kernel.places import Ints


def keep(m: Ints, number: int, line: int) -> int:
    """Keep what is so as the order of this row is judged: the engine, its symbol, its windows, and what is held."""
    at = m[p.AT_MOMENTS] + number * m[p.MOMENT]
    for place in range(p.MOMENT_ENGINE):
        m[at + place] = m[place]
    at += p.MOMENT_ENGINE
    for place in range(p.MOMENT_LINE):
        m[at + place] = m[line + place]
    at += p.MOMENT_LINE
    m[at] = m[p.HELD]
    for symbol in range(m[p.SYMBOLS]):
        each = m[p.AT_LINES] + symbol * p.LINE
        if m[each + p.QTY] != 0 or m[each + p.WORKING_BUY] != 0 or m[each + p.WORKING_SELL] != 0:
            held = m[p.AT_HELD] + m[p.HELD] * p.HOLDING
            m[held + p.HOLDING_SYMBOL] = symbol
            m[held + p.HOLDING_QTY] = m[each + p.QTY]
            m[held + p.HOLDING_BUY] = m[each + p.WORKING_BUY]
            m[held + p.HOLDING_SELL] = m[each + p.WORKING_SELL]
            m[held + p.HOLDING_PRICE] = m[each + p.PRICE]
            m[held + p.HOLDING_EXPOSURE] = m[each + p.LINE_EXPOSURE]
            m[held + p.HOLDING_COST] = m[each + p.COST]
            m[held + p.HOLDING_VALUE] = m[each + p.LINE_VALUE]
            m[held + p.HOLDING_BUY_PRICE] = m[each + p.BUY_PRICE]
            m[held + p.HOLDING_SELL_PRICE] = m[each + p.SELL_PRICE]
            m[p.HELD] += 1
    m[at + 1] = m[p.CLOSE_OUT]
    at += 2
    for window in range(m[p.WINDOWS]):
        w = m[p.AT_WINDOWS] + window * p.WINDOW
        count = m[p.LOGGED + m[w + p.OF_STREAM]] - m[w + p.HEAD]
        m[at + window] = m[w + p.AMOUNT] if m[w + p.IS_TOTAL] else count
    return 0
