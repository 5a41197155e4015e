"""Invariants of splits and dividends: holding through one neither makes nor loses money, and rounding happens once.

Where the days come from is tested in test_reader.py.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.market import BarDataError, read_bars
from mqk.market.adjust import AdjustmentError, Day, back_adjusted
from mqk.quantity import MICROS

HEADER = "date,open,high,low,close,volume,dividend,split\n"
PRICES = st.integers(5 * MICROS, 1_000 * MICROS)


@st.composite
def a_day(draw: st.DrawFn) -> Day:
    low, *inside, high = sorted(draw(st.lists(PRICES, min_size=4, max_size=4)))
    open_, close = draw(st.permutations(inside))
    return Day(
        end=0,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=draw(st.integers(0, 10**9)),
        dividend=draw(st.one_of(st.just(Fraction(0)), st.fractions(0, Fraction(1, 4), max_denominator=10_000))),
        split=draw(st.sampled_from([Fraction(1)] * 6 + [Fraction(2), Fraction(3, 2), Fraction(1, 10)])),
        source="SPY_1D.csv",
        line=2,
    )


DAYS = st.lists(a_day(), min_size=1, max_size=12)


@given(DAYS)
def test_the_last_day_and_all_after_the_last_action_stay_as_recorded(days: list[Day]) -> None:
    adjusted = back_adjusted(days)
    actions = [position for position, day in enumerate(days) if not day.is_plain]
    last = max(actions, default=0)
    assert adjusted[last:] == days[last:]
    assert len(adjusted) == len(days)


@given(DAYS)
def test_prices_of_a_day_keep_their_order(days: list[Day]) -> None:
    for day in back_adjusted(days):
        assert day.low <= min(day.open, day.close) <= max(day.open, day.close) <= day.high


@given(DAYS)
def test_the_return_over_an_action_is_that_of_a_holder(days: list[Day]) -> None:
    for (raw, one), (then, other) in pairwise(zip(days, back_adjusted(days), strict=True)):
        # A share becomes `split` shares; each is paid the dividend, which is put back into shares before the open.
        before = Fraction(raw.close) / then.split
        holder = Fraction(then.close) / (before - then.dividend * MICROS)
        # Two prices rounded by half a micro each.
        assert abs(holder * one.close - other.close) <= Fraction(1, 2) + holder / 2


@given(DAYS)
def test_a_split_keeps_the_money_that_changed_hands(days: list[Day]) -> None:
    splits = [replace(day, dividend=Fraction(0)) for day in days]
    for raw, adjusted in zip(splits, back_adjusted(splits), strict=True):
        exact = Fraction(raw.close * raw.volume)
        error = abs(adjusted.close * adjusted.volume - exact)
        assert error <= Fraction(adjusted.close + adjusted.volume, 2) + 1


def test_the_factors_of_a_dividend_and_a_split_multiply(tmp_path: Path) -> None:
    path = tmp_path / "SPY_1D.csv"
    path.write_text(
        HEADER
        + "2024-01-02,100,101,99,100,1000,0.0,1.0\n"
        + "2024-01-03,99,100,98,99,1000,1.0,1.0\n"
        + "2024-01-04,50,51,49,50,2000,0.0,2.0\n"
        + "2024-01-05,51,52,50,51,2000,0.0,1.0\n",
        encoding="ascii",
    )
    bars = read_bars([path])
    # 100 x (1 - 1/100) / 2, then 99 / 2.
    assert [bar.close for bar in bars] == [49_500_000, 49_500_000, 50_000_000, 51_000_000]
    assert [bar.volume for bar in bars] == [2000, 2000, 2000, 2000]


def test_a_dividend_on_the_day_of_a_split_is_per_new_share() -> None:
    days = [_day(100), replace(_day(49), dividend=Fraction(1), split=Fraction(2))]
    assert back_adjusted(days)[0].close == 49 * MICROS


def test_rounding_is_half_to_even() -> None:
    days = [_day(1), _day(1)]
    raw = [replace(day, close=micros) for day, micros in zip(days, (5, 7), strict=True)]
    split = replace(_day(1), split=Fraction(2))
    assert [day.close for day in back_adjusted([*raw, split])][:2] == [2, 4]


def test_a_dividend_as_large_as_the_price_is_refused_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "SPY_1D.csv"
    path.write_text(HEADER + "2024-01-02,1,1,1,1,1,0,1\n2024-01-03,1,1,1,1,1,1,1\n", encoding="ascii")
    with pytest.raises(BarDataError) as caught:
        read_bars([path])
    (problem,) = caught.value.problems
    assert (problem.line, problem.message) == (3, "the dividend is not below the close before it")
    with pytest.raises(AdjustmentError):
        back_adjusted([_day(1), replace(_day(1), dividend=Fraction(2))])


def test_forbidden_corporate_actions_are_named_each_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "SPY_1D.csv"
    path.write_text(
        HEADER + "2024-01-02,9,9,9,9,1,0,1\n2024-01-03,9,9,9,9,1,0.12,1\n2024-01-04,9,9,9,9,1,0,7.000007\n",
        encoding="ascii",
    )
    with pytest.raises(BarDataError) as caught:
        read_bars([path], corporate_actions="forbid")
    assert [(one.line, one.message) for one in caught.value.problems] == [
        (3, "found a dividend of 0.12 USD on this day"),
        (4, "found a split of 7.000007x on this day"),
    ]


def test_a_split_in_one_file_restates_the_days_of_another(tmp_path: Path) -> None:
    (tmp_path / "SPY_1D_2023.csv").write_text(HEADER + "2023-12-29,10,10,10,10,100,0,1\n", encoding="ascii")
    (tmp_path / "SPY_1D_2024.csv").write_text(HEADER + "2024-01-02,5,5,5,5,200,0,2\n", encoding="ascii")
    assert [(bar.close, bar.volume) for bar in read_bars([tmp_path])] == [(5 * MICROS, 200), (5 * MICROS, 200)]


def _day(dollars: int) -> Day:
    micros = dollars * MICROS
    return Day(0, micros, micros, micros, micros, 100, Fraction(0), Fraction(1), "SPY_1D.csv", 2)
