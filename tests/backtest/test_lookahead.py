"""The look-ahead prover: seeded leaks are found at their bar and decision, honest strategies are not accused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from mqk.backtest import BacktestError
from mqk.backtest.lookahead import prove, prove_each
from mqk.backtest.lookahead.proof import NOTHING, Answer, Proof, differing, even_cuts, telling_cuts
from mqk.policy import Span, StrategySpec
from mqk.strategies import StrategyError
from tests.backtest.worlds import walk
from tests.bench.lookahead import Rate, measure
from tests.bench.lookahead_leaks import BEYOND, ArrayLeak, Leaky
from tests.engine.worlds import guards, shipped


class ThirdBar(Leaky):
    """Fails on its third bar, whatever comes later."""

    seen: ClassVar[int] = 0

    def __init__(self) -> None:
        self._count = 0

    def long(self, context: Any) -> bool:  # noqa: ARG002
        self._count += 1
        assert self._count < 3
        return True


class TenthClose(ArrayLeak):
    """Knows the tenth close on the fourth bar, and nothing else."""

    def targets(self, bars: Any) -> Sequence[int]:
        told = bars.closes[9] if len(bars.closes) > 9 else 0
        return [told if number == 3 else 0 for number in range(len(bars.closes))]


class Contrary(Leaky):
    """Buys bar by bar what it sells to all bars at once."""

    def long(self, context: Any) -> bool:
        return bool(context.bars[-1].close > context.bars[0].close)

    def targets(self, bars: Any) -> Sequence[int]:
        return [7] * len(bars.closes)


def spec(strategy: type) -> dict[str, Any]:
    name = strategy.__name__
    return {
        "strategies": [StrategySpec(name, {}, shadow=False, span=Span.nowhere(name))],
        "modules": {name: f"{strategy.__module__}:{name}"},
    }


@pytest.fixture(scope="module")
def told() -> Mapping[str, Proof]:
    """Strategies that are told, each proven alone and all in one process."""
    specs = [spec(TenthClose), spec(Contrary)]
    strategies = [one for each in specs for one in each["strategies"]]
    modules = {name: place for each in specs for name, place in each["modules"].items()}
    return prove_each(guards().bundle, walk(["SPY"], 20, 3), strategies, modules=modules, cuts=6)


@pytest.fixture(scope="module")
def rate() -> Rate:
    return measure(days=36, cuts=3)


def test_every_leak_that_running_can_find_is_found(rate: Rate) -> None:
    assert len(rate.leaks) >= 15
    assert {name for name, leak in rate.leaks.items() if leak is None} == BEYOND


def test_no_honest_strategy_is_accused(rate: Rate) -> None:
    assert len(rate.honest) >= 10
    assert {name: str(leak) for name, leak in rate.honest.items() if leak is not None} == {}


def test_a_leak_is_told_by_what_it_is(rate: Rate) -> None:
    kinds = {name: leak.kind for name, leak in rate.leaks.items() if leak is not None}
    assert {kinds[name] for name in ("FileAtStart", "FileWhenAsked", "LowLevelFile", "Program", "Database")} == {
        "outside"
    }
    assert {kinds[name] for name in ("Frames", "Collector", "NextClose", "WholeMean", "Centred")} == {"future"}
    assert "unsteady" in kinds.values()
    told = rate.leaks["FileWhenAsked"]
    assert told is not None
    assert told.source is not None
    assert told.source.endswith("prices.csv`")


def test_a_leak_is_told_at_its_bar_and_decision(told: Mapping[str, Proof]) -> None:
    bars = walk(["SPY"], 20, 3)
    proof = told["TenthClose"]
    (leak,) = proof.leaks
    assert leak.at == bars[3].end
    assert leak.symbol == "SPY"
    assert (leak.with_it, leak.without) == (str(bars[9].close), "0")
    assert leak.cut < bars[9].end
    assert "with it and 0 without" in str(leak)
    assert json.dumps(proof.to_json())


def test_the_built_in_strategies_look_at_nothing_ahead() -> None:
    for engine in ("MAIN", "EXP"):
        bundle = shipped(engine).bundle
        proof = prove(bundle, walk(["QQQ", "SPY"], 80, 3, swing=4), cuts=2)
        assert proof.holds
        assert proof.compared > 200


def test_an_array_strategy_with_its_libraries_is_not_accused() -> None:
    name = StrategySpec("sma_cross_v1", {"fast": "5", "slow": "12"}, shadow=False, span=Span.nowhere("test"))
    proof = prove(guards().bundle, walk(["AAPL", "SPY"], 60, 3, swing=4), strategies=[name], cuts=2)
    assert proof.holds, [str(leak) for leak in proof.leaks]
    assert proof.compared > 200


def test_a_strategy_that_fails_anyway_is_no_leak() -> None:
    with pytest.raises(StrategyError, match="ThirdBar"):
        prove(guards().bundle, walk(["SPY"], 12, 3), cuts=2, **spec(ThirdBar))


def test_a_proof_needs_something_to_cut() -> None:
    with pytest.raises(BacktestError, match="two instants"):
        prove(guards().bundle, walk(["SPY"], 1, 3))


def test_a_strategy_that_says_two_things_is_told(told: Mapping[str, Proof]) -> None:
    (leak,) = told["Contrary"].leaks
    assert (leak.kind, leak.with_it, leak.without) == ("contrary", "7", '{"SPY":0}')


def test_answers_differ_where_they_first_do() -> None:
    def said(*texts: str) -> list[Answer]:
        return [(number, "SPY", "s", text) for number, text in enumerate(texts)]

    whole = said("a", "b", "c", "d")
    assert differing(whole, said("a", "b"), 1) == {}
    assert differing(whole, said("a", "x"), 1) == {"s": (whole[1], said("a", "x")[1])}
    assert differing(whole, said("a"), 1) == {"s": (whole[1], None)}
    assert differing(whole, said("a", "b", "c"), 1) == {"s": (None, said("a", "b", "c")[2])}
    assert differing(whole, said("a", "b", "c"), 1, failed="it failed") == {}


def test_cuts_lie_within_the_bars_and_where_minds_change() -> None:
    instants = list(range(0, 100, 10))
    assert even_cuts(instants, 3) == [20, 40, 60]
    assert even_cuts(instants, 99) == instants[:-1]
    assert even_cuts([1, 2], 5) == [1]
    answers = [(at, "SPY", "s", "long" if 30 <= at < 60 else NOTHING) for at in instants]
    assert telling_cuts(answers, instants, 9) == [20, 30, 60]
    assert 90 not in telling_cuts([(at, "SPY", "s", str(at)) for at in instants], instants, 99)
