"""Bars for tests of the kernel: random walks on real sessions, by the minute.

Nothing here asserts; the tests beside it do.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date

from mqk.market import Bar, calendar_of

_USD = 1_000_000
_MINUTE = 60 * _USD


def minutes(
    symbols: Sequence[str],
    count: int,
    seed: int = 0,
    swing: int = 160_000,
    first: date = date(2005, 3, 31),
    holes: float = 0,
) -> list[Bar]:
    """So many one-minute bars of each symbol, over the change of the clocks of April 2005; some may be left out."""
    calendar = calendar_of("XNYS")
    ends: list[int] = []
    for day in calendar.sessions_between(first, date(2010, 12, 31)):
        ends += range(calendar.session_open(day) + _MINUTE, calendar.session_close(day) + 1, _MINUTE)
        if len(ends) >= count:
            break
    bars = []
    for symbol in symbols:
        chance = random.Random(f"{symbol} {seed}")
        price = chance.randint(20, 200) * _USD
        for end in ends[:count]:
            opened = max(price + chance.randint(-20_000, 20_000), _USD)
            price = max(opened + chance.randint(-swing, swing), _USD)
            high, low = max(opened, price) + 10_000, min(opened, price) - 10_000
            bar = Bar(symbol, end, opened, high, low, price, chance.randint(0, 1_000_000), True, "1m")
            if chance.random() >= holes:
                bars.append(bar)
    return bars
