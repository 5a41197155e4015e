"""Confirmation and latches: nothing counts too early, nothing is let go too early, and a restart changes neither."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.guards import Enforcement, GuardRule, GuardSet, LatchBook
from mqk.policy import LatchSource


def rules(main: GuardSet) -> list[GuardRule]:
    return list(main.account.rules)


def mask(main: GuardSet, *ids: str) -> int:
    return sum(1 << i for i, rule in enumerate(main.account.rules) if rule.id in ids)


def test_a_daily_loss_halts_until_the_session_ends_even_when_it_recovers(main: GuardSet) -> None:
    """C-15: the halt is neither for ever nor gone with the next tick."""
    book = LatchBook()
    assert [latch.rule for latch in book.observe(rules(main), mask(main, "LOSS-01"), 1)] == ["LOSS-01"]
    assert book.posture == "HALTED"
    book.observe(rules(main), 0, 2)
    assert book.posture == "HALTED"
    book.end_session()
    assert book.posture == "NORMAL"
    assert book.quiet


def test_a_drawdown_is_released_only_by_its_role(main: GuardSet) -> None:
    book = LatchBook()
    book.observe(rules(main), mask(main, "LOSS-03", "LOSS-01"), 1)
    assert book.posture == "FLATTENING"
    book.end_session()
    with pytest.raises(PermissionError, match="risk_officer"):
        book.release("LOSS-03", "operator")
    assert book.posture == "FLATTENING"
    book.release("LOSS-03", "risk_officer")
    assert book.posture == "NORMAL"
    with pytest.raises(KeyError):
        book.release("LOSS-03", "risk_officer")


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=20))
def test_a_rule_counts_after_its_confirmations_in_a_row_and_never_before(
    main: GuardSet, confirm: int, breaches: list[bool]
) -> None:
    rule = replace(rules(main)[0], confirm=confirm, latch=None, outcome="halt")
    book = LatchBook()
    streak = 0
    for now, breached in enumerate(breaches):
        book.observe([rule], int(breached), now)
        streak = streak + 1 if breached else 0
        assert (book.posture == "HALTED") == (streak >= confirm)


@given(st.lists(st.integers(0, 7), min_size=1, max_size=20), st.integers(0, 19))
def test_a_restart_in_between_changes_no_posture(main: GuardSet, masks: list[int], at: int) -> None:
    """Latches survive a restart (confirmation streaks are rebuilt by replaying the session)."""
    held = [replace(rule, confirm=1, latch=LatchSource("released", "operator")) for rule in rules(main)]
    steady, restarted = LatchBook(), LatchBook()
    for now, bits in enumerate(masks):
        steady.observe(held, bits, now)
        if now == at:
            fresh = LatchBook()
            fresh.restore(restarted.held())
            restarted = fresh
        restarted.observe(held, bits, now)
        assert restarted.posture == steady.posture
        assert restarted.held() == steady.held()


@pytest.mark.parametrize("level", [Enforcement.SHADOW, Enforcement.WARN])
def test_only_blocking_rules_hold_anything(main: GuardSet, level: Enforcement) -> None:
    book = LatchBook()
    quiet = [replace(rule, enforcement=level) for rule in rules(main)]
    assert book.observe(quiet, mask(main, "LOSS-01", "LOSS-03"), 1) == []
    assert book.posture == "NORMAL"


def test_what_the_policy_gives_to_nobody_nobody_releases(main: GuardSet) -> None:
    book = LatchBook()
    book.observe(rules(main), mask(main, "LOSS-01"), 1)
    with pytest.raises(PermissionError, match="lasts until `session_end`"):
        book.release("LOSS-01", "risk_officer")
    assert book.posture == "HALTED"


@given(st.integers(2, 4), st.integers(1, 10))
def test_the_same_instant_judged_twice_is_one_confirmation(main: GuardSet, confirm: int, times: int) -> None:
    rule = replace(rules(main)[0], confirm=confirm, latch=None, outcome="halt")
    book = LatchBook()
    for _ in range(times):
        book.observe([rule], 1, 5)
    assert book.posture == "NORMAL"
