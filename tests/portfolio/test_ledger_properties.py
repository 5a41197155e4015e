"""What holds of the ledger for every sequence of entries and marks, against a book kept share by share.

The numbers of single cases are in test_ledger_cases.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.portfolio import CashMovement, Fill, Ledger, LedgerError, MissingMark
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

SYMBOLS = ("AAPL", "MSFT", "SPY")
CASH = 100_000_000_000

Step = tuple[str, str, str, int, int, int]

steps = st.lists(
    st.tuples(
        st.sampled_from(("fill", "fill", "fill", "mark", "cash")),
        st.sampled_from(SYMBOLS),
        st.sampled_from(("BUY", "SELL")),
        st.integers(1, 40),
        st.integers(1, 10**9),
        st.integers(0, 10**6),
    ),
    max_size=40,
)
huge = st.lists(
    st.tuples(
        st.sampled_from(("fill", "mark", "cash")),
        st.sampled_from(SYMBOLS),
        st.sampled_from(("BUY", "SELL")),
        st.one_of(st.integers(1, 100), st.integers(1, INT64_MAX)),
        st.one_of(st.integers(1, 10**9), st.integers(1, INT64_MAX)),
        st.one_of(st.just(0), st.integers(0, INT64_MAX)),
    ),
    max_size=25,
)


def apply(ledger: Ledger, number: int, step: Step) -> None:
    kind, symbol, side, qty, price, fee = step
    if kind == "fill":
        ledger.apply_fill(Fill(f"f{number}", f"o{number}", symbol, side, qty, price, fee, number))
    elif kind == "mark":
        ledger.mark(symbol, price)
    else:
        ledger.apply_cash(CashMovement(f"m{number}", price if side == "BUY" else -price, "transfer", number))


class ShareByShare:
    """The specification: one list entry per share, first in first out, and every figure summed anew."""

    def __init__(self) -> None:
        self.cash, self.realised, self.fees, self.transfers = CASH, 0, 0, 0
        self.shares: dict[str, list[tuple[int, int]]] = {symbol: [] for symbol in SYMBOLS}
        self.marks: dict[str, int] = {}

    def apply(self, step: Step) -> None:
        kind, symbol, side, qty, price, fee = step
        sign = 1 if side == "BUY" else -1
        if kind == "mark":
            self.marks[symbol] = price
        elif kind == "cash":
            self.cash += sign * price
            self.transfers += sign * price
        else:
            self.cash -= sign * qty * price + fee
            self.fees += fee
            shares = self.shares[symbol]
            for _ in range(qty):
                if shares and shares[0][0] != sign:
                    held, paid = shares.pop(0)
                    self.realised += held * (price - paid)
                else:
                    shares.append((sign, price))

    def qty(self, symbol: str) -> int:
        return sum(sign for sign, _ in self.shares[symbol])

    def unrealised(self) -> int:
        return sum(sign * (self.marks[symbol] - paid) for symbol in SYMBOLS for sign, paid in self.shares[symbol])

    def gross(self) -> int:
        return sum(self.marks[symbol] for symbol in SYMBOLS for _ in self.shares[symbol])

    def unmarked(self) -> set[str]:
        return {symbol for symbol in SYMBOLS if self.shares[symbol] and symbol not in self.marks}


@settings(deadline=None)
@given(steps)
def test_every_figure_equals_the_share_by_share_book_after_every_event(sequence: Sequence[Step]) -> None:
    ledger, reference = Ledger(CASH), ShareByShare()
    for number, step in enumerate(sequence):
        apply(ledger, number, step)
        reference.apply(step)
        assert (ledger.cash, ledger.realised, ledger.fees) == (reference.cash, reference.realised, reference.fees)
        assert {symbol: held.qty for symbol, held in ledger.positions.items()} == {
            symbol: reference.qty(symbol) for symbol in SYMBOLS if reference.qty(symbol)
        }
        assert ledger.unmarked() == reference.unmarked()
        if ledger.unmarked():
            with pytest.raises(MissingMark):
                ledger.equity()
            continue
        assert ledger.unrealised() == reference.unrealised()
        assert ledger.gross() == reference.gross()
        assert ledger.equity() == CASH + ledger.transfers + ledger.realised + ledger.unrealised() - ledger.fees


@settings(deadline=None)
@given(steps)
def test_lots_are_the_youngest_shares_oldest_first(sequence: Sequence[Step]) -> None:
    ledger, reference = Ledger(CASH), ShareByShare()
    for number, step in enumerate(sequence):
        apply(ledger, number, step)
        reference.apply(step)
        for symbol, held in ledger.positions.items():
            assert [
                (1 if qty > 0 else -1, price) for qty, price in held.lots for _ in range(abs(qty))
            ] == reference.shares[symbol]
            assert held.qty == sum(qty for qty, _ in held.lots) != 0
            assert held.cost == sum(qty * price for qty, price in held.lots)


@settings(deadline=None)
@given(steps, st.integers(0, 40))
def test_replay_of_the_entries_equals_the_incremental_book(sequence: Sequence[Step], crash: int) -> None:
    """CAP-6: wherever the first run stopped, the entries alone build the same book, and may be delivered again."""
    ledger = Ledger(CASH)
    for number, step in enumerate(sequence):
        apply(ledger, number, step)
    replayed = Ledger.replay(CASH, ledger.entries)
    assert replayed.snapshot() == ledger.snapshot()
    recovered = Ledger.replay(CASH, ledger.entries[:crash])
    for entry in ledger.entries:
        recovered.apply_fill(entry) if isinstance(entry, Fill) else recovered.apply_cash(entry)
    assert recovered.snapshot() == ledger.snapshot()
    for symbol in SYMBOLS:
        mark = ledger.last_mark(symbol)
        if mark is not None:
            replayed.mark(symbol, mark)
    if not ledger.unmarked():
        assert (replayed.equity(), replayed.gross(), replayed.unrealised()) == (
            ledger.equity(),
            ledger.gross(),
            ledger.unrealised(),
        )


@settings(deadline=None)
@given(steps)
def test_marks_do_not_touch_what_is_booked(sequence: Sequence[Step]) -> None:
    marked, plain = Ledger(CASH), Ledger(CASH)
    for number, step in enumerate(sequence):
        apply(marked, number, step)
        if step[0] != "mark":
            apply(plain, number, step)
    assert marked.snapshot() == plain.snapshot()


@settings(deadline=None)
@given(huge)
def test_an_entry_is_booked_whole_and_within_64_bits_or_not_at_all(sequence: Sequence[Step]) -> None:
    ledger = Ledger(CASH)
    for number, step in enumerate(sequence):
        before = (ledger.snapshot(), ledger.unmarked(), [ledger.last_mark(symbol) for symbol in SYMBOLS])
        figures = None if ledger.unmarked() else (ledger.equity(), ledger.gross(), ledger.unrealised())
        refused = None
        try:
            apply(ledger, number, step)
        except LedgerError as error:
            refused = error.code
        if refused is not None:
            assert refused == "overflow"
            assert before == (ledger.snapshot(), ledger.unmarked(), [ledger.last_mark(symbol) for symbol in SYMBOLS])
            if figures is not None:
                assert figures == (ledger.equity(), ledger.gross(), ledger.unrealised())
        totals = [ledger.cash, ledger.realised, ledger.fees, ledger.transfers]
        if not ledger.unmarked():
            totals += [ledger.equity(), ledger.gross(), ledger.unrealised()]
            assert ledger.equity() == CASH + ledger.transfers + ledger.realised + ledger.unrealised() - ledger.fees
        assert all(abs(total) <= INT64_MAX for total in totals)
