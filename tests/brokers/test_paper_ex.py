"""The paper broker on days when shares go ex: its book follows as the engine's does, once, before anything trades."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.brokers import PaperBroker
from mqk.brokers.paper_account import held
from mqk.engine import Cancelled, CorporateAction, Filled
from mqk.venue import Overnight
from tests.brokers.desk import CAPITAL, Desk, desk, paper, show
from tests.runtime.world import MINUTE


@pytest.fixture
def world() -> Desk:
    return desk()


@pytest.fixture
def broker(database_url: str, world: Desk) -> Iterator[PaperBroker]:
    made = paper(database_url)
    for bars in world.shown:
        show(made, bars)
    yield made
    made.close()


def overnight(world: Desk, number: int, split: Fraction, dividend: Fraction = Fraction(0)) -> Overnight:
    """A session begins with a coming instant, and shares of the order's symbol go ex before it."""
    opens = world.coming[number][0].end - MINUTE
    return Overnight(opens, opens, (CorporateAction(world.order.symbol, number + 2, opens, split, dividend),))


def test_an_order_that_rested_overnight_fills_in_the_shares_of_the_morning_and_shares_held_follow(
    broker: PaperBroker, world: Desk
) -> None:
    order = world.order
    broker.submit(world.permit(), order)
    for _ in range(2):
        show(broker, world.coming[0], overnight(world, 0, Fraction(2)))
    filled = broker.events_after(0)[-1].event
    assert isinstance(filled, Filled)
    assert filled.fill.qty == 2 * order.qty
    cash = broker.book().cash
    close = next(bar.close for bar in world.coming[0] if bar.symbol == order.symbol)
    night = overnight(world, 1, Fraction(3, 4), Fraction(1_000_000))
    show(broker, world.coming[1], night)
    book = broker.book()
    (action,) = night.events
    assert isinstance(action, CorporateAction)
    assert (book.positions[order.symbol], book.cash - cash) == held(order.symbol, 2 * order.qty, close, action)
    assert book.positions[order.symbol] == 2 * order.qty * 3 // 4


def test_an_order_of_which_no_share_is_left_is_taken_off_and_told(broker: PaperBroker, world: Desk) -> None:
    broker.submit(world.permit(), world.order)
    show(broker, world.coming[0], overnight(world, 0, Fraction(1, 100_000)))
    told = broker.events_after(0)[-1].event
    assert isinstance(told, Cancelled)
    assert told.reason == "a split left no whole share of it"
    assert (broker.book().positions, broker.book().cash) == ({}, CAPITAL)


@given(st.integers(1, 500), st.booleans(), st.integers(10_000, 10**9), st.fractions(Fraction(1, 20), 20))
def test_what_is_paid_out_is_rounded_against_the_account(qty: int, short: bool, price: int, ratio: Fraction) -> None:
    signed = -qty if short else qty
    after, cash = held("SPY", signed, price, CorporateAction("SPY", 1, 0, ratio))
    assert after == int(signed * ratio)
    assert 0 <= (signed - after / ratio) * price - cash < 1
