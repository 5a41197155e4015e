"""What the figures of an equity curve mean, and when they say nothing rather than something wrong.

Mended on the way: the first bar's cost was hidden (C-54) and counts here; a steady curve had a Sharpe ratio of 155,386
(C-51) and has none here; infinities and NaN (C-53) are None here.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.portfolio import max_drawdown, measure

DAY = 86_400_000_000
START = 100_000_000_000


def curve(*equities: int, step: int = DAY) -> list[tuple[int, int]]:
    return [(index * step, equity) for index, equity in enumerate(equities)]


def test_return_counts_from_the_initial_capital() -> None:
    figures = measure(1_000_000, curve(990_000, 1_100_000))
    assert figures.total_return == pytest.approx(0.1)
    assert figures.max_drawdown == pytest.approx(0.01)


def test_growth_is_compounded_over_years_of_365_and_a_quarter_days() -> None:
    year = 365 * DAY + DAY // 4
    assert measure(100, [(0, 100), (2 * year, 121)]).cagr == pytest.approx(0.1, abs=1e-15)
    assert measure(100, [(0, 100), (year, 100)]).cagr == 0


def test_growth_says_nothing_where_it_has_no_meaning() -> None:
    assert measure(100, []).cagr is None
    assert measure(100, [(5, 110)]).cagr is None
    assert measure(0, curve(100, 110)).cagr is None
    assert measure(1_000_000, [(0, 1_000_000), (1_000_000, 1_100_000)]).cagr is None
    assert measure(100, curve(100, -1)).cagr == -1


def test_sharpe_is_of_daily_returns_with_the_sample_deviation() -> None:
    figures = measure(100, [(0, 102), (DAY // 2, 110), (DAY, 99), (2 * DAY, 108)])
    returns = [110 / 100 - 1, 99 / 110 - 1, 108 / 99 - 1]
    mean = sum(returns) / 3
    deviation = math.sqrt(sum((value - mean) ** 2 for value in returns) / 2)
    assert figures.sharpe == pytest.approx(mean / deviation * math.sqrt(252))
    assert figures.volatility == pytest.approx(deviation * math.sqrt(252))


def test_a_curve_without_real_variation_has_no_sharpe() -> None:
    steady = [START]
    for _ in range(180):
        steady.append(steady[-1] * 1003 // 1000)
    assert measure(START, curve(*steady[1:])).sharpe is None
    assert measure(START, curve(START, START, START)).sharpe is None
    assert measure(START, curve(START + 1)).sharpe is None
    assert measure(100, curve(50, -10, 20)).sharpe is None


def test_drawdown_is_from_the_highest_point_before() -> None:
    assert max_drawdown(100, curve(120, 90, 130, 117)) == pytest.approx(0.25)
    assert max_drawdown(100, curve(100, 110)) == 0
    assert max_drawdown(0, curve(-5, -10)) == 0


def test_a_curve_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="backwards"):
        measure(100, [(DAY, 100), (0, 100)])


@settings(deadline=None)
@given(st.integers(1, 10**15), st.lists(st.integers(-(10**15), 10**15), max_size=30), st.integers(1, 400 * DAY))
def test_figures_are_finite_or_absent(initial: int, equities: list[int], step: int) -> None:
    figures = measure(initial, curve(*equities, step=step))
    for figure in (figures.total_return, figures.cagr, figures.max_drawdown, figures.volatility, figures.sharpe):
        assert figure is None or math.isfinite(figure)
    assert figures.max_drawdown >= 0
