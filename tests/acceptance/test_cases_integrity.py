"""The acceptance cases INT and ARM of the original system: whole bars, gaps, silence, disagreement, and booting.

Said otherwise here: a halted and a disarmed engine is one with a posture, which stops what adds to a position and never
an exit; whether bars are missing is the calendar's word, so that a case about a calendar is one about `missing_bars`;
and a feed is a symbol's, judged by the clock, so that the last one alive cannot hide that the others are silent.
"""

from __future__ import annotations

from typing import Final

import pytest

from mqk.engine import BarArrived, BarRejected, ClockTicked, LatchReleased, LatchSet, Refused
from mqk.guards import LatchBook
from mqk.market import calendar_of
from mqk.quantity import MICROS
from tests.acceptance.worlds import parse_duration
from tests.engine.worlds import DAY, MINUTE, USD, Desk, bar, guards, of, shipped, submits

GAP_HALTS: Final = [("DATA-03", "halt")]


def missing(calendar: str, previous: int, end: int, timeframe: str) -> int:
    return calendar_of(calendar).missing_bars(previous * MICROS, end * MICROS, timeframe)


def latches(desk: Desk, absent: int) -> list[tuple[str, str]]:
    """What a bar of which so many before it are missing brings about."""
    effects = desk.bar("SPY", 5, 400 * USD, missing=absent)
    return [(each.latch.rule, each.latch.outcome) for each in of(LatchSet, effects)]


def test_int_01_an_incomplete_bar_is_rejected_and_stops_nothing() -> None:
    desk = Desk()
    assert of(BarRejected, desk.bar("SPY", 1, 400 * USD, complete=False))
    assert desk.state.run.posture == "NORMAL"
    assert submits(desk.want({"SPY": 1}, "SPY", 2, 400 * USD))


@pytest.mark.parametrize(
    ("threshold", "late", "outcome"),
    [
        pytest.param("5s", 5, None, id="on time, INT-03"),
        pytest.param("5s", 6, "disarm", id="INT-03, INT-3"),
        pytest.param("3s", 4, "disarm", id="INT-09"),
    ],
)
def test_a_silent_feed_disarms_although_another_one_talks(threshold: str, late: int, outcome: str | None) -> None:
    desk = Desk(guards(("stale_after", parse_duration(threshold))))
    desk.bar("SPY", 1, 400 * USD)
    desk.bar("QQQ", 1, 300 * USD)
    effects = desk.tell(ClockTicked(desk.state.now + 6 * MICROS, (("QQQ", late * MICROS),)))
    assert [each.latch.outcome for each in of(LatchSet, effects)] == ([] if outcome is None else [outcome])
    assert bool(of(Refused, desk.want({"SPY": 1}, "SPY", 2, 400 * USD))) is (outcome is not None)
    if outcome is not None:
        # It stays, also when the feed is back, until somebody looks at it.
        desk.tell(ClockTicked(desk.state.now + MINUTE, ()))
        assert desk.state.run.posture == "DISARMED"


def test_int_04_feeds_that_disagree_halt() -> None:
    desk = Desk()
    made = bar("SPY", 1, 500 * USD)
    effects = desk.tell(BarArrived(made, 0, DAY, made.end, 501 * USD))
    assert [(each.latch.rule, each.latch.outcome) for each in of(LatchSet, effects)] == [("DATA-08", "halt")]


@pytest.mark.parametrize(
    ("calendar", "previous", "end", "timeframe", "absent"),
    [
        pytest.param("24/7", 1_704_103_200, 1_704_103_380, "1m", 2, id="INT-05, INT-1"),
        pytest.param("24/7", 1_704_103_200, 1_704_103_320, "1m", 1, id="INT-2"),
        pytest.param("24/7", 1_704_103_200, 1_704_104_100, "5m", 2, id="INT-16, INT-10"),
        pytest.param("24/7", 1_704_488_400, 1_704_724_500, "5m", 786, id="INT-11, over a weekend"),
        pytest.param("24/7", 1_704_495_600, 1_704_723_300, "5m", 758, id="INT-11, as stamped at the source"),
        pytest.param("XNYS", 1_704_495_600, 1_704_723_300, "5m", 0, id="INT-7"),
        pytest.param("XNYS", 1_735_074_000, 1_735_223_700, "5m", 0, id="INT-12, over Christmas"),
        pytest.param("XNYS", 1_735_077_600, 1_735_220_100, "5m", 0, id="INT-12, as stamped at the source"),
        pytest.param("XNYS", 1_704_726_000, 1_704_727_500, "5m", 4, id="INT-13, INT-9"),
        pytest.param("XNYS", 1_704_726_000, 1_704_726_300, "5m", 0, id="INT-9, the next bar"),
        pytest.param("XNYS", 1_732_741_200, 1_732_890_900, "5m", 0, id="INT-15, over Thanksgiving"),
        pytest.param("24/7", 1_704_153_600, 1_704_326_400, "1D", 1, id="INT-19"),
    ],
)
def test_a_gap_is_what_the_calendar_misses_and_halts(
    calendar: str, previous: int, end: int, timeframe: str, absent: int
) -> None:
    assert missing(calendar, previous, end, timeframe) == absent
    assert latches(Desk(), absent) == (GAP_HALTS if absent else [])


def test_int_07_a_good_bar_after_a_gap_changes_nothing_until_an_operator_does() -> None:
    desk = Desk()
    latches(desk, 2)
    assert of(Refused, desk.want({"SPY": 1}, "SPY", 6, 400 * USD))
    desk.tell(LatchReleased("DATA-03", "operator", desk.state.now))
    assert submits(desk.want({"SPY": 1}, "SPY", 7, 400 * USD))


@pytest.mark.parametrize(
    ("disarmed", "halted"),
    [
        pytest.param(False, False, id="INT-08, INT-6, neither"),
        pytest.param(True, False, id="INT-08, disarmed"),
        pytest.param(True, True, id="INT-08, both"),
        pytest.param(False, True, id="INT-08, halted"),
    ],
)
def test_entries_are_blocked_while_anything_holds_and_exits_never(disarmed: bool, halted: bool) -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    if disarmed:
        desk.tell(ClockTicked(desk.state.now + 10 * MINUTE, (("SPY", 9 * MINUTE),)))
    desk.bar("SPY", 20, 400 * USD, missing=18 if halted else 0)
    assert bool(of(Refused, desk.want({"SPY": 11}, "SPY", 21, 400 * USD))) is (disarmed or halted)
    for order in list(desk.state.working.values()):
        desk.fill(order, 400 * USD)
    assert not of(Refused, desk.want({"SPY": 0}, "SPY", 22, 400 * USD))
    assert desk.state.lines["SPY"].working_sell == desk.state.ledger.qty("SPY")


def test_int_20_a_run_begins_neither_armed_nor_running() -> None:
    machine = shipped().machines["run"]
    assert machine.initial == "CREATED"
    reached = {edge.to_state for edge in machine.edges if edge.from_state == machine.initial}
    assert reached <= {"ARMED", "HALTED", "STOPPED"}
    assert {edge.from_state for edge in machine.edges if edge.to_state == "RUNNING"} == {"ARMED"}


def test_int_21_what_holds_survives_ten_restarts_with_its_reason() -> None:
    desk = Desk()
    latches(desk, 2)
    desk.tell(ClockTicked(desk.state.now + 10 * MINUTE, (("SPY", 9 * MINUTE),)))
    held = desk.state.latches.held()
    assert {latch.rule for latch in held} == {"DATA-01", "DATA-03"}
    book = desk.state.latches
    for _ in range(10):
        restarted = LatchBook()
        restarted.restore(book.held())
        book = restarted
    assert book.held() == held
    assert book.posture == "DISARMED"


ELSEWHERE: Final[dict[str, str]] = {
    "ARM-1": "tests/acceptance/test_cases_integrity.py::test_int_20_a_run_begins_neither_armed_nor_running",
    "INT-5": "tests/acceptance/test_cases_integrity.py::test_int_01_an_incomplete_bar_is_rejected_and_stops_nothing",
    "INT-17": "tests/market/test_calendars.py::test_bars_end_after_the_open_up_to_the_close",
}
