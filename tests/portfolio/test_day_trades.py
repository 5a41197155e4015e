"""Day trades are counted as FINRA's text counts them, against a slow reading of the text, share by share."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.portfolio import DayTrades

# The sign is the side: +3 buys three shares, -3 sells three.
orders = st.lists(st.integers(-5, 5).filter(bool), max_size=8)
held_overnight = st.integers(-5, 5)


def counted(trades: list[int], held: int = 0) -> int:
    """What the engine counts when each order fills whole."""
    book, total = DayTrades(), 0
    for number, signed in enumerate(trades):
        total += book.book(f"order-{number}", held, signed)
        held += signed
    return total


def read(trades: list[int], held: int = 0) -> int:
    """What the text says, read share by share: each change from opening to closing in the session is one day trade."""
    moves = []
    for signed in trades:
        step = 1 if signed > 0 else -1
        for _ in range(abs(signed)):
            moves.append("closes" if held * step < 0 else "opens")
            held += step
    return sum(1 for before, after in pairwise(moves) if (before, after) == ("opens", "closes"))


@given(trades=orders, held=held_overnight)
def test_a_day_trade_is_each_change_from_opening_to_closing_within_the_session(trades: list[int], held: int) -> None:
    assert counted(trades, held) == read(trades, held)


@pytest.mark.parametrize(
    ("trades", "held", "day_trades"),
    [
        pytest.param([250, 250, -500], 0, 1, id="buying 250 and 250 and selling 500 is one"),
        pytest.param([100, -100, 100, -100], 0, 2, id="buy, sell, buy, sell is two"),
        pytest.param([500, -100, -200, -200], 0, 1, id="selling in pieces is one"),
        pytest.param([-100], 100, 0, id="selling an overnight position is none"),
        pytest.param([-100, 100], 100, 0, id="selling an overnight position first, and buying again, is none"),
        pytest.param([-100, 100, -100], 100, 1, id="selling what was bought after that is one"),
        pytest.param([100, -100], 100, 1, id="selling after a new purchase is one, whatever was held overnight"),
        pytest.param([100], -100, 0, id="buying back an overnight short is none"),
        pytest.param([-100, -50, 150], 0, 1, id="selling short and buying back is one"),
        pytest.param([100, -200, 100], 0, 2, id="turning a position round closes one and opens another"),
        pytest.param([100, 100], 0, 0, id="buying alone is none"),
    ],
)
def test_the_examples_of_the_text_are_counted_as_it_counts_them(trades: list[int], held: int, day_trades: int) -> None:
    assert counted(trades, held) == day_trades
    assert counted([-signed for signed in trades], -held) == day_trades


@given(trades=orders, held=held_overnight, data=st.data())
def test_the_pieces_in_which_orders_fill_change_nothing(trades: list[int], held: int, data: st.DataObject) -> None:
    book, total, position = DayTrades(), 0, held
    for number, signed in enumerate(trades):
        left = abs(signed)
        while left:
            piece = data.draw(st.integers(1, left))
            total += book.book(f"order-{number}", position, piece if signed > 0 else -piece)
            position += piece if signed > 0 else -piece
            left -= piece
    assert total == counted(trades, held)


def test_two_orders_that_fill_in_turns_make_one_day_trade() -> None:
    book = DayTrades()
    fills = [("buy", 0, 100), ("sell", 100, -50), ("buy", 50, 100), ("sell", 150, -150)]
    assert sum(book.book(order, held, signed) for order, held, signed in fills) == 1


def reachable(held: int, buys: int, sells: int, signed: int, before: list[int]) -> bool:
    """Whether some order of the fills of a new order and of two working ones makes a day trade with the new one in it.

    Working orders may fill in part, or not at all; the new one fills whole.
    """
    for bought in range(buys + 1):
        for sold in range(sells + 1):
            others = [each for each in (bought, -sold) if each]
            for first in ([], others, others[::-1], *([each] for each in others)):
                rest = [each for each in others if each not in first]
                for with_new in ([*first, signed, *rest], [*first, signed, *rest[::-1]]):
                    if _involves(before, with_new, len(first), held):
                        return True
    return False


def _involves(before: list[int], after: list[int], new: int, held: int) -> bool:
    """Whether the order at place `new` opened or closed a part of a day trade."""
    book, position = DayTrades(), held
    for number, signed in enumerate(before):
        book.book(f"before-{number}", position, signed)
        position += signed
    opened_by_new = False
    for place, signed in enumerate(after):
        completed = book.book(f"after-{place}", position, signed)
        closes = position * signed < 0
        if completed and (place == new or opened_by_new):
            return True
        if closes:
            opened_by_new = False
        if place == new and (not closes or abs(signed) > abs(position)):
            opened_by_new = True
        position += signed
    return False


@given(
    before=st.lists(st.integers(-2, 2).filter(bool), max_size=3),
    held=st.integers(-2, 2),
    buys=st.integers(0, 2),
    sells=st.integers(0, 2),
    signed=st.integers(-3, 3).filter(bool),
)
def test_an_order_is_a_day_trade_whenever_it_can_be_part_of_one(
    before: list[int], held: int, buys: int, sells: int, signed: int
) -> None:
    book, position = DayTrades(), held
    for number, trade in enumerate(before):
        book.book(f"before-{number}", position, trade)
        position += trade
    said = book.completes(buying=signed > 0, held=position, working_buy=buys, working_sell=sells)
    if reachable(held, buys, sells, signed, before):
        assert said
    opposite = sells if signed > 0 else buys
    # In doubt it is one: with something at work on the other side, more buys may yet come between.
    assert said == (reachable(held, buys, sells, signed, before) or opposite > 0)
