"""Playing many instants in one go comes to the very decisions, books and bytes of playing them event by event."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.backtest import run_backtest
from mqk.backtest.plain import Instants
from mqk.engine import EngineState, ahead
from mqk.guards import GuardSet, compile_bundle
from mqk.market import Bar, calendar_of, columns_of
from mqk.policy import effective_bundle, load_policies, shipped_policies_dir
from mqk.quantity import Ratio, parse_ratio
from mqk.strategies import Context
from tests.engine.worlds import MINUTE, USD, Wish, guards, host

SYMBOLS = ("IBM", "MSFT", "SPY")


@cache
def main() -> GuardSet:
    """MAIN with all its rules, for bars of any length."""
    bundle = effective_bundle(load_policies([shipped_policies_dir()]), "MAIN")
    return compile_bundle(replace(bundle, timeframes=("1m",)))


def minutes(symbols: Sequence[str], sessions: int, seed: int, *, wild: int = 0, holes: int = 0) -> list[Bar]:
    """Bars of `1m` of random walks; some jump, and some are missing, incomplete or nonsense."""
    calendar = calendar_of("XNYS")
    chance = random.Random(seed)
    bars = []
    for symbol in symbols:
        price = chance.randint(50, 150) * USD
        for day in calendar.sessions_between(date(2024, 1, 2), date(2024, 12, 31))[:sessions]:
            for end in range(calendar.session_open(day) + MINUTE, calendar.session_close(day) + 1, MINUTE):
                opened = price
                price += chance.randint(-60_000, 60_000)
                if wild and chance.randrange(wild) == 0:
                    price += price * chance.choice((-6, -3, 3, 6)) // 100
                low, high = min(opened, price) - 1_000, max(opened, price) + 1_000
                bar = Bar(symbol, end, opened, high, low, price, 1_000_000, True, "1m")
                if holes and chance.randrange(holes) == 0:
                    odd = chance.randrange(3)
                    if odd == 0:
                        continue
                    bar = replace(bar, complete=False) if odd == 1 else replace(bar, low=high + 1)
                bars.append(bar)
    return bars


def restless(shares: int, every: int) -> Wish:
    """Long, flat and (where it may) short, by the minute of the bar and the symbol."""

    def wish(context: Context) -> Mapping[str, int] | None:
        # What is shown ends with the bar that has just completed, however it was played.
        assert context.bars[-1] is context.bar
        assert context.bars.closes(1) == [context.bar.close]
        turn = context.now // MINUTE + len(context.symbol)
        return {context.symbol: (turn // every % 3 - 1) * shares} if turn % every == 0 else None

    return wish


def files(set_: GuardSet, bars: Sequence[Bar], wish: Wish) -> dict[str, bytes]:
    """Everything that a run leaves behind."""
    with tempfile.TemporaryDirectory() as folder:
        run_backtest(set_, bars, out=Path(folder) / "run", host=host(wish, 3))
        return {path.name: path.read_bytes() for path in sorted((Path(folder) / "run").iterdir())}


def slowly(set_: GuardSet, bars: Sequence[Bar], wish: Wish) -> dict[str, bytes]:
    """The same, one event at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "prepare", lambda _: None)
        return files(set_, bars, wish)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    symbols=st.integers(1, 3),
    wild=st.sampled_from([0, 40, 200]),
    holes=st.sampled_from([0, 0, 150]),
    shares=st.sampled_from([1, 30, 190]),
    every=st.integers(1, 40),
    all_rules=st.booleans(),
)
def test_playing_ahead_changes_no_byte(
    seed: int, symbols: int, wild: int, holes: int, shares: int, every: int, *, all_rules: bool
) -> None:
    bars = minutes(SYMBOLS[:symbols], 2, seed, wild=wild, holes=holes)
    set_ = main() if all_rules else guards()
    wish = restless(shares, every)
    assert files(set_, bars, wish) == slowly(set_, bars, wish)


@pytest.mark.parametrize(
    "limits", [(), (("daily_loss", parse_ratio("0.05%")),), (("max_drawdown", parse_ratio("0.3%")),)]
)
def test_what_stops_an_engine_stops_it_at_the_same_bar(limits: tuple[tuple[str, Ratio], ...]) -> None:
    bars = minutes(SYMBOLS, 2, 7, wild=90)
    set_, wish = guards(*limits), restless(150, 25)
    quickly = files(set_, bars, wish)
    assert quickly == slowly(set_, bars, wish)
    assert not limits or b'"kind":"latch_set"' in quickly["audit.jsonl"]


def test_most_of_a_recording_is_played_ahead() -> None:
    bars = minutes(SYMBOLS, 2, 3)
    instants = Instants.of(
        bars := sorted(bars, key=lambda bar: (bar.end, bar.symbol)), columns_of(bars), calendar_of("XNYS"), main()
    )
    plain = [instants.until[k] > k for k in range(len(instants.until))]
    # All but the first minute of each session.
    assert plain.count(False) == 2
    state = EngineState(main(), run_id="r", mode="BACKTEST", host=host(restless(10, 25)))
    ahead.prepare(state)
    assert state.leeway is not None


def test_no_instant_is_plain_while_a_bar_is_awaited_or_odd() -> None:
    bars = sorted(minutes(("IBM", "SPY"), 1, 5), key=lambda bar: (bar.end, bar.symbol))
    # IBM's bars 100 and 101 are missing: its next one ends a hole, and nobody knew what became of it before.
    gone = [bar for k, bar in enumerate(bars) if k not in {200, 202}]
    instants = Instants.of(gone, columns_of(gone), calendar_of("XNYS"), main())
    assert [k for k, until in enumerate(instants.until) if until == k] == [0, 100, 101, 102]
    odd = [replace(bar, low=bar.high + 1) if k == 300 else bar for k, bar in enumerate(bars)]
    instants = Instants.of(odd, columns_of(odd), calendar_of("XNYS"), main())
    assert [k for k, until in enumerate(instants.until) if until == k] == [0, 150]


def test_an_order_that_is_taken_back_before_it_left_never_reaches_the_market() -> None:
    def fickle(context: Context) -> Mapping[str, int] | None:
        if context.now // MINUTE % 50:
            return None
        return {"IBM": 10 if context.symbol == "IBM" else 0}

    bars = minutes(("IBM", "SPY"), 1, 3)
    quickly = files(guards(), bars, fickle)
    assert quickly == slowly(guards(), bars, fickle)
    assert quickly["fills.csv"].count(b"\n") == 1
    audit = quickly["audit.jsonl"].decode()
    assert audit.count('"kind":"submit"') == audit.count('"kind":"cancelled"') > 5
    assert "cancel_rejected" not in audit
