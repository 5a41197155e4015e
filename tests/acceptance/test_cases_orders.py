"""The acceptance cases EXE, CAP, OMS and PRC of the original system: from targets to orders to fills to capital.

Most are held where the thing itself is tested; what is answered differently is answered here.
"""

from __future__ import annotations

from typing import Final

import pytest

from mqk.orders import Intent, Side, targets_to_orders
from mqk.quantity import QuantityError, parse_money, parse_price


@pytest.mark.parametrize(
    ("held", "target", "intent"),
    [(0, 10, (Side.BUY, 10)), (10, 5, (Side.SELL, 5)), (10, 0, (Side.SELL, 10)), (10, 10, None)],
)
def test_exe_02_an_order_is_the_difference(held: int, target: int, intent: tuple[Side, int] | None) -> None:
    expected = [] if intent is None else [Intent("SPY", *intent)]
    assert targets_to_orders({"SPY": target}, {"SPY": held}, {}) == expected


@pytest.mark.parametrize("text", ["NaN USD", "Infinity USD", "-Infinity USD", "1e308 USD", "0.0000005 USD"])
def test_prc_02_what_is_no_exact_amount_is_refused_and_never_rounded(text: str) -> None:
    for read in (parse_money, parse_price):
        with pytest.raises(QuantityError):
            read(text)
    assert parse_money("0.000001 USD").micros == 1


ELSEWHERE: Final[dict[str, str]] = {
    "EXE-01": "tests/orders/test_intents.py::test_sells_come_before_buys_and_each_side_by_symbol",
    "EXE-1": "tests/acceptance/test_cases_gateway.py::test_gw_05_all_that_stands_against_an_order_is_told_at_once",
    "EXE-3": "tests/engine/test_gate.py::test_a_permit_is_bound_to_the_order_the_bundle_the_epoch_and_the_time",
    "EXE-4": "tests/brokers/test_paper.py::test_the_same_order_again_is_answered_as_before_and_traded_once",
    "EXE-5": "tests/orders/test_machine_cases.py::test_an_overfill_is_refused_whole",
    "EXE-8": "tests/orders/test_machine_cases.py::test_a_refused_cancel_gives_the_order_back",
    "EXE-9": "tests/orders/test_machine_cases.py::test_an_acknowledged_replacement_sets_the_total",
    "EXE-11": "tests/orders/test_machine_cases.py::test_a_fill_needs_no_acknowledgement",
    "CAP-1": "tests/portfolio/test_ledger_cases.py::test_fills_in_parts_add_up",
    "CAP-2": "tests/portfolio/test_ledger_cases.py::test_a_late_fill_and_fees_keep_the_identity",
    "CAP-4": "tests/portfolio/test_ledger_cases.py::test_an_id_with_other_contents_is_refused_and_changes_nothing",
    "CAP-5": "tests/portfolio/test_ledger_cases.py::test_the_same_fill_twice_is_booked_once",
    "CAP-6": "tests/portfolio/test_ledger_properties.py::test_replay_of_the_entries_equals_the_incremental_book",
    "OMS-01": "tests/orders/test_order.py::test_a_new_order_waits_for_the_broker_with_all_of_it_left",
    "OMS-02": "tests/orders/test_machine_cases.py::test_the_same_acknowledgement_twice_is_one",
    "OMS-04": "tests/orders/test_machine_cases.py::test_partial_fills_add_up_to_the_total",
    "OMS-05": "tests/orders/test_machine_cases.py::test_a_refused_cancel_gives_the_order_back",
    "OMS-06": "tests/orders/test_machine_cases.py::test_a_refused_cancel_gives_the_order_back",
    "OMS-08": "tests/orders/test_machine_cases.py::test_a_filled_order_cannot_be_cancelled",
    "OMS-09": "tests/orders/test_machine_cases.py::test_a_fill_beats_the_cancel_on_its_way",
    "OMS-10": "tests/orders/test_machine_cases.py::test_replayed_ids_count_once",
    "OMS-12": "tests/orders/test_machine_cases.py::test_an_acknowledged_replacement_sets_the_total",
    "OMS-13": "tests/orders/test_machine_cases.py::test_a_refused_replacement_changes_nothing",
    "OMS-14": "tests/orders/test_machine_cases.py::test_a_fill_beats_the_replacement_on_its_way",
    "OMS-16": "tests/orders/test_machine_cases.py::test_an_overfill_is_refused_whole",
    "OMS-17": "tests/orders/test_machine_cases.py::test_a_refused_id_may_come_again",
    "OMS-18": "tests/orders/test_machine_cases.py::test_replayed_ids_count_once",
    "OMS-20": "tests/orders/test_machine_cases.py::test_a_replacement_below_what_is_filled_is_refused",
    "OMS-21": "tests/orders/test_machine_cases.py::test_a_cancelled_order_keeps_what_was_filled",
    "OMS-22": "tests/orders/test_machine_cases.py::test_a_partial_fill_does_not_forget_the_cancel",
    "OMS-24": "tests/orders/test_machine_cases.py::test_a_fill_needs_no_acknowledgement",
    "OMS-25": "tests/orders/test_machine_cases.py::test_a_stale_cancel_acknowledgement_changes_nothing",
}
ANSWERED: Final[dict[str, str]] = {
    "EXE-7": "A late fill of a filled order is shares nobody ordered: it is refused as an overfill, and not swallowed"
    " (C-32); only the same fill told again changes nothing.",
}
