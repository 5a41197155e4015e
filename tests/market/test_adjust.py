"""Invariants of splits and dividends in bars: prices stay as traded, what went ex is told on its day, and once.

What the books make of it is tested in tests/portfolio and tests/engine.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.market import Bar, BarDataError, Ex, data_sha256, read_bars, split_bar, split_price
from mqk.market.adjust import split_ratio
from mqk.quantity import MICROS, Rounding

HEADER = "date,open,high,low,close,volume,dividend,split\n"
PRICES = st.integers(5 * MICROS, 1_000 * MICROS)
RATIOS = st.sampled_from([Fraction(2), Fraction(3, 2), Fraction(7), Fraction(1, 10), Fraction(21, 20)])


@st.composite
def a_bar(draw: st.DrawFn) -> Bar:
    low, *inside, high = sorted(draw(st.lists(PRICES, min_size=4, max_size=4)))
    open_, close = draw(st.permutations(inside))
    return Bar("SPY", 0, open_, high, low, close, draw(st.integers(0, 10**9)), complete=True, timeframe="1D")


@given(a_bar(), RATIOS)
def test_a_bar_restated_for_a_split_keeps_the_order_of_its_prices(bar: Bar, ratio: Fraction) -> None:
    after = split_bar(bar, ratio)
    assert 0 < after.low <= min(after.open, after.close) <= max(after.open, after.close) <= after.high
    assert abs(after.close * ratio - bar.close) <= ratio / 2


@given(a_bar(), RATIOS)
def test_a_split_keeps_the_money_that_changed_hands(bar: Bar, ratio: Fraction) -> None:
    after = split_bar(bar, ratio)
    error = abs(Fraction(after.close * after.volume) - bar.close * bar.volume)
    assert error <= Fraction(after.volume, 2) + after.close


def test_a_price_after_a_split_is_rounded_as_told_and_never_nothing() -> None:
    assert [split_price(price, Fraction(2)) for price in (5, 7)] == [2, 4]
    assert split_price(5, Fraction(2), Rounding.CEILING) == 3
    assert split_price(1, Fraction(1_000)) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [("7.000007", 7), ("1.49999925", Fraction(3, 2)), ("0.1", Fraction(1, 10)), ("0.0625", Fraction(1, 16)),
     ("1.05", Fraction(21, 20)), ("1.002", Fraction("1.002")), ("0.01", Fraction(1, 100)), ("20.0", 20)],
)  # fmt: skip
def test_a_split_is_the_ratio_of_small_numbers_that_the_feed_rounded(written: str, meant: Fraction) -> None:
    assert split_ratio(Fraction(written)) == meant


def test_bars_stay_raw_and_tell_what_went_ex_before_them(tmp_path: Path) -> None:
    path = tmp_path / "SPY_1D.csv"
    path.write_text(
        HEADER
        + "2024-01-02,100,101,99,100,1000,0.0,1.0\n"
        + "2024-01-03,99,100,98,99,1000,1.0,1.0\n"
        + "2024-01-04,50,51,49,50,2000,0.62495446,2.0\n"
        + "2024-01-05,51,52,50,51,2000,0.0,1.0\n",
        encoding="ascii",
    )
    bars = read_bars([path])
    assert [bar.close // MICROS for bar in bars] == [100, 99, 50, 51]
    assert [bar.volume for bar in bars] == [1000, 1000, 2000, 2000]
    paid = Fraction("624954.46")
    assert [bar.ex for bar in bars] == [None, Ex(dividend=Fraction(MICROS)), Ex(Fraction(2), paid), None]


def test_what_went_ex_is_part_of_the_hash_of_the_bars_and_nothing_of_it_changes_other_hashes() -> None:
    plain = Bar("SPY", 1, 2, 2, 2, 2, 1, complete=True, timeframe="1D")
    told = [replace(plain, ex=ex) for ex in (None, Ex(Fraction(2)), Ex(dividend=Fraction(2)), Ex(Fraction(1, 2)))]
    assert len({data_sha256([bar]) for bar in told}) == len(told)
    later = replace(plain, end=2)
    assert data_sha256([told[1], later]) != data_sha256([plain, replace(later, ex=Ex(Fraction(2)))])


def test_a_dividend_as_large_as_the_price_is_refused_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "SPY_1D.csv"
    path.write_text(HEADER + "2024-01-02,1,1,1,1,1,0,1\n2024-01-03,1,1,1,1,1,1,1\n", encoding="ascii")
    with pytest.raises(BarDataError) as caught:
        read_bars([path])
    (problem,) = caught.value.problems
    assert (problem.line, problem.message) == (3, "the dividend is not below the close before it")


def test_a_dividend_is_measured_in_the_shares_of_after_a_split(tmp_path: Path) -> None:
    path = tmp_path / "SPY_1D.csv"
    path.write_text(HEADER + "2024-01-02,4,4,4,4,1,0,1\n2024-01-03,1,1,1,1,1,1.99,2\n", encoding="ascii")
    assert len(read_bars([path])) == 2
    path.write_text(HEADER + "2024-01-02,4,4,4,4,1,0,1\n2024-01-03,1,1,1,1,1,2,2\n", encoding="ascii")
    with pytest.raises(BarDataError):
        read_bars([path])


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


def test_a_split_in_one_file_leaves_the_days_of_another_as_they_were_traded(tmp_path: Path) -> None:
    (tmp_path / "SPY_1D_2023.csv").write_text(HEADER + "2023-12-29,10,10,10,10,100,0,1\n", encoding="ascii")
    (tmp_path / "SPY_1D_2024.csv").write_text(HEADER + "2024-01-02,5,5,5,5,200,0,2\n", encoding="ascii")
    first, second = read_bars([tmp_path])
    assert (first.close, first.ex) == (10 * MICROS, None)
    assert (second.close, second.ex) == (5 * MICROS, Ex(Fraction(2)))
