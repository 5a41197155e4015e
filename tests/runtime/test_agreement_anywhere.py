"""The same bars under the same bundle with the same strategy: a paper run is what the backtest said, at every instant.

Orders, changes, cancels, fills with their prices and fees, refusals with their rules, and equity and cash. Held here
without a database, on worlds made by chance; test_agreement.py holds it for whole runs with everything in between.

What may differ, and why it is never in the backtest's favour: the words with which orders are taken off, which nobody
decides by; the ids of runs; and that a backtest takes off what still rests when its data end, while a paper run that
has come to the end of its feed leaves it, to be gone on with.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from mqk.backtest.inputs import RunInput
from mqk.backtest.recorder import Recorder
from mqk.backtest.runner import played
from mqk.backtest.runs import drained
from mqk.engine import EngineState
from mqk.guards import GuardSet, compile_bundle
from mqk.market import Bar, Ex, split_bar
from mqk.policy import Faults, LatencyBars
from mqk.quantity import Ratio, parse_money
from mqk.strategies import Context, StrategyError, StrategyHost, Target
from tests.backtest.test_bracket_fills import anything
from tests.backtest.worlds import walk
from tests.engine.worlds import MINUTE, OPEN, guards, host
from tests.runtime.memory import MemoryRun, lines

SYMBOLS = ("AAPL", "SPY")


def wishing(seed: int) -> StrategyHost:
    """A strategy that asks for anything, now and then: the same for the same seed."""
    chance = random.Random(seed)

    def wish(context: Context) -> dict[str, Target] | None:
        if chance.random() < 0.5:
            return None
        try:
            return {context.symbol: anything(chance, context.bars[-1].close)}
        except StrategyError:
            return None

    return host(wish)


def on_a_market(chance: random.Random) -> GuardSet:
    """MAIN on a market of any kind: late, thin, dear, going wrong, lending shares."""
    bundle = guards(("allow_short", True), shadow=("CAP-01",)).bundle
    rate = chance.choice([0, 3])
    execution = replace(
        bundle.execution,
        latency_bars=LatencyBars(*(chance.choice([0, 0, 1, 2]) for _ in range(3))),
        participation=chance.choice([None, Ratio(Fraction(1, 10))]),
        faults=Faults(1, *(Ratio(Fraction(chance.choice([0, 1]), part)) for part in (5, 2))),
        borrow=Ratio(Fraction(chance.choice([0, 5]), 100)),
        commission_per_share=parse_money(f"0.00{rate} USD"),
        commission_minimum=parse_money("1 USD") if rate else bundle.execution.commission_minimum,
        linking=chance.choice(["broker", "broker", "engine"]),
        ambiguity=chance.choice(["worst_case", "nearest_first"]),
        limit_fill=chance.choice(["through", "touch"]),
    )
    return compile_bundle(replace(bundle, execution=execution))


def days(chance: random.Random, seed: int) -> list[Bar]:
    """Days of two symbols on which shares go ex, are hardly traded, are missing; one of the recordings ends early."""
    found: list[Bar] = []
    for symbol in SYMBOLS:
        bars = walk([symbol], 40, seed, 4)
        at = chance.randrange(5, 35)
        ratio = Fraction(*chance.choice([(1, 1), (2, 1), (3, 2), (1, 4)]))
        after = [split_bar(bar, ratio) for bar in bars[at:]]
        dividend = Fraction(chance.choice([0, 250_001]))
        if ratio != 1 or dividend:
            after[0] = replace(after[0], ex=Ex(ratio, dividend))
        found += [bar for bar in [*bars[:at], *after] if bar.ex is not None or chance.random() < 0.97]
    last = sorted({bar.end for bar in found})[chance.choice([-1, -8])]
    found = [bar for bar in found if bar.symbol == "SPY" or bar.end <= last]
    return [replace(bar, volume=chance.choice([0, 50, 1_000, 10**5])) for bar in found]


def minutes(chance: random.Random, seed: int) -> list[Bar]:
    """The last minutes of a day and the first of the next, of two symbols that do not come at every minute."""
    found = []
    for number, symbol in enumerate(SYMBOLS):
        closes = [bar.close for bar in walk([symbol], 60, seed + number, 4)]
        for minute, (before, close) in enumerate(pairwise(closes)):
            # The exchange is open for 390 minutes, and the next day's session begins 1,440 after this one's.
            end = OPEN + (361 + minute if minute < 30 else 1_440 + minute - 29) * MINUTE
            high, low = max(before, close), min(before, close)
            if chance.random() < 0.9:
                volume = chance.choice([0, 50, 1_000, 10**5])
                found.append(Bar(symbol, end, before, high, low, close, volume, True, "1m"))
    return found


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("world", [days, minutes])
def test_a_paper_run_is_what_the_backtest_said(world: Callable[[random.Random, int], list[Bar]], seed: int) -> None:
    chance = random.Random(seed)
    set_, bars = on_a_market(chance), world(chance, seed)
    given = RunInput.of(set_, bars)
    state = EngineState(set_, run_id="bt", mode="BACKTEST", record=True, host=wishing(seed))
    said = Recorder()
    drained(played(state, said, given.traded, given.columns, beside=given.beside))
    paper = MemoryRun(set_, bars, wishing(seed))
    assert paper.lines() == lines(said.audit.to_bytes())
    assert [column.tolist() for column in paper.record.curve.columns()] == [
        column.tolist() for column in said.curve.columns()
    ]
