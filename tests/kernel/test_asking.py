"""Asking a strategy far ahead, on the compiled kernel, leaves the bytes that asking it event by event does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.backtest.arrays import Columns
from mqk.backtest.asking import asked
from mqk.backtest.runs import run_files
from mqk.guards import GuardSet
from mqk.market import Bar
from mqk.orders import OrderType
from mqk.policy import Span, StrategySpec
from mqk.strategies import Context, Param, Registry, StrategyHost, Target
from tests.kernel.test_kernel import guards, kernel
from tests.kernel.worlds import minutes

Wish = Callable[["Asked", Context], Any]
ONE, THREE = ("SPY",), ("AAPL", "IBM", "SPY")


class Asked:
    """Keeps what it is shown, counts the bars, and wants what its wish says. It reads its window now and then."""

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType({})
    lookback = 5
    wish: ClassVar[Wish]
    built: ClassVar[list[Asked]]
    glances = 1

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.count = 0
        self.built.append(self)

    def on_bar(self, context: Context) -> Any:
        self.count += 1
        self.seen.append((context.now, context.symbol, context.bar, context.capital))
        if self.count % self.glances == 0:
            self.seen.append((len(context.bars), context.bars[0], context.bars.closes(9)))
            assert context.bars[-1] is context.bar
        return type(self).wish(self, context)

    def look(self, context: Context) -> tuple[int, ...]:
        """Look at the account, and remember what it was."""
        found = (
            context.equity,
            *(ask(name) for name in (*THREE, "QQQ") for ask in (context.position, context.committed)),
        )
        self.seen.append(found)
        return found


def host(wish: Wish, glances: int = 1) -> tuple[StrategyHost, list[Asked]]:
    """A host of a strategy that has this wish, and the instances that were built of it."""
    built: list[Asked] = []
    registry = Registry()
    fields = {"wish": staticmethod(wish), "built": built, "glances": glances}
    registry.register("asked", type("Asked", (Asked,), fields))
    return StrategyHost(
        (StrategySpec("asked", {}, shadow=False, span=Span.nowhere("tests")),), ("1m",), registry
    ), built


def same(set_: GuardSet, bars: Sequence[Bar], wish: Wish, glances: int = 1) -> dict[str, bytes]:
    """Both ways leave the same bytes, and the strategy that lived to the end was shown the same."""
    (one, ahead), (other, step_by_step) = host(wish, glances), host(wish, glances)
    _, found = run_files(set_, bars, host=one, native=True)
    _, expected = run_files(set_, bars, host=other, native=False)
    assert found == expected
    assert ahead[-1].seen == step_by_step[-1].seen
    return found


def how_far(set_: GuardSet, bars: Sequence[Bar], wish: Wish) -> tuple[int, int]:
    """How many instants the kernel plays, and how many strategies are built for that."""
    columns = Columns.of(bars, set_)
    one, built = host(wish)
    run = asked(one, kernel(set_), columns, sorted(bars, key=lambda bar: (bar.end, bar.symbol)), lambda _: None)
    return 0 if run is None else run.played, len(built)


def swing(asked: Asked, context: Context) -> Mapping[str, int] | None:
    """In and out by the count of bars alone."""
    turn = asked.count * 40_503 // 64
    return {context.symbol: (0, 40, 25, 0, -30)[turn % 5]} if asked.count % 10 == 0 else None


def careful(every: int) -> Wish:
    """As `swing`, but now and then it looks at the account, and wants what that says."""

    def wish(asked: Asked, context: Context) -> Mapping[str, int | Target] | None:
        if asked.count % every:
            return swing(asked, context)
        equity, *held = asked.look(context)
        if context.committed(context.symbol) != context.position(context.symbol):
            return None
        return {context.symbol: Target(0 if any(held) else 20 + equity % 7)}

    return wish


def others(asked: Asked, context: Context) -> Mapping[str, int] | None:
    """Wants something of every symbol at once, once in a while; and nothing of one that there is not."""
    if asked.count % 30 != 20 or context.symbol != "IBM":
        return None
    turn = asked.count // 30
    return {"SPY": turn % 3 * 10, "AAPL": (turn + 1) % 3 * 10, "IBM": 30 - turn % 4 * 10, "QQQ": 0}


@pytest.mark.parametrize(
    ("wish", "glances"),
    [(swing, 1), (swing, 1_000), (careful(1), 2), (careful(2), 3), (careful(7), 11), (careful(97), 60), (others, 90)],
)
@pytest.mark.parametrize("symbols", [ONE, THREE])
def test_whatever_a_strategy_looks_at(wish: Wish, glances: int, symbols: tuple[str, ...]) -> None:
    bars = minutes(symbols, 450, seed=8)
    files = same(guards(), bars, wish, glances)
    assert how_far(guards(), bars, wish) == (450, 1)
    assert len(files["orders.csv"].splitlines()) > 10 or (wish is others and symbols is ONE)


@pytest.mark.parametrize("wish", [swing, careful(1), careful(2), careful(7)])
def test_the_account_halts_on_the_way(wish: Wish) -> None:
    bars = minutes(THREE, 500, seed=1, swing=60_000)
    set_ = guards(losing=8, latency=2)
    assert b"latch_set" in same(set_, bars, wish)["audit.jsonl"]
    played, built = how_far(set_, bars, wish)
    assert 0 < played < 500
    assert built <= 2


def test_a_strategy_that_looks_at_every_bar_is_never_asked_too_far() -> None:
    """It is asked only about bars at which the kernel has arrived, so nobody has to begin again."""

    def wish(asked: Asked, context: Context) -> Mapping[str, int] | None:
        asked.look(context)
        return swing(asked, context)

    bars = minutes(THREE, 500, seed=1, swing=60_000)
    played, built = how_far(guards(losing=8, latency=2), bars, wish)
    assert 0 < played < 500
    assert built == 1


def test_progress_is_told_before_the_first_bar_and_after_the_last() -> None:
    """A million bars are asked about before anything is written down: whoever waits is told of them as well."""
    bars = minutes(ONE, 4_500, seed=3)
    told: list[tuple[int, int]] = []
    seen: list[int] = []

    def wish(asked: Asked, _: Context) -> None:
        seen.append(asked.count if told == [(0, 4_500)] else 0)

    run_files(
        guards(), bars, host=host(wish)[0], native=True, on_progress=lambda done, total: told.append((done, total))
    )
    assert told == [(0, 4_500), (64, 4_500), (64 + 4_096, 4_500), (4_500, 4_500), (4_500, 4_500)]
    assert seen[:64] == list(range(1, 65))


def at(count: int, answer: Callable[[Asked, Context], Any]) -> Wish:
    """As `swing`, but with something else at one bar."""
    return lambda asked, context: answer(asked, context) if asked.count == count else swing(asked, context)


def _fail(_: Asked, context: Context) -> None:
    raise ZeroDivisionError(context.symbol)


ODD: Mapping[str, Callable[[Asked, Context], Any]] = {
    "fails": _fail,
    "limit": lambda _, c: {c.symbol: Target(90, type=OrderType.LIMIT, limit_price=c.bar.close)},
    "guarded": lambda _, c: {c.symbol: Target(90, protect=c.bar.close // 2)},
    "half": lambda _, c: {c.symbol: 0.5},
    "truth": lambda _, c: {c.symbol: True},
    "unknown": lambda _, __: {"QQQ": 10},
    "huge": lambda _, c: {c.symbol: 2**40},
    "proxy": lambda _, c: MappingProxyType({c.symbol: 70}),
    "wrong target": lambda _, c: {c.symbol: Target(1, limit_price=5)},
}


@pytest.mark.parametrize("odd", ODD)
def test_an_answer_that_is_not_for_the_kernel(odd: str) -> None:
    """In the middle of an instant: the kernel hands over before it, and a fresh strategy is asked up to there."""
    bars = minutes(THREE, 250, seed=8)
    same(guards(), bars, at(332, ODD[odd]))
    assert how_far(guards(), bars, at(332, ODD[odd])) == (110, 2)


def test_a_strategy_that_catches_everything() -> None:
    """Also that the kernel cannot tell it what its account is: it begins again, and is told by the engine."""

    def wish(asked: Asked, context: Context) -> Mapping[str, int] | None:
        try:
            asked.look(context) if asked.count % 5 == 0 else None
        except:  # noqa: E722 - as somebody may write it
            asked.seen.append(("caught",))
        return swing(asked, context)

    bars = minutes(THREE, 500, seed=1, swing=60_000)
    assert b"latch_set" in same(guards(losing=8, latency=2), bars, wish)["audit.jsonl"]


def test_bars_that_break_a_rule_or_are_missing() -> None:
    bars = minutes(THREE, 400, seed=2, holes=0.002)
    bars[900] = replace(bars[900], high=bars[900].close - 1, low=bars[900].close - 2)
    for wish in (swing, careful(3)):
        same(guards(), bars, wish, 2)
        assert 0 < how_far(guards(), bars, wish)[0] < 400


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    every=st.integers(1, 12),
    glances=st.integers(1, 12),
    set_=st.sampled_from([{}, {"losing": 8, "latency": 2}]),
    holes=st.sampled_from([0, 0.001]),
)
def test_random_bars(seed: int, every: int, glances: int, set_: Mapping[str, int], holes: float) -> None:
    same(guards(**set_), minutes(THREE, 100, seed=seed, holes=holes), careful(every), glances)
