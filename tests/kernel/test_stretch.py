"""Stretches that are passed over in one go leave the kernel's memory as each instant of them would have."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.backtest.arrays import Columns, Played
from mqk.backtest.playing import Playing
from mqk.engine.kernel import places as p
from mqk.market import Bar
from mqk.strategies import HOLD
from tests.kernel.test_kernel import guards, kernel
from tests.kernel.worlds import minutes

SYMBOLS = ("AAPL", "IBM", "JPM", "SPY", "XOM")
# What the kernel keeps for itself: it says nothing of the run.
_OWN = frozenset({p.BEFORE, *range(p.BOX, p.SCALARS)})


def memory(columns: Columns, run: Playing) -> list[int]:
    """All that a run of the kernel remembers, but for what tells it what it need not look at."""
    block = list(run.memory.block[: run.memory.block[p.AT_GROUP]])
    first = block[p.AT_LINES]
    for line in range(first, first + p.LINE * len(columns.names), p.LINE):
        block[line + p.FLOOR] = block[line + p.CEILING] = 0
    return [value for place, value in enumerate(block) if place not in _OWN]


def same(bars: Sequence[Bar], targets: array[int], *, sparse: bool = False, latency: int = 0) -> Playing:
    """Play bars in stretches and instant by instant: the same comes of both. Returns the first."""
    set_ = guards(latency=latency)
    columns = Columns.of(bars, set_)
    each = replace(columns, stretches=array("q", range(len(columns.ends))))
    runs = []
    for of in (columns, each):
        run = Playing(kernel(set_), of, 256, targets=None if sparse else targets)
        for bar, target in enumerate(targets) if sparse else ():
            if target != HOLD:
                run.want(bar, [(of.symbols[bar], target)])
        run.go(len(of.ends))
        runs.append(run)
    one, other = runs
    assert (one.played, one.stopped) == (other.played, other.stopped)
    assert (one.equity[: one.played], one.cash) == (other.equity[: one.played], other.cash)
    assert Played(columns, one).decisions() == Played(each, other).decisions()
    assert memory(columns, one) == memory(each, other)
    return one


def wishes(count: int, seed: int, often: int) -> array[int]:
    """Targets at random, about so many of a thousand bars, among others that are there already."""
    chance = random.Random(seed)
    return array(
        "q", [chance.choice([0, 0, 5, 40, -30]) if chance.randrange(1_000) < often else HOLD for _ in range(count)]
    )


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    swing=st.sampled_from([5_000, 160_000, 2_000_000]),
    holes=st.sampled_from([0, 0, 0.003]),
    often=st.sampled_from([2, 20, 200]),
    sparse=st.booleans(),
)
def test_stretches_come_to_what_their_instants_do(
    count: int, seed: int, swing: int, holes: float, often: int, sparse: bool
) -> None:
    """Over a night, with prices that leave the box, bars that break a rule, orders and windows that let go between."""
    bars = minutes(SYMBOLS[:count], 500, seed=seed, swing=swing, holes=holes)
    same(bars, wishes(len(bars), seed, often), sparse=sparse)


def test_a_target_for_every_bar_is_ordered_again_when_it_was_refused() -> None:
    """What is wanted of every bar leaves the stretch at every bar at which it is not what there is."""
    bars = minutes(("SPY",), 450, seed=3)
    targets = array("q", [5 if bar // 40 % 2 else 0 for bar in range(450)])
    assert Played(Columns.of(bars, guards()), same(bars, targets)).orders > 5


def test_orders_that_travel_are_exposed_at_every_price_on_their_way() -> None:
    bars = minutes(("IBM", "SPY"), 450, seed=6)
    run = same(bars, wishes(len(bars), 6, 20), latency=2)
    assert Played(Columns.of(bars, guards(latency=2)), run).orders > 5


@pytest.mark.parametrize("broken", [2, 200, 388, 389])
def test_a_bar_that_breaks_a_rule_within_a_stretch_is_met_where_it_is(broken: int) -> None:
    bars = minutes(("SPY",), 450)
    bars[broken] = replace(bars[broken], high=bars[broken].close - 1, low=bars[broken].close - 2)
    run = same(bars, wishes(450, 1, 20))
    assert (run.played, p.REASONS[run.stopped]) == (broken, "a rule of bars asks for more than native code does")


def test_prices_that_leave_the_box_have_the_account_judged_where_they_are() -> None:
    """Held while the price falls to a fifth within a session: the account is judged in full, and breaks a limit."""
    bars, price = [], 100_000_000
    for bar in minutes(("SPY",), 300):
        opened, price = price, price * 995 // 1_000
        bars.append(replace(bar, open=opened, high=opened, low=price, close=price, volume=1_000_000))
    run = same(bars, array("q", [HOLD] * 60 + [100] + [HOLD] * 239))
    assert 60 < run.played < 300
    assert p.REASONS[run.stopped] == "a rule of the account asks for more than native code does"
