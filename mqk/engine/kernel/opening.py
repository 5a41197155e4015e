"""What rests at the market when bars open, filled in native code.

What lives here: functions that are compiled by mqk.dsl.lower. What does not: what a fill comes to (filling.py).
"""

from __future__ import annotations

from mqk.engine.kernel import places as p
from mqk.engine.kernel.account import enter, judge_account, tell_time
from mqk.engine.kernel.columns import Bars
from mqk.engine.kernel.filling import fill, fill_price, take_off
from mqk.engine.kernel.places import Ints


def fill_open(m: Ints, f: Ints, a: Ints, c: Bars, first: int, stop: int, session: int, plain: int) -> int:
    """What rests at the market when these bars open; all fills are made before any is told."""
    filled = 0
    for bar in range(first, stop):
        symbol = symbol_of(m, c, bar, bar - first, plain)
        line = m[p.AT_LINES] + symbol * p.LINE
        if m[line + p.BUYS] + m[line + p.SELLS] != 0:
            filled = fill_bar(m, f, a, c, bar, symbol, start_of(c, bar, stop - first, plain), session, filled)
    m[p.FILLING] = filled
    for number in range(filled):
        if m[p.STOPPED] == 0:
            row = m[m[p.AT_FILLS] + number * 2]
            fill(m, f, a, row, m[row + p.ROW_PRICE], m[m[p.AT_FILLS] + number * 2 + 1])
    return 0


def symbol_of(m: Ints, c: Bars, bar: int, place: int, plain: int) -> int:
    """The symbol of a bar; in a stretch, without looking at its column."""
    if plain:
        return m[m[p.AT_GROUP] + place]
    return c.symbols[bar]


def start_of(c: Bars, bar: int, width: int, plain: int) -> int:
    """When a bar began; in a stretch, when the one before it ended."""
    if plain:
        return c.due[bar - width]
    return c.starts[bar]


def fill_bar(m: Ints, f: Ints, a: Ints, c: Bars, bar: int, symbol: int, start: int, session: int, filled: int) -> int:
    """What rests at the market in the symbol of a bar as it opens, after so many fills; returns how many it is then."""
    at = max(start, m[p.NOW])
    low = min(c.opens[bar], c.closes[bar])
    high = max(c.opens[bar], c.closes[bar])
    tradable = c.lows[bar] > 0 and c.lows[bar] <= low and high <= c.highs[bar]
    number = 0
    begun = 0
    while tradable and number < m[p.ACTIVE]:
        row = m[m[p.AT_ACTIVE] + number]
        number += 1
        if m[row + p.ROW_SYMBOL] == symbol:
            if begun == 0 and session != m[p.SESSION]:
                tell_time(m, f, at)
                enter(m, f, session)
                judge_account(m, f, a)
            begun = 1
            side = m[row + p.ROW_SIDE]
            price = fill_price(m, side, c.opens[bar], c.highs[bar], c.lows[bar], c.closes[bar])
            # What came late never does better than at the opens it missed.
            if m[p.LATENCY] > 0 and m[row + p.ROW_PRICE] != 0:
                price = max(price, m[row + p.ROW_PRICE]) if side > 0 else min(price, m[row + p.ROW_PRICE])
            meets = start >= m[row + p.ROW_AT]
            if meets:
                m[row + p.ROW_PRICE] = price
            if meets and m[row + p.ROW_WAIT] > 0:
                m[row + p.ROW_WAIT] -= 1
            elif meets:
                number -= 1
                take_off(m, number)
                m[row + p.ROW_FILLED_AT] = at
                m[m[p.AT_FILLS] + filled * 2] = row
                m[m[p.AT_FILLS] + filled * 2 + 1] = c.opens[bar]
                filled += 1
    return filled
