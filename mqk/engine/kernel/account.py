"""The account in native code: its time, its windows, its figures, and judging it.

What lives here: functions that are compiled by mqk.dsl.lower and never run as they stand; each is the twin of one of
state.py, windows.py and figures.py. What does not: orders (placing.py) and fills (filling.py).
"""

from __future__ import annotations

from mqk.engine.kernel import places as p
from mqk.engine.kernel.box import exposure_at, settle
from mqk.engine.kernel.places import Ints
from mqk.engine.kernel.provided import given, guard, reads, show, show_count, show_element, show_given
from mqk.quantity import DAY_MICROS


def tell_time(m: Ints, f: Ints, now: int) -> int:
    """Take in what time it is; the clock never runs backwards."""
    if now > m[p.NOW]:
        m[p.NOW] = now
        if m[p.ARMED_AT] == 0:
            m[p.ARMED_AT] = now
        if now > m[p.NEXT]:
            advance(m, f)
        if now > m[p.BOX_UNTIL]:
            m[p.BOX] = 0
    return 0


def advance(m: Ints, f: Ints) -> int:
    """Let go of what is too old."""
    m[p.NEXT] = p.NEVER
    for number in range(m[p.WINDOWS]):
        w = m[p.AT_WINDOWS] + number * p.WINDOW
        micros = m[w + p.MICROS]
        if micros >= 0:
            stream = m[w + p.OF_STREAM]
            first = m[p.AT_LOGS] + stream * m[p.LOG_MOST] * p.EVENT
            while m[w + p.HEAD] < m[p.LOGGED + stream]:
                event = first + m[w + p.HEAD] * p.EVENT
                if m[p.NOW] - m[event + p.EVENT_AT] <= micros:
                    m[p.NEXT] = min(m[p.NEXT], m[event + p.EVENT_AT] + micros)
                    break
                m[w + p.AMOUNT] -= m[event + p.EVENT_AMOUNT]
                m[w + p.HEAD] += 1
            show_window(m, f, w)
    return 0


def show_window(m: Ints, f: Ints, w: int) -> int:
    """Show a window's answer."""
    count = m[p.LOGGED + m[w + p.OF_STREAM]] - m[w + p.HEAD]
    f[m[w + p.SHOWN_AT]] = m[w + p.AMOUNT] if m[w + p.IS_TOTAL] else count
    return 0


def record(m: Ints, f: Ints, stream: int, amount: int) -> int:
    """Count one event of a stream, now; one that nobody counts is not remembered."""
    theirs = m[p.AT_STREAMS] + stream * (m[p.WINDOWS] + 1)
    if m[theirs] == 0:
        return 0
    m[p.BOX] = 0
    event = m[p.AT_LOGS] + (stream * m[p.LOG_MOST] + m[p.LOGGED + stream]) * p.EVENT
    plan = m[p.AT_SESSIONS] + m[p.SESSION] * p.PLAN
    m[event + p.EVENT_AT] = m[p.NOW]
    m[event + p.EVENT_PLACE] = m[plan + p.PLACE]
    m[event + p.EVENT_BUSINESS] = m[plan + p.BUSINESS_DAY]
    m[event + p.EVENT_AMOUNT] = amount
    m[p.LOGGED + stream] += 1
    for number in range(m[theirs]):
        w = m[theirs + 1 + number]
        m[w + p.AMOUNT] += amount
        if abs(m[w + p.AMOUNT]) > p.MONEY_MOST:
            m[p.STOPPED] = p.TOO_LARGE
        if m[w + p.MICROS] >= 0:
            oldest = m[p.AT_LOGS] + (stream * m[p.LOG_MOST] + m[w + p.HEAD]) * p.EVENT
            m[p.NEXT] = min(m[p.NEXT], m[oldest + p.EVENT_AT] + m[w + p.MICROS])
        show_window(m, f, w)
    return 0


def enter(m: Ints, f: Ints, session: int) -> int:
    """Begin a session: losses of the day count from here."""
    m[p.BOX] = 0
    m[p.SESSION] = session
    m[p.DAY_START] = max(m[p.EQUITY], 0)
    m[p.REALISED_BEFORE] = m[p.REALISED] - m[p.FEES]
    m[p.REALISED_TODAY] = 0
    for symbol in range(m[p.SYMBOLS]):
        line = m[p.AT_LINES] + symbol * p.LINE
        if m[p.BORROWS] and m[line + p.QTY] < 0:
            m[p.STOPPED] = p.UNUSUAL
        if m[line + p.TOUCHED]:
            m[line + p.OPENED_TODAY] = 0
            m[line + p.DAY_OPENED] = 0
            m[line + p.TOUCHED] = 0
    plan = m[p.AT_SESSIONS] + session * p.PLAN
    for number in range(m[p.WINDOWS]):
        w = m[p.AT_WINDOWS] + number * p.WINDOW
        if m[w + p.MICROS] < 0:
            stream = m[w + p.OF_STREAM]
            by = p.EVENT_BUSINESS if m[w + p.BY_BUSINESS] else p.EVENT_PLACE
            oldest = (m[plan + p.BUSINESS_DAY] if m[w + p.BY_BUSINESS] else m[plan + p.PLACE]) - m[w + p.SPAN]
            while m[w + p.HEAD] < m[p.LOGGED + stream]:
                event = m[p.AT_LOGS] + (stream * m[p.LOG_MOST] + m[w + p.HEAD]) * p.EVENT
                if m[event + by] > oldest:
                    break
                m[w + p.AMOUNT] -= m[event + p.EVENT_AMOUNT]
                m[w + p.HEAD] += 1
            show_window(m, f, w)
    return 0


def value(m: Ints) -> int:
    """Bring equity and its peak up to date."""
    m[p.EQUITY] = m[p.CASH] + m[p.VALUE]
    m[p.PEAK] = max(m[p.PEAK], m[p.EQUITY])
    if m[p.EQUITY] < m[p.BOX_LOW] or m[p.EQUITY] > m[p.BOX_HIGH]:
        m[p.BOX] = 0
    if abs(m[p.EQUITY]) > p.MONEY_MOST or abs(m[p.CASH]) > p.MONEY_MOST or m[p.EXPOSURE] > p.MONEY_MOST:
        m[p.STOPPED] = p.TOO_LARGE
    return 0


def expose(m: Ints, line: int) -> int:
    """Bring a symbol's part of the gross exposure up to date."""
    exposure = exposure_at(m, line, m[line + p.PRICE])
    m[p.EXPOSURE] += exposure - m[line + p.LINE_EXPOSURE]
    m[line + p.LINE_EXPOSURE] = exposure
    return 0


def mind(m: Ints, line: int) -> int:
    """Keep the table of the symbols that are held, or in which orders work; others have a box without bounds."""
    busy = m[line + p.QTY] != 0 or m[line + p.WORKING_BUY] != 0 or m[line + p.WORKING_SELL] != 0
    at = m[line + p.BUSY_AT]
    if busy and at == 0:
        m[m[p.AT_BUSY] + m[p.BUSY]] = line
        m[p.BUSY] += 1
        m[line + p.BUSY_AT] = m[p.BUSY]
    if at != 0 and busy == 0:
        final = m[m[p.AT_BUSY] + m[p.BUSY] - 1]
        m[m[p.AT_BUSY] + at - 1] = final
        m[final + p.BUSY_AT] = at
        m[line + p.BUSY_AT] = 0
        m[p.BUSY] -= 1
        m[line + p.FLOOR] = 0
        m[line + p.CEILING] = p.PRICE_MOST
    return 0


def mark(m: Ints, line: int, price: int) -> int:
    """Value a symbol at a price from now on; the peak is left alone."""
    m[line + p.PRICE] = price
    if m[line + p.QTY] != 0:
        worth = m[line + p.QTY] * price
        m[p.VALUE] += worth - m[line + p.LINE_VALUE]
        m[line + p.LINE_VALUE] = worth
    if m[line + p.QTY] != 0 or m[line + p.WORKING_BUY] != 0 or m[line + p.WORKING_SELL] != 0:
        expose(m, line)
        m[p.EQUITY] = m[p.CASH] + m[p.VALUE]
        if price < m[line + p.FLOOR] or price > m[line + p.CEILING]:
            m[p.BOX] = 0
    return 0


def show_time(m: Ints, f: Ints) -> int:
    """Show the clock, the run and the session."""
    plan = m[p.AT_SESSIONS] + max(m[p.SESSION], 0) * p.PLAN
    now = m[p.NOW]
    inside = now >= m[plan + p.OPENS] and now <= m[plan + p.CLOSES]
    offset = m[plan + p.OFFSET_AFTER] if now >= m[plan + p.OFFSET_CHANGES] else m[plan + p.OFFSET]
    show(f, "clock.now", now)
    show_given(f, "clock.time", m[p.SESSION] >= 0, (now + offset) % DAY_MICROS)
    show(f, "run.ticks", m[p.TICKS])
    show(f, "run.armed_for", max(now - m[p.ARMED_AT], 0) if m[p.ARMED_AT] else 0)
    show(f, "session.open", inside)
    show(f, "session.date", m[plan + p.DAY])
    show_given(f, "session.since_open", inside, now - m[plan + p.OPENS])
    show_given(f, "session.until_close", inside, m[plan + p.CLOSES] - now)
    return 0


def show_account(m: Ints, f: Ints) -> int:
    """Show the account, what it holds, and all engines of the desk, which in a backtest are this one."""
    show(f, "account.equity", m[p.EQUITY])
    show(f, "account.cash", m[p.CASH])
    show(f, "account.day_start_equity", m[p.DAY_START])
    show(f, "account.peak_equity", m[p.PEAK])
    show(f, "account.realised_today", m[p.REALISED_TODAY])
    show(f, "account.losing_streak", m[p.STREAK])
    show(f, "account.gross_exposure", m[p.EXPOSURE])
    show(f, "account.working_buy_value", m[p.BUY_VALUE])
    show(f, "account.working_sell_value", m[p.SELL_VALUE])
    show(f, "account.working_orders", m[p.WORKING])
    show(f, "account.open_positions", m[p.OPEN])
    show(f, "firm.equity", m[p.EQUITY])
    show(f, "firm.gross_exposure", m[p.EXPOSURE])
    show(f, "margin.equity", m[p.EQUITY])
    if reads("account.net_exposure", "account.highest_net_exposure", "account.lowest_net_exposure"):
        show_nets(m, f)
    if reads("account.long_exposure", "account.short_exposure", "account.opening_positions"):
        show_sides(m, f)
    if reads("margin.long_value", "margin.short_value"):
        show_margin(m, f)
    if reads("positions"):
        show_positions(m, f)
    return 0


def show_nets(m: Ints, f: Ints) -> int:
    """Show longs less shorts, as far as working orders can take them."""
    highest = 0
    lowest = 0
    for number in range(m[p.BUSY]):
        line = m[m[p.AT_BUSY] + number]
        price = m[line + p.PRICE]
        most = m[line + p.QTY] + m[line + p.WORKING_BUY]
        least = m[line + p.QTY] - m[line + p.WORKING_SELL]
        highest += most * (max(price, m[line + p.BUY_PRICE]) if most > 0 else price)
        lowest += least * (max(price, m[line + p.SELL_PRICE]) if least < 0 else price)
    show(f, "account.highest_net_exposure", highest)
    show(f, "account.lowest_net_exposure", lowest)
    show(f, "account.net_exposure", max(abs(highest), abs(lowest)))
    return 0


def show_sides(m: Ints, f: Ints) -> int:
    """Show longs and shorts as far as working orders can take them, and the symbols that are not held yet."""
    longs = 0
    shorts = 0
    opening = 0
    for number in range(m[p.BUSY]):
        line = m[m[p.AT_BUSY] + number]
        price = m[line + p.PRICE]
        longs += max(m[line + p.QTY] + m[line + p.WORKING_BUY], 0) * max(price, m[line + p.BUY_PRICE])
        shorts += max(m[line + p.WORKING_SELL] - m[line + p.QTY], 0) * max(price, m[line + p.SELL_PRICE])
        opening += m[line + p.QTY] == 0 and (m[line + p.WORKING_BUY] != 0 or m[line + p.WORKING_SELL] != 0)
    show(f, "account.long_exposure", longs)
    show(f, "account.short_exposure", shorts)
    show(f, "account.opening_positions", opening)
    return 0


def show_margin(m: Ints, f: Ints) -> int:
    """Show what is held, long and short, at the last prices."""
    longs = 0
    shorts = 0
    for number in range(m[p.BUSY]):
        worth = m[m[m[p.AT_BUSY] + number] + p.LINE_VALUE]
        longs += max(worth, 0)
        shorts += max(-worth, 0)
    show(f, "margin.long_value", longs)
    show(f, "margin.short_value", shorts)
    return 0


def average(m: Ints, line: int) -> int:
    """What a share cost on average, rounded against the trader."""
    qty = m[line + p.QTY]
    if qty > 0:
        return -(-m[line + p.COST] // qty)
    return m[line + p.COST] // qty


def show_positions(m: Ints, f: Ints) -> int:
    """Show every symbol that is held, or in which orders work."""
    if m[p.BUSY] > p.POSITIONS_MOST:
        m[p.STOPPED] = p.TOO_LARGE
        return 0
    for number in range(m[p.BUSY]):
        line = m[m[p.AT_BUSY] + number]
        show_element(f, "positions", number, "symbol", m[line + p.WORD])
        show_element(f, "positions", number, "qty", m[line + p.QTY])
        show_element(f, "positions", number, "working_buy", m[line + p.WORKING_BUY])
        show_element(f, "positions", number, "working_sell", m[line + p.WORKING_SELL])
        show_element(f, "positions", number, "price", m[line + p.PRICE])
        show_element(f, "positions", number, "value", m[line + p.LINE_VALUE])
        show_element(f, "positions", number, "exposure", m[line + p.LINE_EXPOSURE])
        show_element(f, "positions", number, "cost", abs(m[line + p.COST]))
        show_element(f, "positions", number, "unrealised", m[line + p.LINE_VALUE] - m[line + p.COST])
        if m[line + p.QTY] != 0:
            show_element(f, "positions", number, "average_price", average(m, line))
        given(f, "positions", number, "average_price", m[line + p.QTY] != 0)
    show_count(f, "positions", m[p.BUSY])
    return 0


def judge_account(m: Ints, f: Ints, a: Ints) -> int:
    """Judge the account, unless it is known to pass: whatever a rule asks for is not done here."""
    if m[p.BOX] == 0:
        settle(m, f, a)
    if m[p.BOX] == 0:
        show_time(m, f)
        show_account(m, f)
        said = guard("account", f, a)
        if said != 0:
            m[p.STOPPED] = p.NOT_DECIDED if said == 2 else p.ACCOUNT_BROKEN
    return 0
