"""From targets to orders: net of what already works, never twice, sells first, and nothing nobody asked for.

Mended on the way (C-35): a symbol without a target was sold, a target given twice won the second time (a mapping cannot
hold two), and open orders were ordered again on every bar.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.orders import Intent, OrderError, Side, targets_to_orders
from mqk.quantity import INT64_MAX

symbols = st.sampled_from(("AAPL", "IBM", "MSFT", "SPY"))
shares = st.integers(-1_000, 1_000)
books = st.dictionaries(symbols, shares)
working_books = st.dictionaries(symbols, st.tuples(st.integers(0, 500), st.integers(0, 500)))


def test_sells_come_before_buys_and_each_side_by_symbol() -> None:
    """EXE-01."""
    intents = targets_to_orders({"TSLA": 0, "AAPL": 0, "MSFT": 20}, {"AAPL": 50, "MSFT": 0, "TSLA": -10}, {})
    assert intents == [Intent("AAPL", Side.SELL, 50), Intent("MSFT", Side.BUY, 20), Intent("TSLA", Side.BUY, 10)]


@pytest.mark.parametrize(
    ("held", "target", "expected"),
    [
        (0, 10, (Side.BUY, 10)),
        (10, 5, (Side.SELL, 5)),
        (10, 0, (Side.SELL, 10)),
        (10, 10, None),
        (4, 10, (Side.BUY, 6)),
        (-5, 5, (Side.BUY, 10)),
    ],
)
def test_the_difference_is_ordered(held: int, target: int, expected: tuple[Side, int] | None) -> None:
    """EXE-02 and DMN-33."""
    assert targets_to_orders({"SPY": target}, {"SPY": held}, {}) == ([Intent("SPY", *expected)] if expected else [])


def test_what_is_on_its_way_is_not_ordered_again() -> None:
    assert targets_to_orders({"SPY": 100}, {"SPY": 20}, {"SPY": (80, 0)}) == []
    assert targets_to_orders({"SPY": 100}, {"SPY": 20}, {"SPY": (50, 0)}) == [Intent("SPY", Side.BUY, 30)]
    assert targets_to_orders({"SPY": 0}, {"SPY": 20}, {"SPY": (0, 20)}) == []


@given(books, books, working_books)
def test_a_target_is_ordered_once_and_reached(
    targets: dict[str, int], positions: dict[str, int], working: dict[str, tuple[int, int]]
) -> None:
    intents = targets_to_orders(targets, positions, working)
    assert len({intent.symbol for intent in intents}) == len(intents)
    assert intents == sorted(intents, key=lambda intent: (intent.side is Side.BUY, intent.symbol))
    assert all(intent.qty > 0 for intent in intents)
    then = dict(working)
    ends = {symbol: positions.get(symbol, 0) + buy - sell for symbol, (buy, sell) in working.items()} | {
        symbol: held for symbol, held in positions.items() if symbol not in working
    }
    for symbol, side, qty, *_ in intents:
        buy, sell = then.get(symbol, (0, 0))
        then[symbol] = (buy + qty, sell) if side is Side.BUY else (buy, sell + qty)
        ends[symbol] = ends.get(symbol, 0) + side.sign * qty
    assert targets_to_orders(targets, positions, then) == []
    assert all(ends.get(symbol, 0) == target for symbol, target in targets.items())
    assert all(intent.symbol in targets for intent in intents)


def test_a_symbol_without_a_target_is_left_alone() -> None:
    assert targets_to_orders({}, {"SPY": 100}, {}) == []


@given(books, books, working_books, st.randoms(use_true_random=False))
def test_the_order_of_the_mappings_does_not_matter(
    targets: dict[str, int], positions: dict[str, int], working: dict[str, tuple[int, int]], random: object
) -> None:
    shuffled = list(targets.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert targets_to_orders(dict(shuffled), positions, working) == targets_to_orders(targets, positions, working)


@pytest.mark.parametrize(
    ("target", "held", "working", "code"),
    [
        (1.5, 0, (0, 0), "quantity"),
        (True, 0, (0, 0), "quantity"),
        (1, 1.0, (0, 0), "quantity"),
        (1, 0, (-1, 0), "quantity"),
        (1, 0, (0, -1), "quantity"),
        (INT64_MAX, -1, (0, 0), "overflow"),
        (-INT64_MAX, 1, (0, 0), "overflow"),
    ],
)
def test_what_is_no_whole_number_of_shares_is_refused(
    target: int, held: int, working: tuple[int, int], code: str
) -> None:
    with pytest.raises(OrderError) as refused:
        targets_to_orders({"SPY": target}, {"SPY": held}, {"SPY": working})
    assert refused.value.code == code
