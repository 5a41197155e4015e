"""Figures of a candidate: the original system's cases, exact values, and never to the candidate's advantage."""

from __future__ import annotations

import math
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.backtest.exact import SCALE, down, growth, root_down, root_up, up
from mqk.backtest.figures import Figures, measure
from mqk.backtest.trades import Closing, closings
from mqk.market import calendar_of
from mqk.portfolio import Fill

USD: Final = 1_000_000
DAY: Final = 86_400 * USD
ALWAYS: Final = calendar_of("24/7")
NYSE: Final = calendar_of("XNYS")
# The first instant after a midnight: the first of a month, so that months are whole from here on.
START: Final = 1_704_067_200_000_000  # Monday 2024-01-01
CAPITAL: Final = 1_000_000 * USD


def curve(*equities: int) -> list[tuple[int, int]]:
    """One point a day, from the end of 2024-01-01 on."""
    return [(START + (number + 1) * DAY, equity) for number, equity in enumerate(equities)]


def fill(order: str, side: str, qty: int, price: int, *, symbol: str = "SPY", day: int = 0, fee: int = 0) -> Fill:
    return Fill(f"{order}-{day}-{qty}-{price}", order, symbol, side, qty, price * USD, fee, START + day * DAY)


def figures(*equities: int, fills: tuple[Fill, ...] = (), capital: int = CAPITAL) -> Figures:
    return measure(capital, curve(*equities), fills, ALWAYS)


WINNERS: Final = (
    fill("a", "BUY", 100, 10, symbol="AAPL"),
    fill("b", "SELL", 100, 12, symbol="AAPL"),
    fill("c", "BUY", 50, 20, symbol="MSFT"),
    fill("d", "SELL", 50, 25, symbol="MSFT"),
    fill("e", "SELL", 80, 15, symbol="GOOG"),
    fill("f", "BUY", 80, 12, symbol="GOOG"),
)


def test_prm_01_a_steady_climb_grows_without_falling_and_three_winners_have_no_profit_factor() -> None:
    climb = [CAPITAL * 1003**day // 1000**day for day in range(181)]
    found = figures(*climb, fills=WINNERS)
    assert found.cagr is not None
    assert Fraction(198, 100) < found.cagr < Fraction(199, 100)
    assert (found.max_drawdown, found.trades, found.profitable_months) == (0, 3, 1)
    assert found.profit_factor is None  # there, it was infinite, and any gate was passed


def test_prm_03_the_deepest_fall_is_measured_from_the_highest_equity() -> None:
    million = 1_000_000 * USD
    found = figures(*(part * million // 10 for part in (10, 6, 7, 8)))
    assert (found.max_drawdown, found.worst_5_days) == (Fraction(2, 5), -Fraction(2, 5))


def test_prm_04_a_losing_run_shrinks_and_falls() -> None:
    slide = [CAPITAL * 998**day // 1000**day for day in range(181)]
    losing = (fill("a", "BUY", 100, 10), fill("b", "SELL", 100, 8))
    found = figures(*slide, fills=losing)
    assert found.cagr is not None
    assert -Fraction(520, 1000) < found.cagr < -Fraction(518, 1000)
    assert Fraction(302, 1000) < found.max_drawdown < Fraction(303, 1000)
    assert found.profit_factor == 0


def test_prm_15_and_16_each_closing_order_counts_once() -> None:
    bought = fill("a", "BUY", 100, 10)
    mixed = (bought, fill("b", "SELL", 60, 12), fill("c", "SELL", 40, 8))
    assert figures(CAPITAL, fills=mixed).profit_factor == Fraction(3, 2)
    assert figures(CAPITAL, fills=mixed).trades == 2
    won = (fill("a", "BUY", 10, 10), fill("b", "SELL", 10, 11))
    assert (figures(CAPITAL, fills=won).profit_factor, figures(CAPITAL, fills=won).trades) == (None, 1)
    split = (bought, fill("b", "SELL", 60, 8), fill("b", "SELL", 40, 12, day=1))
    assert closings(split) == (Closing("b", -120 * USD + 80 * USD),)


def test_a_flip_closes_what_was_held_and_opens_the_rest() -> None:
    fills = (fill("a", "BUY", 10, 10), fill("b", "SELL", 30, 12), fill("c", "BUY", 20, 11))
    assert closings(fills) == (Closing("b", 20 * USD), Closing("c", 20 * USD))


def test_fees_count_as_losses() -> None:
    fills = (
        fill("a", "BUY", 100, 10, fee=10 * USD),
        fill("b", "SELL", 60, 12, fee=10 * USD),
        fill("c", "SELL", 40, 8, fee=20 * USD),
    )
    assert figures(CAPITAL, fills=fills).profit_factor == 1


def test_c_51_a_curve_without_volatility_has_no_sharpe_ratio() -> None:
    assert figures(CAPITAL, CAPITAL, CAPITAL).sharpe is None
    steady = figures(*(CAPITAL * (10**7 + day) // 10**7 for day in range(1, 60)))
    assert (steady.sharpe, steady.sortino, steady.calmar) == (None, None, None)


def test_c_54_what_the_first_bar_cost_is_not_hidden_and_a_month_counts_whole_or_not_at_all() -> None:
    found = figures(CAPITAL * 9 // 10, CAPITAL * 9 // 10)
    assert (found.max_drawdown, found.profitable_months) == (Fraction(1, 10), None)
    january = [CAPITAL + day for day in range(1, 32)]
    assert figures(*january).profitable_months == 1
    assert figures(*january[1:]).profitable_months is None or figures(*january[1:]).days == 30
    february = [CAPITAL - day for day in range(29)]
    assert figures(*january, *february).profitable_months == Fraction(1, 2)
    assert figures(*january, *february[:-1]).profitable_months == 1


def test_a_month_is_whole_by_the_exchanges_calendar() -> None:
    """January 2024 of New York begins on the second and ends on the thirty-first."""
    days = NYSE.sessions_between(date(2024, 1, 1), date(2024, 2, 15))
    points = [(NYSE.session_close(day), CAPITAL + number) for number, day in enumerate(days, 1)]
    assert measure(CAPITAL, points, (), NYSE).profitable_months == 1
    assert measure(CAPITAL, points[1:], (), NYSE).profitable_months is None
    assert measure(CAPITAL, points, (), NYSE).days == len(days)


def test_the_sharpe_ratio_is_of_the_sample_and_annualised_by_252_sessions() -> None:
    found = figures(CAPITAL * 101 // 100, CAPITAL * 101 // 100)
    # Returns of 1 % and 0: mean 0.5 %, deviation 0.7071 %.
    assert found.sharpe is not None
    assert abs(float(found.sharpe) - math.sqrt(252) * 0.5 / math.sqrt(0.5)) < 1e-8
    assert found.volatility is not None
    assert abs(float(found.volatility) - math.sqrt(252 * 0.5) / 100) < 1e-8
    losing = figures(CAPITAL * 99 // 100, CAPITAL * 99 // 100)
    assert losing.sharpe == -found.sharpe - Fraction(1, SCALE) or losing.sharpe == -found.sharpe
    assert losing.sortino is not None
    assert abs(float(losing.sortino) + math.sqrt(252) * 0.5 / math.sqrt(0.5)) < 1e-8


def test_exposure_and_turnover_count_what_was_held_and_traded() -> None:
    fills = (fill("a", "BUY", 100, 10), fill("b", "SELL", 100, 10, day=2))
    found = figures(CAPITAL, CAPITAL, CAPITAL, CAPITAL, fills=fills)
    assert found.exposure == Fraction(
        1, 4
    )  # bought and still held at the end of the first; sold at the end of the second
    assert found.turnover == up(Fraction(2_000 * 1461, 4 * 3 * 1_000_000))
    short = (fill("a", "SELL", 100, 10),)
    assert figures(CAPITAL, CAPITAL, fills=short).exposure == 1


def test_a_run_without_points_or_of_no_length_has_no_figures_of_time() -> None:
    for found in (figures(), figures(CAPITAL)):
        assert (found.cagr, found.turnover, found.sharpe, found.calmar) == (None, None, None, None)
        assert (found.max_drawdown, found.worst_5_days) == (0, 0)


def test_ruin_is_a_loss_of_everything_and_ends_what_can_be_said_of_returns() -> None:
    found = figures(CAPITAL, -1, 5)
    assert found.max_drawdown > 1
    assert (found.sharpe, found.volatility) == (None, None)
    assert figures(CAPITAL, CAPITAL, 0).cagr == -1


EQUITIES = st.lists(st.integers(500_000 * USD, 2_000_000 * USD), min_size=2, max_size=60)


@given(EQUITIES)
def test_figures_agree_with_floats_and_never_flatter(equities: list[int]) -> None:
    found = figures(*equities)
    closes = [CAPITAL, *equities]
    returns = [later / earlier - 1 for earlier, later in pairwise(closes)]
    mean = math.fsum(returns) / len(returns)
    deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in returns) / (len(returns) - 1))
    if found.sharpe is not None:
        sharpe = mean / deviation * math.sqrt(252)
        assert -2e-6 * max(1, abs(sharpe)) < float(found.sharpe) - sharpe < 1e-6 * max(1, abs(sharpe))
    peak, fallen = Fraction(CAPITAL), Fraction(0)
    for equity in equities:
        peak = max(peak, Fraction(equity))
        fallen = max(fallen, (peak - equity) / peak)
    assert 0 <= found.max_drawdown - fallen < Fraction(1, SCALE)
    worst = min(
        Fraction(closes[j], closes[i]) - 1 for i in range(len(closes)) for j in range(i, min(i + 6, len(closes)))
    )
    assert 0 <= worst - found.worst_5_days < Fraction(1, SCALE)


@given(st.fractions(min_value=0, max_value=10**6))
def test_roots_are_the_nearest_on_the_safe_side(square: Fraction) -> None:
    low, high = root_down(square), root_up(square)
    assert low * low <= square <= high * high
    assert high - low <= Fraction(1, SCALE)
    assert down(square) <= square <= up(square)


@given(st.fractions(min_value=Fraction(1, 100), max_value=100), st.integers(1, 40))
def test_growth_of_whole_years_is_the_root_rounded_down(ratio: Fraction, years: int) -> None:
    found = growth(ratio, Fraction(years))
    assert found is not None
    assert (1 + found) ** years <= ratio * (1 + Fraction(1, 10**40))
    assert (1 + found + Fraction(2, SCALE)) ** years > ratio


def test_a_gain_of_minutes_says_nothing_about_a_year() -> None:
    assert growth(Fraction(3, 2), Fraction(1, 10**6)) is None


@pytest.mark.parametrize("days", [1, 30])
def test_figures_have_nine_decimals(days: int) -> None:
    equities = [CAPITAL + (day * 7919) % 1000 * USD for day in range(1, days + 1)]
    found = measure(CAPITAL, curve(*equities), WINNERS, ALWAYS)
    for value in (getattr(found, name) for name in Figures.__slots__):
        if isinstance(value, Fraction):
            assert SCALE % value.denominator == 0
    assert date(2024, 1, 1) + timedelta(days - 1) == ALWAYS.session_of(curve(*equities)[-1][0])
