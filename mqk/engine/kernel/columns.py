"""The columns that a run of the kernel is played from, as native code is given them.

What lives here: their names and their order. What does not: how they come about (mqk/backtest/arrays.py).
"""

from __future__ import annotations

from typing import NamedTuple

from mqk.engine.kernel.places import Ints


class Bars(NamedTuple):
    """Bars by end and then by symbol, and the instants that they make, as mqk.backtest.arrays.Columns has them."""

    ends: Ints
    firsts: Ints
    stretches: Ints
    sessions: Ints
    flags: Ints
    due: Ints
    symbols: Ints
    opens: Ints
    highs: Ints
    lows: Ints
    closes: Ints
    volumes: Ints
    missing: Ints
    starts: Ints


class Curve(NamedTuple):
    """What comes of a run at each instant."""

    equity: Ints
    cash: Ints
