"""The acceptance cases PF, LED, CON, ORD and MIC of the original: portfolio, ledger, conservation, sequence, micros.

Where a case is one of the ledger's own tests, it is named there.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from typing import Final

import pytest

from mqk.backtest.artifacts import decimal_text
from mqk.portfolio import Fill, Ledger
from mqk.quantity import INT64_MAX, INT64_MIN, QuantityError, Rounding, checked, mul_div
from tests.engine.worlds import USD

ELSEWHERE: Final[dict[str, str]] = {
    "PF-01": "tests/portfolio/test_ledger_cases.py::test_oldest_lots_close_first_and_every_figure_follows",
    "PF-03": "tests/portfolio/test_ledger_cases.py::test_gross_exposure_sums_symbols_exactly",
    "PF-04": "tests/portfolio/test_ledger_cases.py::test_gross_exposure_is_exact_to_the_micro",
    "LED-01": "tests/portfolio/test_ledger_cases.py::test_a_malformed_fill_never_exists",
    "LED-03": "tests/portfolio/test_ledger_cases.py::test_profit_is_realised_per_lot_and_the_rest_stays_open",
    "LED-04": "tests/portfolio/test_ledger_cases.py::test_fees_leave_cash_and_stay_out_of_realised_profit",
    "LED-05": "tests/portfolio/test_ledger_cases.py::test_cash_moves_with_its_reason",
    "CON-01": "tests/portfolio/test_ledger_cases.py::test_an_open_position_at_cost_changes_nothing",
    "CON-02": "tests/portfolio/test_ledger_cases.py::test_a_round_trip_realises_the_difference",
    "CON-03": "tests/portfolio/test_ledger_cases.py::test_fees_of_both_sides_come_off_equity_once",
    "CON-05": "tests/portfolio/test_ledger_cases.py::test_gains_and_losses_of_open_symbols_net",
    "CON-06": "tests/portfolio/test_ledger_cases.py::test_a_partial_close_splits_realised_and_unrealised",
    "CON-07": "tests/portfolio/test_ledger_cases.py::test_a_late_fill_and_fees_keep_the_identity",
}

ANSWERED: Final[dict[str, str]] = {
    "ORD-03": (
        "Two messages of a broker never tie: each has a sequence number of its own, the ledger books them in that"
        " order, and nothing sorts them by symbol or side."
    ),
}

CAPITAL: Final = 100_000 * USD


def fill(sequence: int, side: str, qty: int, price: int, fee: int = 0) -> Fill:
    return Fill(f"f{sequence}", f"o{sequence}", "AAPL", side, qty, price * USD, fee, sequence)


def booked(fills: list[Fill]) -> Ledger:
    return Ledger.replay(CAPITAL, fills)


def test_ord_01_fills_that_came_in_any_order_are_booked_by_their_sequence() -> None:
    fills = [fill(1, "BUY", 10, 100), fill(2, "BUY", 10, 110), fill(3, "SELL", 5, 120)]
    states = {booked(sorted(arrived, key=lambda each: each.at)).snapshot() for arrived in permutations(fills)}
    (state,) = states
    assert state.realised == 100 * USD


def test_ord_02_another_order_is_another_history_and_not_taken_for_the_same() -> None:
    fills = [fill(1, "BUY", 10, 100), fill(2, "SELL", 10, 90), fill(3, "BUY", 5, 80)]
    assert booked(fills).realised == -100 * USD
    assert booked([fills[2], fills[0], fills[1]]).realised == 0


def test_mic_01_a_round_trip_at_one_price_costs_two_fees() -> None:
    fee = USD // 2
    ledger = booked([fill(1, "BUY", 10, 150, fee), fill(2, "SELL", 10, 150, fee)])
    assert ledger.cash == CAPITAL - 2 * fee == ledger.equity()


def test_mic_02_what_does_not_fit_is_refused_where_it_was_clamped() -> None:
    for value in (INT64_MAX + 1, INT64_MIN - 1):
        with pytest.raises(QuantityError) as refused:
            checked(value)
        assert refused.value.code == "overflow"
    with pytest.raises(QuantityError):
        mul_div(INT64_MAX, 2, 1, Rounding.FLOOR)
    assert mul_div(INT64_MAX, 0, 1, Rounding.FLOOR) == 0
    assert mul_div(50 * USD, -1, 1, Rounding.FLOOR) == -50 * USD


@pytest.mark.parametrize("text", ["1.250000", "0.000000", "-0.500000", "1.500000", "-2.750000"])
def test_mic_03_an_amount_is_written_with_six_decimals(text: str) -> None:
    assert decimal_text(int(Fraction(text) * USD)) == text
