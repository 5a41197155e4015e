"""Splits and dividends in a backtest: a run over a split is the run over the same prices without it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mqk.market import Bar, Ex, calendar_of
from mqk.strategies import Context, Target
from tests.backtest.worlds import Run, micros, walk
from tests.engine.worlds import USD, daily

NYSE = calendar_of("XNYS")


def raw(bars: list[Bar], at: int, ratio: int) -> list[Bar]:
    """The same bars as they were traded when each share became `ratio` shares before the bar `at`."""
    earlier = [
        replace(b, open=b.open * ratio, high=b.high * ratio, low=b.low * ratio, close=b.close * ratio)
        for b in bars[:at]
    ]
    return [*earlier, replace(bars[at], ex=Ex(Fraction(ratio))), *bars[at + 1 :]]


def holding(targets: Mapping[int, int], at: int, ratio: int) -> Callable[[Context], Mapping[str, int] | None]:
    """A wish for positions in shares of the end, said in the shares of the day; the split goes ex at the bar `at`."""
    seen = [0]

    def wish(_: Context) -> Mapping[str, int] | None:
        number = seen[0]
        seen[0] += 1
        wanted = targets.get(number)
        return None if wanted is None else {"SPY": wanted if number >= at else wanted // ratio}

    return wish


@settings(deadline=None, max_examples=6)
@given(st.integers(0, 99), st.integers(1, 10), st.sampled_from([2, 3, 10]), st.integers(0, 9), st.integers(0, 11))
def test_a_run_over_a_split_is_the_run_without_it(seed: int, at: int, ratio: int, buy: int, sell: int) -> None:
    bars = walk(["SPY"], 12, seed)
    targets = {sell: 0, buy: 60}
    plain = Run(bars, holding(targets, at, 1))
    split = Run(raw(bars, at, ratio), holding(targets, at, ratio))
    for one, other in zip(plain.rows("equity_curve.csv"), split.rows("equity_curve.csv"), strict=True):
        # Prices of fills are rounded to a micro in the shares of the day.
        assert abs(micros(one["equity"]) - micros(other["equity"])) <= 60 * ratio * 2
    assert plain.summary.open_positions == split.summary.open_positions


def test_an_order_that_rests_overnight_fills_in_the_shares_of_the_morning() -> None:
    bars = walk(["SPY"], 4, 1)
    run = Run(raw(bars, 2, 2), {1: {"SPY": 30}})
    (fill,) = run.fills()
    assert fill.qty == 60
    assert run.summary.open_positions == {"SPY": 60}


def test_an_order_that_a_reverse_split_leaves_nothing_of_is_taken_off_the_market() -> None:
    bars = walk(["SPY"], 4, 1)
    run = Run([*bars[:2], replace(bars[2], ex=Ex(Fraction(1, 100))), bars[3]], {1: {"SPY": 30}})
    assert run.fills() == []
    (order,) = run.rows("orders.csv")
    assert (order["status"], order["reason"]) == ("CANCELLED", "a split left no whole share of it")


def test_a_dividend_comes_before_the_fills_of_its_morning() -> None:
    bars = walk(["SPY"], 5, 1)
    paying = [*bars[:2], replace(bars[2], ex=Ex(dividend=Fraction(USD))), *bars[3:]]
    # Bought at the open of the ex-day: too late. Bought the morning before: in time.
    assert [Run(paying, {number: {"SPY": 50}}).summary.final_equity_micros for number in (0, 1)] == [
        Run(bars, {0: {"SPY": 50}}).summary.final_equity_micros + 50 * USD,
        Run(bars, {1: {"SPY": 50}}).summary.final_equity_micros,
    ]


def test_what_went_ex_is_in_the_audit_trail_between_the_fills() -> None:
    bars = walk(["SPY"], 5, 1)
    run = Run([*bars[:2], replace(bars[2], ex=Ex(Fraction(3, 2), Fraction(USD))), *bars[3:]], {0: {"SPY": 51}})
    (told,) = [each for each in map(json.loads, run.files["audit.jsonl"].splitlines()) if each["kind"] == "adjusted"]
    data = told["data"]
    assert (data["held"], data["holds"], data["split"]) == (51, 76, "3/2")
    half = micros(data["price_before"].removesuffix(" USD").replace("_", "")) // 3
    assert micros(data["cash"].removesuffix(" USD")) == 76 * USD + half


def minutes(prices: list[int]) -> list[Bar]:
    """Bars of a minute, prices in dollars: the last ones of a session, and as many of the next one from its open on."""
    days = NYSE.sessions_between(date(2024, 1, 3), date(2024, 1, 4))
    half = len(prices) // 2
    night = [NYSE.session_close(days[0]), NYSE.session_open(days[1])]
    opens = [prices[0], *prices]
    return [
        Bar(
            "SPY",
            night[place >= half] + (place - half + 1) * 60 * USD,
            opened * USD,
            max(opened, close) * USD,
            min(opened, close) * USD,
            close * USD,
            100,
            complete=True,
            timeframe="1m",
        )
        for place, (opened, close) in enumerate(zip(opens, prices, strict=False))
    ]


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 99), st.sampled_from([2, 3, 10]), st.integers(0, 250))
def test_a_run_over_minutes_and_a_night_with_a_split_is_the_run_without_it(seed: int, ratio: int, buy: int) -> None:
    chance = random.Random(seed)
    prices = [100]
    for _ in range(299):
        prices.append(max(50, prices[-1] + chance.randint(-1, 1)))
    bars = minutes(prices)
    targets = {buy: 60, 280: 0}
    plain = Run(bars, holding(targets, 150, 1))
    split = Run(raw(bars, 150, ratio), holding(targets, 150, ratio))
    assert len(plain.fills()) == len(split.fills()) == 2
    for one, other in zip(plain.rows("equity_curve.csv"), split.rows("equity_curve.csv"), strict=True):
        assert abs(micros(one["equity"]) - micros(other["equity"])) <= 60 * ratio * 2


@settings(deadline=None, max_examples=10)
@given(st.integers(90 * USD, 110 * USD), st.integers(2 * USD, 20 * USD), st.sampled_from([2, 3, 7]))
@example(100 * USD, 11 * USD, 3)
def test_market_and_books_agree_on_a_guarding_stop_after_a_split(price: int, trail: int, ratio: int) -> None:
    """A stop at the market is split once, whatever the engine asks of it on that morning; then it fires."""
    before, after = price, price // ratio
    opens = [before] * 6 + [after] * 3 + [after // 2] * 2
    bars = [replace(b, open=p, high=p, low=p, close=p) for b, p in zip(daily("SPY", opens), opens, strict=True)]
    bars[6] = replace(bars[6], ex=Ex(Fraction(ratio)))
    run = Run(bars, {1: {"SPY": Target(30, trail=trail)}})
    entry, stop = run.fills()
    assert (entry.qty, stop.side, stop.qty) == (30, "SELL", 30 * ratio)
    assert run.summary.open_positions == {}
    # It gapped through the stop: what it fills at is the open, less costs.
    assert stop.price <= after // 2
