"""What an order may be, what it may still fill, and the ids orders go by."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.orders import Order, OrderError, OrderEventError, OrderStatus, OrderType, Side, client_order_id
from mqk.quantity import INT64_MAX


def test_a_new_order_waits_for_the_broker_with_all_of_it_left() -> None:
    """OMS-01; before the broker's first word an order is NEW here, which the original did not know (C-32)."""
    order = Order("MAIN_r_0", "SPY", Side.BUY, 100)
    assert (order.status, order.filled, order.leaves, order.status.is_final) == (OrderStatus.NEW, 0, 100, False)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"qty": 0}, "quantity"),
        ({"qty": -1}, "quantity"),
        ({"qty": True}, "quantity"),
        ({"qty": 1.0}, "quantity"),
        ({"qty": INT64_MAX + 1}, "quantity"),
        ({"filled": 101}, "quantity"),
        ({"filled": -1}, "quantity"),
        ({"client_order_id": ""}, "id"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": " "}, "symbol"),
        ({"created_at": -1}, "time"),
        ({"limit_price": 1}, "price"),
        ({"stop_price": 1}, "price"),
        ({"type": OrderType.LIMIT}, "price"),
        ({"type": OrderType.LIMIT, "limit_price": 0}, "price"),
        ({"type": OrderType.LIMIT, "limit_price": 10.5}, "price"),
        ({"type": OrderType.LIMIT, "limit_price": 1, "stop_price": 1}, "price"),
        ({"type": OrderType.STOP, "limit_price": 1}, "price"),
        ({"type": OrderType.STOP_LIMIT, "limit_price": 1}, "price"),
    ],
)
def test_a_malformed_order_never_exists(changes: dict[str, Any], code: str) -> None:
    good: dict[str, Any] = {"client_order_id": "MAIN_r_0", "symbol": "SPY", "side": Side.BUY, "qty": 100}
    with pytest.raises(OrderError) as refused:
        Order(**(good | changes))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("kind", "limit", "stop"),
    [
        (OrderType.MARKET, None, None),
        (OrderType.LIMIT, 1, None),
        (OrderType.STOP, None, 1),
        (OrderType.STOP_LIMIT, 1, 2),
    ],
)
def test_each_type_has_its_own_prices(kind: OrderType, limit: int | None, stop: int | None) -> None:
    order = Order("MAIN_r_0", "SPY", Side.SELL, 1, kind, limit, stop)
    assert (order.limit_price, order.stop_price) == (limit, stop)


@pytest.mark.parametrize(
    ("status", "asked", "leaves"), [("PENDING_REPLACE", 150, 120), ("PENDING_REPLACE", 50, 70), ("CANCELLED", 150, 0)]
)
def test_leaves_count_the_larger_total_until_a_replacement_is_answered(status: str, asked: int, leaves: int) -> None:
    order = Order("MAIN_r_0", "SPY", Side.BUY, 100, status=OrderStatus(status), filled=30, replace_qty=asked)
    assert order.leaves == leaves


def test_sides_are_each_others_opposite() -> None:
    assert [side.sign for side in Side] == [1, -1]
    assert [side.opposite for side in Side] == [Side.SELL, Side.BUY]
    assert Side("BUY") is Side.BUY
    assert Side.SELL == "SELL"


names = st.text(st.characters(codec="ascii", categories=("Lu", "Ll", "Nd")), min_size=1)
intents = st.tuples(st.one_of(names, st.tuples(names, names).map("_".join)), names, st.integers(0, 10**6))


@given(intents, intents)
def test_an_intent_has_one_id_and_no_other_intent_has_it(
    first: tuple[str, str, int], second: tuple[str, str, int]
) -> None:
    """IDM-01 and C-30: two equal rebalances are two intents, and a retry of one is the same intent."""
    assert (client_order_id(*first) == client_order_id(*second)) == (first == second)
    assert client_order_id(*first).startswith(f"{first[0]}_")


@pytest.mark.parametrize(
    ("engine", "run", "number"), [("", "r", 0), ("MAIN", "", 0), ("MAIN", "a_b", 0), ("MAIN", "r", -1)]
)
def test_an_id_that_could_be_read_in_two_ways_is_refused(engine: str, run: str, number: int) -> None:
    with pytest.raises(OrderError) as refused:
        client_order_id(engine, run, number)
    assert refused.value.code == "id"


def test_errors_cross_processes_with_all_they_say() -> None:
    for error in (OrderError("price", "a"), OrderEventError("event", "a", "b")):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), copy.code, copy.message, copy.help) == (type(error), error.code, error.message, error.help)
        assert str(copy) == "a"
