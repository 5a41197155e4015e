"""The figures agree with `empyrical` and pandas on the same curve.

What is defined otherwise is stated where it is compared: years are of the calendar here and of 252 sessions there, and
a month that is not whole counts there and not here. Ratios have nine decimals here, rounded against the run.
"""

from __future__ import annotations

import random
from datetime import date
from fractions import Fraction

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.backtest.figures import YEAR, Figures, measure
from mqk.market import calendar_of, read_bars
from mqk.quantity import DAY_MICROS
from tests.backtest.worlds import SHARED, needs_data

NYSE = calendar_of("XNYS")
DAYS = NYSE.sessions_between(date(2012, 2, 1), date(2013, 3, 15))
CAPITAL = 100_000_000_000
# Nine decimals and returns rounded down to eighteen; the other side adds up doubles.
CLOSE = 3e-8


def both(equities: list[int]) -> tuple[Figures, pd.Series]:
    """Our figures of a curve with one point a session, and the returns that the library measures."""
    days = DAYS[: len(equities)]
    curve = [(NYSE.session_close(day), equity) for day, equity in zip(days, equities, strict=True)]
    closes = np.array([CAPITAL, *equities], dtype=float)
    index = pd.DatetimeIndex([pd.Timestamp(day) for day in days])
    return measure(CAPITAL, curve, (), NYSE), pd.Series(closes[1:] / closes[:-1] - 1, index=index)


def assert_agree(equities: list[int]) -> None:
    ours, returns = both(equities)
    assert float(ours.max_drawdown) == pytest.approx(-empyrical.max_drawdown(returns), abs=CLOSE)
    assert ours.total_return is not None
    assert float(ours.total_return) == pytest.approx(empyrical.cum_returns_final(returns), abs=CLOSE)
    assert ours.volatility is not None
    assert float(ours.volatility) == pytest.approx(empyrical.annual_volatility(returns), rel=1e-6, abs=CLOSE)
    if ours.sharpe is not None:
        assert float(ours.sharpe) == pytest.approx(empyrical.sharpe_ratio(returns), rel=1e-5, abs=1e-5)
    if ours.sortino is not None:
        assert float(ours.sortino) == pytest.approx(empyrical.sortino_ratio(returns), rel=1e-5, abs=1e-5)
    # Their year has 252 returns; ours 365.25 days from the first point to the last.
    years = (NYSE.session_close(DAYS[len(equities) - 1]) - NYSE.session_close(DAYS[0])) / YEAR
    theirs = (1 + empyrical.cagr(returns)) ** (len(returns) / 252 / years) - 1
    assert ours.cagr is not None
    assert float(ours.cagr) == pytest.approx(theirs, rel=1e-6, abs=CLOSE)
    if ours.calmar is not None:
        assert float(ours.calmar) == pytest.approx(theirs / -empyrical.max_drawdown(returns), rel=1e-4)
    growth = (1 + returns).cumprod()
    levels = pd.concat([pd.Series([1.0]), growth.reset_index(drop=True)], ignore_index=True)
    falls = pd.concat([levels.shift(-span) / levels - 1 for span in range(1, 6)], axis=1).min(axis=1).min()
    assert float(ours.worst_5_days) == pytest.approx(min(falls, 0), abs=CLOSE)
    monthly = empyrical.aggregate_returns(returns, "monthly")
    # The days are cut in the middle of the last month, which says nothing here.
    whole = monthly.iloc[: ours.whole_months]
    assert ours.whole_months + ours.partial_months == len(monthly)
    if ours.whole_months:
        assert ours.profitable_months == Fraction(int((whole > 0).sum()), len(whole))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(30, len(DAYS)), st.integers(2, 40))
def test_figures_agree_with_the_library_on_any_walk(seed: int, length: int, swing: int) -> None:
    chance = random.Random(seed)
    equities = [CAPITAL]
    for _ in range(length):
        equities.append(equities[-1] * (1_000 + chance.randint(-swing, swing)) // 1_000)
    assert_agree(equities[1:])


@needs_data
def test_figures_agree_with_the_library_on_a_real_curve() -> None:
    bars = {bar.end: bar.close for bar in read_bars([SHARED / "bars" / "QQQ_1D.csv.gz"])}
    assert_agree([bars[NYSE.session_close(day)] * 1_000 for day in DAYS])


def test_a_drawdown_lasts_from_its_peak_until_that_is_reached_again_or_the_run_ends() -> None:
    always = calendar_of("24/7")

    def lasts(*equities: int) -> int:
        points = [(DAY_MICROS * (20_000 + day), equity) for day, equity in enumerate(equities)]
        return measure(100, points, (), always).drawdown_days

    assert lasts(100, 110, 120) == 0
    assert lasts(100, 120, 110, 119, 120, 119) == 3
    assert lasts(100, 90, 80, 70) == 3
    assert lasts() == 0
    # Of two that are equally high the later one is the peak.
    assert lasts(100, 120, 120, 110, 130) == 2


def test_a_curve_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="backwards"):
        measure(100, [(DAY_MICROS * 20_001, 1), (DAY_MICROS * 20_000, 1)], (), NYSE)
