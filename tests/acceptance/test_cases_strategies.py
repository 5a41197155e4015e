"""The cases of strategies, STR: one that orders, the timeframe it trades, and a registry that says what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import pytest

from mqk.backtest import BacktestError, run_backtest
from mqk.policy import Span, StrategySpec
from mqk.strategies import Context, Param, Registry, StrategyError, StrategyHost
from tests.backtest.worlds import walk
from tests.engine.worlds import shipped


class Quiet:
    PARAMS: ClassVar[Mapping[str, Param]] = {}
    lookback = 3

    def on_bar(self, context: Context) -> Mapping[str, int] | None:  # noqa: ARG002 - the contract
        return None


def registry(*names: str) -> Registry:
    made = Registry()
    for name in names:
        made.register(name, Quiet)
    return made


def spec(name: str, *, shadow: bool = False) -> StrategySpec:
    return StrategySpec(name, {}, shadow=shadow, span=Span.nowhere(name))


def test_str_01_a_second_strategy_may_not_order_for_the_engine() -> None:
    with pytest.raises(StrategyError, match="`alpha` and `beta` would order for one engine") as refused:
        StrategyHost([spec("alpha"), spec("beta")], ["1D"], registry("alpha", "beta"))
    assert refused.value.code == "several"
    beside = StrategyHost([spec("alpha"), spec("beta", shadow=True)], ["1D"], registry("alpha", "beta"))
    assert [name for name, _ in beside.shadows] == ["beta"]


def test_str_03_bars_of_a_timeframe_that_is_not_traded_are_refused() -> None:
    host = StrategyHost([spec("alpha")], ["1m"], registry("alpha"))
    with pytest.raises(StrategyError, match="trades `1m`, not bars of `5m`") as refused:
        host.require_timeframe("5m")
    assert refused.value.code == "timeframe"
    bars = [replace(bar, timeframe="5m") for bar in walk(["SPY"], 3, 3)]
    with pytest.raises(BacktestError, match="`MAIN` trades bars of `1D`, `1H`"):
        run_backtest(shipped(), bars)


def test_str_04_the_registry_keeps_its_order_and_says_what_it_refuses() -> None:
    names = registry("alpha", "beta", "gamma")
    assert names.names() == ("alpha", "beta", "gamma")
    refused = {}
    for what, act in {
        "duplicate": lambda: names.register("alpha", Quiet),
        "name": lambda: names.register(" ", Quiet),
        "unknown": lambda: names.strategy("delta"),
    }.items():
        with pytest.raises(StrategyError) as caught:
            act()
        refused[what] = caught.value.code
    assert refused == {what: what for what in refused}
    names.deregister("beta")
    assert names.names() == ("alpha", "gamma")
    with pytest.raises(StrategyError, match="`5m`"):
        StrategyHost([spec("alpha")], ["1m"], names).require_timeframe("5m")
