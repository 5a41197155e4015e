"""The original system's acceptance cases for isolation, strategies and backtests: what holds here, under their numbers.

Held elsewhere: STR-01, STR-03 and STR-04 in tests/strategies; BT-10 (exits while disarmed) and BT-11 in test_run.py;
those about fills (BT-03, BT-05, BT-13, BT-16, BT-17, BT-20, BT-24, BT-28, BT-29, BT-31) in test_original_fills.py.
Do not apply, and why:

- ISO-02, ISO-04: engines name no secrets; there are no key names in a policy to mix up.
- BT-23, BT-32: corporate actions are restated, or refused when bars are read (`corporate_actions`), and never halt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mqk.backtest import run_backtest
from mqk.engine import EngineState
from mqk.guards import compile_bundle
from mqk.policy import effective_bundle, load_policies, shipped_policies_dir
from mqk.portfolio import Ledger
from mqk.quantity import Money
from mqk.strategies import Context
from tests.backtest.worlds import Run, micros, walk
from tests.engine.worlds import USD, Desk, bar, daily, guards, host, shipped, submits


def growing(context: Context) -> Mapping[str, int]:
    """Ten shares more at every bar."""
    return {context.symbol: context.position(context.symbol) + 10}


def test_iso_01_engines_share_nothing() -> None:
    main, exp = (EngineState(shipped(engine), run_id="t") for engine in ("MAIN", "EXP"))
    assert (main.account.equity, exp.account.equity) == (100_000 * USD, 25_000 * USD)
    before = exp.digest()
    main.account.peak_equity = 1
    main.run.killed = True
    assert exp.digest() == before


def test_iso_05_each_engine_is_held_to_its_own_capital() -> None:
    small = replace(guards().bundle, capital=Money(25_000 * USD))
    for set_, allowed in ((guards(), True), (compile_bundle(small), False)):
        assert bool(submits(Desk(set_).want({"SPY": 100}, "SPY", 1, 100 * USD))) is allowed


def test_bt_01_a_position_beyond_the_cap_is_refused() -> None:
    run = Run(daily("SPY", [500 * USD] * 3), {0: {"SPY": 1_000}})
    assert (run.summary.fills, run.summary.orders, run.summary.denied) == (0, 0, 1)


def test_bt_04_the_same_run_twice_is_identical_and_a_missing_target_closes_nothing() -> None:
    bars = daily("SPY", [500 * USD, 510 * USD, 490 * USD, 505 * USD, 505 * USD])
    script = {0: {"SPY": 10}, 3: {"SPY": 0}}
    first, second = Run(bars, script), Run(bars, script)
    assert first.files == second.files
    assert [row["at"][:10] for row in first.rows("fills.csv")] == ["2024-01-04", "2024-01-09"]


@pytest.mark.parametrize(("hole", "last"), [(0, 9), (3, 5)])
def test_bt_07_to_09_a_hole_in_the_feed_stops_new_orders_and_never_the_run(hole: int, last: int) -> None:
    bars = [bar("SPY", minute, 100 * USD) for minute in (*range(1, 6), *range(6 + hole, 11 + hole))]
    run = Run(bars, growing)
    assert run.summary.bars == len(run.rows("equity_curve.csv")) == 10
    # The order sent before the silence is at the market already, and fills when there is a price again.
    assert run.summary.fills == last
    assert (run.summary.posture == "NORMAL") is (hole == 0)


def test_bt_12_a_file_becomes_the_expected_curve() -> None:
    # Bars of 1.00, 1.02 and 1.015: bought at the second open, sold at the third, each with 8 bps and half the range.
    closes = [USD, 1_020_000, 1_015_000]
    run = Run(daily("SPY", closes), {0: {"SPY": 10}, 1: {"SPY": 0}})
    prices = [fill.price for fill in run.fills()]
    assert prices == [1_002_500, 1_017_450]
    curve = [micros(row["equity"]) for row in run.rows("equity_curve.csv")]
    bought = 100_000 * USD + 10 * (1_020_000 - prices[0])
    assert curve == [100_000 * USD, bought, 100_000 * USD + 10 * (prices[1] - prices[0])]


def test_bt_15_a_strategy_sees_each_bar_once_and_its_window_ends_there() -> None:
    seen: list[tuple[int, int, int, int]] = []
    bars = daily("SPY", [100 * USD] * 5)
    Run(bars, lambda c: seen.append((c.now, len(c.bars), c.bars[0].end, c.bars[-1].end)), lookback=3)
    ends = [each.end for each in bars]
    assert seen == [(end, min(n + 1, 3), ends[max(n - 2, 0)], end) for n, end in enumerate(ends)]


def test_bt_19_the_fills_replay_to_the_engines_equity() -> None:
    run = Run(daily("SPY", [100 * USD, 100 * USD, 110 * USD, 110 * USD]), {0: {"SPY": 10}, 2: {"SPY": 0}})
    ledger = Ledger.replay(100_000 * USD, run.fills())
    assert ledger.equity() == run.summary.final_equity_micros
    assert ledger.realised == run.summary.realised_micros
    assert run.summary.trades == run.summary.winning_trades == 1


def test_bt_21_whatever_changes_the_policy_changes_its_hash_and_the_run() -> None:
    policies = load_policies([shipped_policies_dir()])
    bundle = effective_bundle(policies, "MAIN")
    others = [
        effective_bundle(policies, "EXP"),
        effective_bundle(policies, "MAIN", overlays=["slippage_x2"]),
        effective_bundle(policies, "MAIN", overlays=["latency_high"]),
        replace(bundle, capital=Money(50_000 * USD)),
        replace(bundle, timeframes=("5m",)),
    ]
    assert len({bundle.sha256, *(other.sha256 for other in others)}) == 1 + len(others)
    assert effective_bundle(policies, "MAIN").sha256 == bundle.sha256


def test_bt_25_orders_and_fills_have_ids_of_their_own_that_replay() -> None:
    bars = daily("SPY", [100 * USD] * 4)
    run = Run(bars, {0: {"SPY": 10}, 2: {"SPY": 0}})
    orders = [row["client_order_id"] for row in run.rows("orders.csv")]
    fills = [row["fill_id"] for row in run.rows("fills.csv")]
    assert len({*orders, *fills}) == 4
    assert all(order.startswith(f"MAIN_{run.summary.run_id}_") for order in orders)


def test_bt_27_the_run_is_named_after_its_policy_and_its_bars() -> None:
    bars = walk(["SPY"], 20, 1)
    quiet = host(lambda _: None)
    names = {
        run_backtest(set_, some, host=quiet).run_id
        for set_, some in ((guards(), bars), (guards(), bars[1:]), (guards(overlays=("latency_high",)), bars))
    }
    assert len(names) == 3
    assert run_backtest(guards(), bars, host=quiet).run_id in names
