"""The compiled price of a fill is the cost model's, for every bar that native code is made for."""

from __future__ import annotations

from ctypes import CFUNCTYPE, POINTER, c_int64
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mqk.dsl.lower import lower
from mqk.dsl.native import Native
from mqk.engine.kernel import filling, worst
from mqk.engine.kernel import places as p
from mqk.orders import CostModel, Side

ir = pytest.importorskip("llvmlite.ir")
PRICE = st.one_of(st.integers(1, 1_000), st.integers(1, p.PRICE_MOST - 1))


@cache
def native() -> tuple[Native, Any]:
    """The function as it is compiled."""
    module = ir.Module()
    lower(module, (worst.against, filling.fill_price), {})
    made = Native(module)
    prototype = CFUNCTYPE(c_int64, POINTER(c_int64), *[c_int64] * 5)
    return made, prototype(made.address("fill_price"))


@given(st.sampled_from(Side), PRICE, PRICE, PRICE, PRICE, st.integers(1, 100), st.integers(1, 100), st.integers(1, 97))
@example(Side.BUY, 1, p.PRICE_MOST - 1, 1, 1, 100, 50, 97)
@example(Side.SELL, p.PRICE_MOST - 1, p.PRICE_MOST - 1, 1, 3, 100, 1, 97)
def test_a_fill_costs_what_the_model_says_however_wide_its_bar(
    side: Side, open_: int, one: int, other: int, close: int, volatility: int, cap: int, unit: int
) -> None:
    low, high = sorted((one, other))
    base, most, wide = Fraction(3, unit), Fraction(cap), Fraction(volatility)
    model = CostModel(base, 0, wide, most)
    parts = base.denominator
    memory = (c_int64 * p.SCALARS)()
    memory[p.BASE], memory[p.CAP], memory[p.UNIT] = int(base * parts), int(most * parts), parts
    memory[p.VOLATILITY_TOP], memory[p.VOLATILITY_BOTTOM] = p.BPS * wide.numerator, wide.denominator
    _, price = native()
    assert price(memory, side.sign, open_, high, low, close) == model.fill_price(side, open_, high, low, close)
