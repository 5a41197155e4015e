"""The catalogue's cases of reconciliation, and the races and neighbours that must not stop an engine."""

from __future__ import annotations

import pytest

from mqk.orders import OrderStatus, Side
from mqk.reconcile import Book, Difference, Kind, OrderView, Severity, clean, compare, freshness
from tests.orders.lives import machine
from tests.reconcile.judged import as_judged

S = OrderStatus
SECOND = 1_000_000


def order(
    symbol: str = "SPY", side: Side = Side.BUY, qty: int = 100, filled: int = 0, status: OrderStatus = S.ACCEPTED
) -> OrderView:
    return OrderView(symbol, side, qty, filled, status)


def found(local: Book, broker: Book, *in_flight: str) -> list[tuple[str, str, str]]:
    differences = compare(local, broker, engine="MAIN", ahead=machine().reachable(), in_flight=in_flight)
    return [(d.difference.kind.value, d.difference.subject, d.severity.value) for d in as_judged(differences)]


BOTH = Book(
    {"MAIN_1": order(), "MAIN_2": order("AAPL", Side.SELL, 50, 50, S.FILLED)},
    {"SPY": 200, "AAPL": -50},
    1_000,
)


def test_equal_books_and_empty_books_have_no_difference() -> None:
    assert found(BOTH, BOTH) == []
    assert found(Book(), Book()) == []


@pytest.mark.parametrize(
    ("orders", "positions", "expected"),
    [
        ({}, {"SPY": 199}, [("position", "SPY", "halt")]),
        ({"MAIN_1": order(qty=150)}, {}, [("order_qty", "MAIN_1", "halt")]),
        ({"MAIN_1": order(side=Side.SELL)}, {}, [("order_side", "MAIN_1", "halt")]),
        ({"MAIN_1": order("QQQ")}, {}, [("order_symbol", "MAIN_1", "halt")]),
        ({"MAIN_9": order("TSLA", qty=500)}, {}, [("order_unknown", "MAIN_9", "halt")]),
        ({"MAIN_9": order("TSLA", filled=100, status=S.FILLED)}, {}, [("fill_unknown", "MAIN_9", "halt")]),
        (
            {"MAIN_1": order(filled=100, status=S.FILLED)},
            {},
            [("order_filled", "MAIN_1", "halt"), ("order_status", "MAIN_1", "halt")],
        ),
        ({}, {"TSLA": 100}, [("position", "TSLA", "halt")]),
        ({}, {"AAPL": 0}, [("position", "AAPL", "halt")]),
    ],
)
def test_what_we_cannot_explain_halts(
    orders: dict[str, OrderView], positions: dict[str, int], expected: list[tuple[str, str, str]]
) -> None:
    broker = Book({**BOTH.orders, **orders}, {**BOTH.positions, **positions}, 1_000)
    assert found(BOTH, broker) == expected


def test_a_living_order_that_the_broker_lacks_halts_and_a_finished_one_is_forgotten() -> None:
    broker = Book({}, BOTH.positions, 1_000)
    assert found(BOTH, broker) == [("order_missing", "MAIN_1", "halt")]


def test_cash_that_differs_without_a_trade_halts() -> None:
    broker = Book(BOTH.orders, BOTH.positions, 999)
    assert found(BOTH, broker) == [("cash", "cash", "halt")]
    assert found(BOTH, Book(BOTH.orders, BOTH.positions, None)) == []


def test_an_order_in_flight_may_not_have_arrived_yet() -> None:
    local = Book({"MAIN_1": order(status=S.NEW)})
    assert found(local, Book(), "MAIN_1") == [("order_missing", "MAIN_1", "note")]
    assert found(local, Book()) == [("order_missing", "MAIN_1", "halt")]


def test_an_order_in_flight_may_be_further_at_the_broker_with_its_shares_and_their_price() -> None:
    local = Book({"MAIN_1": order(status=S.NEW)}, {"SPY": 5}, 1_000)
    broker = Book({"MAIN_1": order(filled=40, status=S.PARTIALLY_FILLED)}, {"SPY": 45}, 200)
    expected = ["cash", "order_filled", "order_status", "position"]
    assert found(local, broker, "MAIN_1") == [
        (kind, {"cash": "cash", "position": "SPY"}.get(kind, "MAIN_1"), "note") for kind in expected
    ]
    assert not clean(as_judged(compare(local, broker, engine="MAIN", ahead=machine().reachable())))


def test_shares_beyond_those_in_flight_halt() -> None:
    local = Book({"MAIN_1": order(status=S.NEW)}, {"SPY": 5})
    broker = Book({"MAIN_1": order(filled=40, status=S.PARTIALLY_FILLED)}, {"SPY": 46})
    assert ("position", "SPY", "halt") in found(local, broker, "MAIN_1")


def test_the_broker_is_never_behind_us() -> None:
    local = Book({"MAIN_1": order(filled=40, status=S.PARTIALLY_FILLED)}, {"SPY": 40})
    broker = Book({"MAIN_1": order()}, {})
    assert ("order_filled", "MAIN_1", "halt") in found(local, broker, "MAIN_1")
    assert ("position", "SPY", "halt") in found(local, broker, "MAIN_1")


def test_an_unknown_order_that_is_over_without_a_fill_is_a_note() -> None:
    broker = Book({"MAIN_7": order(status=S.CANCELLED)})
    assert found(Book(), broker) == [("order_over", "MAIN_7", "note")]


def test_orders_of_other_engines_and_of_people_are_not_ours_and_explain_their_shares() -> None:
    theirs = {"EXP_1": order(filled=100, status=S.FILLED), "by hand": order("QQQ"), "MAINSAIL_1": order("QQQ")}
    assert found(Book(cash=10), Book(theirs, {"SPY": 100}, 4)) == [
        ("cash", "cash", "note"),
        ("position", "SPY", "note"),
    ]
    assert found(Book(), Book(theirs, {"SPY": 99})) == [("position", "SPY", "halt")]


def test_every_difference_is_told_with_both_sides() -> None:
    (told,) = compare(Book({"MAIN_1": order(status=S.NEW)}), Book(), engine="MAIN", ahead=machine().reachable())
    assert told.to_json() == {
        "kind": "order_missing",
        "subject": "MAIN_1",
        "local": "BUY 0/100 SPY NEW",
        "broker": "-",
        "in_flight": False,
        "foreign": False,
    }


@pytest.mark.parametrize(
    ("as_of", "last", "fine"),
    [
        (100, None, True),
        (100, 100, True),
        (100, 99, True),
        (100, 101, False),  # older than the last
        (40, None, True),
        (39, None, False),  # too old
        (101, None, False),  # from the future
        (253_402_300_799, None, False),  # the last second of the last year
    ],
)
def test_a_book_is_compared_only_while_it_is_fresh(as_of: int, last: int | None, *, fine: bool) -> None:
    stale = freshness(
        Book(as_of=as_of * SECOND), now=100 * SECOND, max_age=60 * SECOND, last=None if last is None else last * SECOND
    )
    assert (stale is None) is fine
    if stale is not None:
        (judged,) = as_judged([stale])
        assert (stale.kind, judged.severity) == (Kind.STALE, Severity.HALT)
        assert not clean((judged,))


def test_notes_alone_are_clean() -> None:
    note, halt = as_judged(
        Difference(Kind.POSITION, "SPY", "0", "1", "SPY", 0, 1, in_flight=flying) for flying in (True, False)
    )
    assert clean(())
    assert clean((note,))
    assert not clean((note, halt))
