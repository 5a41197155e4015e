"""The cost of a fill: exact, against the trader, never beyond the cap, and dearer with every parameter.

The original filled at the high or low of the signal's own bar, truncated in the trader's favour and never read its cap
(BT-28, BT-29, C-46, C-47); its numbers do not apply, its formula for the volatility part does.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.orders import CostModel, OrderError, Side
from mqk.quantity import INT64_MAX, MICROS

ratios = st.one_of(st.integers(0, 300), st.fractions(0, 300, max_denominator=1000))
volatilities = st.one_of(st.integers(0, 3), st.fractions(0, 3, max_denominator=100))
prices = st.integers(1, 10**12)
bars = st.tuples(prices, prices, prices).map(lambda three: (max(three), min(three), sorted(three)[1]))
sides = st.sampled_from(Side)


Exact = int | Fraction
Parameters = tuple[Exact, Exact, Exact, Exact]
parameters = st.tuples(ratios, ratios, volatilities, ratios)


def exact(model: Parameters, side: Side, open_: int, bar: tuple[int, int, int]) -> int:
    """The contract's formula, in rational numbers."""
    spread, slippage, volatility, cap = model
    high, low, close = bar
    bps = min(Fraction(cap), Fraction(spread) + slippage + ceil(Fraction(high - low, close) * 10_000 * volatility))
    if side is Side.BUY:
        return ceil(open_ * (1 + bps / 10_000))
    return max(1, floor(open_ * (1 - bps / 10_000)))


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, 501.25), (Side.SELL, 498.75)])
def test_the_cap_bounds_a_wild_bar(side: Side, price: float) -> None:
    """BT-28's bar under the shipped costs: 3 + 5 + 200 basis points, capped at 25."""
    bar = (510 * MICROS, 490 * MICROS, 500 * MICROS)
    shipped = CostModel(3, 5, Fraction(1, 2), 25)
    assert shipped.fill_price(side, 500 * MICROS, *bar) == price * MICROS
    assert shipped.effective_bps(*bar) == 25
    assert CostModel(0, 5, Fraction(1, 2), 10_000).effective_bps(*bar) == 205


def test_a_fraction_of_a_basis_point_of_range_costs_a_whole_one() -> None:
    model = CostModel(0, 0, Fraction(1, 2), 100)
    assert model.effective_bps(1_000_001, 1_000_000, 1_000_000) == 1
    assert model.effective_bps(1_000_000, 1_000_000, 1_000_000) == 0
    assert CostModel(0, 0, 1, 100).effective_bps(101, 100, 100) == 100


def test_a_policys_ratios_and_basis_points_build_the_same_model() -> None:
    of_ratios = CostModel.of_ratios(
        Fraction(3, 10_000), Fraction(1, 4_000), Fraction(1, 2), Fraction(25, 10_000), 1_000_000
    )
    of_bps = CostModel(3, Fraction(5, 2), Fraction(1, 2), 25, 1_000_000)
    assert of_ratios.parameters() == of_bps.parameters()
    assert of_ratios.commission == 1_000_000
    assert of_ratios.fill_price(Side.BUY, 10**6, 10**6, 10**6, 10**6) == 1_000_550


@given(parameters, sides, prices, bars)
def test_integers_price_as_the_exact_formula_does(
    model: Parameters, side: Side, open_: int, bar: tuple[int, int, int]
) -> None:
    assert CostModel(*model).fill_price(side, open_, *bar) == exact(model, side, open_, bar)


@given(parameters, sides, prices, bars)
def test_a_fill_is_never_better_than_the_open_nor_worse_than_the_worst(
    model: Parameters, side: Side, open_: int, bar: tuple[int, int, int]
) -> None:
    price, worst = CostModel(*model).fill_price(side, open_, *bar), CostModel(*model).worst_price(side, open_)
    assert open_ * side.sign <= price * side.sign <= worst * side.sign
    assert price >= 1


@given(parameters, st.tuples(st.integers(0, 3), ratios), sides, prices, bars)
def test_a_dearer_parameter_never_makes_a_fill_cheaper(
    model: Parameters, change: tuple[int, Exact], side: Side, open_: int, bar: tuple[int, int, int]
) -> None:
    which, more = change
    spread, slippage, volatility, cap = (value + more * (index == which) for index, value in enumerate(model))
    cheap, dear = CostModel(*model), CostModel(spread, slippage, volatility, cap)
    assert cheap.fill_price(side, open_, *bar) * side.sign <= dear.fill_price(side, open_, *bar) * side.sign
    assert cheap.worst_price(side, open_) * side.sign <= dear.worst_price(side, open_) * side.sign


@given(bars, prices, sides, prices)
def test_a_wider_bar_never_makes_a_fill_cheaper(bar: tuple[int, int, int], more: int, side: Side, open_: int) -> None:
    model = CostModel(3, 5, Fraction(1, 2), 10_000)
    high, low, close = bar
    narrow, wide = model.fill_price(side, open_, *bar), model.fill_price(side, open_, high + more, low, close)
    assert narrow * side.sign <= wide * side.sign


def test_a_sell_receives_at_least_one_micro() -> None:
    assert CostModel(0, 20_000, 0, 20_000).fill_price(Side.SELL, 5, 5, 5, 5) == 1
    assert CostModel(0, 20_000, 0, 20_000).worst_price(Side.SELL, 5) == 1


@pytest.mark.parametrize("field", ["spread_bps", "slippage_bps", "volatility", "cap_bps", "commission"])
@pytest.mark.parametrize("value", [-1, Fraction(-1, 2), 0.5, True])
def test_a_negative_or_inexact_parameter_is_refused(field: str, value: int) -> None:
    """BT-24: a negative slippage was a discount."""
    good: dict[str, int] = {"spread_bps": 1, "slippage_bps": 1, "volatility": 1, "cap_bps": 1, "commission": 1}
    with pytest.raises(OrderError) as refused:
        CostModel(**(good | {field: value}))
    assert refused.value.code == "ratio"
    assert f"`{value}`" in refused.value.message


@pytest.mark.parametrize("bar", [(0, 2, 1, 1), (1, 1, 2, 1), (1, 2, 0, 1), (1, 2, 1, 0)])
def test_a_bar_that_is_none_has_no_price(bar: tuple[int, int, int, int]) -> None:
    with pytest.raises(OrderError) as refused:
        CostModel(1, 1, 1, 100).fill_price(Side.BUY, *bar)
    assert refused.value.code == "price"


def test_prices_beyond_64_bits_are_refused() -> None:
    model = CostModel(1, 1, 0, 100)
    with pytest.raises(OrderError) as worst:
        model.worst_price(Side.BUY, INT64_MAX)
    with pytest.raises(OrderError) as fill:
        model.fill_price(Side.BUY, INT64_MAX, 1, 1, 1)
    assert (worst.value.code, fill.value.code) == ("overflow", "overflow")


def test_the_worst_price_of_nothing_is_refused() -> None:
    with pytest.raises(OrderError, match="above zero"):
        CostModel(1, 1, 0, 100).worst_price(Side.SELL, 0)
