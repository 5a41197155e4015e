"""A book or an order in it that means nothing is refused where it is made, with the part that is wrong."""

from __future__ import annotations

import pytest

from mqk.orders import OrderStatus, Side
from mqk.reconcile import Book, BookError, OrderView

NEW = OrderStatus.NEW


@pytest.mark.parametrize(
    ("symbol", "qty", "filled", "code"),
    [
        ("", 100, 0, "symbol"),
        ("  ", 100, 0, "symbol"),
        ("SPY", -1, 0, "quantity"),
        ("SPY", 0, 0, "quantity"),
        ("SPY", 100.0, 0, "quantity"),
        ("SPY", 100, -1, "filled"),
        ("SPY", 100, 101, "filled"),
        ("SPY", 2**63, 0, "quantity"),
    ],
)
def test_an_order_that_cannot_be_is_refused(symbol: str, qty: int, filled: int, code: str) -> None:
    with pytest.raises(BookError) as refused:
        OrderView(symbol, Side.BUY, qty, filled, NEW)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("book", "code"),
    [
        ({"orders": {"": OrderView("SPY", Side.BUY, 1, 0, NEW)}}, "id"),
        ({"positions": {" ": 1}}, "symbol"),
        ({"positions": {"SPY": 1.5}}, "quantity"),
        ({"positions": {"SPY": 2**63}}, "quantity"),
        ({"cash": 0.1}, "cash"),
        ({"as_of": -1}, "time"),
        ({"as_of": True}, "time"),
        ({"as_of": 2**62}, "time"),
    ],
)
def test_a_book_that_cannot_be_is_refused(book: dict[str, object], code: str) -> None:
    with pytest.raises(BookError) as refused:
        Book(**book)  # type: ignore[arg-type]
    assert refused.value.code == code


def test_what_an_order_traded_has_the_sign_of_its_side() -> None:
    assert OrderView("SPY", Side.BUY, 5, 3, NEW).traded == 3
    assert OrderView("SPY", Side.SELL, 5, 3, NEW).traded == -3
