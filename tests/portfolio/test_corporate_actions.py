"""Splits and dividends in the ledger: cost and equity are kept, and what is rounded is rounded against the account."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.portfolio import CashMovement, Dividend, Entry, Fill, Ledger, LedgerError, Split
from mqk.quantity import INT64_MAX, MICROS

CASH = 100_000 * MICROS
RATIOS = st.one_of(
    st.sampled_from([Fraction(2), Fraction(3, 2), Fraction(7), Fraction(20), Fraction(1, 10), Fraction(1, 3)]),
    st.fractions(Fraction(1, 50), 50, max_denominator=60),
)
PRICES = st.integers(100, 10**9)
FILLS = st.lists(st.tuples(st.integers(1, 60), PRICES, st.booleans()), min_size=1, max_size=8)


def held(fills: list[tuple[int, int, bool]], mark: int) -> Ledger:
    """A ledger after these fills (shares, price, whether bought), marked."""
    ledger = Ledger(CASH)
    for number, (qty, price, buy) in enumerate(fills):
        ledger.apply_fill(Fill(f"f{number}", "o", "AAPL", "BUY" if buy else "SELL", qty, price, 0, number))
    ledger.mark("AAPL", mark)
    return ledger


def identity(ledger: Ledger) -> int:
    """What equity is made of."""
    made = ledger.initial_cash + ledger.transfers + ledger.dividends + ledger.realised - ledger.fees
    return made + ledger.unrealised()


@settings(deadline=None)
@given(FILLS, PRICES, RATIOS)
def test_equity_is_continuous_across_a_split_and_never_rises(
    fills: list[tuple[int, int, bool]], mark: int, ratio: Fraction
) -> None:
    ledger = held(fills, mark)
    before, cost, realised = ledger.equity(), 0, ledger.realised
    qty = ledger.qty("AAPL")
    if qty:
        cost = ledger.positions["AAPL"].cost
    assert ledger.apply_split(Split("s", "AAPL", ratio, mark, 99))
    after = ledger.qty("AAPL")
    # A micro a share for the mark, and one for the fraction that is paid out.
    assert 0 <= before - ledger.equity() <= abs(after) + 1
    assert ledger.equity() == identity(ledger)
    assert after == int(qty * ratio)
    position = ledger.positions.get("AAPL")
    lots = [] if position is None else list(position.lots)
    # To the micro: what the lots cost, and what was released of them, is what they cost before.
    kept = sum(shares * price for shares, price in lots)
    paid = ledger.cash - (CASH - sum((1 if buy else -1) * shares * price for shares, price, buy in fills))
    assert kept + paid - (ledger.realised - realised) == cost
    assert sum(shares for shares, _ in lots) == after
    if position is not None:
        assert position.cost == kept
    if (qty * ratio).denominator == 1:
        assert (paid, ledger.realised, kept) == (0, realised, cost)
        if (mark / ratio).denominator == 1:
            assert ledger.equity() == before


@settings(deadline=None)
@given(FILLS, PRICES, RATIOS)
def test_a_split_changes_what_is_realised_by_rounding_alone(
    fills: list[tuple[int, int, bool]], mark: int, ratio: Fraction
) -> None:
    """Closed at the same money before or after a split, a position realises the same, less at most some micros."""
    plain, split = held(fills, mark), held(fills, mark)
    split.apply_split(Split("s", "AAPL", ratio, mark, 99))
    qty = plain.qty("AAPL")
    for ledger in (plain, split):
        left = ledger.qty("AAPL")
        if left:
            price = ledger.last_mark("AAPL")
            assert price is not None
            ledger.apply_fill(Fill("end", "o", "AAPL", "SELL" if left > 0 else "BUY", abs(left), price, 0, 100))
    lost = plain.realised - split.realised
    assert 0 <= lost <= abs(qty) * ratio + 1
    assert split.equity() == identity(split) == CASH + split.realised


@given(FILLS, PRICES, st.fractions(Fraction(1, 1000), 10**8))
def test_a_dividend_is_received_by_longs_and_paid_by_shorts_rounded_against_both(
    fills: list[tuple[int, int, bool]], mark: int, rate: Fraction
) -> None:
    ledger = held(fills, mark)
    before, qty = ledger.equity(), ledger.qty("AAPL")
    assert ledger.apply_dividend(Dividend("d", "AAPL", rate, 99))
    assert 0 <= qty * rate - (ledger.equity() - before) < 1
    assert ledger.equity() - before == ledger.dividends
    assert ledger.equity() == identity(ledger)


def test_three_for_two_of_odd_lots_pays_the_half_share_out_of_the_oldest() -> None:
    ledger = held([(1, 10 * MICROS, True), (2, 20 * MICROS, True)], 30 * MICROS)
    ledger.apply_split(Split("s", "AAPL", Fraction(3, 2), 30 * MICROS, 9))
    # 4.5 shares: half of one is sold at 20 USD, and its third of a share of before cost 3.333334 USD of the oldest lot.
    assert ledger.cash == CASH - 50 * MICROS + 10 * MICROS
    assert ledger.realised == 10 * MICROS - 3_333_334
    position = ledger.positions["AAPL"]
    assert (position.qty, position.mark, position.cost) == (4, 20 * MICROS, 50 * MICROS - 3_333_334)
    assert list(position.lots) == [(1, 6_666_666), (1, 13_333_334), (2, 13_333_333)]


def test_a_reverse_split_that_leaves_no_whole_share_closes_the_position() -> None:
    ledger = held([(3, 10 * MICROS, False)], 8 * MICROS)
    ledger.apply_split(Split("s", "AAPL", Fraction(1, 10), 8 * MICROS, 9))
    assert (ledger.qty("AAPL"), dict(ledger.positions), ledger.unmarked()) == (0, {}, frozenset())
    assert ledger.realised == 6 * MICROS
    assert ledger.equity() == CASH + 6 * MICROS == ledger.cash


def test_what_is_not_held_is_neither_paid_nor_split_and_its_mark_follows() -> None:
    ledger = Ledger(CASH)
    ledger.mark("AAPL", 101)
    ledger.apply_dividend(Dividend("d", "AAPL", Fraction(5), 1))
    ledger.apply_split(Split("s", "AAPL", Fraction(2), 101, 2))
    ledger.apply_split(Split("t", "MSFT", Fraction(2), 101, 2))
    assert (ledger.cash, ledger.dividends, ledger.last_mark("AAPL"), ledger.last_mark("MSFT")) == (CASH, 0, 50, None)


def test_an_action_applies_once_and_an_id_that_means_two_things_is_refused() -> None:
    ledger = held([(10, MICROS, True)], MICROS)
    split, dividend = Split("a", "AAPL", Fraction(2), MICROS, 9), Dividend("b", "AAPL", Fraction(9), 9)
    assert ledger.apply(split)
    assert ledger.apply(dividend)
    assert not ledger.apply(split)
    assert not ledger.apply(dividend)
    before = ledger.snapshot()
    for other in (replace(split, ratio=Fraction(3)), replace(dividend, action_id="a"), replace(split, action_id="b")):
        with pytest.raises(LedgerError) as caught:
            ledger.apply(other)
        assert caught.value.code == "duplicate"
    assert ledger.snapshot() == before
    assert Ledger.replay(CASH, ledger.entries).snapshot() == before


def test_an_action_that_would_not_fit_changes_nothing() -> None:
    ledger = held([(10, MICROS, True)], MICROS)
    before = ledger.snapshot()
    for entry, code in (
        (Split("s", "AAPL", Fraction(INT64_MAX), MICROS, 9), "price"),
        (Split("s", "AAPL", Fraction(1, 10**13), MICROS, 9), "overflow"),
        (Dividend("d", "AAPL", Fraction(INT64_MAX), 9), "overflow"),
    ):
        with pytest.raises(LedgerError) as caught:
            ledger.apply(entry)
        assert caught.value.code == code
        assert ledger.snapshot() == before


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dividend("", "AAPL", Fraction(1), 0),
        lambda: Dividend("d", " ", Fraction(1), 0),
        lambda: Dividend("d", "AAPL", Fraction(0), 0),
        lambda: Dividend("d", "AAPL", Fraction(1), -1),
        lambda: Dividend("d", "AAPL", 0.5, 0),  # type: ignore[arg-type] # what is refused
        lambda: Split("s", "AAPL", Fraction(0), 1, 0),
        lambda: Split("s", "AAPL", Fraction(2), 0, 0),
        lambda: Split("s", "AAPL", 2, 1, 0),  # type: ignore[arg-type] # what is refused
    ],
)
def test_an_entry_that_means_nothing_is_refused_as_it_is_made(make: object) -> None:
    with pytest.raises(LedgerError):
        make()  # type: ignore[operator] # one of the above


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("fill", "fill", "fill", "mark", "cash", "dividend", "split")),
        st.sampled_from(("AAPL", "MSFT")),
        st.booleans(),
        st.integers(1, 40),
        st.integers(1_000, 10**9),
        RATIOS,
    ),
    max_size=40,
)


def entry(number: int, step: tuple[str, str, bool, int, int, Fraction], mark: int | None) -> Entry:
    """The entry of any kind that a step stands for."""
    kind, symbol, buy, qty, price, ratio = step
    match kind:
        case "fill":
            return Fill(f"f{number}", f"o{number}", symbol, "BUY" if buy else "SELL", qty, price, qty, number)
        case "cash":
            return CashMovement(f"m{number}", price if buy else -price, "transfer", number)
        case "dividend":
            return Dividend(f"d{number}", symbol, ratio * 1_000, number)
        case _:
            return Split(f"s{number}", symbol, ratio, mark or price, number)


@settings(deadline=None)
@given(STEPS, st.integers(0, 40))
def test_identity_and_replay_hold_over_entries_of_every_kind(
    steps: list[tuple[str, str, bool, int, int, Fraction]], crash: int
) -> None:
    ledger = Ledger(CASH)
    for number, step in enumerate(steps):
        kind, symbol, _, _, price, _ = step
        if kind == "mark":
            ledger.mark(symbol, price)
        else:
            try:
                ledger.apply(entry(number, step, ledger.last_mark(symbol)))
            except LedgerError as refused:
                # A share that splits cannot come to less than a micro.
                assert (refused.code, kind) == ("price", "split")
        for position in ledger.positions.values():
            assert position.cost == sum(qty * cost for qty, cost in position.lots)
            assert position.qty == sum(qty for qty, _ in position.lots) != 0
            assert len({qty > 0 for qty, _ in position.lots}) == 1
            assert all(qty and cost >= 0 for qty, cost in position.lots)
        if not ledger.unmarked():
            assert ledger.equity() == identity(ledger)
            assert ledger.gross() == sum(abs(held.value) for held in ledger.positions.values())
    assert Ledger.replay(CASH, ledger.entries).snapshot() == ledger.snapshot()
    recovered = Ledger.replay(CASH, ledger.entries[:crash])
    for each in ledger.entries:
        recovered.apply(each)
    assert recovered.snapshot() == ledger.snapshot()


HUGE = st.one_of(st.integers(1, 100), st.integers(1, INT64_MAX))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("fill", "mark", "dividend", "split")),
            st.just("AAPL"),
            st.booleans(),
            HUGE,
            HUGE,
            st.fractions(Fraction(1, 10**12), 10**12),
        ),
        max_size=20,
    )
)
def test_whatever_goes_ex_is_booked_whole_and_within_64_bits_or_not_at_all(
    steps: list[tuple[str, str, bool, int, int, Fraction]],
) -> None:
    ledger = Ledger(CASH)
    for number, step in enumerate(steps):
        kind, symbol, _, _, price, _ = step
        before = (ledger.snapshot(), ledger.last_mark(symbol), None if ledger.unmarked() else ledger.equity())
        try:
            if kind == "mark":
                ledger.mark(symbol, price)
            else:
                ledger.apply(entry(number, step, ledger.last_mark(symbol)))
        except LedgerError as refused:
            assert refused.code in {"overflow", "price", "cash", "fee"}
            assert before == (
                ledger.snapshot(),
                ledger.last_mark(symbol),
                None if ledger.unmarked() else ledger.equity(),
            )
        totals = [ledger.cash, ledger.realised, ledger.fees, ledger.dividends, ledger.qty(symbol)]
        if not ledger.unmarked():
            totals += [ledger.equity(), ledger.gross(), ledger.unrealised()]
            assert ledger.equity() == identity(ledger)
        assert all(abs(total) <= INT64_MAX for total in totals)
