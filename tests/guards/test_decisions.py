"""What a decision says: the ladder, enforcement, exits, and an explanation that stands on its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.guards import Decision, Enforcement, FactsError, GuardSet, Point, Result, read_facts
from mqk.guards.guard import Guard
from mqk.guards.points import LADDERS, most_severe


def order(guards: GuardSet, **changed: object) -> Decision:
    """The decision on the baseline order with some facts changed (dots written as two underscores)."""
    facts: dict[str, object] = {name: text.text for name, text in guards.bundle.baseline.items()}
    facts |= {name.replace("__", "."): value for name, value in changed.items()}
    moment = read_facts(facts, guards, Point.ORDER, lenient=True)
    return guards.order.decide(moment.views, moment.problems)


def test_a_denied_order_explains_itself_with_observed_limit_headroom_and_place(main: GuardSet) -> None:
    decision = order(main, order__qty=50)
    (finding,) = decision.findings
    assert decision.outcome == "deny"
    assert decision.deciding == ("CAP-01",)
    assert (finding.observed, finding.limit, finding.headroom) == ("23_506 USD", "20_000 USD", "-3_506 USD")
    assert finding.message == (
        "`projected.position_value` is 23_506 USD, must be at most 20_000 USD"
        " (`limits.max_position of projected.equity`)"
    )
    assert finding.file.endswith("profiles/tier_a_consistent.yaml")
    assert finding.layer == "risk:tier_a_consistent"
    assert decision.bundle == main.bundle.sha256


def test_every_breach_is_reported_and_not_only_the_first(main: GuardSet) -> None:
    decision = order(main, order__qty=5000, order__symbol="TSLA", run__killed="true", run__posture="HALTED")
    assert [f.rule for f in decision.findings] == [
        "CAP-01",
        "CAP-02",
        "CAP-03",
        "CAP-06",
        "CAP-07",
        "CAP-11",
        "CAP-12",
        "KILL-01",
        "ORD-02",
        "ORD-11",
        "POSTURE-01",
        "REG-02",
    ]


@settings(max_examples=200, deadline=None)
@given(
    held=st.integers(-1000, 1000).filter(bool),
    share=st.integers(1, 1000),
    posture=st.sampled_from(["NORMAL", "REDUCE_ONLY", "HALTED", "FLATTENING", "DISARMED"]),
    killed=st.booleans(),
    equity=st.integers(-10_000, 10_000),
    price=st.integers(1, 10_000),
)
def test_an_order_that_only_reduces_is_never_denied(
    main: GuardSet, held: int, share: int, posture: str, killed: bool, equity: int, price: int
) -> None:
    qty = min(share, abs(held))
    decision = order(
        main,
        position__qty=str(held),
        order__side="SELL" if held > 0 else "BUY",
        order__qty=qty,
        run__posture=posture,
        run__killed="true" if killed else "false",
        account__equity=f"{equity} USD",
        account__cash="-5 USD",
        order__worst_price=f"{price} USD",
        order__symbol="ANY",
    )
    assert decision.outcome == "allow", decision.findings


@pytest.mark.parametrize(("held", "working_sell", "qty"), [(10, 0, 11), (10, 5, 6), (0, 0, 1), (10, 10, 1)])
def test_an_order_that_may_turn_the_position_round_is_no_exit(
    main: GuardSet, held: int, working_sell: int, qty: int
) -> None:
    """C-41: a flip through zero is judged by every rule."""
    decision = order(main, position__qty=held, position__working_sell=working_sell, order__side="SELL", order__qty=qty)
    assert decision.deciding == ("ORD-13",)


@pytest.mark.parametrize("point", list(Point))
def test_the_most_severe_outcome_wins_whatever_the_order(point: Point) -> None:
    ladder = LADDERS[point]
    for i, outcome in enumerate(ladder):
        assert (
            most_severe(point, list(ladder[: i + 1])) == most_severe(point, list(reversed(ladder[: i + 1]))) == outcome
        )
    assert most_severe(point, []) == "allow"


def enforced(guards: GuardSet, level: Enforcement) -> Guard:
    source = guards.order
    rules = [replace(rule, enforcement=level) for rule in source.rules]
    return Guard(Point.ORDER, source.engine, source.bundle, rules, source._gate, source._limits)


@pytest.mark.parametrize(
    ("level", "outcome"), [(Enforcement.SHADOW, "allow"), (Enforcement.WARN, "warn"), (Enforcement.BLOCK, "deny")]
)
def test_enforcement_decides_what_a_breach_may_do_and_shadow_can_do_nothing(
    main: GuardSet, level: Enforcement, outcome: str
) -> None:
    facts = {name: text.text for name, text in main.bundle.baseline.items()} | {"order.qty": "50"}
    moment = read_facts(facts, main, Point.ORDER, lenient=True)
    decision = enforced(main, level).decide(moment.views)
    assert decision.outcome == outcome
    assert [f.result for f in decision.findings] == [Result.BREACH]


def test_unknown_and_computed_facts_make_a_document_unusable_and_all_of_them_are_named(main: GuardSet) -> None:
    with pytest.raises(FactsError) as caught:
        read_facts({"order.quantity": 1, "projected.position_value": "1 USD", "bar.close": "1 USD"}, main, Point.ORDER)
    said = "\n".join(caught.value.problems)
    assert "unknown fact `order.quantity`" in said
    assert "`projected.position_value` is computed from other facts" in said
    assert "`bar.close` does not exist at `order`: it is known at `bar`" in said


def test_windows_are_the_same_fact_in_whatever_unit_they_are_written(main: GuardSet) -> None:
    for name in ("count(rejects within 300s)", "count(rejects within 5m)", "count( rejects  within 300s )"):
        facts = {n: t.text for n, t in main.bundle.baseline.items() if not n.startswith("count(")} | {name: 5}
        moment = read_facts(facts, main, Point.ACCOUNT, lenient=True)
        assert main.account.decide(moment.views).outcome == "halt"


def test_a_decision_carries_the_facts_that_reproduce_it(main: GuardSet) -> None:
    first = order(main, order__qty=50)
    moment = read_facts(dict(first.facts), main, Point.ORDER, lenient=True)
    second = main.order.decide(moment.views, moment.problems)
    assert second == first


def test_one_window_in_two_spellings_makes_a_document_unusable(main: GuardSet) -> None:
    both = {"count(rejects within 300s)": 9, "count(rejects within 5m)": 0}
    with pytest.raises(FactsError, match="given twice"):
        read_facts(both, main, Point.ACCOUNT)
