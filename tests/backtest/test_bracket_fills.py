"""Positions with a stop and a target through whole runs: what bars do to them, at which prices, under each stress."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from mqk.guards import GuardSet, compile_bundle
from mqk.market import Bar
from mqk.orders import OrderType, TimeInForce
from mqk.policy import Faults, LatencyBars
from mqk.portfolio import Ledger
from mqk.quantity import Ratio
from mqk.strategies import Context, StrategyError, Target
from tests.backtest.worlds import Run, walk
from tests.engine.worlds import USD, daily, guards

BRACKET = Target(10, protect=95 * USD, take_profit=105 * USD)
QUIET = (100, 101, 99, 100)


def world(*days: tuple[float, float, float, float]) -> list[Bar]:
    """A day on which something is asked for, and what the days after it are like: open, high, low, close in dollars."""
    bars = daily("SPY", [100 * USD] * (len(days) + 1))
    for number, four in enumerate(days, 1):
        open_, high, low, close = (round(each * USD) for each in four)
        bars[number] = replace(bars[number], open=open_, high=high, low=low, close=close)
    return [replace(each, volume=10**6) for each in bars]


def run(bars: list[Bar], target: Target = BRACKET, *overlays: str) -> Run:
    """The target is asked for once, on the first day."""
    return Run(bars, lambda c: {"SPY": target} if c.now == bars[0].end else None, set_=guards(overlays=overlays))


def legs(done: Run) -> list[tuple[str, int, float]]:
    """Every fill by what its order is for."""
    return [(each.order_id.partition("-")[2] or "entry", each.qty, each.price / USD) for each in done.fills()]


# A quarter of a percent is the cap of all costs.
ENTRY = ("entry", 10, 100.25)


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ([(100, 106, 94, 100), QUIET], [ENTRY, ("stop", 10, 94.7625)]),
        ([QUIET, (104, 106, 101, 104), (104, 120, 80, 100)], [ENTRY, ("target", 10, 105.0)]),
        ([QUIET, (90, 92, 89, 91), (91, 120, 80, 100)], [ENTRY, ("stop", 10, 89.775)]),
        ([QUIET, (107, 108, 90, 92)], [ENTRY, ("target", 10, 105.0)]),
    ],
    ids=["stop before target", "target", "gap through the stop", "open beyond the target"],
)
def test_one_leg_fills_and_the_other_is_gone(
    days: list[tuple[float, float, float, float]], found: list[tuple[str, int, float]]
) -> None:
    done = run(world(*days))
    assert legs(done) == found
    assert done.summary.open_positions == {}
    assert sorted(row["status"] for row in done.rows("orders.csv")) == ["CANCELLED", "FILLED", "FILLED"]


def test_a_stop_of_an_entry_within_a_bar_is_touched_by_what_is_left_of_it() -> None:
    limited = Target(10, type=OrderType.LIMIT, limit_price=98 * USD, protect=95 * USD)
    assert legs(run(world((100, 101, 94, 100), QUIET), limited)) == [("entry", 10, 98.0), ("stop", 10, 94.7625)]
    assert legs(run(world((100, 101, 97, 100), QUIET), limited)) == [("entry", 10, 98.0)]


def test_a_trailing_stop_follows_the_highest_price_that_was_known_before_the_bar() -> None:
    bars = world(QUIET, (101, 111, 100, 110), (110, 111, 104, 106), QUIET)
    trailing = Target(10, trail=5 * USD)

    def wish(context: Context) -> dict[str, Target] | None:
        return {"SPY": trailing} if context.now < bars[3].end else None

    done = Run(bars, wish)
    # 111 less 5, less the cap of costs: the high of the third day does not help, nor does its low come too soon.
    assert legs(done) == [ENTRY, ("stop", 10, 105.735)]


@pytest.mark.parametrize(
    "stress", ["slippage_x2", "latency_high", "partial_fills", "rejects", "fees_high", "thin_volume"]
)
def test_no_stress_leaves_a_position_without_its_stop_or_turns_it_round(stress: str) -> None:
    plain = run(world(QUIET, (100, 106, 94, 100), QUIET, QUIET))
    done = run(world(QUIET, (100, 106, 94, 100), QUIET, QUIET), BRACKET, stress)
    assert done.summary.open_positions == {}
    entered = sum(qty for leg, qty, _ in legs(done) if leg == "entry")
    left = sum(qty for leg, qty, _ in legs(done) if leg != "entry")
    assert 0 < left == entered <= 10
    if entered == 10:
        assert done.summary.final_equity_micros <= plain.summary.final_equity_micros
    assert all(price <= 95 for leg, _, price in legs(done) if leg.startswith("stop"))


def anything(chance: random.Random, price: int) -> Target:
    """A position of any kind, with prices within a few percent of the market's; it may mean nothing."""

    def near(low: int, high: int) -> int:
        return price * (1_000 + chance.randint(low, high)) // 1_000

    qty = chance.choice([0, 5, 10, 20, 40, -10, -20])
    kind = chance.choice(list(OrderType))
    way = 1 if qty >= 0 else -1
    return Target(
        qty,
        type=kind,
        limit_price=near(-30, 30) if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
        stop_price=near(-30, 30) if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
        tif=chance.choice(list(TimeInForce)),
        protect=near(*sorted((-40 * way, -5 * way))) if qty and chance.random() < 0.6 else None,
        take_profit=near(*sorted((5 * way, 40 * way))) if qty and chance.random() < 0.4 else None,
        trail=price * chance.randint(5, 30) // 1_000 if qty and chance.random() < 0.2 else None,
    )


def troubled(chance: random.Random) -> GuardSet:
    """MAIN on a market that is late, thin, and goes wrong."""
    bundle = guards(("allow_short", True), shadow=("CAP-01",)).bundle
    execution = replace(
        bundle.execution,
        latency_bars=LatencyBars(*(chance.choice([0, 0, 1, 2]) for _ in range(3))),
        participation=chance.choice([None, Ratio(Fraction(1, 10))]),
        faults=Faults(1, *(Ratio(Fraction(chance.choice([0, 1]), part)) for part in (5, 2))),
    )
    return compile_bundle(replace(bundle, execution=execution))


# Runs in which books and market once came to differ, or an order was sent that had been taken back.
@pytest.mark.parametrize("seed", [18, 26, 33, 43, 75, 133, 147, 170, 181])
def test_books_and_market_never_differ_over_what_is_left_of_an_order(seed: int) -> None:
    chance = random.Random(seed)

    def wish(context: Context) -> dict[str, Target] | None:
        if chance.random() < 0.5:
            return None
        try:
            return {context.symbol: anything(chance, context.bars[-1].close)}
        except StrategyError:
            return None

    set_ = troubled(chance)
    bars = [replace(each, volume=chance.choice([0, 50, 1_000, 10**5])) for each in walk(["AAPL", "SPY"], 60, seed, 4)]
    done = Run(bars, wish, set_=set_)
    assert {row["status"] for row in done.rows("orders.csv")} <= {"FILLED", "CANCELLED", "EXPIRED", "REJECTED"}
    assert all(int(row["filled"]) <= int(row["qty"]) for row in done.rows("orders.csv"))
    ledger = Ledger.replay(100_000 * USD, done.fills())
    assert {symbol: ledger.qty(symbol) for symbol in ledger.positions} == done.summary.open_positions
