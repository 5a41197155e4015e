"""The compiled kernel decides, fills and values as the Python step does, order by order and instant by instant."""

from __future__ import annotations

import io
import random
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from types import MappingProxyType
from typing import ClassVar

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.backtest import BacktestError, playback
from mqk.backtest.arrays import Columns, Decided, Played, kernel_of, play
from mqk.backtest.artifacts import decimal_text
from mqk.backtest.runs import run_files
from mqk.backtest.targets import targets_of
from mqk.engine.kernel.compiled import Kernel
from mqk.guards import GuardSet, compile_bundle
from mqk.market import Bar, read_bars
from mqk.policy import Span, StrategySpec
from mqk.policy.bundle import LatencyBars
from mqk.quantity import Count, Ratio, format_instant
from mqk.strategies import HOLD, Context, Param, Registry, StrategyHost
from tests.analysis.worlds import shipped
from tests.backtest.worlds import SHARED, needs_data
from tests.kernel.worlds import minutes

_SPEC = "sma_cross_v1"


@cache
def guards(timeframe: str = "1m", losing: int = 10**9, symbols: tuple[str, ...] = (), latency: int = 0) -> GuardSet:
    """All guards of MAIN, for bars of this timeframe; some limits may be others."""
    bundle = shipped()
    lifted = replace(bundle.limits["losing_trades"], value=Count(losing, "trades"))
    execution = replace(
        bundle.execution,
        latency_bars=LatencyBars(submit=latency, cancel=0, replace=0),
        volatility=Ratio(Fraction(1, 7)),
    )
    return compile_bundle(
        replace(
            bundle,
            timeframes=(timeframe,),
            universe=symbols or bundle.universe,
            limits={**bundle.limits, "losing_trades": lifted},
            execution=execution,
        )
    )


def kernel(set_: GuardSet) -> Kernel:
    """The kernel of guards, which is compiled once as long as they are among the latest."""
    found = kernel_of(set_)
    assert isinstance(found, Kernel), found
    return found


def host(timeframe: str, **params: str) -> StrategyHost:
    spec = StrategySpec(_SPEC, params, shadow=False, span=Span.nowhere("tests"))
    return StrategyHost((spec,), (timeframe,), Registry.installed())


class Scripted:
    """Wants what a table says at each instant of each symbol."""

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType({})
    lookback = 1
    table: ClassVar[Mapping[tuple[int, str], int]] = MappingProxyType({})

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        wanted = self.table.get((context.now, context.symbol), HOLD)
        return None if wanted == HOLD else {context.symbol: wanted}


def scripted_host(table: Mapping[tuple[int, str], int]) -> StrategyHost:
    registry = Registry()
    registry.register("scripted", type("Table", (Scripted,), {"table": table}))
    spec = StrategySpec("scripted", {}, shadow=False, span=Span.nowhere("tests"))
    return StrategyHost((spec,), ("1m",), registry)


def both(set_: GuardSet, bars: Sequence[Bar], timeframe: str, **params: str) -> tuple[Played, dict[str, bytes]]:
    """The kernel's run and the artifacts of the Python path, over the same bars with the same strategy."""
    asked = host(timeframe, **params)
    strategy = asked.in_arrays
    assert strategy is not None
    columns = Columns.of(bars, set_)
    played = play(kernel(set_), columns, targets_of(strategy, columns))
    summary, files = run_files(set_, bars, host=asked, native=False)
    # What the kernel has played is taken over, written down from its columns, and the same to the byte.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(playback, "kernel_of", kernel)
        again, theirs = run_files(set_, bars, host=host(timeframe, **params), native=True)
    assert [name for name in files if theirs[name] != files[name]] == []
    assert again == summary
    agree(set_, columns, played, files)
    return played, files


def agree(set_: GuardSet, columns: Columns, played: Played, files: dict[str, bytes]) -> None:
    """Whatever the kernel has played is what the artifacts say, to the byte."""
    count = played.played
    curve = [
        f"{format_instant(at)},{decimal_text(equity)},{decimal_text(cash)}"
        for at, equity, cash in zip(columns.ends[:count], played.equity, played.cash, strict=True)
    ]
    assert files["equity_curve.csv"].decode().splitlines()[1 : count + 1] == curve
    until = columns.ends[count - 1] if count else 0
    whole = played.stopped is None
    decisions = [each for each in played.decisions() if whole or each.at <= until]
    placed = [each for each in decisions if each.number >= 0]
    orders = [line.split(",") for line in files["orders.csv"].decode().splitlines()[1:]]
    told = [[format_instant(o.at), o.symbol, "BUY" if o.buys else "SELL", str(o.qty)] for o in placed]
    assert [[line[1], *line[2:5]] for line in orders][: len(told) if not whole else None] == told
    assert [line[6] for line in orders[: len(placed)]] == [decimal_text(o.worst_price) for o in placed]
    fills = [line.split(",") for line in files["fills.csv"].decode().splitlines()[1:]]
    filled = sorted(
        (o for o in placed if o.filled_at is not None and (whole or o.filled_at <= until)),
        key=lambda o: (o.filled_at, o.number),
    )
    mine = [
        [orders[o.number][0], format_instant(o.filled_at or 0), o.symbol, str(o.qty), decimal_text(o.price or 0)]
        for o in filled
    ]
    theirs = [[line[1], line[2], line[3], line[5], line[6]] for line in fills]
    assert sorted(theirs if whole else theirs[: len(mine)]) == sorted(mine)
    _recorded(set_, decisions, files["decisions.parquet"], whole=whole)


def _recorded(set_: GuardSet, decisions: list[Decided], content: bytes, *, whole: bool) -> None:
    """Every decision about an order, the denied ones too, in order, with what decided it."""
    table = pq.read_table(io.BytesIO(content), columns=["point", "outcome", "deciding", "at"])
    rows = [row for row in table.to_pylist() if row["point"] == "order"]
    rules = set_.order.rules
    mine = []
    for each in decisions:
        failing = each.broken | each.errors
        denied = {rule.id for bit, rule in enumerate(rules) if failing >> bit & 1 and rule.outcome == "deny"}
        mine.append(denied if each.number < 0 else set())
    theirs = [set(row["deciding"]) if row["outcome"] == "deny" else set() for row in rows]
    assert (theirs if whole else theirs[: len(mine)]) == mine


@pytest.mark.parametrize("symbols", [("SPY",), ("AAPL", "IBM", "SPY")])
def test_the_kernel_agrees_with_the_step_on_minutes(symbols: tuple[str, ...]) -> None:
    played, _ = both(guards(), minutes(symbols, 1_000), "1m")
    assert played.stopped is None
    assert played.orders > 10, played.stopped


def test_denied_orders_are_denied_by_the_same_rules() -> None:
    """Volumes are random, so that some orders are too large a part of them; and GOOG may not be traded here."""
    played, files = both(guards(symbols=("IBM", "SPY")), minutes(("GOOG", "SPY"), 900, seed=3), "1m", shares="100")
    assert played.stopped is None
    assert played.denied > 50
    assert played.orders > 5
    assert b"refused" in files["audit.jsonl"]


def test_orders_that_travel_fill_at_a_later_open() -> None:
    played, _ = both(guards(latency=2), minutes(("IBM", "SPY"), 1_200, seed=5), "1m")
    assert played.orders > 5, played.stopped


def test_the_kernel_hands_over_before_the_account_halts() -> None:
    played, files = both(guards(losing=8), minutes(("SPY",), 1_500, seed=1), "1m", fast="3", slow="9")
    assert played.stopped == "a rule of the account asks for more than native code does"
    assert 0 < played.played < 1_500
    assert b"latch_set" in files["audit.jsonl"]


def test_the_kernel_hands_over_where_bars_are_missing() -> None:
    played, _ = both(guards(), minutes(("IBM", "SPY"), 700, seed=2, holes=0.002), "1m", fast="3", slow="9")
    assert played.stopped == "something other than plain bars came"
    assert played.played > 50


def test_the_kernel_hands_over_at_a_bar_that_breaks_a_rule() -> None:
    bars = minutes(("SPY",), 400)
    bars[300] = replace(bars[300], high=bars[300].close - 1, low=bars[300].close - 2)
    played, _ = both(guards(), bars, "1m")
    assert (played.played, played.stopped) == (300, "a rule of bars asks for more than native code does")


@needs_data
def test_the_kernel_agrees_with_the_step_on_recorded_days() -> None:
    """Five years of three symbols, as if nobody paid dividends: those are for the step alone."""
    files = [SHARED / "bars" / f"{symbol}_1D.csv.gz" for symbol in ("JPM", "MSFT", "SPY")]
    bars = [replace(bar, ex=None) for bar in read_bars(files) if bar.end < 946_700_000_000_000]
    played, _ = both(guards("1D"), bars, "1D", fast="5", slow="20")
    assert played.played > 100, played.stopped


def test_what_a_policy_reads_and_nobody_supplies_is_said() -> None:
    bundle = shipped()
    rule = replace(bundle.rules[0], id="ODD-01")
    text = replace(rule.require, text="(count of o in working where (o.age > 1h)) <= 3")
    odd = compile_bundle(replace(bundle, rules=(*bundle.rules, replace(rule, require=text, when=None, at="order"))))
    assert kernel_of(odd) == "no native code supplies `working`"


def test_targets_are_one_for_each_bar_and_bounded() -> None:
    columns = Columns.of(minutes(("SPY",), 20), guards())
    with pytest.raises(BacktestError, match="20 bars have 3 targets"):
        play(kernel(guards()), columns, [1, 2, 3])
    with pytest.raises(BacktestError, match="above"):
        play(kernel(guards()), columns, [2**40] * 20)
    held = play(kernel(guards()), columns, array("q", [HOLD]) * 20)
    assert (held.orders, held.played) == (0, 20)


@settings(max_examples=5, deadline=None)
@given(
    symbols=st.sets(st.sampled_from(["AAPL", "GOOG", "IBM", "SPY"]), min_size=1, max_size=3),
    seed=st.integers(0, 10**6),
    swing=st.sampled_from([10_000, 200_000, 3_000_000]),
    holes=st.sampled_from([0, 0, 0.01]),
    fast=st.integers(1, 6),
    shares=st.integers(1, 400),
)
def test_random_bars_agree(symbols: set[str], seed: int, swing: int, holes: float, fast: int, shares: int) -> None:
    """Whatever comes of it: orders, denials, gaps, bars that break a rule, an account that does."""
    bars = minutes(sorted(symbols), 250, seed=seed, swing=swing, holes=holes)
    both(guards(), bars, "1m", fast=str(fast), slow=str(fast + 7), shares=str(shares))


def test_random_targets_agree_too() -> None:
    """Long, short and flat at random, several positions at once: crossing zero is two orders, and many are denied."""
    chance = random.Random(4)
    bars = minutes(("IBM", "SPY"), 600, seed=7)
    columns = Columns.of(bars, guards())
    wanted = [chance.choice([HOLD, HOLD, 0, 50, 120, -60]) for _ in columns.symbols]
    played = play(kernel(guards()), columns, wanted)
    ends = {end: number for number, end in enumerate(columns.ends)}
    position = {
        (columns.ends[i], columns.names[columns.symbols[bar]]): wanted[bar]
        for i in ends.values()
        for bar in range(columns.firsts[i], columns.firsts[i + 1])
    }
    asked = scripted_host(position)
    _, files = run_files(guards(), bars, host=asked)
    agree(guards(), columns, played, files)
    assert played.denied
    assert played.orders
