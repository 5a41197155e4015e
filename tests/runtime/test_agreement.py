"""A paper run and a backtest of one policy on the same bars trade alike: same engine, same fills, same refusals."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from mqk.backtest import run_backtest
from mqk.market import Ex, split_bar
from mqk.runtime import Step
from tests.runtime.harness import Faults, Player, record
from tests.runtime.world import MINUTE, T0, desk_bars, desk_guards

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(("overlays", "seed", "minutes"), [((), 2, 120), (("latency_high",), 3, 150)])
def test_a_paper_run_comes_to_what_the_backtest_comes_to(
    player: Player, overlays: tuple[str, ...], seed: int, minutes: int
) -> None:
    player.guards, player.bars = desk_guards(*overlays), desk_bars(minutes, seed=seed)
    paper, backtest = player.play(), run_backtest(player.guards, player.bars)
    assert (paper.orders + paper.withdrawn, paper.fills, paper.denied) == (
        backtest.orders,
        backtest.fills,
        backtest.denied,
    )
    assert paper.denied_by_rule == backtest.denied_by_rule
    assert paper.final_equity == backtest.final_equity_micros
    assert paper.posture == backtest.posture == "HALTED", "the bars are meant to end in a halted engine"
    assert paper.reconcile.clean


def test_shares_that_go_ex_do_so_in_both(player: Player) -> None:
    ratio, midnight = Fraction(3, 2), T0
    bars, told = [], set()
    for bar in desk_bars(60, seed=2):
        moved = replace(bar, end=bar.end - 30 * MINUTE)
        if moved.end > midnight:
            moved = split_bar(moved, ratio)
            if bar.symbol not in told:
                told.add(bar.symbol)
                moved = replace(moved, ex=Ex(ratio, Fraction(20_000)))
        bars.append(moved)
    player.bars = bars
    paper, backtest = player.play(), run_backtest(player.guards, bars)
    assert backtest.dividends_micros > 0
    assert (paper.orders + paper.withdrawn, paper.fills, paper.denied_by_rule, paper.final_equity) == (
        backtest.orders,
        backtest.fills,
        backtest.denied_by_rule,
        backtest.final_equity_micros,
    )
    assert paper.reconcile.clean


def test_bars_that_the_policy_refuses_trade_nothing_here_or_there(player: Player) -> None:
    bars = list(desk_bars(60, seed=4))
    bars[60] = replace(bars[60], complete=False)
    bars[90] = replace(bars[90], high=bars[90].high * 2, close=bars[90].close * 2)
    bars[120] = replace(bars[120], low=bars[120].high + 1)
    del bars[200]
    player.bars = bars
    paper, backtest = player.play(), run_backtest(player.guards, bars)
    assert (paper.orders + paper.withdrawn, paper.fills, paper.denied_by_rule, paper.final_equity) == (
        backtest.orders,
        backtest.fills,
        backtest.denied_by_rule,
        backtest.final_equity_micros,
    )
    assert backtest.bars_rejected >= 3
    assert paper.posture == backtest.posture == "HALTED"
    assert paper.reconcile.clean


def test_cancels_reach_the_broker_and_a_crash_beside_them_changes_nothing(
    player: Player, new_database: Callable[[], str]
) -> None:
    player.guards, player.bars = desk_guards("slow_orders"), desk_bars(50, seed=3)
    faults = Faults()
    undisturbed = player.play(faults)
    assert faults.seen[Step.CANCEL_SENT] > 5
    kept = record(player.url)
    assert "CANCELLED" in {row[5] for row in kept["broker_orders"]}

    for passing in (1, 9):
        again = Player(new_database(), player.bars, player.guards)
        summary = again.play_through((Step.CANCEL_SENT, passing))
        assert again.crashes == 1
        assert record(again.url) == kept
        assert summary.state_sha256 == undisturbed.state_sha256
        assert set(again.sent.values()) == {1}
