"""The loop of the kernel: at each instant the fills at the open, then the bars, then the account, then the targets.

What lives here: the order of things, as mqk/backtest/runner.py and mqk/engine/step.py have it, in functions that are
compiled by mqk.dsl.lower. What does not: how each of them is done.
"""

from __future__ import annotations

from mqk.engine.kernel import places as p
from mqk.engine.kernel.account import enter, judge_account, mark, show_time, tell_time, value
from mqk.engine.kernel.filling import fill, fill_price, take_off
from mqk.engine.kernel.places import Ints
from mqk.engine.kernel.placing import aim, leave
from mqk.engine.kernel.provided import guard, show, show_given


def fill_open(
    m: Ints,
    f: Ints,
    a: Ints,
    symbols: Ints,
    opens: Ints,
    highs: Ints,
    lows: Ints,
    closes: Ints,
    starts: Ints,
    first: int,
    stop: int,
    session: int,
) -> int:
    """What rests at the market when these bars open; all fills are made before any is told."""
    filled = 0
    for bar in range(first, stop):
        symbol = symbols[bar]
        at = max(starts[bar], m[p.NOW])
        low = min(opens[bar], closes[bar])
        high = max(opens[bar], closes[bar])
        tradable = lows[bar] > 0 and lows[bar] <= low and high <= highs[bar]
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
                price = fill_price(m, side, opens[bar], highs[bar], lows[bar], closes[bar])
                # What came late never does better than at the opens it missed.
                if m[p.LATENCY] > 0 and m[row + p.ROW_PRICE] != 0:
                    price = max(price, m[row + p.ROW_PRICE]) if side > 0 else min(price, m[row + p.ROW_PRICE])
                meets = starts[bar] >= m[row + p.ROW_AT]
                if meets:
                    m[row + p.ROW_PRICE] = price
                if meets and m[row + p.ROW_WAIT] > 0:
                    m[row + p.ROW_WAIT] -= 1
                elif meets:
                    number -= 1
                    take_off(m, number)
                    m[row + p.ROW_FILLED_AT] = at
                    m[m[p.AT_FILLS] + filled * 2] = row
                    m[m[p.AT_FILLS] + filled * 2 + 1] = opens[bar]
                    filled += 1
    m[p.FILLING] = filled
    for number in range(filled):
        if m[p.STOPPED] == 0:
            row = m[m[p.AT_FILLS] + number * 2]
            fill(m, f, a, row, m[row + p.ROW_PRICE], m[m[p.AT_FILLS] + number * 2 + 1])
    return 0


def take_in(
    m: Ints,
    f: Ints,
    a: Ints,
    line: int,
    session: int,
    end: int,
    missing: int,
    open_: int,
    high: int,
    low: int,
    close: int,
    volume: int,
) -> int:
    """A bar: judged, its session begun, its price taken in."""
    seen = m[line + p.SEEN]
    show(f, "bar.symbol", m[line + p.WORD])
    show(f, "bar.open", open_)
    show(f, "bar.high", high)
    show(f, "bar.low", low)
    show(f, "bar.close", close)
    show(f, "bar.volume", volume)
    show(f, "bar.complete", 1)
    show(f, "bar.end", end)
    show(f, "bar.missing", missing)
    show_given(f, "bar.previous_end", seen > 0, m[line + p.PREVIOUS_END])
    show_given(f, "bar.previous_close", seen > 0, m[line + p.PREVIOUS_CLOSE])
    show_time(m, f)
    if guard("bar", f, a) != 0:
        m[p.STOPPED] = p.BAR_BROKEN
        return 0
    if session != m[p.SESSION]:
        enter(m, f, session)
    if session != m[line + p.BAR_SESSION]:
        m[line + p.SESSION_CLOSE_BEFORE] = m[line + p.PREVIOUS_CLOSE] if seen > 0 else 0
        m[line + p.SESSION_LOW] = low
        m[line + p.BAR_SESSION] = session
    else:
        m[line + p.SESSION_LOW] = min(m[line + p.SESSION_LOW], low)
    m[line + p.PREVIOUS_END] = end
    m[line + p.PREVIOUS_CLOSE] = close
    m[line + p.VOLUME] = volume
    m[line + p.RANGE] = high - low
    m[line + p.SEEN] = seen + 1
    mark(m, line, close)
    return 0


def begin(
    m: Ints,
    f: Ints,
    a: Ints,
    ends: Ints,
    firsts: Ints,
    sessions: Ints,
    flags: Ints,
    symbols: Ints,
    opens: Ints,
    highs: Ints,
    lows: Ints,
    closes: Ints,
    volumes: Ints,
    missing: Ints,
    starts: Ints,
    instant: int,
) -> int:
    """What comes of an instant before anything is answered: fills at the open, its bars, and the account on them."""
    first = firsts[instant]
    stop = firsts[instant + 1]
    session = sessions[instant]
    if flags[instant] != 0:
        m[p.STOPPED] = p.UNUSUAL
        return 0
    if m[p.ACTIVE] != 0:
        if session != m[p.SESSION] and m[p.SESSION] >= 0:
            # An order of the day that met no bar until its session closed is over: nothing that is played here.
            closed = m[m[p.AT_SESSIONS] + (session - 1) * p.PLAN + p.CLOSES]
            for number in range(m[p.ACTIVE]):
                if m[m[m[p.AT_ACTIVE] + number] + p.ROW_AT] < closed:
                    m[p.STOPPED] = p.UNUSUAL
        if m[p.STOPPED] != 0:
            return 0
        fill_open(m, f, a, symbols, opens, highs, lows, closes, starts, first, stop, session)
        if m[p.STOPPED] != 0:
            return 0
    tell_time(m, f, ends[instant])
    for bar in range(first, stop):
        line = m[p.AT_LINES] + symbols[bar] * p.LINE
        if m[p.STOPPED] == 0:
            take_in(
                m,
                f,
                a,
                line,
                session,
                ends[instant],
                missing[bar],
                opens[bar],
                highs[bar],
                lows[bar],
                closes[bar],
                volumes[bar],
            )
    if m[p.STOPPED] != 0:
        return 0
    m[p.TICKS] += 1
    value(m)
    judge_account(m, f, a)
    m[p.BEFORE] = m[p.ROWS]
    m[p.BEGUN] = 1
    return 0


def finish(m: Ints, f: Ints, a: Ints, equities: Ints, cashes: Ints, instant: int) -> int:
    """What comes of an instant once all is answered: orders leave, and the account is what it is."""
    rows = m[p.BEFORE]
    while rows < m[p.ROWS] and m[p.STOPPED] == 0:
        row = m[p.AT_ROWS] + rows * p.ROW
        if m[row + p.ROW_STATE] == p.AT_WORK:
            leave(m, f, a, row)
        rows += 1
    if m[p.STOPPED] == 0:
        equities[instant] = m[p.EQUITY]
        cashes[instant] = m[p.CASH]
        m[p.INSTANT] += 1
        m[p.BEGUN] = 0
    return 0


def play(
    m: Ints,
    f: Ints,
    a: Ints,
    ends: Ints,
    firsts: Ints,
    sessions: Ints,
    flags: Ints,
    symbols: Ints,
    opens: Ints,
    highs: Ints,
    lows: Ints,
    closes: Ints,
    volumes: Ints,
    missing: Ints,
    starts: Ints,
    equities: Ints,
    cashes: Ints,
    wants: Ints,
    last: int,
    opened: int,
) -> int:
    """Go on from where the memory is, up to an instant, or into it (`opened`): as far as answers to it are given.

    Returns the instant that it came to; when it stopped for a reason, the memory is somewhere within it.
    """
    going = 1
    while going:
        instant = m[p.INSTANT]
        going = 0
        if m[p.STOPPED] == 0 and instant < last + opened:
            if m[p.BEGUN] == 0:
                begin(
                    m,
                    f,
                    a,
                    ends,
                    firsts,
                    sessions,
                    flags,
                    symbols,
                    opens,
                    highs,
                    lows,
                    closes,
                    volumes,
                    missing,
                    starts,
                    instant,
                )
            if m[p.STOPPED] == 0:
                aim(m, f, a, wants, ends[instant], firsts[instant + 1])
            if m[p.STOPPED] == 0 and instant < last:
                finish(m, f, a, equities, cashes, instant)
                going = 1
    return m[p.INSTANT]
