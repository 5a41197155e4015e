"""The loop of the kernel: at each instant the fills at the open, then the bars, then the account, then the targets.

What lives here: the order of things, as mqk/backtest/runner.py and mqk/engine/step.py have it, in functions that are
compiled by mqk.dsl.lower. What does not: how each of them is done, and passing over instants of which nothing comes but
other prices (stretch.py).
"""

from __future__ import annotations

from mqk.engine.kernel import places as p
from mqk.engine.kernel.account import enter, judge_account, mark, show_time, tell_time, value
from mqk.engine.kernel.columns import Bars, Curve
from mqk.engine.kernel.opening import fill_open, symbol_of
from mqk.engine.kernel.places import Ints
from mqk.engine.kernel.placing import aim, answer, leave
from mqk.engine.kernel.provided import guard, show, show_given
from mqk.engine.kernel.stretch import catch_up, pass_over


def judge_bar(m: Ints, f: Ints, a: Ints, c: Bars, bar: int, line: int, end: int) -> int:
    """Judge a bar by every rule of bars."""
    seen = m[line + p.SEEN]
    show(f, "bar.symbol", m[line + p.WORD])
    show(f, "bar.open", c.opens[bar])
    show(f, "bar.high", c.highs[bar])
    show(f, "bar.low", c.lows[bar])
    show(f, "bar.close", c.closes[bar])
    show(f, "bar.volume", c.volumes[bar])
    show(f, "bar.complete", 1)
    show(f, "bar.end", end)
    show(f, "bar.missing", c.missing[bar])
    show_given(f, "bar.previous_end", seen > 0, m[line + p.PREVIOUS_END])
    show_given(f, "bar.previous_close", seen > 0, m[line + p.PREVIOUS_CLOSE])
    show_time(m, f)
    if guard("bar", f, a) != 0:
        m[p.STOPPED] = p.BAR_BROKEN
    return 0


def take_in(m: Ints, f: Ints, c: Bars, bar: int, line: int, session: int, end: int) -> int:
    """A bar that passed: its session begun, its price taken in."""
    seen = m[line + p.SEEN]
    low = c.lows[bar]
    if session != m[p.SESSION]:
        enter(m, f, session)
    if session != m[line + p.BAR_SESSION]:
        m[line + p.SESSION_CLOSE_BEFORE] = m[line + p.PREVIOUS_CLOSE] if seen > 0 else 0
        m[line + p.SESSION_LOW] = low
        m[line + p.BAR_SESSION] = session
    else:
        m[line + p.SESSION_LOW] = min(m[line + p.SESSION_LOW], low)
    m[line + p.PREVIOUS_END] = end
    m[line + p.PREVIOUS_CLOSE] = c.closes[bar]
    m[line + p.VOLUME] = c.volumes[bar]
    m[line + p.RANGE] = c.highs[bar] - low
    m[line + p.SEEN] = seen + 1
    mark(m, line, c.closes[bar])
    return 0


def begin(m: Ints, f: Ints, a: Ints, c: Bars, instant: int) -> int:
    """What comes of an instant before anything is answered: fills at the open, its bars, and the account on them."""
    plain = instant < m[p.PLAIN_UNTIL]
    if plain:
        first = m[p.PLAIN_FIRST] + (instant - m[p.PLAIN_FROM]) * m[p.PLAIN_WIDTH]
        stop = first + m[p.PLAIN_WIDTH]
        session = m[p.SESSION]
        end = c.due[first]
    else:
        first = c.firsts[instant]
        stop = c.firsts[instant + 1]
        session = c.sessions[instant]
        end = c.ends[instant]
        if c.flags[instant] != 0:
            m[p.STOPPED] = p.UNUSUAL
            return 0
    m[p.PLAIN] = plain
    m[p.FIRST] = first
    m[p.STOP] = stop
    m[p.END] = end
    if m[p.ACTIVE] != 0 and m[p.OPENED] != instant + 1:
        if session != m[p.SESSION] and m[p.SESSION] >= 0:
            # An order of the day that met no bar until its session closed is over: nothing that is played here.
            closed = m[m[p.AT_SESSIONS] + (session - 1) * p.PLAN + p.CLOSES]
            for number in range(m[p.ACTIVE]):
                if m[m[m[p.AT_ACTIVE] + number] + p.ROW_AT] < closed:
                    m[p.STOPPED] = p.UNUSUAL
        if m[p.STOPPED] != 0:
            return 0
        fill_open(m, f, a, c, first, stop, session, plain)
        if m[p.STOPPED] != 0:
            return 0
    tell_time(m, f, end)
    if plain:
        catch_up(m, c, first, 1)
    else:
        for bar in range(first, stop):
            line = m[p.AT_LINES] + c.symbols[bar] * p.LINE
            if m[p.STOPPED] == 0:
                judge_bar(m, f, a, c, bar, line, end)
            if m[p.STOPPED] == 0:
                take_in(m, f, c, bar, line, session, end)
        if m[p.STOPPED] != 0:
            return 0
        m[p.TICKS] += 1
    value(m)
    judge_account(m, f, a)
    m[p.BEFORE] = m[p.ROWS]
    m[p.BEGUN] = 1
    return 0


def finish(m: Ints, f: Ints, a: Ints, curve: Curve, instant: int) -> int:
    """What comes of an instant once all is answered: orders leave, and the account is what it is."""
    rows = m[p.BEFORE]
    while rows < m[p.ROWS] and m[p.STOPPED] == 0:
        row = m[p.AT_ROWS] + rows * p.ROW
        if m[row + p.ROW_STATE] == p.AT_WORK:
            leave(m, f, a, row)
        rows += 1
    if m[p.STOPPED] == 0:
        curve.equity[instant] = m[p.EQUITY]
        curve.cash[instant] = m[p.CASH]
        m[p.INSTANT] += 1
        m[p.BEGUN] = 0
    return 0


def bounded(targets: Ints, count: int) -> int:
    """Whether all of so many targets are within what native code is made for."""
    failing = 0
    for bar in range(count):
        failing |= targets[bar] != p.HOLD and abs(targets[bar]) > p.SHARES_MOST
    return failing == 0


def play(m: Ints, f: Ints, a: Ints, c: Bars, targets: Ints, curve: Curve, wants: Ints, last: int, opened: int) -> int:
    """Go on from where the memory is, up to an instant, or into it (`opened`): as far as answers to it are given.

    Answers are `wants`, or one of `targets` for each bar (`p.DENSE`). Returns the instant that it came to; when it
    stopped for a reason, the memory is somewhere within it.
    """
    going = 1
    while going:
        going = 0
        if m[p.STOPPED] == 0 and m[p.BEGUN] == 0:
            pass_over(m, f, a, c, targets, curve, wants, last)
        instant = m[p.INSTANT]
        if m[p.STOPPED] == 0 and instant < last + opened:
            if m[p.BEGUN] == 0:
                begin(m, f, a, c, instant)
            if m[p.DENSE]:
                for bar in range(m[p.FIRST], m[p.STOP]):
                    answer(m, f, a, symbol_of(m, c, bar, bar - m[p.FIRST], m[p.PLAIN]), targets[bar], wants, bar)
            elif m[p.STOPPED] == 0:
                aim(m, f, a, wants, m[p.END], m[p.STOP])
            if m[p.STOPPED] == 0 and instant < last:
                finish(m, f, a, curve, instant)
                going = 1
    return m[p.INSTANT]
