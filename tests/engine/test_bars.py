"""What an engine does about bars: which it uses, when a session begins, and what it makes of silence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mqk.engine import (
    BarArrived,
    BarRejected,
    ClockTicked,
    LatchLifted,
    LatchReleased,
    LatchSet,
    PostureChanged,
    Refused,
)
from mqk.guards import compile_bundle
from tests.engine.worlds import DAY, MINUTE, USD, Desk, bar, guards, of, submits


def test_a_rejected_bar_marks_nothing_and_asks_nobody() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    before = desk.state.account.equity
    desk.wishes = {"SPY": 0}
    (effect,) = desk.bar("SPY", 2, 600 * USD)
    assert isinstance(effect, BarRejected)
    assert effect.reason == "rejected by DATA-06"
    assert effect.decision is not None
    assert effect.decision.findings[0].limit == "80 USD"
    assert desk.state.account.equity == before


def test_a_price_that_jumps_for_good_costs_one_bar() -> None:
    desk = Desk()
    for minute, close in enumerate((400, 600, 605, 610), 1):
        desk.bar("SPY", minute, close * USD)
    assert len(of(BarRejected, desk.effects)) == 1
    assert desk.state.lines["SPY"].price == 610 * USD


def test_a_bar_from_the_past_never_rewinds_time_c25() -> None:
    desk = Desk()
    desk.bar("SPY", 5, 400 * USD)
    for minute in (4, 5):
        assert of(BarRejected, desk.bar("SPY", minute, 401 * USD))
    assert desk.state.lines["SPY"].previous_end == bar("SPY", 5, 1).end
    assert not of(BarRejected, desk.bar("SPY", 6, 402 * USD))


def test_a_bar_that_no_rule_knows_to_be_wrong_is_still_none_when_it_is_none() -> None:
    desk = Desk(guards(shadow=("DATA-04", "DATA-05b", "DATA-06", "DATA-07")))
    desk.bar("SPY", 5, 400 * USD)
    reasons = [
        of(BarRejected, desk.bar("SPY", 6, 0)),
        of(BarRejected, desk.bar("SPY", 7, 401 * USD, complete=False)),
        of(BarRejected, desk.bar("SPY", 5, 401 * USD)),
        of(BarRejected, desk.bar("SPY", 8, 401 * USD, timeframe="5m")),
        of(BarRejected, desk.bar("QQQ", 8, 401 * USD, timeframe="2m")),
    ]
    assert [found[0].reason.split(",")[0] for found in reasons] == [
        "the bar closes at no price",
        "the bar is not complete",
        "the bar does not come after the one before",
        "the bar is of `5m`",
        "the engine trades `1m`",
    ]


def test_an_incomplete_bar_is_rejected_and_its_complete_form_is_used_c50() -> None:
    desk = Desk()
    desk.bar("SPY", 1, 400 * USD)
    assert of(BarRejected, desk.bar("SPY", 2, 401 * USD, complete=False))
    assert not of(BarRejected, desk.bar("SPY", 2, 402 * USD))
    assert desk.state.lines["SPY"].price == 402 * USD


def test_a_gap_halts_until_an_operator_releases_it_and_the_bar_still_marks() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    effects = desk.bar("SPY", 5, 404 * USD, missing=3)
    assert [type(effect) for effect in of(LatchSet, effects)] == [LatchSet]
    assert desk.state.run.posture == "HALTED"
    assert desk.state.account.equity == 100_000 * USD + 40 * USD
    assert of(Refused, desk.want({"SPY": 20}, "SPY", 6, 404 * USD))
    assert [order.qty for order in submits(desk.want({"SPY": 0}, "SPY", 7, 404 * USD))] == [10]
    released = desk.tell(LatchReleased("DATA-03", "operator", desk.state.now))
    assert of(LatchLifted, released)
    assert desk.state.run.posture == "NORMAL"


def test_a_good_bar_of_another_symbol_lifts_nothing() -> None:
    rules = guards().bundle
    tick = replace(rules, rules=tuple(replace(r, latch=None) if r.id == "DATA-03" else r for r in rules.rules))
    desk = Desk(compile_bundle(tick))
    desk.bar("SPY", 1, 400 * USD)
    desk.bar("QQQ", 1, 300 * USD)
    desk.bar("SPY", 3, 400 * USD, missing=1)
    assert desk.state.run.posture == "HALTED"
    desk.bar("QQQ", 3, 300 * USD)
    assert desk.state.run.posture == "HALTED"
    desk.bar("SPY", 4, 400 * USD)
    assert desk.state.run.posture == "NORMAL"


def test_a_silent_feed_is_noticed_by_the_clock_and_exits_stay_free_c24_c28() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    now = desk.state.now
    assert desk.tell(ClockTicked(now + 3 * MINUTE, (("SPY", 2 * MINUTE),))) == []
    effects = desk.tell(ClockTicked(now + 4 * MINUTE, (("SPY", 3 * MINUTE),)))
    assert [latch.latch.outcome for latch in of(LatchSet, effects)] == ["disarm"]
    assert desk.tell(ClockTicked(now + 5 * MINUTE, (("SPY", 4 * MINUTE),))) == []
    assert [order.side for order in submits(desk.want({"SPY": 0}, "SPY", 6, 400 * USD))] == ["SELL"]


def test_the_session_begins_with_the_first_event_that_says_so() -> None:
    desk = Desk()
    desk.hold("SPY", 40, 1, 400 * USD)
    desk.bar("SPY", 2, 410 * USD)
    assert desk.state.account.day_start_equity == 100_000 * USD
    desk.tell(ClockTicked(desk.state.now + 1, (), DAY + 1))
    assert desk.state.account.day_start_equity == 100_400 * USD
    desk.bar("SPY", 3, 420 * USD, session=DAY + 1)
    assert desk.state.account.day_start_equity == 100_400 * USD
    desk.bar("SPY", 4, 421 * USD, session=DAY)
    assert desk.state.session == DAY + 1


def test_every_mark_moves_the_peak_and_a_holding_strategy_is_judged_c14() -> None:
    desk = Desk()
    desk.hold("SPY", 45, 1, 400 * USD)
    for minute, close in enumerate((440, 480, 520, 480, 440, 400, 350), 2):
        desk.bar("SPY", minute, close * USD)
        assert desk.state.account.peak_equity >= desk.state.account.equity
    assert desk.state.account.peak_equity == 100_000 * USD + 45 * 120 * USD
    assert [latch.rule for latch in desk.state.latches.held()] == ["LOSS-01"]


def test_the_daily_loss_halt_lifts_at_the_next_session_c15() -> None:
    desk = Desk()
    desk.hold("SPY", 45, 1, 400 * USD)
    effects = desk.bar("SPY", 2, 350 * USD)
    assert [latch.latch.rule for latch in of(LatchSet, effects)] == ["LOSS-01"]
    assert [p.posture for p in of(PostureChanged, effects)] == ["HALTED"]
    assert of(Refused, desk.want({"QQQ": 1, "SPY": 46}, "SPY", 3, 350 * USD))
    effects = desk.bar("SPY", 4, 350 * USD, session=DAY + 1)
    assert [lifted.by for lifted in of(LatchLifted, effects)] == ["session_end"]
    assert submits(desk.want({"SPY": 46}, "SPY", 5, 350 * USD))


def test_confirmation_counts_instants_and_not_symbols() -> None:
    bundle = guards().bundle
    patient = tuple(replace(rule, confirm=3) if rule.id == "LOSS-01" else rule for rule in bundle.rules)
    desk = Desk(compile_bundle(replace(bundle, rules=patient)))
    desk.hold("SPY", 45, 1, 400 * USD)
    for symbol in ("SPY", "QQQ", "AAPL", "IBM"):
        desk.bar(symbol, 2, 350 * USD)
    assert desk.state.run.posture == "NORMAL"
    desk.bar("SPY", 3, 350 * USD)
    desk.bar("QQQ", 3, 350 * USD)
    assert desk.state.run.posture == "NORMAL"
    desk.bar("QQQ", 4, 350 * USD)
    assert desk.state.run.posture == "HALTED"


def test_a_far_future_bar_poisons_nothing() -> None:
    desk = Desk()
    desk.bar("SPY", 1, 400 * USD)
    future = bar("SPY", 5_000, 400 * USD)
    desk.tell(BarArrived(future, 0, DAY, desk.state.now))
    assert desk.state.run.posture == "HALTED"
    desk.bar("SPY", 2, 400 * USD)
    assert desk.state.lines["SPY"].previous_end != future.end


@pytest.mark.parametrize("other", [401 * USD, 399 * USD])
def test_feeds_that_disagree_halt(other: int) -> None:
    desk = Desk()
    made = bar("SPY", 1, 400 * USD)
    desk.tell(BarArrived(made, 0, DAY, made.end, other))
    assert [latch.rule for latch in desk.state.latches.held()] == ["DATA-08"]
