"""The acceptance cases GW, FRS and IDM of the original system: the one door, fresh books, and ids.

Said otherwise here: a gate is a guard that judges an order again as it leaves, and hands out a permit for that order
only; all that stands against it is told, so that the order of gates is no question. What the original asked of a
reconciliation before each order is asked of the run: books that differ halt it, and nothing is armed without them.
"""

from __future__ import annotations

from typing import Final

import pytest

from mqk.engine import Cancel, ClockTicked, EngineError, KillSwitch, LatchReleased, Permit
from mqk.engine.gate import authorise
from mqk.guards import Decision, Point, Verdict, read_facts
from mqk.orders import Order, client_order_id
from mqk.quantity import MICROS
from mqk.reconcile import Book, freshness
from tests.engine.worlds import MINUTE, USD, Desk, of, shipped, submits

MILLI: Final = 1_000


def entry(desk: Desk) -> Order:
    """An order that adds, placed while nothing was wrong."""
    (order,) = submits(desk.want({"SPY": 10}, "SPY", 1, 400 * USD))
    return order


def ask(desk: Desk, order: Order) -> Permit | Decision:
    return authorise(desk.state, order, epoch=1, now=desk.state.now, ttl=MICROS)


def denial(desk: Desk, order: Order) -> list[str]:
    """The rules that keep an order back at the gate."""
    answer = ask(desk, order)
    assert isinstance(answer, Decision)
    assert answer.outcome == "deny"
    return [finding.rule for finding in answer.findings if finding.effect == "deny"]


def test_gw_01_an_order_that_nothing_stands_against_leaves_and_may_be_cancelled() -> None:
    desk = Desk()
    order = entry(desk)
    assert isinstance(ask(desk, order), Permit)
    assert of(Cancel, desk.want({"SPY": 0}, "SPY", 2, 400 * USD))


def test_gw_03_what_risk_rules_deny_stays() -> None:
    desk = Desk()
    order = entry(desk)
    # The market moved between the decision and the departure: the position would be too large by now.
    desk.state.mark(desk.state.lines["SPY"], 400 * USD)
    desk.state.account.equity = 10_000 * USD
    assert "CAP-01" in denial(desk, order)


def test_gw_05_all_that_stands_against_an_order_is_told_at_once() -> None:
    desk = Desk()
    order = entry(desk)
    desk.state.run.killed = True
    desk.state.run.posture = "DISARMED"
    desk.state.account.equity = 10_000 * USD
    assert {"CAP-01", "KILL-01", "POSTURE-01"} <= set(denial(desk, order))


def test_gw_09_what_was_refused_while_disarmed_leaves_once_it_is_armed_again() -> None:
    desk = Desk()
    desk.bar("SPY", 1, 400 * USD)
    desk.tell(ClockTicked(desk.state.now + 10 * MINUTE, (("SPY", 9 * MINUTE),)))
    assert not submits(desk.want({"SPY": 10}, "SPY", 20, 400 * USD))
    desk.tell(LatchReleased("DATA-01", "operator", desk.state.now))
    (order,) = submits(desk.want({"SPY": 10}, "SPY", 21, 400 * USD))
    assert isinstance(ask(desk, order), Permit)


def test_gw_11_a_kill_keeps_an_order_back_that_was_allowed_a_moment_ago() -> None:
    desk = Desk()
    order = entry(desk)
    desk.state.run.killed = True
    assert denial(desk, order) == ["KILL-01"]


def test_gw_11_the_switch_itself_takes_back_what_has_not_left() -> None:
    desk = Desk()
    order = entry(desk)
    assert of(Cancel, desk.tell(KillSwitch(True, "operator", desk.state.now)))
    with pytest.raises(EngineError) as caught:
        ask(desk, order)
    assert caught.value.code == "permit"


def test_gw_12_a_halt_keeps_an_order_back() -> None:
    desk = Desk()
    order = entry(desk)
    desk.state.run.posture = "HALTED"
    assert denial(desk, order) == ["POSTURE-01"]


def test_gw_13_silence_disarms_the_gate_for_what_adds_and_for_nothing_else() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    (more,) = submits(desk.want({"SPY": 20}, "SPY", 2, 400 * USD))
    assert isinstance(ask(desk, more), Permit)
    effects = desk.tell(ClockTicked(desk.state.now + 10 * MINUTE, (("SPY", 9 * MINUTE),)))
    assert [each.client_order_id for each in of(Cancel, effects)] == [more.client_order_id]
    (exit_,) = submits(desk.want({"SPY": 0}, "SPY", 20, 400 * USD))
    assert isinstance(ask(desk, exit_), Permit)


def arm(**facts: str) -> Verdict:
    set_ = shipped()
    document = {"run.mode": "LIVE", **{name.replace("__", "."): value for name, value in facts.items()}}
    moment = read_facts(document, set_, Point.TRANSITION)
    machine = set_.machines["run"]
    names = {"run.id": "r", "run.engine": "MAIN"}
    (sentence,) = {
        text for each in machine.transitions if each.event == "arm" and (text := machine.sentence(each, names))
    }
    return machine.attempt("CREATED", "arm", role="operator", views=moment.views, names=names, confirmation=sentence)


def test_frs_01_nothing_is_armed_live_before_the_books_were_ever_compared() -> None:
    verdict = arm()
    assert verdict.to_state is None
    assert any("reconcile." in reason and "missing" in reason for reason in verdict.reasons)
    assert arm(reconcile__clean="true", reconcile__age="10s").to_state == "ARMED"


@pytest.mark.parametrize(
    ("milliseconds", "fresh"), [(1_001_000, True), (1_005_000, True), (1_005_001, False), (1_006_000, False)]
)
def test_frs_02_a_book_is_fresh_up_to_its_bound(milliseconds: int, fresh: bool) -> None:
    book = Book(as_of=1_000_000 * MILLI)
    assert (freshness(book, now=milliseconds * MILLI, max_age=5_000 * MILLI) is None) is fresh


def test_frs_03_what_was_clean_and_is_not_any_more_counts_as_not() -> None:
    assert arm(reconcile__clean="false", reconcile__age="0s").to_state is None


def test_idm_01_an_intent_has_one_id_and_no_two_share_one() -> None:
    assert client_order_id("MAIN", "r", 1) == client_order_id("MAIN", "r", 1)
    ids = {client_order_id(engine, run, n) for engine in ("MAIN", "EXP") for run in ("r", "s") for n in range(3)}
    assert len(ids) == 12


ELSEWHERE: Final[dict[str, str]] = {
    "GW-04": "tests/runtime/test_broker_faults.py::test_books_that_differ_halt_the_run_and_the_difference_is_audited",
    "GW-08": "tests/engine/test_gate.py::test_a_permit_is_bound_to_the_order_the_bundle_the_epoch_and_the_time",
    "IDM-02": "tests/brokers/test_paper.py::test_the_same_order_again_is_answered_as_before_and_traded_once",
    "IDM-03": "tests/store/test_outbox.py::test_the_brokers_id_belongs_to_one_order",
}
ANSWERED: Final[dict[str, str]] = {
    "GW-07": "No gate stands before a cancel: it can only make what is held smaller, and an emergency needs it (C-12).",
}
