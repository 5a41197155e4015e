"""Decisions and latches: what was decided stands as it was, and what was latched holds until it is released."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from mqk.store import decisions, latches
from tests.store.world import MINUTE, SECOND, T0, World, sqlstate


def finding(rule: str, result: str) -> dict[str, str]:
    return {"rule": rule, "result": result, "observed": "25%", "limit": "20%"}


def hold(world: World, rule_id: str, until_at: int | None = None, at: int = T0) -> bool:
    world.decide(f"decision-{rule_id}", point="account", outcome="halt")
    return latches.hold(
        world.conn,
        world.run_id,
        rule_id=rule_id,
        outcome="halt",
        decision_id=f"decision-{rule_id}",
        until="session_end" if until_at else "released",
        until_at=until_at,
        at=at,
    )


def test_a_decision_reads_back_as_it_was_made(world: World) -> None:
    findings = [finding("CAP-01", "BREACH"), finding("PDT-01", "PASS")]
    assert world.decide("d1", outcome="deny", facts={"order.qty": 250}, findings=findings, at=T0 + 1)
    assert not world.decide("d1", outcome="allow")
    made = decisions.get(world.conn, "d1")
    assert made is not None
    assert (made.outcome, made.point, made.facts, made.findings, made.at) == (
        "deny",
        "order",
        {"order.qty": 250},
        findings,
        T0 + 1,
    )
    assert made.bundle_sha256 == world.bundle_sha256
    assert decisions.get(world.conn, "d2") is None


def test_denials_are_counted_by_the_rules_that_did_not_pass(world: World) -> None:
    world.decide("d1", outcome="deny", findings=[finding("CAP-01", "BREACH"), finding("PDT-01", "PASS")])
    world.decide("d2", outcome="deny", findings=[finding("CAP-01", "BREACH"), finding("GROSS-01", "ERROR")])
    world.decide("d3", outcome="warn", findings=[finding("PDT-01", "BREACH")])
    assert decisions.breaches_by_rule(world.conn, world.run_id, outcome="deny") == {"CAP-01": 2, "GROSS-01": 1}


def test_a_runs_decisions_are_listed_in_order_of_time(world: World) -> None:
    other = world.run(2)
    world.decide("late", at=T0 + SECOND)
    world.decide("early", outcome="deny")
    world.decide("elsewhere", run_id=other)
    listed = [each.decision_id for each in decisions.of_run(world.conn, world.run_id)]
    assert listed == ["early", "late"]
    assert [each.decision_id for each in decisions.of_run(world.conn, world.run_id, outcome="deny")] == ["early"]
    assert [each.decision_id for each in decisions.of_run(world.conn, world.run_id, limit=1)] == ["early"]


def test_a_decision_is_made_under_the_bundle_of_its_run(world: World) -> None:
    with pytest.raises(IntegrityError) as refusal:
        world.decide("d1", bundle_sha256="0" * 64)
    assert sqlstate(refusal.value) == "23503"


@pytest.mark.parametrize("wrong", [{"point": "lunch"}, {"outcome": "DENY"}, {"outcome": ""}])
def test_a_point_or_outcome_nobody_knows_is_refused(world: World, wrong: dict[str, str]) -> None:
    with pytest.raises(IntegrityError) as refusal:
        world.decide("d1", **wrong)
    assert sqlstate(refusal.value) == "23514"


def test_decisions_are_neither_rewritten_nor_removed(world: World) -> None:
    world.decide("d1", outcome="deny")
    for statement in ("UPDATE decisions SET outcome = 'allow'", "DELETE FROM decisions", "TRUNCATE decisions CASCADE"):
        with pytest.raises(DBAPIError) as refusal, world.conn.begin_nested():
            world.conn.execute(text(statement))
        assert sqlstate(refusal.value) == "23001", statement


def test_a_latch_holds_until_somebody_releases_it(world: World) -> None:
    assert hold(world, "LOSS-01", at=T0)
    assert not hold(world, "LOSS-01", at=T0 + SECOND)
    world.conn.commit()
    assert [(each.rule_id, each.since) for each in latches.held(world.conn, world.run_id)] == [("LOSS-01", T0)]
    assert latches.expire(world.conn, world.run_id, at=T0 + 1000 * MINUTE) == []
    assert latches.release(world.conn, world.run_id, rule_id="LOSS-01", actor="ana", at=T0 + MINUTE)
    assert not latches.release(world.conn, world.run_id, rule_id="LOSS-01", actor="ana", at=T0 + MINUTE)
    assert latches.held(world.conn, world.run_id) == []
    assert hold(world, "LOSS-01", at=T0 + 2 * MINUTE)


def test_a_latch_until_an_instant_ends_with_it(world: World) -> None:
    hold(world, "LOSS-01", until_at=T0 + MINUTE)
    hold(world, "DD-01", until_at=T0 + 2 * MINUTE)
    assert latches.expire(world.conn, world.run_id, at=T0 + MINUTE - 1) == []
    assert latches.expire(world.conn, world.run_id, at=T0 + MINUTE) == ["LOSS-01"]
    assert [each.rule_id for each in latches.held(world.conn, world.run_id)] == ["DD-01"]


def test_the_cause_of_a_latch_is_not_rewritten(world: World) -> None:
    hold(world, "LOSS-01")
    for statement in ("UPDATE latches SET outcome = 'warn'", "UPDATE latches SET rule_id = 'X'", "DELETE FROM latches"):
        with pytest.raises(DBAPIError) as refusal, world.conn.begin_nested():
            world.conn.execute(text(statement))
        assert sqlstate(refusal.value) == "23001", statement
