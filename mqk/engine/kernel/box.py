"""How far prices, equity and time may move before the account has to be judged again, settled in native code.

What lives here: functions that are compiled by mqk.dsl.lower; they are the twins of mqk/engine/leeway.py, which says
why a box may be relied on. What does not: what happens within one (quiet.py), and judging outside of it (account.py).

The box is closed by whatever changes more than prices and the clock: an order, a fill, an event that is counted, a new
session. It is opened again around what is so then.
"""

from __future__ import annotations

from mqk.engine.kernel import places as p
from mqk.engine.kernel.places import Ints
from mqk.engine.kernel.provided import guard, settles, show, show_count, show_element
from mqk.engine.leeway import CLOSER, EQUITY_PARTS, HORIZON, PRICE_PARTS, TICKS

# The parts of the box are powers of two: dividing by them is a shift.
CLOSER_BITS = CLOSER.bit_length() - 1
EQUITY_BITS = EQUITY_PARTS.bit_length() - 1
PRICE_BITS = PRICE_PARTS.bit_length() - 1


def settle(m: Ints, f: Ints, a: Ints) -> int:
    """Open the box around the account as it is, unless it is not certain that every rule passes within it."""
    if settles():
        m[p.BOX] = fits(m, f, a, 0)
        if m[p.BOX] == 0:
            m[p.BOX] = fits(m, f, a, CLOSER_BITS)
    return 0


def fits(m: Ints, f: Ints, a: Ints, closer: int) -> int:
    """Whether every rule of the account passes in a box of a size; its bounds are kept."""
    equity = m[p.EQUITY]
    slack = abs(equity) >> (EQUITY_BITS + closer)
    now = m[p.NOW]
    armed = max(now - m[p.ARMED_AT], 0) if m[p.ARMED_AT] else 0
    m[p.BOX_LOW] = equity - slack
    m[p.BOX_HIGH] = equity + slack
    m[p.BOX_UNTIL] = now + HORIZON
    show(f, "account_low.equity", equity - slack)
    show(f, "account_high.equity", equity + slack)
    show(f, "account_low.peak_equity", m[p.PEAK])
    show(f, "account_high.peak_equity", max(m[p.PEAK], equity + slack))
    show(f, "run_low.ticks", m[p.TICKS])
    show(f, "run_high.ticks", m[p.TICKS] + TICKS)
    show(f, "run_low.armed_for", armed)
    show(f, "run_high.armed_for", armed + HORIZON)
    show(f, "clock_low.now", now)
    show(f, "clock_high.now", now + HORIZON)
    show(f, "account.cash", m[p.CASH])
    show(f, "account.day_start_equity", m[p.DAY_START])
    show(f, "account.realised_today", m[p.REALISED_TODAY])
    show(f, "account.losing_streak", m[p.STREAK])
    show(f, "account.working_buy_value", m[p.BUY_VALUE])
    show(f, "account.working_sell_value", m[p.SELL_VALUE])
    show(f, "account.working_orders", m[p.WORKING])
    show(f, "account.open_positions", m[p.OPEN])
    if surround(m, f, PRICE_BITS + closer) == 0 or equity + slack > p.MONEY_MOST:
        return 0
    return guard("leeway", f, a) == 0


def surround(m: Ints, f: Ints, bits: int) -> int:
    """Show every symbol that is held, or in which orders work, with the bounds of its price; whether there is room."""
    least = 0
    most = 0
    if m[p.BUSY] > p.POSITIONS_MOST:
        return 0
    for number in range(m[p.BUSY]):
        line = m[m[p.AT_BUSY] + number]
        part = m[line + p.PRICE] >> bits
        floor = m[line + p.PRICE] - part
        ceiling = min(m[line + p.PRICE] + part, p.PRICE_MOST)
        m[line + p.FLOOR] = floor
        m[line + p.CEILING] = ceiling
        lower = exposure_at(m, line, floor)
        higher = exposure_at(m, line, ceiling)
        least += lower
        most += higher
        one = m[line + p.QTY] * floor
        other = m[line + p.QTY] * ceiling
        show_element(f, "positions", number, "symbol", m[line + p.WORD])
        show_element(f, "positions", number, "qty", m[line + p.QTY])
        show_element(f, "positions", number, "working_buy", m[line + p.WORKING_BUY])
        show_element(f, "positions", number, "working_sell", m[line + p.WORKING_SELL])
        show_element(f, "positions", number, "cost", abs(m[line + p.COST]))
        show_element(f, "positions", number, "price_low", floor)
        show_element(f, "positions", number, "price_high", ceiling)
        show_element(f, "positions", number, "exposure_low", lower)
        show_element(f, "positions", number, "exposure_high", higher)
        show_element(f, "positions", number, "value_low", min(one, other))
        show_element(f, "positions", number, "value_high", max(one, other))
        show_element(f, "positions", number, "unrealised_low", min(one, other) - m[line + p.COST])
        show_element(f, "positions", number, "unrealised_high", max(one, other) - m[line + p.COST])
    show(f, "account_low.gross_exposure", least)
    show(f, "account_high.gross_exposure", most)
    show_count(f, "positions", m[p.BUSY])
    return most <= p.MONEY_MOST


def exposure_at(m: Ints, line: int, price: int) -> int:
    """A symbol's part of the gross exposure at a price."""
    if m[line + p.WORKING_BUY] == 0 and m[line + p.WORKING_SELL] == 0:
        return abs(m[line + p.QTY]) * price
    most = m[line + p.QTY] + m[line + p.WORKING_BUY]
    least = m[line + p.WORKING_SELL] - m[line + p.QTY]
    return max(most * max(price, m[line + p.BUY_PRICE]), least * max(price, m[line + p.SELL_PRICE]))
