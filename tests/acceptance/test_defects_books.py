"""C-38 to C-40 and C-44, defects of books and weights: each shown to be impossible in the engine as it is.

C-41, the caps, is in test_defects_risk.py; the ledger alone is tested in tests/portfolio.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from mqk.engine import BarRejected, ClockTicked, CorporateAction, EngineError, Filled, Refused
from mqk.guards import Result
from mqk.portfolio import CashMovement, Dividend, Fill, Ledger, LedgerError, MissingMark, Split
from mqk.quantity import INT64_MAX, QuantityError, parse_ratio
from tests.engine.worlds import DAY, USD, Desk, guards, of, submits


def test_c38_a_held_symbol_without_a_price_has_no_value_and_the_engine_no_equity() -> None:
    ledger = Ledger(100_000 * USD)
    ledger.apply_fill(Fill("f", "o", "SPY", "SELL", 100, 50 * USD, 0, 1))
    for figure in (ledger.equity, ledger.gross, ledger.unrealised, lambda: ledger.value("SPY")):
        with pytest.raises(MissingMark, match="SPY"):
            figure()
    ledger.mark("SPY", 50 * USD)
    assert (ledger.equity(), ledger.gross()) == (100_000 * USD, 5_000 * USD)


def test_c38_an_order_in_a_symbol_without_a_price_is_an_error_and_denied() -> None:
    desk = Desk()
    (refused,) = of(Refused, desk.want({"QQQ": 1}, "SPY", 1, 400 * USD))
    assert refused.decision is not None
    assert {finding.result for finding in refused.decision.findings if finding.rule == "CAP-01"} == {Result.ERROR}


def test_c38_while_a_held_symbol_is_silent_nothing_that_adds_is_allowed() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    desk.bar("QQQ", 1, 300 * USD)
    desk.tell(ClockTicked(desk.state.now + 600 * USD, (("SPY", 600 * USD),), DAY))
    assert desk.state.run.posture != "NORMAL"
    assert of(Refused, desk.want({"QQQ": 1}, "QQQ", 20, 300 * USD))
    assert [order.qty for order in submits(desk.want({"SPY": 0}, "QQQ", 21, 300 * USD))] == [10]


def test_c39_what_does_not_fit_is_refused_whole_and_the_books_stay_as_they_were() -> None:
    desk = Desk(guards(shadow=("DATA-06", "DATA-04")))
    desk.hold("SPY", 10, 1, 400 * USD)
    state = desk.state
    before = (state.ledger.snapshot(), state.account.equity, state.lines["SPY"].price)
    assert of(BarRejected, desk.bar("SPY", 2, INT64_MAX))
    assert (state.ledger.snapshot(), state.account.equity, state.lines["SPY"].price) == before
    (order,) = submits(desk.want({"SPY": 0}, "SPY", 3, 400 * USD))
    before = (state.ledger.snapshot(), state.account.equity, state.lines["SPY"].price)
    huge = Fill("f", order.client_order_id, "SPY", "SELL", 10, INT64_MAX, 0, state.now)
    with pytest.raises(EngineError) as refused:
        desk.tell(Filled(huge, order.client_order_id))
    assert refused.value.code == "book"
    assert (state.ledger.snapshot(), state.account.equity, state.lines["SPY"].price) == before


@pytest.mark.parametrize("price", [0, -1])
def test_c39_a_fill_has_a_price_or_does_not_exist(price: int) -> None:
    with pytest.raises(LedgerError) as refused:
        Fill("f", "o", "SPY", "BUY", 1, price, 0, 0)
    assert refused.value.code == "price"


def test_c40_fees_dividends_splits_and_charges_are_terms_of_one_identity() -> None:
    ledger = Ledger(100_000 * USD)
    ledger.mark("SPY", 100 * USD)
    for entry in (
        Fill("a", "a", "SPY", "BUY", 101, 100 * USD, USD, 1),
        Dividend("b", "SPY", Fraction(USD), 2),
        Split("c", "SPY", Fraction(3, 2), 100 * USD, 3),
        Fill("d", "d", "SPY", "SELL", 51, 70 * USD, USD, 4),
        CashMovement("e", -7 * USD, "borrow", 5),
    ):
        ledger.apply(entry)
        made = ledger.transfers + ledger.dividends + ledger.realised + ledger.unrealised() - ledger.fees
        assert ledger.equity() == ledger.initial_cash + made
    assert (ledger.dividends, ledger.fees, ledger.transfers) == (101 * USD, 2 * USD, -7 * USD)


def test_c40_a_split_that_nobody_told_of_is_an_outlier_and_one_that_is_told_is_none() -> None:
    for told in (False, True):
        desk = Desk()
        desk.hold("SPY", 10, 1, 400 * USD)
        if told:
            desk.tell(CorporateAction("SPY", DAY + 1, desk.state.now, Fraction(4)))
        effects = desk.bar("SPY", 60 * 24 + 1, 100 * USD, session=DAY + 1)
        assert bool(of(BarRejected, effects)) != told
        assert desk.state.account.equity == 100_000 * USD


@pytest.mark.parametrize("text", ["nan", "NaN%", "inf", "1e3%"])
def test_c44_a_weight_that_is_no_number_cannot_be_written(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_ratio(text)
