"""A run of the kernel that is played in pieces, with any number of orders, comes to what it does in one go."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.backtest.arrays import Columns, Played
from mqk.backtest.playing import ROOM, Playing
from mqk.backtest.runs import run_files
from mqk.engine.kernel import places as p
from mqk.policy import Span, StrategySpec
from mqk.strategies import Context, Param, Registry, StrategyHost
from tests.kernel.test_kernel import agree, guards, kernel
from tests.kernel.worlds import minutes

SYMBOLS = ("AAPL", "IBM", "SPY")
Answers = Mapping[int, list[tuple[int, int]]]


def answers(columns: Columns, seed: int, often: int = 1) -> Answers:
    """Targets for one symbol or several, by bar: so often to any bar, else to one of the bars of an instant."""
    chance = random.Random(seed)
    found = {}
    chosen = 0
    for bar in range(len(columns.symbols)):
        if bar % len(SYMBOLS) == 0:
            chosen = bar + chance.randrange(len(SYMBOLS))
        if bar == chosen or chance.randrange(100) < often:
            named = sorted(chance.sample(range(len(columns.names)), chance.randint(1, len(columns.names))))
            found[bar] = [(symbol, chance.choice([0, 0, 50, 90, -60])) for symbol in named]
    return found


def in_one_go(columns: Columns, wanted: Answers, room: int = ROOM) -> Playing:
    run = Playing(kernel(guards()), columns, room)
    for bar, targets in wanted.items():
        run.want(bar, targets)
    run.go(len(columns.ends))
    return run


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    chance=st.sampled_from([0, 0, 1]),
    pieces=st.lists(st.integers(0, 3 * 150), max_size=40),
    room=st.integers(1, 300),
)
def test_pieces_come_to_what_one_go_does(seed: int, chance: int, pieces: list[int], room: int) -> None:
    """Some pieces end between two answers to one instant; and some runs need more room than they began with."""
    columns = Columns.of(minutes(SYMBOLS, 150, seed=seed), guards())
    wanted = answers(columns, seed, chance)
    whole = in_one_go(columns, wanted)
    run = Playing(kernel(guards()), columns, room)
    given = 0
    for bar in [*sorted(pieces), len(columns.symbols)]:
        for each in range(given, bar):
            if each in wanted:
                run.want(each, wanted[each])
        given = bar
        instant, within = divmod(bar, len(SYMBOLS))
        assert run.go(instant, opened=within > 0) or run.stopped == whole.stopped
    assert (run.played, run.stopped) == (whole.played, whole.stopped)
    assert (run.equity[: run.played], run.cash) == (whole.equity[: run.played], whole.cash)
    mine, theirs = Played(columns, run), Played(columns, whole)
    assert mine.decisions() == theirs.decisions()
    assert [run.memory.block[each] for each in range(p.LATENCY)] == [
        whole.memory.block[each] for each in range(p.LATENCY)
    ]


class Several:
    """Wants what a table says at each bar, of any symbols."""

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType({})
    lookback = 1
    table: ClassVar[Mapping[tuple[int, str], Mapping[str, int]]] = MappingProxyType({})

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        return self.table.get((context.now, context.symbol))


def test_answers_for_several_symbols_agree_with_the_step() -> None:
    bars = minutes(SYMBOLS, 500, seed=11)
    columns = Columns.of(bars, guards())
    wanted = answers(columns, 11, often=0)
    run = in_one_go(columns, wanted)
    table = {}
    for bar, targets in wanted.items():
        # In any order: what is sold comes before what is bought, each by symbol.
        at = (columns.ends[bar // len(SYMBOLS)], columns.names[columns.symbols[bar]])
        table[at] = {columns.names[symbol]: target for symbol, target in reversed(targets)}
    registry = Registry()
    registry.register("several", type("Table", (Several,), {"table": table}))
    spec = StrategySpec("several", {}, shadow=False, span=Span.nowhere("tests"))
    _, files = run_files(guards(), bars, host=StrategyHost((spec,), ("1m",), registry))
    played = Played(columns, run)
    agree(guards(), columns, played, files)
    assert played.orders > 20, played.stopped


def test_an_order_for_a_symbol_without_a_bar_is_for_the_step() -> None:
    bars = [
        bar for bar in minutes(("IBM", "SPY"), 40) if bar.symbol == "SPY" or bar.end > minutes(("SPY",), 20)[-1].end
    ]
    columns = Columns.of(bars, guards())
    run = Playing(kernel(guards()), columns)
    run.want(10, [(0, 0), (1, 10)])
    run.want(12, [(0, 5)])
    assert not run.go(len(columns.ends))
    assert (run.played, Played(columns, run).stopped) == (12, p.REASONS[p.NO_BAR])
