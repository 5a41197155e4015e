"""C-10 to C-20 and C-41, defects of risk: each shown to be impossible with the shipped rules.

Breaches that hide each other, exits that are blocked, figures that only move with orders, limits that are off at zero,
decisions that say nothing, and caps that working orders get round.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from mqk.engine import (
    Cancel,
    Cancelled,
    ClockTicked,
    KillSwitch,
    LatchLifted,
    LatchReleased,
    LatchSet,
    Permit,
    Refused,
)
from mqk.engine.gate import authorise
from mqk.guards import GuardSet, Point, Result, compile_bundle
from mqk.orders import Side
from mqk.policy import LimitValue, RuleSource, Span, Text
from tests.acceptance.worlds import copied, decide, parse_duration, parse_rate, parse_ratio, problems, reject
from tests.engine.worlds import DAY, MINUTE, USD, Desk, guards, of, shipped, submits

NOWHERE: Final = Span.nowhere("test")


def ruled(set_: GuardSet, require: str, *, at: str = "order", otherwise: str = "deny", **more: object) -> GuardSet:
    """Guards with one more rule, `TEST-01`."""
    like = next(rule for rule in set_.bundle.rules if rule.at == at)
    rule: RuleSource = replace(
        like,
        id="TEST-01",
        require=Text(require, NOWHERE),
        when=None,
        otherwise=otherwise,
        latch=None,
        exits_included=False,
        **more,  # type: ignore[arg-type] # fields of the rule
    )
    return compile_bundle(replace(set_.bundle, rules=(*set_.bundle.rules, rule)))


def test_c10_a_denied_order_hides_no_loss() -> None:
    """Half the equity lost while an order is denied for another reason: denied, and halted."""
    desk = Desk(guards(shadow=("DATA-06",)))
    desk.hold("SPY", 45, 1, 400 * USD)
    effects = desk.want({"SPY": 46, "TSLA": 5}, "SPY", 2, 300 * USD)
    assert of(Refused, effects)
    assert [each.latch.rule for each in of(LatchSet, effects)] == ["LOSS-01"]


def test_c10_every_breach_is_told_and_the_order_of_rules_is_none() -> None:
    bundle = shipped().bundle
    backwards = compile_bundle(replace(bundle, rules=tuple(reversed(bundle.rules))))
    assert backwards.bundle.sha256 == bundle.sha256
    changed = {"order__qty": 5_000, "order__symbol": "TSLA", "run__killed": "true", "run__posture": "HALTED"}
    told = decide(shipped(), **changed)
    assert {"CAP-01", "CAP-02", "KILL-01", "ORD-11", "POSTURE-01"} <= {finding.rule for finding in told.findings}
    again = decide(backwards, **changed)
    assert (again.outcome, sorted(f.rule for f in again.findings)) == ("deny", sorted(f.rule for f in told.findings))


@pytest.mark.parametrize("qty", [45, 1])
def test_c11_the_exit_asked_for_at_the_moment_of_a_breach_leaves(qty: int) -> None:
    desk = Desk(guards(shadow=("DATA-06",)))
    desk.hold("SPY", 45, 1, 400 * USD)
    effects = desk.want({"SPY": 45 - qty}, "SPY", 2, 300 * USD)
    assert [each.latch.outcome for each in of(LatchSet, effects)] == ["halt"]
    (order,) = submits(effects)
    assert (order.side, order.qty) == (Side.SELL, qty)
    assert not of(Refused, effects)
    desk.fill(order, 300 * USD)
    assert desk.state.ledger.qty("SPY") == 45 - qty


@pytest.mark.parametrize("trouble", ["halt", "disarm", "kill"])
def test_c12_orders_are_pulled_in_every_emergency_and_no_rule_is_asked(trouble: str) -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 10}, "SPY", 1, 400 * USD))
    now = desk.state.now
    match trouble:
        case "halt":
            effects = desk.bar("SPY", 9, 400 * USD, missing=7)
        case "disarm":
            effects = desk.tell(ClockTicked(now + 10 * MINUTE, (("SPY", 9 * MINUTE),)))
        case _:
            effects = desk.tell(KillSwitch(True, "operator", now))
    assert [each.client_order_id for each in of(Cancel, effects)] == [order.client_order_id]
    desk.tell(Cancelled(order.client_order_id, "", desk.state.now))
    assert not desk.state.working


def test_c13_an_account_under_water_gets_out_also_while_killed() -> None:
    for killed in (False, True):
        desk = Desk(guards(("allow_short", True), shadow=("DATA-06",)))
        desk.hold("SPY", -45, 1, 400 * USD)
        desk.tell(KillSwitch(killed, "operator", desk.state.now))
        effects = desk.bar("SPY", 2, 4_000 * USD)
        assert desk.state.account.equity < 0
        (order,) = submits(effects) or submits(desk.want({"SPY": 0}, "SPY", 3, 4_000 * USD))
        assert (order.side, order.qty) == (Side.BUY, 45)
        assert isinstance(authorise(desk.state, order, epoch=1, now=desk.state.now, ttl=1), Permit)
        assert not of(Refused, desk.effects)


def test_c14_a_strategy_that_only_holds_is_judged_at_every_price() -> None:
    """The path of the original's own example: 100k, 19k, 14.5k, and not one order after the first."""
    desk = Desk(guards(("max_position", parse_ratio("100%")), shadow=("DATA-06",)))
    desk.hold("SPY", 180, 1, 500 * USD)
    desk.bar("SPY", 2, 50 * USD)
    assert desk.state.account.equity == 19_000 * USD
    assert {latch.rule for latch in desk.state.latches.held()} == {"LOSS-01", "LOSS-03"}
    assert desk.state.flattening
    desk.bar("SPY", 3, 25 * USD)
    assert desk.state.account.equity == 14_500 * USD
    assert [(order.side, order.qty) for order in submits(desk.effects[1:])][-1] == (Side.SELL, 180)


def test_c14_a_peak_between_two_orders_counts_and_so_does_an_order_that_was_refused() -> None:
    desk = Desk(guards(("max_drawdown", parse_ratio("5%")), ("daily_loss", parse_ratio("50%")), shadow=("DATA-06",)))
    desk.hold("SPY", 45, 1, 400 * USD)
    desk.bar("SPY", 2, 800 * USD)
    assert desk.state.account.peak_equity == 118_000 * USD
    effects = desk.want({"SPY": 10_000}, "SPY", 3, 650 * USD)
    assert desk.state.account.equity > 100_000 * USD
    assert [each.latch.rule for each in of(LatchSet, effects)] == ["LOSS-03"]


def test_c14_the_day_begins_with_the_session_and_not_with_its_first_order() -> None:
    desk = Desk(guards(shadow=("DATA-06",)))
    desk.hold("SPY", 45, 1, 400 * USD)
    desk.bar("SPY", 2, 440 * USD)
    desk.bar("SPY", 3, 441 * USD, session=DAY + 1)
    assert desk.state.account.day_start_equity == 101_800 * USD
    effects = desk.bar("SPY", 4, 390 * USD, session=DAY + 1)
    assert [each.latch.rule for each in of(LatchSet, effects)] == ["LOSS-01"]


def test_c15_a_daily_loss_is_over_with_its_day_and_a_drawdown_with_its_release() -> None:
    desk = Desk(guards(shadow=("DATA-06",)))
    desk.hold("SPY", 45, 1, 400 * USD)
    desk.bar("SPY", 2, 350 * USD)
    assert desk.state.run.posture == "HALTED"
    effects = desk.bar("SPY", 3, 350 * USD, session=DAY + 1)
    assert [each.by for each in of(LatchLifted, effects)] == ["session_end"]
    assert desk.state.run.posture == "NORMAL"
    # A new day, and a new loss counts from its own beginning.
    desk.bar("SPY", 4, 300 * USD, session=DAY + 1)
    assert desk.state.run.posture == "HALTED"


def test_c15_what_needs_a_person_needs_that_person() -> None:
    desk = Desk(guards(("rejects", parse_rate("1 per 300s"))))
    reject(desk, 1)
    desk.bar("SPY", 200, 100 * USD, session=DAY + 1)
    assert desk.state.run.posture == "HALTED"
    desk.tell(LatchReleased("RATE-05", "operator", desk.state.now))
    assert desk.state.run.posture == "NORMAL"


def test_c16_one_breach_has_one_outcome_whoever_notices_it() -> None:
    """Rejects that the broker tells one by one, and a count that was already there: the same rule, the same halt."""
    told = Desk(guards(("rejects", parse_rate("3 per 300s"))))
    for minute in (1, 2, 3):
        reject(told, minute)
    assert told.state.run.posture == "HALTED"
    known = decide(shipped(), Point.ACCOUNT, **{"count(rejects within 300s)": 5})
    assert (known.outcome, known.deciding) == ("halt", ("RATE-05",))


def test_c17_evidence_carries_the_rule_that_was_broken() -> None:
    breaches = {
        "LOSS-01": {"account__equity": "90_000 USD"},
        "LOSS-03": {"account__equity": "80_000 USD"},
        "RATE-05": {"count(rejects within 300s)": 5},
    }
    for rule, changed in breaches.items():
        decision = decide(shipped(), Point.ACCOUNT, **changed)
        (finding,) = [each for each in decision.findings if each.rule == rule]
        assert finding.result is Result.BREACH
        assert finding.title
        assert finding.line > 0
        assert rule in decision.deciding or decision.outcome == "flatten"


@pytest.mark.parametrize(
    ("limit", "value", "point"),
    [
        ("daily_loss", parse_ratio("0%"), Point.ACCOUNT),
        ("max_drawdown", parse_ratio("0%"), Point.ACCOUNT),
        ("max_position", parse_ratio("0%"), Point.ORDER),
        ("max_gross", parse_ratio("0%"), Point.ORDER),
        ("max_leverage", parse_ratio("0x"), Point.ORDER),
        ("stale_after", parse_duration("0s"), Point.FEED),
    ],
)
def test_c18_zero_is_the_strictest_limit_and_never_off(limit: str, value: LimitValue, point: Point) -> None:
    assert not decide(guards((limit, value)), point, feed__late="1s").allowed


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("daily_loss", "-2%"),
        ("max_drawdown", "-1%"),
        ("rejects", "-5 per 300s"),
        ("rejects", "0 per 300s"),
        ("rejects", "off"),
        ("max_position", "none"),
    ],
)
def test_c18_a_limit_below_zero_or_off_is_refused(tmp_path: Path, limit: str, value: str) -> None:
    folder = copied(tmp_path)
    file = next(folder.rglob("tier_b_experimental.yaml"))
    text = file.read_text("utf-8")
    spoilt = re.sub(rf"^  {limit}: .*$", f"  {limit}: {value}", text, flags=re.MULTILINE)
    assert spoilt != text
    file.write_text(spoilt, "utf-8")
    assert {each.code for each in problems(folder)} & {"MQK-1110", "MQK-1111", "MQK-1114"}


def test_c19_a_decision_says_every_rule_its_figures_its_margin_and_its_place() -> None:
    decision = decide(shipped(), order__qty=300)
    assert len(decision.findings) >= 3
    assert decision.bundle == shipped().bundle.sha256
    for finding in decision.findings:
        assert finding.rule
        assert finding.title
        assert finding.layer
        assert finding.line > 0
        assert finding.message
    (cap,) = [finding for finding in decision.findings if finding.rule == "CAP-01"]
    assert (cap.observed, cap.limit, cap.headroom) == ("141_036 USD", "20_000 USD", "-121_036 USD")
    again = decide(shipped(), **{name.replace(".", "__"): value for name, value in decision.facts})
    assert again == decision


@pytest.mark.parametrize(
    ("require", "changed"),
    [
        ("projected.highest_qty <= 100", {"order__qty": 101}),
        ("projected.gross_exposure <= 2x of account.equity", {"account__gross_exposure": "200_000 USD"}),
        ("projected.position_value <= 25% of account.equity", {"order__qty": 54}),
        ("projected.lowest_qty >= 0", {"order__side": "SELL"}),
        ("order.value <= 5_000 USD", {"order__qty": 11}),
        (
            "abs(order.worst_price - market.price) <= 5% of market.price",
            {"order__worst_price": "500 USD"},
        ),
        ("order.symbol in engine.universe", {"order__symbol": "GME"}),
        ("account.working_orders < 5", {"account__working_orders": 5}),
        ("account.open_positions < 10 or position.qty != 0", {"account__open_positions": 10}),
        ("account.peak_equity - account.equity < 3_000 USD", {"account__equity": "97_000 USD"}),
    ],
)
def test_c20_what_the_original_could_not_limit_is_one_line_here(require: str, changed: dict[str, object]) -> None:
    """Size, leverage, concentration, shorts, notional, collars, symbols, counts: over the order and the portfolio."""
    set_ = ruled(shipped(), require)
    assert decide(set_).outcome == "allow"
    decision = decide(set_, **changed)
    assert "TEST-01" in decision.deciding


def test_c20_the_rate_of_orders_is_one_line_here() -> None:
    desk = Desk(ruled(guards(), "count(orders within 60s) < 2"))
    placed = [submits(desk.want({symbol: 1}, symbol, 1, 100 * USD)) for symbol in ("AAPL", "QQQ", "SPY")]
    assert [len(each) for each in placed] == [1, 1, 0]
    assert submits(desk.want({"SPY": 1}, "SPY", 5, 100 * USD))


def test_c41_an_order_through_zero_is_an_exit_and_an_entry_that_is_judged() -> None:
    desk = Desk(guards(("allow_short", True)))
    desk.hold("SPY", 10, 1, 400 * USD)
    effects = desk.want({"SPY": -10_000}, "SPY", 2, 400 * USD)
    assert [(order.side, order.qty) for order in submits(effects)] == [(Side.SELL, 10)]
    (refused,) = of(Refused, effects)
    assert (refused.intent.qty, "CAP-01" in refused.rules) == (10_000, True)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"position__qty": 10, "order__side": "SELL", "order__qty": 10_010}, "CAP-01"),
        ({"position__qty": 10, "position__working_sell": 10, "order__side": "SELL", "order__qty": 1}, "ORD-13"),
        ({"position__working_buy": 40, "order__qty": 3}, "CAP-01"),
        ({"account__gross_exposure": "99_000 USD"}, "CAP-02"),
        ({"account__working_buy_value": "99_000 USD"}, "CAP-07"),
    ],
)
def test_c41_caps_count_what_is_working_and_what_comes_after_zero(changed: dict[str, object], rule: str) -> None:
    decision = decide(shipped(), **changed)
    assert decision.outcome == "deny"
    assert rule in decision.deciding


def test_c41_what_frees_room_goes_first_whatever_its_name() -> None:
    """AAPL would be bought before SPY is sold if names decided; it fits only after."""
    desk = Desk(guards(("max_position", parse_ratio("100%")), ("max_gross", parse_ratio("100%"))))
    desk.hold("SPY", 240, 1, 400 * USD)
    desk.bar("AAPL", 2, 100 * USD)
    effects = desk.want({"SPY": 0, "AAPL": 30}, "SPY", 3, 400 * USD)
    assert [(order.symbol, order.side) for order in submits(effects)] == [
        ("SPY", Side.SELL),
        ("AAPL", Side.BUY),
    ]


def test_c41_many_small_orders_come_to_no_more_than_one_large_one() -> None:
    desk = Desk()
    for minute in range(1, 60):
        desk.want({"SPY": minute}, "SPY", minute, 400 * USD)
    held = desk.state.lines["SPY"].working_buy
    assert 0 < held * 400 * USD <= 20_000 * USD
