"""The acceptance cases RSK of the original system: losses, drawdown, storms of rejects, halts, and corrupt figures.

Said otherwise here: what the original did in one evaluation of an order is two questions, one about the account at
every price and fill, one about the order; `halted & disarmed` is a posture; and limits are of a stated base, so that a
thousand dollars of a hundred thousand are one percent.
"""

from __future__ import annotations

import pytest

from mqk.engine import Cancel, KillSwitch, LatchSet, Refused
from mqk.guards import Point
from mqk.orders import Order, OrderError, Side
from mqk.quantity import INT64_MAX
from tests.acceptance.worlds import decide, parse_rate, parse_ratio, reject
from tests.engine.worlds import USD, Desk, guards, of, shipped, submits

LOWEST = "-9_223_372_036_854.775808 USD"
ONE_PERCENT = guards(("daily_loss", parse_ratio("1%")))


def test_rsk_01_a_daily_loss_halts() -> None:
    desk = Desk(ONE_PERCENT)
    desk.hold("SPY", 44, 1, 400 * USD)
    effects = desk.bar("SPY", 2, 375 * USD)
    assert desk.state.account.equity == 98_900 * USD
    assert [(each.latch.rule, each.latch.outcome) for each in of(LatchSet, effects)] == [("LOSS-01", "halt")]
    assert desk.state.run.posture == "HALTED"


def test_rsk_02_as_many_rejects_as_the_limit_halt() -> None:
    desk = Desk(guards(("rejects", parse_rate("3 per 300s"))))
    for minute in (1, 2):
        reject(desk, minute)
    assert desk.state.run.posture == "NORMAL"
    reject(desk, 3)
    assert [each.rule for each in desk.state.latches.held()] == ["RATE-05"]
    assert desk.state.run.posture == "HALTED"


def test_rsk_03_a_halted_engine_refuses_what_adds_and_says_that_it_is_halted() -> None:
    desk = Desk(guards(("rejects", parse_rate("3 per 300s"))))
    for minute in (1, 2, 3):
        reject(desk, minute)
    (refused,) = of(Refused, desk.want({"SPY": 1}, "SPY", 4, 100 * USD))
    assert refused.decision is not None
    assert any("HALTED" in finding.message for finding in refused.decision.findings)


def test_rsk_07_a_kill_switch_pulls_entries_refuses_new_ones_and_lets_exits_out() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    (entry,) = submits(desk.want({"SPY": 20}, "SPY", 2, 400 * USD))
    effects = desk.tell(KillSwitch(True, "operator", desk.state.now))
    assert [each.client_order_id for each in of(Cancel, effects)] == [entry.client_order_id]
    assert of(Refused, desk.want({"QQQ": 1}, "QQQ", 3, 300 * USD))
    assert [order.qty for order in submits(desk.want({"SPY": 0}, "SPY", 4, 400 * USD))] == [10]


@pytest.mark.parametrize("qty", [1, 100, 1_000_000, INT64_MAX])
def test_rsk_09_every_whole_number_of_shares_is_a_quantity(qty: int) -> None:
    assert Order("MAIN_r_0", "SPY", Side.BUY, qty).leaves == qty


@pytest.mark.parametrize("qty", [0, -1, INT64_MAX + 1])
def test_rsk_09_nothing_else_is(qty: int) -> None:
    with pytest.raises(OrderError):
        Order("MAIN_r_0", "SPY", Side.BUY, qty)


def test_rsk_10_whoever_is_halted_is_refused_also_in_the_best_of_health() -> None:
    decision = decide(shipped(), run__posture="HALTED")
    assert decision.outcome == "deny"
    assert decision.deciding == ("POSTURE-01",)
    assert decide(shipped()).outcome == "allow"


@pytest.mark.parametrize(
    "equity", ["-0.000001 USD", "-1 USD", "-500 USD", LOWEST], ids=["one micro", "one dollar", "RSK-14", "lowest"]
)
def test_rsk_11_an_equity_below_zero_stops_the_engine(equity: str) -> None:
    decision = decide(shipped(), Point.ACCOUNT, account__equity=equity)
    assert decision.outcome in ("halt", "flatten", "disarm")
    assert not decide(shipped(), account__equity=equity).allowed


def test_rsk_14_a_healthy_account_that_falls_below_zero_is_stopped_and_may_get_out() -> None:
    desk = Desk(guards(("allow_short", True), shadow=("DATA-06",)))
    desk.hold("SPY", -40, 1, 400 * USD)
    effects = desk.bar("SPY", 2, 2_912_500_000)
    assert desk.state.account.equity == -500 * USD
    assert desk.state.run.posture in ("HALTED", "FLATTENING", "DISARMED")
    assert not of(Refused, effects)
    assert [(order.side, order.qty) for order in submits(effects)] == [(Side.BUY, 40)]


@pytest.mark.parametrize("fact", ["account.day_start_equity", "account.peak_equity", "account.cash"])
@pytest.mark.parametrize("value", [LOWEST, "9_223_372_036_854.775807 USD"])
def test_rsk_13_a_corrupt_figure_never_crashes_and_never_lets_trade(fact: str, value: str) -> None:
    changed = {"account__equity": "0 USD", fact.replace(".", "__"): value}
    account = decide(shipped(), Point.ACCOUNT, **changed)
    assert account.outcome in ("halt", "flatten", "disarm") or not decide(shipped(), **changed).allowed


def test_rsk_15_the_peak_never_falls() -> None:
    desk = Desk(guards(shadow=("DATA-06", "LOSS-01", "LOSS-03")))
    desk.hold("SPY", 40, 1, 400 * USD)
    desk.bar("SPY", 2, 410 * USD)
    peak = desk.state.account.peak_equity
    assert peak == 100_400 * USD
    for minute, close in enumerate((410 * USD - 1, 1, 410 * USD), 3):
        desk.bar("SPY", minute, close)
        assert desk.state.account.peak_equity == peak


@pytest.mark.parametrize("point", [Point.ORDER, Point.ACCOUNT, Point.BAR, Point.FEED])
def test_rsk_17_without_facts_the_answer_is_no_and_every_finding_says_what_is_missing(point: Point) -> None:
    set_ = shipped()
    nothing = {name.replace(".", "__"): None for name in set_.bundle.baseline}
    decision = decide(set_, point, **nothing)
    assert not decision.allowed
    assert decision.findings
    assert all(finding.message and finding.fault for finding in decision.findings if finding.effect != "allow")


def test_rsk_18_the_evidence_is_the_facts_each_of_them_once() -> None:
    decision = decide(shipped(), order__symbol="MSFT", order__qty=50)
    facts = dict(decision.facts)
    assert (facts["order.symbol"], facts["order.qty"]) == ("MSFT", "50")
    assert len(decision.facts) == len(facts)
    silent = decide(shipped(), **{name.replace(".", "__"): None for name in shipped().bundle.baseline})
    assert silent.facts == ()


@pytest.mark.parametrize(("equity", "outcome"), [("9_600 USD", "allow"), ("9_400 USD", "halt")])
def test_rsk_19_a_loss_is_a_breach_only_from_the_limit_on(equity: str, outcome: str) -> None:
    set_ = guards(("daily_loss", parse_ratio("5%")))
    changed = {"account__peak_equity": "10_000 USD", "account__gross_exposure": "0 USD", "account__cash": equity}
    decision = decide(set_, Point.ACCOUNT, account__day_start_equity="10_000 USD", account__equity=equity, **changed)
    # An account this small has also fallen below the floor of the engine's capital, which is another rule's business.
    assert ("LOSS-01" in {finding.rule for finding in decision.findings}) is (outcome == "halt")


def test_rsk_21_a_drawdown_that_reaches_its_limit_flattens() -> None:
    desk = Desk(guards(("max_drawdown", parse_ratio("1%"))))
    desk.hold("SPY", 40, 1, 400 * USD)
    effects = desk.bar("SPY", 2, 375 * USD)
    assert desk.state.account.equity == 99_000 * USD
    assert [(each.latch.rule, each.latch.outcome) for each in of(LatchSet, effects)] == [("LOSS-03", "flatten")]
    assert [(order.side, order.qty) for order in submits(effects)] == [(Side.SELL, 40)]


@pytest.mark.parametrize(("minute", "posture"), [(3, "HALTED"), (9, "NORMAL")])
def test_rsk_22_rejects_are_forgotten_when_their_window_is_over(minute: int, posture: str) -> None:
    desk = Desk(guards(("rejects", parse_rate("10 per 300s"))))
    for symbol in shipped().bundle.universe:
        reject(desk, 1, symbol)
    assert desk.state.run.posture == "NORMAL"
    reject(desk, minute)
    assert desk.state.run.posture == posture
