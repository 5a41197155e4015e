"""The projected position bounds every way in which working orders can fill, and `reduces` keeps its promise in each."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.orders import Order, OrderError, OrderStatus, Projection, Side, Working, project, working_quantities
from mqk.quantity import INT64_MAX

working_orders = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 30)), max_size=4)


@settings(deadline=None)
@given(st.integers(-60, 60), working_orders, st.sampled_from(Side), st.integers(1, 60), st.data())
def test_no_order_of_fills_leaves_the_projection(
    position: int, working: list[tuple[Side, int]], side: Side, qty: int, data: st.DataObject
) -> None:
    """Architecture, decision 7, and C-41: working orders count, and a flip is not a reduction."""
    buys = sum(shares for direction, shares in working if direction is Side.BUY)
    sells = sum(shares for direction, shares in working if direction is Side.SELL)
    projected = project(position, buys, sells, side, qty)
    books = [*working, (side, qty)]
    left = [shares for _, shares in books]
    held = position
    while any(left):
        index = data.draw(st.sampled_from([number for number, shares in enumerate(left) if shares]))
        shares = data.draw(st.integers(1, left[index]))
        left[index] -= shares
        before, held = held, held + books[index][0].sign * shares
        assert projected.lowest_qty <= held <= projected.highest_qty
        assert abs(held) <= projected.worst_qty
        if projected.reduces and index == len(books) - 1:
            assert abs(held) < abs(before)
            assert held * before >= 0


@given(st.integers(-60, 60), st.integers(0, 60), st.integers(0, 60), st.sampled_from(Side), st.integers(1, 60))
def test_both_bounds_are_reached(position: int, buys: int, sells: int, side: Side, qty: int) -> None:
    projected = project(position, buys, sells, side, qty)
    assert projected.highest_qty == position + buys + (qty if side is Side.BUY else 0)
    assert projected.lowest_qty == position - sells - (qty if side is Side.SELL else 0)
    assert projected.worst_qty == max(abs(projected.highest_qty), abs(projected.lowest_qty))


@pytest.mark.parametrize(
    ("arguments", "reduces"),
    [
        ((10, 0, 0, Side.SELL, 10), True),
        ((10, 0, 0, Side.SELL, 11), False),
        ((10, 0, 0, Side.SELL, 10_000), False),
        ((10, 0, 4, Side.SELL, 6), True),
        ((10, 0, 4, Side.SELL, 7), False),
        ((10, 50, 0, Side.SELL, 11), False),
        ((10, 0, 0, Side.BUY, 1), False),
        ((-10, 0, 0, Side.BUY, 10), True),
        ((-10, 4, 0, Side.BUY, 7), False),
        ((0, 0, 0, Side.SELL, 1), False),
    ],
)
def test_reducing_neither_grows_nor_crosses_zero(arguments: tuple[int, int, int, Side, int], reduces: bool) -> None:
    """C-41: any order of the opposite side counted as reducing, from +10 to -10,000 too."""
    assert project(*arguments).reduces is reduces


@pytest.mark.parametrize(("buys", "sells", "qty"), [(-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, -1)])
def test_quantities_of_no_order_are_refused(buys: int, sells: int, qty: int) -> None:
    with pytest.raises(OrderError) as refused:
        project(0, buys, sells, Side.BUY, qty)
    assert refused.value.code == "quantity"


def test_a_projection_beyond_64_bits_is_refused() -> None:
    assert project(0, 0, 0, Side.BUY, INT64_MAX) == Projection(INT64_MAX, 0, False)
    for position, side in ((1, Side.BUY), (-1, Side.SELL)):
        with pytest.raises(OrderError) as refused:
            project(position, 0, 0, side, INT64_MAX)
        assert refused.value.code == "overflow"


def test_working_quantities_count_what_may_still_fill() -> None:
    orders = [
        Order("A_r_0", "SPY", Side.BUY, 100, status=OrderStatus.PARTIALLY_FILLED, filled=30),
        Order("A_r_1", "SPY", Side.BUY, 10, status=OrderStatus.PENDING_REPLACE, replace_qty=25),
        Order("A_r_2", "SPY", Side.SELL, 5),
        Order("A_r_3", "QQQ", Side.SELL, 7, status=OrderStatus.PENDING_CANCEL),
        Order("A_r_4", "IBM", Side.SELL, 7, status=OrderStatus.CANCELLED),
        Order("A_r_5", "IBM", Side.BUY, 7, status=OrderStatus.FILLED, filled=7),
    ]
    assert working_quantities(orders) == {"SPY": Working(95, 5), "QQQ": Working(0, 7)}
    with pytest.raises(OrderError, match="64 bits"):
        working_quantities([Order(f"A_r_{number}", "SPY", Side.SELL, INT64_MAX) for number in range(2)])
