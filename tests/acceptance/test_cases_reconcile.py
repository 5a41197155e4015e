"""The acceptance cases REC, REP, WM, GATE and SNP of the original system: two books, what differs, and what follows.

Said otherwise here: each difference is a note or a halt by itself, so that there is no plan with a class of its own;
what is in flight may be ahead at the broker (C-56); other people's orders are not ours (C-57); and a book is fresh by
its own moment, never by the one that came before it alone (C-58).
"""

from __future__ import annotations

from typing import Final

import pytest

from mqk.orders import OrderStatus, Side
from mqk.reconcile import Book, BookError, OrderView, clean, compare, freshness
from tests.orders.lives import machine
from tests.reconcile.judged import as_judged

S = OrderStatus
SPY: Final = OrderView("SPY", Side.BUY, 100, 0, S.ACCEPTED)
AAPL: Final = OrderView("AAPL", Side.SELL, 50, 50, S.FILLED)
BOTH: Final = Book({"MAIN_1": SPY, "MAIN_2": AAPL}, {"SPY": 200, "AAPL": -50})


def view(symbol: str, qty: int, filled: int, status: OrderStatus = S.ACCEPTED, side: Side = Side.BUY) -> OrderView:
    return OrderView(symbol, side, qty, filled, status)


def found(local: Book, broker: Book, *in_flight: str) -> list[str]:
    differences = compare(local, broker, engine="MAIN", ahead=machine().reachable(), in_flight=in_flight)
    return [f"{each.difference.kind.value} {each.severity.value}" for each in as_judged(differences)]


@pytest.mark.parametrize(
    ("ours", "theirs", "differences"),
    [
        pytest.param(10, 8, ["position halt"], id="REC-01"),
        pytest.param(10, 9, ["position halt"], id="REC-03, once"),
        pytest.param(10, 10, [], id="REC-03, and again"),
        pytest.param(0, 200, ["position halt"], id="REC-09, only the broker holds it"),
        pytest.param(100, 80, ["position halt"], id="REC-12, REC-2"),
        pytest.param(100, 0, ["position halt"], id="REC-2, only we hold it"),
        pytest.param(100, 50, ["position halt"], id="REC-6"),
    ],
)
def test_positions_that_differ_halt_and_nothing_is_remembered(ours: int, theirs: int, differences: list[str]) -> None:
    local, broker = Book(positions={"SPY": ours}), Book(positions={"SPY": theirs})
    for _ in range(2):
        assert found(local, broker) == differences


@pytest.mark.parametrize(
    "book", [pytest.param(BOTH, id="REC-04, GATE-01"), pytest.param(Book(), id="REC-07, REC-1, REP-03")]
)
def test_equal_books_are_clean(book: Book) -> None:
    assert found(book, book) == []
    assert clean(as_judged(compare(book, book, engine="MAIN", ahead=machine().reachable())))


@pytest.mark.parametrize(
    ("orders", "differences"),
    [
        pytest.param({"MAIN_1": view("SPY", 150, 0)}, ["order_qty halt"], id="REC-05, another quantity"),
        pytest.param({"MAIN_9": view("TSLA", 500, 0)}, ["order_unknown halt"], id="REC-05, REC-3, REC-11"),
        pytest.param({"MAIN_9": view("TSLA", 100, 100, S.FILLED)}, ["fill_unknown halt"], id="REC-08"),
        pytest.param({"MAIN_1": None}, ["order_missing halt"], id="REC-7"),
        pytest.param(
            {"MAIN_1": view("SPY", 100, 100, S.FILLED), "MAIN_9": view("TSLA", 50, 0)},
            ["order_filled halt", "order_status halt", "order_unknown halt"],
            id="REC-5, REP-04",
        ),
    ],
)
def test_orders_that_differ_halt_and_every_difference_is_told(
    orders: dict[str, OrderView | None], differences: list[str]
) -> None:
    theirs = {name: order for name, order in {**BOTH.orders, **orders}.items() if order is not None}
    assert found(BOTH, Book(theirs, BOTH.positions)) == differences


@pytest.mark.parametrize(
    ("ours", "theirs", "severity"),
    [
        pytest.param(S.NEW, S.ACCEPTED, "note", id="REP-01, accepted"),
        pytest.param(S.NEW, S.CANCELLED, "note", id="REP-01, cancelled"),
        pytest.param(S.ACCEPTED, S.CANCELLED, "note", id="REP-01, accepted and cancelled"),
        pytest.param(S.ACCEPTED, S.REJECTED, "note", id="REC-9, forward"),
        pytest.param(S.CANCELLED, S.ACCEPTED, "halt", id="REP-01, backwards"),
        pytest.param(S.ACCEPTED, S.NEW, "halt", id="REC-9, backwards"),
        pytest.param(S.PENDING_CANCEL, S.NEW, "halt", id="REC-9, backwards while it is being cancelled"),
    ],
)
def test_in_flight_a_status_may_move_forward_and_never_back(
    ours: OrderStatus, theirs: OrderStatus, severity: str
) -> None:
    local, broker = (Book({"MAIN_1": view("SPY", 100, 0, status)}) for status in (ours, theirs))
    assert found(local, broker, "MAIN_1") == [f"order_status {severity}"]
    assert found(local, broker) == ["order_status halt"]


@pytest.mark.parametrize(
    ("moment", "last", "fresh"),
    [
        pytest.param(5_000, 5_000, True, id="WM-01, the same again"),
        pytest.param(5_000, 10_000, False, id="WM-01, WM-04, an older one"),
        pytest.param(10_000, 5_000, True, id="WM-04, a newer one"),
        pytest.param(0, None, False, id="WM-01, without a time"),
        pytest.param(10_001, None, False, id="WM-03, from the future, which is never kept"),
        pytest.param(5_000, None, True, id="REC-10, at the bound"),
        pytest.param(4_999, None, False, id="REC-10, past the bound"),
    ],
)
def test_a_book_is_compared_only_while_it_is_fresh(moment: int, last: int | None, fresh: bool) -> None:
    book = Book(as_of=moment)
    assert (freshness(book, now=10_000, max_age=5_000, last=last) is None) is fresh


@pytest.mark.parametrize(
    ("symbol", "qty", "filled", "part"),
    [
        ("", 100, 0, "symbol"),
        ("SPY", -1, 0, "quantity"),
        ("SPY", 100, -1, "filled"),
        ("SPY", 100, 101, "filled"),
    ],
)
def test_snp_03_a_snapshot_that_means_nothing_is_refused_with_the_part_that_is_wrong(
    symbol: str, qty: int, filled: int, part: str
) -> None:
    with pytest.raises(BookError) as refused:
        view(symbol, qty, filled)
    assert refused.value.code == part
    with pytest.raises(BookError):
        Book({"": SPY})


ELSEWHERE: Final[dict[str, str]] = {
    "GATE-03": "tests/runtime/test_broker_faults.py::test_books_that_differ_halt_the_run_and_the_difference_is_audited",
    "GATE-04": "tests/brokers/test_paper.py::test_its_book_names_open_orders_and_those_asked_for",
}
ANSWERED: Final[dict[str, str]] = {
    "SNP-01": "Sides are the words BUY and SELL in every book; an adapter that reads others has to translate them.",
    "SNP-04": "Names of orders and symbols are compared as they are; trimming them is guessing, and none is trimmed.",
    "SNP-05": "No reading of a book is lenient: one order that means nothing makes it unreadable, and that halts.",
}
