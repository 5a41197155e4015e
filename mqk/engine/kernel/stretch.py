"""Stretches of bars that simply follow each other: judged ahead, and passed over while nothing else happens.

What lives here: functions that are compiled by mqk.dsl.lower. In a stretch every symbol that had a bar in one instant
has one in the next, of the same session, with none missing between. What does not: what is done at any instant of which
more comes than that prices move within the box (loop.py); of every instant it would come to the same, only later.
"""

from __future__ import annotations

from mqk.engine.kernel import places as p
from mqk.engine.kernel.account import expose, tell_time
from mqk.engine.kernel.columns import Bars, Curve
from mqk.engine.kernel.opening import fill_open
from mqk.engine.kernel.places import Ints
from mqk.engine.kernel.provided import plain, scans

# Bars that are judged in one go: so few that their columns are still near when they are played.
CHUNK = 2_048


def passes(m: Ints, c: Bars, bar: int, back: int) -> int:
    """Whether a bar passes every rule of bars; the one before it of the same symbol is so many `back`."""
    word = m[m[p.AT_LINES] + c.symbols[bar] * p.LINE + p.WORD]
    before = bar - back
    return plain(
        word,
        c.opens[bar],
        c.highs[bar],
        c.lows[bar],
        c.closes[bar],
        c.volumes[bar],
        c.due[bar],
        c.due[before],
        c.closes[before],
    )


def scan(m: Ints, c: Bars, first: int, stop: int, back: int) -> int:
    """The first of these bars that does not pass every rule of bars, or `stop`."""
    failing = 0
    for bar in range(first, stop):
        failing |= 1 - passes(m, c, bar, back)
    if failing == 0:
        return stop
    found = first
    while passes(m, c, found, back):
        found += 1
    return found


def look_ahead(m: Ints, c: Bars, instant: int, end: int) -> int:
    """Judge the bars of instants that follow in a stretch, as many as are worth it."""
    first = c.firsts[instant]
    width = c.firsts[instant + 1] - first
    count = min(end - instant, max(CHUNK // width, 1))
    if scans() == 0:
        count = 0
    m[p.PLAIN_FROM] = instant
    m[p.PLAIN_FIRST] = first
    m[p.PLAIN_WIDTH] = width
    m[p.PLAIN_UNTIL] = instant + (scan(m, c, first, first + count * width, width) - first) // width
    for place in range(width):
        m[m[p.AT_GROUP] + place] = c.symbols[first + place]
    return 0


def gather(m: Ints, width: int) -> int:
    """What is held of each symbol of an instant, and between which prices, side by side; returns all other worth."""
    rest = m[p.CASH] + m[p.VALUE]
    for place in range(width):
        at = m[p.AT_GROUP] + place
        line = m[p.AT_LINES] + m[at] * p.LINE
        m[at + m[p.SYMBOLS]] = m[line + p.QTY]
        m[at + 2 * m[p.SYMBOLS]] = m[line + p.FLOOR]
        m[at + 3 * m[p.SYMBOLS]] = m[line + p.CEILING]
        rest -= m[line + p.LINE_VALUE]
    return rest


def one(m: Ints, c: Bars, targets: Ints, curve: Curve, instant: int, stop: int, first: int, want: int) -> int:
    """Pass over instants of one symbol; returns the first at which the box is left, or something is wanted.

    Of the latter, the bars are in and the account is judged: it has begun. `want` is an instant at which it is so.
    """
    rest = gather(m, 1)
    at = m[p.AT_GROUP] + m[p.SYMBOLS]
    qty = m[at]
    floor = m[at + m[p.SYMBOLS]]
    ceiling = m[at + 2 * m[p.SYMBOLS]]
    low = m[p.BOX_LOW]
    high = m[p.BOX_HIGH]
    peak = m[p.PEAK]
    cash = m[p.CASH]
    dense = m[p.DENSE]
    offset = first - instant
    while instant < stop:
        price = c.closes[offset + instant]
        target = targets[(offset + instant) * dense]
        worth = rest + qty * price
        wanted = target != qty and target != p.HOLD  # noqa: PLR1714 - native code has no sets
        if price < floor or price > ceiling or worth < low or worth > high:
            break
        peak = max(peak, worth)
        if wanted or instant == want:
            m[p.BEGUN] = 1
            break
        curve.equity[instant] = worth
        curve.cash[instant] = cash
        instant += 1
    m[p.PEAK] = peak
    return instant


def many(m: Ints, c: Bars, targets: Ints, curve: Curve, instant: int, stop: int, first: int, want: int) -> int:
    """The same of several symbols."""
    width = m[p.PLAIN_WIDTH]
    rest = gather(m, width)
    held = m[p.AT_GROUP] + m[p.SYMBOLS]
    floors = held + m[p.SYMBOLS]
    ceilings = floors + m[p.SYMBOLS]
    low = m[p.BOX_LOW]
    high = m[p.BOX_HIGH]
    peak = m[p.PEAK]
    cash = m[p.CASH]
    dense = m[p.DENSE]
    bar = first
    while instant < stop:
        worth = rest
        asked = 0
        apart = 0
        for place in range(width):
            price = c.closes[bar + place]
            target = targets[(bar + place) * dense]
            qty = m[held + place]
            worth += qty * price
            asked |= target != qty and target != p.HOLD  # noqa: PLR1714 - native code has no sets
            apart |= price < m[floors + place] or price > m[ceilings + place]
        if apart or worth < low or worth > high:
            break
        peak = max(peak, worth)
        if asked or instant == want:
            m[p.BEGUN] = 1
            break
        curve.equity[instant] = worth
        curve.cash[instant] = cash
        instant += 1
        bar += width
    m[p.PEAK] = peak
    return instant


def catch_up(m: Ints, c: Bars, first: int, count: int) -> int:
    """Bring up to date what nobody looked at while so many instants passed, from that of this bar on."""
    width = m[p.PLAIN_WIDTH]
    for place in range(width):
        line = m[p.AT_LINES] + m[m[p.AT_GROUP] + place] * p.LINE
        low = m[line + p.SESSION_LOW]
        bar = first + place
        for _number in range(count):
            low = min(low, c.lows[bar])
            bar += width
        bar -= width
        m[line + p.SESSION_LOW] = low
        m[line + p.PREVIOUS_END] = c.due[bar]
        m[line + p.PREVIOUS_CLOSE] = c.closes[bar]
        m[line + p.VOLUME] = c.volumes[bar]
        m[line + p.RANGE] = c.highs[bar] - c.lows[bar]
        m[line + p.SEEN] += count
        m[line + p.PRICE] = c.closes[bar]
        if m[line + p.QTY] != 0:
            worth = m[line + p.QTY] * c.closes[bar]
            m[p.VALUE] += worth - m[line + p.LINE_VALUE]
            m[line + p.LINE_VALUE] = worth
        if m[line + p.QTY] != 0 or m[line + p.WORKING_BUY] != 0 or m[line + p.WORKING_SELL] != 0:
            expose(m, line)
            if c.closes[bar] < m[line + p.FLOOR] or c.closes[bar] > m[line + p.CEILING]:
                m[p.BOX] = 0
    m[p.EQUITY] = m[p.CASH] + m[p.VALUE]
    m[p.TICKS] += count
    return 0


def wanted_at(m: Ints, wants: Ints) -> int:
    """The instant of those judged ahead that is answered next, if it is among them."""
    if m[p.WANTED] == m[p.WANTS]:
        return p.NEVER
    return m[p.PLAIN_FROM] + (wants[m[p.WANTED] * p.WANT + p.WANT_BAR] - m[p.PLAIN_FIRST]) // m[p.PLAIN_WIDTH]


def pass_on(m: Ints, f: Ints, c: Bars, targets: Ints, curve: Curve, stop: int, want: int) -> int:
    """Pass over instants that are known to be plain, as many as nothing comes of; returns how many."""
    instant = m[p.INSTANT]
    width = m[p.PLAIN_WIDTH]
    first = m[p.PLAIN_FIRST] + (instant - m[p.PLAIN_FROM]) * width
    if c.due[first + (stop - 1 - instant) * width] > m[p.BOX_UNTIL]:
        return 0
    passed = instant
    if width == 1:
        passed = one(m, c, targets, curve, instant, stop, first, want)
    else:
        passed = many(m, c, targets, curve, instant, stop, first, want)
    count = passed - instant + m[p.BEGUN]
    if count > 0:
        final = first + (count - 1) * width
        tell_time(m, f, c.due[final])
        catch_up(m, c, first, count)
        m[p.INSTANT] = passed
        m[p.PLAIN] = 1
        m[p.FIRST] = final
        m[p.STOP] = final + width
        m[p.END] = c.due[final]
        m[p.BEFORE] = m[p.ROWS]
    return passed - instant


def pass_over(m: Ints, f: Ints, a: Ints, c: Bars, targets: Ints, curve: Curve, wants: Ints, last: int) -> int:
    """Pass over instants while nothing is wanted and the account stays in its box."""
    going = m[p.INSTANT] < last
    while going:
        instant = m[p.INSTANT]
        if instant >= m[p.STRETCH]:
            m[p.STRETCH] = c.stretches[instant]
        if instant >= m[p.PLAIN_UNTIL] and instant < m[p.STRETCH]:
            look_ahead(m, c, instant, m[p.STRETCH])
        stop = min(m[p.PLAIN_UNTIL], last)
        going = False
        if instant < stop:
            if m[p.ACTIVE] != 0:
                first = m[p.PLAIN_FIRST] + (instant - m[p.PLAIN_FROM]) * m[p.PLAIN_WIDTH]
                m[p.OPENED] = instant + 1
                fill_open(m, f, a, c, first, first + m[p.PLAIN_WIDTH], m[p.SESSION], 1)
            if m[p.ACTIVE] == 0 and m[p.BOX] != 0 and m[p.STOPPED] == 0:
                pass_on(m, f, c, targets, curve, stop, wanted_at(m, wants))
                # On into the next bars to be judged; anything else is for the loop.
                going = m[p.INSTANT] == m[p.PLAIN_UNTIL] and m[p.INSTANT] < last
    return 0
