"""Orders in native code: from a target to orders, judged, kept, and judged again by the gate.

What lives here: functions that are compiled by mqk.dsl.lower; they are the twins of those in mqk/engine/placing.py.
What does not: fills (filling.py), and orders of other kinds than market orders.
"""

from __future__ import annotations

from mqk.engine.kernel import places as p
from mqk.engine.kernel.account import expose, judge_account, mind, record, show_account, show_time, show_window
from mqk.engine.kernel.moments import keep
from mqk.engine.kernel.places import Ints
from mqk.engine.kernel.provided import broken, denies, errors, guard, reads, show, show_given, side_word
from mqk.engine.kernel.worst import against, close_out, costs, dearest, way_out


def alike(m: Ints, symbol: int, side: int, qty: int) -> int:
    """The place at which orders of a symbol, side and quantity are remembered."""
    key = symbol * 2 + (side > 0)
    at = (key * 1_000_003 + qty * 8_191) & m[p.ALIKE_MASK]
    found = m[p.AT_ALIKE] + at * p.ALIKE
    while m[found + 3] != 0 and (m[found] != key or m[found + 1] != qty):
        at = (at + 1) & m[p.ALIKE_MASK]
        found = m[p.AT_ALIKE] + at * p.ALIKE
    if m[found + 3] == 0:
        m[found] = key
        m[found + 1] = qty
        m[found + 2] = -1
        m[found + 3] = 1
    return found


def show_order(m: Ints, f: Ints, row: int, line: int) -> int:
    """Show an order, its position and its market, as if the order were not at work."""
    side = m[row + p.ROW_SIDE]
    qty = m[line + p.QTY]
    show(f, "order.symbol", m[line + p.WORD])
    show(f, "order.side", side_word(side > 0))
    show(f, "order.qty", m[row + p.ROW_QTY])
    show(f, "order.worst_price", m[row + p.ROW_WORST])
    show(f, "order.fees", m[p.COMMISSION])
    show(f, "order.costs", costs(m, row, line) + way_out(m, m[row + p.ROW_QTY], m[line + p.PRICE]))
    show(f, "order.reduce_only", m[row + p.ROW_REDUCES])
    opposite = m[line + p.WORKING_SELL] if side > 0 else m[line + p.WORKING_BUY]
    closes = qty < 0 if side > 0 else qty > 0
    show(f, "order.is_day_trade", opposite > 0 or (m[line + p.DAY_OPENED] != 0 and closes))
    show_given(f, "order.same_age", m[row + p.ROW_ALIKE] >= 0, max(m[p.NOW] - m[row + p.ROW_ALIKE], 0))
    show(f, "position.qty", qty)
    show(f, "position.working_buy", m[line + p.WORKING_BUY])
    show(f, "position.working_sell", m[line + p.WORKING_SELL])
    show(f, "position.working_buy_price", m[line + p.BUY_PRICE])
    show(f, "position.working_sell_price", m[line + p.SELL_PRICE])
    show(f, "position.working_orders", m[line + p.BUYS] + m[line + p.SELLS])
    show(f, "position.exposure", m[line + p.LINE_EXPOSURE])
    if reads("position.average_price"):
        show_given(f, "position.average_price", qty != 0, average_of(m, line))
    show(f, "position.unrealised", m[line + p.LINE_VALUE] - m[line + p.COST])
    show(f, "position.opened_today", m[line + p.OPENED_TODAY])
    show_given(f, "position.since_exit", m[line + p.CLOSED_AT] >= 0, max(m[p.NOW] - m[line + p.CLOSED_AT], 0))
    buys = m[line + p.BUYS] if qty >= 0 else 0
    sells = m[line + p.SELLS] if qty <= 0 else 0
    show(f, "position.adds", max(m[line + p.ENTRIES] + max(buys, sells) - 1, 0))
    show(f, "market.price", m[line + p.PRICE])
    show(f, "market.volume", m[line + p.VOLUME])
    show(f, "market.range", m[line + p.RANGE])
    show(f, "market.bars_seen", m[line + p.SEEN])
    show_given(
        f, "market.previous_session_close", m[line + p.SESSION_CLOSE_BEFORE] > 0, m[line + p.SESSION_CLOSE_BEFORE]
    )
    show(f, "market.session_low", m[line + p.SESSION_LOW])
    show(f, "market.age", 0)
    return 0


def average_of(m: Ints, line: int) -> int:
    """What a share cost on average, rounded against the trader; zero when none is held."""
    qty = m[line + p.QTY]
    if qty > 0:
        return -(-m[line + p.COST] // qty)
    if qty < 0:
        return m[line + p.COST] // qty
    return 0


def judge_order(m: Ints, f: Ints, a: Ints, row: int, line: int) -> int:
    """Judge an order: whether it is denied. What every rule said is kept in its row."""
    show_order(m, f, row, line)
    show_time(m, f)
    show_account(m, f)
    if reads("account.close_out_costs") or m[p.KEEPS]:
        m[p.CLOSE_OUT] = close_out(m, row)
    show(f, "account.close_out_costs", m[p.CLOSE_OUT])
    show(f, "account.working_fees", m[p.WORKING] * m[p.COMMISSION])
    said = guard("order", f, a)
    if said == 2:
        m[p.STOPPED] = p.NOT_DECIDED
    m[row + p.ROW_BROKEN] = broken(a)
    m[row + p.ROW_ERRORS] = errors(a)
    return ((broken(a) | errors(a)) & denies()) != 0


def place(m: Ints, f: Ints, a: Ints, symbol: int, side: int, qty: int, reduces: int, bar: int) -> int:
    """Judge one intent on the projected state; allowed, it is at work before the next one is judged."""
    if m[p.ROWS] == m[p.ROWS_MOST] or (m[p.KEEPS] and m[p.HELD] + m[p.OPEN] + m[p.WORKING] > m[p.HELD_MOST]):
        m[p.STOPPED] = p.ROWS_FULL
        return 0
    line = m[p.AT_LINES] + symbol * p.LINE
    row = m[p.AT_ROWS] + m[p.ROWS] * p.ROW
    m[p.ROWS] += 1
    m[row + p.ROW_SYMBOL] = symbol
    m[row + p.ROW_SIDE] = side
    m[row + p.ROW_QTY] = qty
    m[row + p.ROW_WORST] = against(m, side, m[line + p.PRICE], m[p.CAP])
    if m[row + p.ROW_WORST] > p.PRICE_MOST:
        m[p.STOPPED] = p.TOO_LARGE
    m[row + p.ROW_AT] = m[p.NOW]
    m[row + p.ROW_REDUCES] = reduces
    m[row + p.ROW_BAR] = bar
    m[row + p.ROW_WAIT] = m[p.LATENCY]
    same = alike(m, symbol, side, qty)
    m[row + p.ROW_ALIKE] = m[same + 2]
    denied = judge_order(m, f, a, row, line)
    if m[p.KEEPS]:
        keep(m, m[p.ROWS] - 1, line)
    if denied:
        m[row + p.ROW_STATE] = p.DENIED
        m[row + p.ROW_NUMBER] = -1
        return 0
    m[row + p.ROW_STATE] = p.AT_WORK
    m[row + p.ROW_NUMBER] = m[p.PLACED]
    m[p.PLACED] += 1
    work(m, row, line, 1)
    record(m, f, p.ORDERS_STREAM, qty * m[row + p.ROW_WORST])
    m[same + 2] = m[p.NOW]
    m[m[p.AT_ACTIVE] + m[p.ACTIVE]] = row
    m[p.ACTIVE] += 1
    if m[p.ACTIVE] == p.ACTIVE_MOST:
        m[p.STOPPED] = p.NO_ROOM
    return 0


def work(m: Ints, row: int, line: int, times: int) -> int:
    """Put an order to work, or take it off (`times` -1)."""
    m[p.BOX] = 0
    qty = m[row + p.ROW_QTY] * times
    if m[row + p.ROW_SIDE] > 0:
        m[line + p.WORKING_BUY] += qty
        m[line + p.BUYS] += times
        m[p.BUY_VALUE] += qty * m[row + p.ROW_WORST]
        m[line + p.BUY_PRICE] = dearest(m, row, line, times)
    else:
        m[line + p.WORKING_SELL] += qty
        m[line + p.SELLS] += times
        m[p.SELL_VALUE] += qty * m[row + p.ROW_WORST]
        m[line + p.SELL_PRICE] = dearest(m, row, line, times)
    m[p.WORKING] += times
    mind(m, line)
    expose(m, line)
    return 0


def size(m: Ints, wants: Ints, want: int, end: int) -> int:
    """How many shares out of a position and into one bring about a target."""
    line = m[p.AT_LINES] + wants[want + p.WANT_SYMBOL] * p.LINE
    delta = wants[want + p.WANT_TARGET] - (m[line + p.QTY] + m[line + p.WORKING_BUY] - m[line + p.WORKING_SELL])
    side = 1 if delta > 0 else -1
    room = -m[line + p.QTY] - m[line + p.WORKING_BUY] if delta > 0 else m[line + p.QTY] - m[line + p.WORKING_SELL]
    reducing = min(abs(delta), max(room, 0))
    wants[want + p.WANT_EXIT] = side * reducing
    wants[want + p.WANT_ENTRY] = side * (abs(delta) - reducing)
    if delta != 0 and (m[line + p.WORKING_SELL] if delta > 0 else m[line + p.WORKING_BUY]) != 0:
        m[p.STOPPED] = p.OPPOSITE
    if delta != 0 and m[line + p.PREVIOUS_END] != end:
        m[p.STOPPED] = p.NO_BAR
    return 0


def order(m: Ints, f: Ints, a: Ints, wants: Ints, want: int, of: int, side: int) -> int:
    """Place one part of what a target needs, its exit or its entry, if it is of this side."""
    qty = wants[want + of] * side
    if qty > 0 and m[p.STOPPED] == 0:
        place(m, f, a, wants[want + p.WANT_SYMBOL], side, qty, of == p.WANT_EXIT, wants[want + p.WANT_BAR])
    return 0


def aim(m: Ints, f: Ints, a: Ints, wants: Ints, end: int, stop: int) -> int:
    """Bring about what was answered to bars before `stop`, as far as it is given, one answer after the other."""
    going = 1
    while going:
        first = m[p.WANTED] * p.WANT
        going = 0
        if m[p.STOPPED] == 0 and m[p.WANTED] < m[p.WANTS]:
            going = wants[first + p.WANT_BAR] < stop
        if going:
            count = wants[first + p.WANT_COUNT]
            bring_about(m, f, a, wants, first, count, end)
            m[p.WANTED] += count
    return 0


def bring_about(m: Ints, f: Ints, a: Ints, wants: Ints, first: int, count: int, end: int) -> int:
    """Bring about one answer.

    What only reduces comes first, and sales before purchases; what crosses zero is two orders.
    """
    for number in range(count):
        size(m, wants, first + number * p.WANT, end)
    for number in range(count):
        order(m, f, a, wants, first + number * p.WANT, p.WANT_EXIT, -1)
    for number in range(count):
        order(m, f, a, wants, first + number * p.WANT, p.WANT_EXIT, 1)
    for number in range(count):
        order(m, f, a, wants, first + number * p.WANT, p.WANT_ENTRY, -1)
    for number in range(count):
        order(m, f, a, wants, first + number * p.WANT, p.WANT_ENTRY, 1)
    return 0


def answer(m: Ints, f: Ints, a: Ints, symbol: int, target: int, wants: Ints, bar: int) -> int:
    """Bring about the target that a bar of the instant is answered with, where that is another than what there is."""
    line = m[p.AT_LINES] + symbol * p.LINE
    held = m[line + p.QTY] + m[line + p.WORKING_BUY] - m[line + p.WORKING_SELL]
    if target != p.HOLD and target != held and m[p.STOPPED] == 0:  # noqa: PLR1714 - native code has no sets
        wants[p.WANT_BAR] = bar
        wants[p.WANT_SYMBOL] = symbol
        wants[p.WANT_TARGET] = target
        bring_about(m, f, a, wants, 0, 1, m[p.END])
    return 0


def unwind(m: Ints, f: Ints, amount: int, times: int) -> int:
    """Show the windows of orders as if one order of this value had not been placed, or as they are again."""
    theirs = m[p.AT_STREAMS] + p.ORDERS_STREAM * (m[p.WINDOWS] + 1)
    for number in range(m[theirs]):
        w = m[theirs + 1 + number]
        show_window(m, f, w)
        if times:
            f[m[w + p.SHOWN_AT]] -= amount if m[w + p.IS_TOTAL] else 1
    return 0


def leave(m: Ints, f: Ints, a: Ints, row: int) -> int:
    """The gate: the order is judged as if it were not at work yet, and the account once the market has it."""
    # What was placed last is judged on the very facts that its intent was: nothing but itself has come since.
    if m[row + p.ROW_NUMBER] + 1 != m[p.PLACED]:
        judge_again(m, f, a, row)
    judge_account(m, f, a)
    return 0


def judge_again(m: Ints, f: Ints, a: Ints, row: int) -> int:
    """Judge an order that is at work as if it were not; what was said of its intent is kept."""
    line = m[p.AT_LINES] + m[row + p.ROW_SYMBOL] * p.LINE
    amount = m[row + p.ROW_QTY] * m[row + p.ROW_WORST]
    before = m[row + p.ROW_BROKEN]
    faults = m[row + p.ROW_ERRORS]
    work(m, row, line, -1)
    unwind(m, f, amount, 1)
    if judge_order(m, f, a, row, line):
        m[p.STOPPED] = p.AT_THE_GATE
    unwind(m, f, amount, 0)
    work(m, row, line, 1)
    m[row + p.ROW_BROKEN] = before
    m[row + p.ROW_ERRORS] = faults
    return 0
