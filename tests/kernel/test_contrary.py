"""A run that was played from arrays is held against what the strategy says bar by bar, and ends where they part."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

import pytest

from mqk.backtest import contrary, playback, run_files
from mqk.backtest.runs import Ran
from mqk.market import Bar
from mqk.policy import Span, StrategySpec
from mqk.quantity import format_instant
from mqk.strategies import Context, Param, Registry, StrategyHost, SymbolBars
from tests.kernel.test_kernel import guards, host, kernel
from tests.kernel.worlds import minutes


class Steady:
    """Holds seven of what has risen over its window, bar by bar and all at once."""

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType({})
    lookback = 4

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        first = context.bars.closes(self.lookback)[0]
        wanted = 7 if context.bar.close > first else 0
        return None if context.committed(context.symbol) == wanted else {context.symbol: wanted}

    def targets(self, bars: SymbolBars) -> Sequence[int]:
        closes = bars.closes
        return [7 if close > closes[max(n + 1 - self.lookback, 0)] else 0 for n, close in enumerate(closes)]


class FromTwenty(Steady):
    """From the twentieth bar on it wants eight where it says seven bar by bar."""

    def targets(self, bars: SymbolBars) -> Sequence[int]:
        return [want and 7 + (n > 20) for n, want in enumerate(super().targets(bars))]


class FromTheFirst(Steady):
    """Wants one at once, and bar by bar something else from the very first bar."""

    def targets(self, bars: SymbolBars) -> Sequence[int]:
        return [1] * len(bars.closes)


class Remembers(Steady):
    """Knows the last close once it has been asked for all bars at once, and acts on it when asked for one."""

    last = 0

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        return {context.symbol: 9} if self.last else super().on_bar(context)

    def targets(self, bars: SymbolBars) -> Sequence[int]:
        self.last = bars.closes[-1]
        return super().targets(bars)


class Fails(Steady):
    """Answers for all bars, and for none."""

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        raise ValueError(f"no bar of {context.symbol}")


def hosted(strategy: type[Steady]) -> StrategyHost:
    registry = Registry()
    registry.register("told", strategy)
    return StrategyHost((StrategySpec("told", {}, shadow=False, span=Span.nowhere("tests")),), ("1m",), registry)


@pytest.fixture(autouse=True)
def compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playback, "kernel_of", kernel)


def ran(strategy: type[Steady], bars: Sequence[Bar]) -> tuple[Ran, Ran]:
    """The run in arrays, and bar by bar."""
    first, other = (run_files(guards(), bars, host=hosted(strategy), native=native) for native in (True, False))
    return first, other


@pytest.mark.parametrize("symbols", [("SPY",), ("AAPL", "IBM", "SPY")])
@pytest.mark.parametrize("strategy", [Steady, Remembers])
def test_who_says_the_same_in_both_ways_is_played_to_the_end(symbols: tuple[str, ...], strategy: type[Steady]) -> None:
    """Also who would know the future, had the instance that is asked for all bars been asked for one of them."""
    arrays, by_bars = ran(strategy, minutes(symbols, 200, seed=3))
    assert arrays == by_bars
    assert arrays[0].failed is None
    assert arrays[0].orders > 10


@pytest.mark.parametrize("symbols", [("SPY",), ("AAPL", "SPY")])
def test_a_run_ends_at_the_first_bar_on_which_both_answers_differ(symbols: tuple[str, ...]) -> None:
    bars = minutes(symbols, 120, seed=3)
    (summary, files), (by_bars, _) = ran(FromTwenty, bars)
    assert summary.failed is not None
    assert by_bars.failed is None
    first = min(
        (
            own[n]
            for own in ([bar for bar in bars if bar.symbol == symbol] for symbol in symbols)
            for n in range(21, 120)
            if own[n].close > own[n - 3].close
        ),
        key=lambda bar: (bar.end, bar.symbol),
    )
    assert summary.failed.startswith(
        f"strategy `FromTwenty` says one thing bar by bar and another to all bars at once: on the bar of"
        f" `{first.symbol}` that ends at {format_instant(first.end)}, with "
    )
    assert summary.failed.endswith(" and `targets` 8")
    # All files are there, up to the instant before.
    curve = files["equity_curve.csv"].decode().splitlines()
    assert curve[-1].startswith(format_instant(max(bar.end for bar in bars if bar.end < first.end)))
    assert "aborted" in [json.loads(line)["kind"] for line in files["audit.jsonl"].splitlines()]


@pytest.mark.parametrize(("strategy", "words"), [(FromTheFirst, "`targets` 1"), (Fails, "ValueError: no bar of SPY")])
def test_a_run_that_parts_at_its_first_bar_says_so(strategy: type[Steady], words: str) -> None:
    bars = minutes(("SPY",), 30, seed=3)
    (summary, files), _ = ran(strategy, bars)
    assert summary.failed is not None
    assert words in summary.failed
    assert (summary.orders, summary.bars) == (0, 30)
    assert len(files["equity_curve.csv"].splitlines()) == 2


def test_of_many_bars_those_asked_about_are_the_same_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrary, "MOST", 32)
    bars = minutes(("SPY",), 400, seed=3)
    first, again = (run_files(guards(), bars, host=hosted(FromTwenty), native=True) for _ in range(2))
    assert first == again
    assert first[0].failed is not None
    assert run_files(guards(), bars, host=hosted(Steady), native=True)[0].failed is None


def test_the_shipped_strategy_says_the_same_in_both_ways() -> None:
    bars = minutes(("IBM", "SPY"), 300, seed=9)
    for latency in (0, 2):
        summary, _ = run_files(guards(latency=latency), bars, host=host("1m", fast="3", slow="9"), native=True)
        assert summary.failed is None
        assert summary.orders > 10
