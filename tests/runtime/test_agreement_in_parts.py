"""Guarded positions on a thin market that goes wrong, through the whole runtime: as the backtest said, crash or not."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from mqk.backtest import run_files
from mqk.guards import GuardSet, compile_bundle
from mqk.market import Bar
from mqk.policy import Faults
from mqk.quantity import Ratio
from mqk.runtime import Step
from mqk.strategies import Context, StrategyError, StrategyHost, Target
from tests.backtest.test_bracket_fills import anything
from tests.engine.worlds import host
from tests.runtime.harness import Faults as Crashes
from tests.runtime.harness import Player, record
from tests.runtime.world import desk_bars, desk_guards

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTES = 24


def wishing() -> StrategyHost:
    """A strategy that asks for anything, and for the same again at the same bar: a run that is taken up asks again."""

    def wish(context: Context) -> dict[str, Target] | None:
        chance = random.Random(f"{context.symbol} {context.now}")
        if chance.random() < 0.4:
            return None
        try:
            return {context.symbol: anything(chance, context.bars[-1].close)}
        except StrategyError:
            return None

    return host(wish)


def thin() -> GuardSet:
    """The small engine on a market of which a tenth is ours, and where orders are rejected and fill in parts."""
    bundle = desk_guards().bundle
    tenth, some, many = (Ratio(Fraction(1, part)) for part in (10, 8, 2))
    execution = replace(bundle.execution, participation=tenth, faults=Faults(1, some, many))
    rules = tuple(replace(rule, enforce="shadow") if rule.id == "RATE-05" else rule for rule in bundle.rules)
    return compile_bundle(replace(bundle, execution=execution, rules=rules))


def bars() -> list[Bar]:
    chance = random.Random(5)
    found = [bar for bar in desk_bars(MINUTES, seed=5) if bar.symbol in {"AAA", "BBB"}]
    return [replace(bar, volume=chance.choice([30, 100, 1_000])) for bar in found]


def test_a_run_is_what_the_backtest_said_also_when_it_crashes_amid_partial_fills(
    player: Player, new_database: Callable[[], str]
) -> None:
    player.guards, player.bars = thin(), bars()
    faults = Crashes()
    paper = player.play(faults, host=wishing())
    said, _ = run_files(player.guards, player.bars, host=wishing())
    assert paper.reconcile.clean
    assert (paper.fills, paper.denied_by_rule, paper.final_equity) == (
        said.fills,
        said.denied_by_rule,
        said.final_equity_micros,
    )
    assert paper.orders + paper.withdrawn == said.orders
    kept = record(player.url)
    parts = [row for row in kept["broker_orders"] if 0 < row[4] < row[3]]
    assert parts, "no order is meant to fill whole"
    turns = faults.seen[Step.TICK_COMMITTED]
    assert turns > len({bar.end for bar in player.bars}), "some instants are played in parts"

    again = Player(new_database(), player.bars, player.guards)
    chance = random.Random(7)
    again.crash(Step.CANCEL_SENT, host=wishing())
    for step in (Step.MARKET_SHOWN, Step.TICK_COMMITTED, Step.MESSAGES_FETCHED, Step.ORDER_SUBMITTED, Step.TICK_STAGED):
        again.crash(step, chance.randint(2, 9), host=wishing())
    summary = again.play(host=wishing())
    found = record(again.url)
    for part, rows in kept.items():
        assert found[part] == rows, part
    assert summary.state_sha256 == paper.state_sha256
    assert set(again.sent.values()) == {1}
