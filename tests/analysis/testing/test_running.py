"""Cases: a case passes when the outcome, the rules that decide and what they say are those it names, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqk.analysis.testing import Verdict, run_suites
from mqk.guards import LADDERS, Point, Result
from tests.analysis.testing.desk import HEAD, RISK, cases, suites


def verdict(folder: Path, line: str, head: str = HEAD) -> Verdict:
    bench, read, faults = suites(folder, cases(line, head=head))
    assert not faults, faults
    (found,) = run_suites(read, bench)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "name: n, at: order, expect: allow",
        "name: n, at: order, given: {order.qty: 50}, expect: allow",
        "name: n, at: order, given: {order.qty: 51}, expect: deny, by: CAP-01",
        "name: n, at: order, given: {run.killed: true}, expect: deny, by: KILL-01",
        "name: n, at: order, given: {order.qty: 51, account.cash: 0 USD}, expect: deny, by: [CAP-01, CAP-07]",
        "name: n, at: order, missing: [account.equity], expect: deny, by: CAP-01, result: error",
        "name: n, at: order, unreadable: [order.qty], expect: deny, by: CAP-07, result: error",
        "name: n, at: order, stale: [market.price], expect: deny, by: CAP-01, result: error",
        "name: n, at: order, given: {order.side: SELL, position.qty: 90}, stale: [market.price], expect: allow",
        "name: n, at: account, given: {account.equity: 98_000 USD}, expect: halt, by: LOSS-01",
        "name: n, at: account, given: {count(rejects within 5m): 5}, expect: reduce_only, by: RATE-05",
        # A milder rule may be named beside the one that decides.
        (
            "name: n, at: account, given: {account.equity: 1 USD, count(rejects within 300s): 9}, expect: halt,"
            " by: [LOSS-01, RATE-05]"
        ),
        "name: n, at: bar, missing: [bar.previous_close], expect: allow",
    ],
)
def test_a_case_that_tells_the_truth_passes(tmp_path: Path, line: str) -> None:
    assert verdict(tmp_path, line).differences == ()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("name: n, at: order, given: {order.qty: 51}, expect: allow", "expected `allow`, got `deny`"),
        ("name: n, at: order, given: {order.qty: 50}, expect: deny, by: CAP-01", "expected `deny`, got `allow`"),
        (
            "name: n, at: order, given: {order.qty: 51}, expect: deny, by: KILL-01",
            "expected BREACH of KILL-01, got PASS",
        ),
        (
            "name: n, at: order, given: {order.qty: 51, account.cash: 0 USD}, expect: deny, by: CAP-01",
            "also decided by CAP-07",
        ),
        (
            "name: n, at: order, missing: [account.equity], expect: deny, by: CAP-01",
            "expected BREACH of CAP-01, got ERROR",
        ),
        (
            (
                "name: n, at: account, given: {account.equity: 1 USD, count(rejects within 300s): 9}, expect: halt,"
                " by: RATE-05"
            ),
            "also decided by LOSS-01",
        ),
        (
            (
                "name: n, at: account, missing: [account.equity], given: {count(rejects within 300s): 9}, expect: halt,"
                " by: RATE-05, result: error"
            ),
            "expected ERROR of RATE-05, got BREACH",
        ),
    ],
)
def test_a_case_that_does_not_fails_and_says_what_came_instead(tmp_path: Path, line: str, says: str) -> None:
    differences = verdict(tmp_path, line).differences
    assert any(each.startswith(says) for each in differences), differences


def test_a_failure_carries_the_message_of_the_rule_that_decided(tmp_path: Path) -> None:
    (difference,) = verdict(tmp_path, "name: n, at: order, given: {order.qty: 51}, expect: allow").differences
    assert "`projected.position_value` is 20_400 USD, must be at most 20_000 USD" in difference


def test_a_rule_in_shadow_is_tested_by_naming_it_beside_allow(tmp_path: Path) -> None:
    bench, read, _ = suites(
        tmp_path,
        cases("name: n, at: order, given: {run.killed: true}, expect: allow, by: KILL-01"),
        risk=RISK.replace("require: not run.killed\n", "require: not run.killed\n    enforce: shadow\n"),
    )
    (found,) = run_suites(read, bench)
    assert found.passed


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    qty=st.integers(1, 120),
    killed=st.booleans(),
    expect=st.sampled_from(LADDERS[Point.ORDER]),
    by=st.sets(st.sampled_from(["CAP-01", "CAP-07", "KILL-01"])),
)
def test_only_the_truth_passes(tmp_path: Path, qty: int, killed: bool, expect: str, by: set[str]) -> None:
    """Of all that a case could claim about a moment, the one true claim passes and every other fails."""
    truth = {"CAP-01"} if qty > 50 else set()
    truth |= {"KILL-01"} if killed else set()
    if expect != "allow" and not by:
        return  # refused before it runs
    named = f", by: [{', '.join(sorted(by))}]" if by else ""
    line = (
        f"name: n, at: order, given: {{order.qty: {qty}, run.killed: {str(killed).lower()}}}, expect: {expect}{named}"
    )
    found = verdict(tmp_path, line)
    outcome = "deny" if truth else "allow"
    assert found.passed == (expect == outcome and by == truth)
    assert {each.rule for each in found.answer.findings if each.result is Result.BREACH} == truth
