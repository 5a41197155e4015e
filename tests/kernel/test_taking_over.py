"""A run that goes on where the kernel stands is the run that `step` has played from its beginning, to the last detail.

That the files are the same is asked wherever test_kernel.py plays a run; here, that the engine is, and what is odd.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from types import MappingProxyType
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.backtest import playback, runs
from mqk.backtest.playback import Playback
from mqk.engine import EngineState
from mqk.guards import GuardSet
from mqk.market import Bar, calendar_of
from mqk.market.bar import Ex
from mqk.policy import Span, StrategySpec
from mqk.strategies import HOLD, Context, Param, Registry, StrategyHost, SymbolBars
from tests.kernel.test_kernel import guards, host, kernel
from tests.kernel.worlds import minutes


class Told:
    """Wants what it is told at each instant of each symbol, bar by bar or all at once."""

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType({})
    lookback = 3
    wants: ClassVar[Mapping[tuple[int, str], int]] = MappingProxyType({})

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        wanted = self.wants.get((context.now, context.symbol))
        return None if wanted is None else {context.symbol: wanted}

    def targets(self, bars: SymbolBars) -> Sequence[int]:
        return [self.wants.get((end, bars.symbol), HOLD) for end in bars.ends]


def told(wants: Mapping[tuple[int, str], int]) -> StrategyHost:
    registry = Registry()
    registry.register("told", type("Table", (Told,), {"wants": wants}))
    spec = StrategySpec("told", {}, shadow=False, span=Span.nowhere("tests"))
    return StrategyHost((spec,), ("1m",), registry)


class Seen:
    """What came of two runs of the same, one of them played by the kernel as far as it went."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, set_: GuardSet, bars: Sequence[Bar], asked: StrategyHost
    ) -> None:
        self.states: list[EngineState] = []
        self.counts: list[int] = []
        summarise, hand_over = runs.summarise, Playback.hand_over

        def summarised(state: EngineState, *args: object, **more: object) -> object:
            self.states.append(state)
            return summarise(state, *args, **more)  # type: ignore[arg-type]

        def handed_over(played: Playback, *args: object) -> None:
            self.counts.append(played.count)
            hand_over(played, *args)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(runs, "summarise", summarised)
            patch.setattr(Playback, "hand_over", handed_over)
            # Compiled once for all of them.
            patch.setattr(playback, "kernel_of", kernel)
            found = [runs.run_files(set_, bars, host=asked, native=native) for native in (False, True)]
        (self.summary, self.files), (_, theirs) = found
        assert [name for name in theirs if theirs[name] != self.files[name]] == []
        assert self.states[0].digest() == self.states[1].digest()


def test_the_engine_stands_where_the_step_would_have_left_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bars = minutes(("AAPL", "IBM", "SPY"), 600, seed=8)
    seen = Seen(monkeypatch, guards(), bars, host("1m", fast="3", slow="9"))
    assert seen.counts == [600]
    assert seen.summary.orders > 20


def test_orders_that_rest_at_the_market_go_on_resting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar is left out: the kernel hands over with an order on its way, which fills late, at the worst open so far."""
    bars = minutes(("SPY",), 60, seed=2)
    asked = told({(bars[20].end, "SPY"): 10, (bars[38].end, "SPY"): 0})
    seen = Seen(monkeypatch, guards(latency=3), [*bars[:40], *bars[41:]], asked)
    assert seen.counts == [40]
    assert seen.summary.fills == 2


def test_what_was_placed_alike_and_refused_before_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same orders again and again, most of them refused, before the kernel hands over and after it."""
    bars = minutes(("IBM", "SPY"), 120, seed=6)
    wants = {(bar.end, bar.symbol): (0, 30, 4_000)[number // 2 % 3] for number, bar in enumerate(bars)}
    seen = Seen(monkeypatch, guards(), [*bars[:190], *bars[191:]], told(wants))
    assert seen.counts == [71]
    assert seen.summary.denied > 20
    assert seen.summary.orders > 5


def test_what_goes_ex_does_so_before_its_session_whoever_trades_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar that tells of it may come when its session is long under way: the kernel leaves it all to the step."""
    calendar = calendar_of("XNYS")
    begins = calendar.session_open(date(2005, 4, 1))
    tells = begins + 1_800_000_000
    bars = []
    for bar in minutes(("IBM", "SPY"), 500, seed=4):
        theirs = bar.symbol == "IBM"
        if not (theirs and begins < bar.end < tells):
            bars.append(replace(bar, ex=Ex(Fraction(1), Fraction(500_000))) if theirs and bar.end == tells else bar)
    seen = Seen(monkeypatch, guards(), bars, told({(bar.end, "IBM"): 5 for bar in bars[50:380]}))
    assert seen.counts == [390]
    assert seen.summary.dividends_micros > 0


@settings(max_examples=12, deadline=None)
@given(
    symbols=st.sets(st.sampled_from(["AAPL", "GOOG", "IBM", "SPY"]), min_size=1, max_size=3),
    seed=st.integers(0, 10**6),
    swing=st.sampled_from([10_000, 200_000, 3_000_000]),
    holes=st.sampled_from([0, 0, 0.01]),
    latency=st.sampled_from([0, 0, 1, 3]),
    chosen=st.lists(st.tuples(st.integers(0, 200), st.sampled_from([0, 0, 5, 40, 300, -40, 9_000])), max_size=40),
)
def test_the_folder_of_a_run_is_the_same_whoever_played_it(
    symbols: set[str], seed: int, swing: int, holes: float, latency: int, chosen: list[tuple[int, int]]
) -> None:
    bars = minutes(sorted(symbols), 90, seed=seed, swing=swing, holes=holes)
    wants = {(bars[place % len(bars)].end, bars[place % len(bars)].symbol): want for place, want in chosen}
    with pytest.MonkeyPatch.context() as patch:
        Seen(patch, guards(latency=latency), bars, told(wants))
