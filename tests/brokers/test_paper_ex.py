"""The paper broker on days when shares go ex: its book follows as the engine's does, once, before anything trades."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.brokers import PaperBroker
from mqk.brokers.paper_ex import held
from mqk.engine import Cancelled, Filled
from mqk.market import Bar, Ex
from tests.brokers.desk import CAPITAL, Desk, desk, paper
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


def show(broker: PaperBroker, bars: list[Bar]) -> None:
    broker.on_market(bars[0].end, [(bar, bar.end - MINUTE) for bar in bars])


def telling(world: Desk, number: int, ex: Ex) -> list[Bar]:
    """A coming instant at which shares of the order's symbol go ex."""
    return [replace(bar, ex=ex) if bar.symbol == world.order.symbol else bar for bar in world.coming[number]]


def test_an_order_that_rested_overnight_fills_in_the_shares_of_the_morning_and_shares_held_follow(
    broker: PaperBroker, world: Desk
) -> None:
    order = world.order
    broker.submit(world.permit(), order)
    for _ in range(2):
        show(broker, telling(world, 0, Ex(Fraction(2))))
    filled = broker.events_after(0)[-1].event
    assert isinstance(filled, Filled)
    assert filled.fill.qty == 2 * order.qty
    cash = broker.book().cash
    close = next(bar.close for bar in world.coming[0] if bar.symbol == order.symbol)
    ex = Ex(Fraction(3, 4), Fraction(1_000_000))
    show(broker, telling(world, 1, ex))
    book = broker.book()
    assert (book.positions[order.symbol], book.cash - cash) == held(order.symbol, 2 * order.qty, close, ex)
    assert book.positions[order.symbol] == 2 * order.qty * 3 // 4


def test_an_order_of_which_no_share_is_left_is_taken_off_and_told(broker: PaperBroker, world: Desk) -> None:
    broker.submit(world.permit(), world.order)
    show(broker, telling(world, 0, Ex(Fraction(1, 100_000))))
    told = broker.events_after(0)[-1].event
    assert isinstance(told, Cancelled)
    assert told.reason == "a split left no whole share of it"
    assert (broker.book().positions, broker.book().cash) == ({}, CAPITAL)


@given(st.integers(1, 500), st.booleans(), st.integers(10_000, 10**9), st.fractions(Fraction(1, 20), 20))
def test_what_is_paid_out_is_rounded_against_the_account(qty: int, short: bool, price: int, ratio: Fraction) -> None:
    signed = -qty if short else qty
    after, cash = held("SPY", signed, price, Ex(ratio))
    assert after == int(signed * ratio)
    assert 0 <= (signed - after / ratio) * price - cash < 1
