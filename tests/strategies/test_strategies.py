"""Strategies: the window they see, the parameters they take, the registry, the host, and the two built-in ones."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from fractions import Fraction
from importlib.metadata import EntryPoint, EntryPoints
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.market import Bar
from mqk.policy import Span, StrategySpec
from mqk.strategies import (
    Context,
    ExpMeanrev,
    HostWindow,
    Param,
    Registry,
    Strategy,
    StrategyError,
    StrategyHost,
    SwingTrend,
    read_params,
)

USD = 1_000_000


class Held:
    """What a host tells of one symbol."""

    def __init__(self, qty: int, working_buy: int = 0, working_sell: int = 0) -> None:
        self.qty, self._working = qty, (working_buy, working_sell)

    def committed(self) -> tuple[int, int]:
        return self._working


class Quiet:
    PARAMS: ClassVar[Mapping[str, Param]] = {}
    lookback = 3

    def on_bar(self, context: Context) -> Mapping[str, int] | None:  # noqa: ARG002 - the contract
        return None


def bars(closes: list[int], spread: int = 0) -> list[Bar]:
    return [
        Bar("SPY", number, close, close + spread, close - spread, close, 1, True, "1D")
        for number, close in enumerate(closes)
    ]


def ask(strategy: Strategy, closes: list[int], held: Held | None = None, spread: int = 0) -> Mapping[str, int] | None:
    context = Context(100_000 * USD, {"SPY": held} if held else {})
    window = HostWindow(strategy.lookback)
    for each in bars(closes, spread):
        window.push(each)
    context.symbol, context.bars = "SPY", window
    return strategy.on_bar(context)


def spec(name: str, *, shadow: bool = False, **params: str) -> StrategySpec:
    return StrategySpec(name, params, shadow=shadow, span=Span.nowhere(name))


# -- the window -------------------------------------------------------------------------------------------------------


@given(st.integers(0, 6), st.lists(st.integers(1, 99), max_size=200), st.integers(-8, 8))
def test_a_window_is_the_last_bars_and_nothing_else(size: int, closes: list[int], index: int) -> None:
    window = HostWindow(size)
    for each in bars(closes):
        window.push(each)
    expected = bars(closes)[-size:] if size else []
    assert list(window) == expected == window[:]
    assert len(window) == len(expected)
    assert window[-2:] == expected[-2:]
    assert window.closes(size) == [each.close for each in expected]
    assert len(window.closes(99)) == len(expected)
    if -len(expected) <= index < len(expected):
        assert window[index] == expected[index]
    else:
        with pytest.raises(IndexError):
            window[index]


def test_what_is_committed_counts_what_is_on_its_way() -> None:
    context = Context(1, {"SPY": Held(10, 5, 2)})
    assert (context.position("SPY"), context.committed("SPY")) == (10, 13)
    assert (context.position("QQQ"), context.committed("QQQ")) == (0, 0)


# -- parameters, registry, host ---------------------------------------------------------------------------------------


def test_parameters_are_typed_and_have_defaults() -> None:
    values = read_params("x", SwingTrend.PARAMS, {"lookback": "20", "risk": "1%"})
    assert values == {"lookback": 20, "rise": 5, "atr": 14, "atr_multiple": Fraction(3), "risk": Fraction(1, 100)}


def test_every_wrong_parameter_is_named_at_once_with_a_suggestion() -> None:
    wrong = {"lookbck": "20", "rise": "five", "risk": "0.5", "atr": "0", "atr_multiple": "1e3"}
    with pytest.raises(StrategyError) as caught:
        read_params("swing_trend_v1", SwingTrend.PARAMS, wrong)
    assert caught.value.code == "params"
    problems = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 5
    for part in ("did you mean `lookback`?", "`rise: five`", "such as `0.5%`", "below its least value, 1", "`1.8`"):
        assert part in problems


def test_a_switch_is_true_or_false() -> None:
    declared = {"on": Param("bool", "false", "whether")}
    assert read_params("x", declared, {"on": "true"}) == {"on": True}
    with pytest.raises(StrategyError):
        read_params("x", declared, {"on": "yes"})


def test_the_registry_keeps_its_order_and_refuses_what_it_has_str04() -> None:
    registry = Registry()
    for name in ("alpha", "beta", "gamma"):
        registry.register(name, Quiet)
    assert registry.names() == ("alpha", "beta", "gamma")
    registry.deregister("beta")
    assert registry.names() == ("alpha", "gamma")
    for code, action in (
        ("duplicate", lambda: registry.register("alpha", Quiet)),
        ("name", lambda: registry.register("  ", Quiet)),
        ("contract", lambda: registry.register("int", int)),  # type: ignore[arg-type] # the point
        ("unknown", lambda: registry.strategy("gama")),
        ("unknown", lambda: registry.deregister("nobody")),
    ):
        with pytest.raises(StrategyError) as caught:
            action()
        assert caught.value.code == code
    with pytest.raises(StrategyError, match="did you mean `gamma`"):
        registry.build("gama", {})


def test_installed_packages_bring_strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints([EntryPoint("quiet", f"{__name__}:Quiet", "mqk.strategies")])
    monkeypatch.setattr("mqk.strategies.registry.entry_points", lambda group: points.select(group=group))
    monkeypatch.setattr(EntryPoint, "load", lambda _: Quiet)
    assert Registry.installed().names() == ("swing_trend_v1", "exp_meanrev_v1", "sma_cross_v1", "quiet")


def test_one_strategy_orders_and_others_only_watch_str01() -> None:
    with pytest.raises(StrategyError) as caught:
        StrategyHost([spec("swing_trend_v1"), spec("exp_meanrev_v1")], ["1D"])
    assert caught.value.code == "several"
    host = StrategyHost([spec("swing_trend_v1"), spec("exp_meanrev_v1", shadow=True)], ["1D"])
    assert [name for name, _ in host.shadows] == ["exp_meanrev_v1"]
    assert host.lookback == 55
    window, shadows = host.windows()
    assert (len(window), len(shadows)) == (0, 1)
    ordering, beside = host.strategy, host.shadows
    host.renew()
    assert type(host.strategy) is type(ordering)
    assert host.strategy is not ordering
    assert host.shadows == beside
    idle = StrategyHost([spec("exp_meanrev_v1", shadow=True)], ["1D"])
    idle.renew()
    assert idle.strategy is None
    assert idle.targets(Context(1, {})) is None


def test_all_problems_of_all_strategies_come_together() -> None:
    with pytest.raises(StrategyError) as caught:
        StrategyHost([spec("swing_trnd_v1"), spec("exp_meanrev_v1", size="lots")], ["1D"])
    assert caught.value.code == "unknown"
    assert len(caught.value.problems) == 3


def test_a_timeframe_nobody_trades_is_refused_str03() -> None:
    host = StrategyHost([spec("swing_trend_v1")], ["1D", "1H"])
    host.require_timeframe("1H")
    with pytest.raises(StrategyError, match="`1D`, `1H`") as caught:
        host.require_timeframe("5m")
    assert caught.value.code == "timeframe"


# -- the built-in ones ------------------------------------------------------------------------------------------------


def swing(**other: int) -> SwingTrend:
    values = {"lookback": 5, "rise": 2, "atr": 3, **other}
    return SwingTrend(**values, atr_multiple=Fraction(3), risk=Fraction(1, 200))


def test_the_trend_is_bought_for_a_stated_risk_and_sold_below_the_mean() -> None:
    rising = [(100 + number) * USD for number in range(7)]
    # Each true range is 1 + 2 x spread of 1.5 = 3 (the bar's own range); three of them cost 0.5 % of 100,000 USD.
    assert ask(swing(), rising, spread=3 * USD // 2) == {"SPY": 500 // 9}
    assert ask(swing(), rising, Held(10)) is None
    assert ask(swing(), rising, Held(0, working_buy=10)) is None
    assert ask(swing(), [*rising, 90 * USD], Held(10)) == {"SPY": 0}
    assert ask(swing(), [*rising, 90 * USD]) is None
    assert ask(swing(), rising[:6]) is None


def test_a_close_above_a_falling_mean_is_not_a_trend() -> None:
    assert ask(swing(), [value * USD for value in (200, 200, 100, 100, 100, 100, 130)]) is None


def test_bars_that_never_move_are_not_sized_by() -> None:
    assert ask(swing(lookback=2, rise=1, atr=1), [100 * USD] * 6) is None


@given(st.lists(st.integers(50, 150), min_size=20, max_size=20), st.booleans())
def test_mean_reversion_agrees_with_the_z_score(closes: list[int], held: bool) -> None:
    strategy = ExpMeanrev(lookback=20, zscore_entry=Fraction(9, 5), zscore_exit=Fraction(3, 10), size=Fraction(1, 20))
    answer = ask(strategy, [close * USD for close in closes], Held(7) if held else None)
    mean = Fraction(sum(closes), 20)
    variance = Fraction(sum(close * close for close in closes), 20) - mean * mean
    assert variance == Fraction(statistics.pvariance([Fraction(close) for close in closes]))
    distance = closes[-1] - mean

    def below(score: Fraction) -> bool:
        return distance < 0 and distance * distance > score * score * variance

    def at(score: Fraction) -> bool:
        return distance < 0 and distance * distance == score * score * variance

    if held:
        expected = None if below(Fraction(3, 10)) or at(Fraction(3, 10)) else {"SPY": 0}
    else:
        expected = {"SPY": 5_000 // closes[-1]} if below(Fraction(9, 5)) else None
    assert answer == expected


@given(st.lists(st.integers(50, 150), min_size=8, max_size=60), st.integers(0, 40))
def test_what_lies_before_the_window_changes_nothing(closes: list[int], extra: int) -> None:
    prices = [close * USD for close in closes]
    for strategy in (
        swing(),
        ExpMeanrev(lookback=7, zscore_entry=Fraction(1), zscore_exit=Fraction(0), size=Fraction(1, 20)),
    ):
        assert (
            ask(strategy, prices, spread=USD) == ask(strategy, [77 * USD] * extra + prices[-7:], spread=USD)
            or len(prices) < strategy.lookback
        )
