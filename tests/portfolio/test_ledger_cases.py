"""The numeric acceptance cases PF, LED and CON of the original system, on our ledger.

Mended on the way: a missing mark counted as zero (C-38) and is MissingMark here; totals were clamped (C-39) and are
refused here; fees and cash movements are terms of the one identity (C-40). ORD-* do not apply: entries are booked in
the order the inbox recorded them, and replay keeps it. MIC-*, ALC-* and CST-* belong to other packages.
"""

from __future__ import annotations

import pickle

import pytest

from mqk.portfolio import CashMovement, Fill, Ledger, LedgerError, MissingMark
from mqk.quantity import INT64_MAX, MICROS

K100 = 100_000 * MICROS


def usd(text: float) -> int:
    return round(text * MICROS)


class Book:
    """A ledger that numbers its entries by itself and holds the identity after each of them."""

    def __init__(self, cash: int = K100) -> None:
        self.ledger = Ledger(cash)

    def trade(self, side: str, qty: int, price: float, symbol: str = "AAPL", fee: float = 0) -> Book:
        number = len(self.ledger.entries)
        self.ledger.apply_fill(Fill(f"f{number}", f"o{number}", symbol, side, qty, usd(price), usd(fee), number))
        return self

    def mark(self, symbol: str, price: float) -> Book:
        self.ledger.mark(symbol, usd(price))
        self.hold_identity()
        return self

    def hold_identity(self) -> None:
        book = self.ledger
        if book.unmarked():
            return
        assert book.equity() == book.initial_cash + book.transfers + book.realised + book.unrealised() - book.fees
        assert book.equity() == book.cash + sum(book.value(symbol) for symbol in book.positions)


def test_oldest_lots_close_first_and_every_figure_follows() -> None:
    """PF-01, and LED-03's first half."""
    book = Book().trade("BUY", 10, 100).trade("BUY", 10, 110).trade("SELL", 5, 120).mark("AAPL", 115)
    ledger = book.ledger
    assert ledger.realised == usd(100)
    assert ledger.qty("AAPL") == 15
    assert list(ledger.positions["AAPL"].lots) == [(5, usd(100)), (10, usd(110))]
    assert ledger.positions["AAPL"].cost == usd(1_600)
    assert ledger.unrealised() == usd(125)
    assert ledger.cash == usd(98_500)
    assert ledger.equity() == usd(100_225)
    assert ledger.gross() == usd(1_725)
    assert Ledger.replay(K100, ledger.entries).snapshot() == ledger.snapshot()


def test_gross_exposure_sums_symbols_exactly() -> None:
    """PF-03: 5,000 held against limits of 6,000 and 4,000."""
    book = Book().trade("BUY", 10, 200, "AAPL").trade("BUY", 10, 300, "MSFT").mark("AAPL", 200).mark("MSFT", 300)
    assert book.ledger.gross() == usd(5_000)
    assert book.ledger.gross() <= usd(6_000)
    assert book.ledger.gross() > usd(4_000)


@pytest.mark.parametrize("mark", [200 * MICROS, 2**53 + 1])
def test_gross_exposure_is_exact_to_the_micro(mark: int) -> None:
    """PF-04: one micro decides, also where a float would have lost it."""
    ledger = Ledger(0)
    ledger.apply_fill(Fill("f", "o", "AAPL", "BUY", 1, 1, 0, 0))
    ledger.mark("AAPL", mark)
    assert ledger.gross() <= mark
    assert ledger.gross() > mark - 1


def test_short_positions_count_in_gross_and_lose_when_the_price_rises() -> None:
    book = Book().trade("SELL", 100, 50).mark("AAPL", 50)
    assert book.ledger.equity() == K100
    assert book.ledger.gross() == usd(5_000)
    book.mark("AAPL", 60)
    assert book.ledger.equity() == K100 - usd(1_000)
    assert book.ledger.gross() == usd(6_000)
    assert book.ledger.value("AAPL") == -usd(6_000)


def test_a_held_symbol_without_a_mark_has_no_value_at_all() -> None:
    """C-38: short 100 at 50 USD showed equity of 105,000 USD and gross of zero, and so passed every cap."""
    book = Book().trade("SELL", 100, 50).trade("BUY", 1, 10, "MSFT")
    ledger = book.ledger
    for figure in (ledger.equity, ledger.gross, ledger.unrealised):
        with pytest.raises(MissingMark) as refused:
            figure()
        assert refused.value.symbols == ("AAPL", "MSFT")
    with pytest.raises(MissingMark):
        ledger.value("AAPL")
    assert ledger.unmarked() == {"AAPL", "MSFT"}
    ledger.mark("AAPL", usd(50))
    with pytest.raises(MissingMark, match="no price is known for `MSFT`"):
        ledger.equity()
    book.mark("MSFT", 10)
    assert ledger.equity() == K100


def test_a_mark_outlives_the_position_and_may_come_before_it() -> None:
    ledger = Ledger(K100)
    assert ledger.last_mark("AAPL") is None
    ledger.mark("AAPL", usd(101))
    ledger.apply_fill(Fill("f1", "o1", "AAPL", "BUY", 10, usd(100), 0, 0))
    assert ledger.equity() == K100 + usd(10)
    ledger.apply_fill(Fill("f2", "o2", "AAPL", "SELL", 10, usd(101), 0, 0))
    assert ledger.positions == {}
    assert (ledger.gross(), ledger.unrealised(), ledger.last_mark("AAPL")) == (0, 0, usd(101))


def test_closing_an_unmarked_position_frees_the_figures() -> None:
    ledger = Book().trade("BUY", 1, 10).trade("SELL", 1, 11).ledger
    assert ledger.unmarked() == frozenset()
    assert ledger.equity() == K100 + usd(1)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("qty", 0, "quantity"),
        ("qty", -1, "quantity"),
        ("qty", True, "quantity"),
        ("qty", 1.0, "quantity"),
        ("qty", INT64_MAX + 1, "quantity"),
        ("price", 0, "price"),
        ("price", -1, "price"),
        ("price", 100.5, "price"),
        ("fee", -1, "fee"),
        ("fee", 0.5, "fee"),
        ("at", -1, "time"),
        ("side", "LONG", "side"),
        ("side", "buy", "side"),
        ("symbol", "", "symbol"),
        ("symbol", "  ", "symbol"),
        ("fill_id", "", "id"),
        ("order_id", "", "id"),
    ],
)
def test_a_malformed_fill_never_exists(field: str, value: object, code: str) -> None:
    """LED-01 and C-39: the ledger refused what the fill allowed; here such a fill cannot be made."""
    good: dict[str, object] = {
        "fill_id": "f", "order_id": "o", "symbol": "AAPL", "side": "BUY", "qty": 1, "price": 1, "fee": 0, "at": 0,
    }  # fmt: skip
    Fill(**good)  # type: ignore[arg-type]
    with pytest.raises(LedgerError) as refused:
        Fill(**(good | {field: value}))  # type: ignore[arg-type]
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("amount", "reason", "movement_id", "at", "code"),
    [
        (1, "", "m", 0, "reason"),
        (1, " ", "m", 0, "reason"),
        (1, "dividend", "", 0, "id"),
        (1.5, "dividend", "m", 0, "cash"),
        (INT64_MAX + 1, "dividend", "m", 0, "cash"),
        (1, "dividend", "m", -1, "time"),
    ],
)
def test_a_malformed_cash_movement_never_exists(amount: int, reason: str, movement_id: str, at: int, code: str) -> None:
    """LED-01, the cash half."""
    with pytest.raises(LedgerError) as refused:
        CashMovement(movement_id, amount, reason, at)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("symbol", "price", "code"),
    [("AAPL", 0, "price"), ("AAPL", -1, "price"), ("AAPL", 1.5, "price"), (" ", 1, "symbol")],
)
def test_a_malformed_mark_is_refused_and_the_last_one_stands(symbol: str, price: int, code: str) -> None:
    book = Book().trade("BUY", 1, 10).mark("AAPL", 10)
    with pytest.raises(LedgerError) as refused:
        book.ledger.mark(symbol, price)
    assert refused.value.code == code
    assert book.ledger.last_mark("AAPL") == usd(10)


def test_profit_is_realised_per_lot_and_the_rest_stays_open() -> None:
    """LED-03."""
    flat = Book().trade("BUY", 10, 200).trade("SELL", 10, 210).ledger
    assert (flat.realised, flat.positions) == (usd(100), {})
    part = Book().trade("BUY", 20, 300).trade("SELL", 5, 310).ledger
    assert (part.realised, part.qty("AAPL")) == (usd(50), 15)


def test_fees_leave_cash_and_stay_out_of_realised_profit() -> None:
    """LED-04."""
    ledger = Book().trade("BUY", 10, 100, fee=1).ledger
    assert (ledger.cash, ledger.fees, ledger.realised) == (usd(98_999), usd(1), 0)


@pytest.mark.parametrize(("amount", "cash"), [(5_000, 55_000), (-1_000, 49_000)])
def test_cash_moves_with_its_reason(amount: int, cash: int) -> None:
    """LED-05."""
    ledger = Ledger(50_000 * MICROS)
    assert ledger.apply_cash(CashMovement("m1", amount * MICROS, "dividend", 1))
    assert ledger.cash == ledger.equity() == cash * MICROS
    assert ledger.transfers == amount * MICROS


def test_an_open_position_at_cost_changes_nothing() -> None:
    """CON-01."""
    ledger = Book().trade("BUY", 10, 100).mark("AAPL", 100).ledger
    assert ledger.equity() == K100


@pytest.mark.parametrize(("out", "profit"), [(120, 200), (90, -100)])
def test_a_round_trip_realises_the_difference(out: int, profit: int) -> None:
    """CON-02."""
    ledger = Book().trade("BUY", 10, 100).trade("SELL", 10, out).ledger
    assert ledger.realised == usd(profit)
    assert ledger.cash == ledger.equity() == K100 + usd(profit)


def test_fees_of_both_sides_come_off_equity_once() -> None:
    """CON-03."""
    ledger = Book().trade("BUY", 10, 100, fee=1).trade("SELL", 10, 110, fee=1).ledger
    assert ledger.realised == usd(100)
    assert ledger.cash == ledger.equity() == K100 + usd(98)


def test_gains_and_losses_of_open_symbols_net() -> None:
    """CON-05."""
    book = Book().trade("BUY", 10, 150, "AAPL").trade("BUY", 20, 100, "MSFT").mark("AAPL", 160).mark("MSFT", 95)
    assert book.ledger.unrealised() == 0


def test_a_partial_close_splits_realised_and_unrealised() -> None:
    """CON-06."""
    book = Book().trade("BUY", 20, 200, "GOOG").trade("SELL", 8, 220, "GOOG").mark("GOOG", 220)
    assert (book.ledger.realised, book.ledger.qty("GOOG"), book.ledger.unrealised()) == (usd(160), 12, usd(240))


def test_fills_in_parts_add_up() -> None:
    """CON-07 S1, and CAP-1."""
    book = Book().trade("BUY", 5, 100).mark("AAPL", 100).trade("BUY", 5, 100).mark("AAPL", 105)
    book.trade("SELL", 10, 110).hold_identity()
    assert book.ledger.realised == usd(100)


def test_a_late_fill_and_fees_keep_the_identity() -> None:
    """CON-07 S2, and CAP-2."""
    book = Book().trade("BUY", 5, 100, fee=0.5).mark("AAPL", 101).trade("BUY", 5, 102, fee=0.5).mark("AAPL", 103)
    book.trade("SELL", 10, 105, fee=0.5).hold_identity()
    assert (book.ledger.realised, book.ledger.equity()) == (usd(40), K100 - usd(1.5) + usd(40))


def test_fees_add_up_beside_realised_profit() -> None:
    """CON-07 S3."""
    ledger = Book().trade("BUY", 10, 100, fee=0.5).trade("SELL", 10, 108, fee=0.5).ledger
    assert (ledger.realised, ledger.fees) == (usd(80), usd(1))


def test_a_fill_through_zero_closes_all_and_opens_the_rest_at_its_price() -> None:
    book = Book().trade("BUY", 10, 100).mark("AAPL", 100).trade("SELL", 15, 110).mark("AAPL", 120)
    ledger = book.ledger
    assert (ledger.realised, ledger.qty("AAPL"), ledger.unrealised()) == (usd(100), -5, -usd(50))
    assert list(ledger.positions["AAPL"].lots) == [(-5, usd(110))]
    book.trade("BUY", 5, 100).hold_identity()
    assert (ledger.realised, ledger.positions) == (usd(150), {})


def test_the_same_fill_twice_is_booked_once() -> None:
    """CAP-5: replayed ten times, every cycle ends with the same hundred shares."""
    ledger = Ledger(K100)
    fills = [Fill(f"f{qty}{number}", "o", "AAPL", "BUY", qty, usd(10), 0, 0) for number, qty in enumerate((30, 40, 30))]
    assert [ledger.apply_fill(fill) for fill in fills] == [True] * 3
    for _ in range(10):
        assert [ledger.apply_fill(fill) for fill in fills] == [False] * 3
        assert ledger.qty("AAPL") == 100
    movement = CashMovement("m", 1, "interest", 0)
    assert [ledger.apply_cash(movement), ledger.apply_cash(movement)] == [True, False]


def test_an_id_with_other_contents_is_refused_and_changes_nothing() -> None:
    ledger = Ledger(K100)
    ledger.apply_fill(Fill("f", "o", "AAPL", "BUY", 10, usd(10), 0, 0))
    ledger.apply_cash(CashMovement("m", 1, "interest", 0))
    before = ledger.snapshot()
    with pytest.raises(LedgerError) as fill:
        ledger.apply_fill(Fill("f", "o", "AAPL", "BUY", 11, usd(10), 0, 0))
    with pytest.raises(LedgerError) as cash:
        ledger.apply_cash(CashMovement("m", 2, "interest", 0))
    assert (fill.value.code, cash.value.code) == ("duplicate", "duplicate")
    assert ledger.snapshot() == before


def test_a_refused_total_leaves_the_books_as_they_were() -> None:
    """C-39: what does not fit in 64 bits is refused whole, never clamped."""
    ledger = Ledger(K100)
    ledger.apply_fill(Fill("f1", "o", "AAPL", "BUY", 10, usd(10), 0, 0))
    ledger.mark("AAPL", usd(10))
    before, equity, gross = ledger.snapshot(), ledger.equity(), ledger.gross()
    refusals = (
        lambda: ledger.apply_fill(Fill("f2", "o", "AAPL", "BUY", 10, INT64_MAX, 0, 0)),
        lambda: ledger.apply_fill(Fill("f3", "o", "MSFT", "SELL", INT64_MAX, 2, 0, 0)),
        lambda: ledger.apply_cash(CashMovement("m", INT64_MAX, "deposit", 0)),
        lambda: ledger.mark("AAPL", INT64_MAX),
    )
    for refused in refusals:
        with pytest.raises(LedgerError) as error:
            refused()
        assert error.value.code == "overflow"
        assert (ledger.snapshot(), ledger.equity(), ledger.gross()) == (before, equity, gross)
    assert ledger.last_mark("AAPL") == usd(10)
    assert ledger.last_mark("MSFT") is None


@pytest.mark.parametrize(
    ("cash", "fills"),
    [
        (INT64_MAX - 10, [("A", "SELL", 1, 11, 0)]),
        (-INT64_MAX, [("A", "BUY", 1, 1, 0)]),
        (INT64_MAX, [("A", "BUY", 1, 1, INT64_MAX - 1), ("A", "BUY", 1, 1, INT64_MAX - 1)]),
        (-INT64_MAX, [("A", side, 1, price, 0) for _ in range(2) for side, price in (("SELL", INT64_MAX), ("BUY", 1))]),
        (INT64_MAX, [("A", "BUY", 1, INT64_MAX, 0), ("B", "SELL", 1, INT64_MAX, 0), ("A", "BUY", 1, INT64_MAX, 0)]),
        (INT64_MAX, [("A", "BUY", INT64_MAX, 1, 0), ("A", "BUY", 1, 1, 0)]),
    ],
    ids=["cash up", "cash down", "fees", "realised", "cost of a symbol", "shares"],
)
def test_each_total_is_bounded_by_itself(cash: int, fills: list[tuple[str, str, int, int, int]]) -> None:
    """C-39, total by total: all fills but the last fit, and the last one alone breaks the one that is named."""
    ledger = Ledger(cash)
    entries = [Fill(f"f{number}", "o", *fill, number) for number, fill in enumerate(fills)]
    for fill in entries[:-1]:
        assert ledger.apply_fill(fill)
    before = ledger.snapshot()
    with pytest.raises(LedgerError) as refused:
        ledger.apply_fill(entries[-1])
    assert (refused.value.code, ledger.snapshot()) == ("overflow", before)


def test_unrealised_profit_is_bounded_also_where_equity_fits() -> None:
    ledger = Ledger(-INT64_MAX)
    ledger.apply_fill(Fill("f1", "o", "A", "SELL", 1, INT64_MAX, 0, 0))
    ledger.apply_fill(Fill("f2", "o", "B", "BUY", 1, 1, 0, 0))
    ledger.mark("A", 1)
    with pytest.raises(LedgerError, match="64 bits"):
        ledger.mark("B", INT64_MAX // 2)
    assert ledger.unmarked() == {"B"}


@pytest.mark.parametrize("cash", [1.0, True, INT64_MAX + 1, -(2**63)])
def test_a_ledger_starts_with_whole_micros(cash: int) -> None:
    with pytest.raises(LedgerError, match="whole micros"):
        Ledger(cash)


def test_errors_cross_processes_with_all_they_say() -> None:
    for error in (LedgerError("fee", "a", "b"), MissingMark(("B", "A"))):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), copy.code, copy.message, copy.help) == (type(error), error.code, error.message, error.help)
