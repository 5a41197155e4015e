"""Evidence: what the decisions of all runs add up to, between two instants."""

from __future__ import annotations

from mqk.store import evidence
from tests.store.world import SECOND, T0, World


def finding(rule: str, result: str, enforcement: str = "block") -> dict[str, str]:
    return {"rule": rule, "result": result, "enforcement": enforcement}


def test_what_a_rule_did_is_counted_by_run_with_its_last_decision(world: World) -> None:
    other = world.run(2)
    world.decide("d1", outcome="deny", findings=[finding("CAP-01", "BREACH"), finding("CAP-02", "PASS")])
    world.decide("d2", outcome="deny", findings=[finding("CAP-01", "ERROR")], at=T0 + 2 * SECOND)
    world.decide("d3", run_id=other, findings=[finding("CAP-01", "BREACH", "shadow")], at=T0 + SECOND)
    told = evidence.fired(world.conn, None, T0 + 3 * SECOND)
    assert [(each.rule, each.run_id, each.fired, each.errors, each.shadowed, each.decision_id) for each in told] == [
        ("CAP-01", other, 1, 0, 1, "d3"),
        ("CAP-01", world.run_id, 2, 1, 0, "d2"),
    ]
    assert [each.last for each in told] == [T0 + SECOND, T0 + 2 * SECOND]


def test_only_what_lies_between_the_instants_counts(world: World) -> None:
    world.decide("before", findings=[finding("CAP-01", "BREACH")], at=T0 - 1)
    world.decide("first", point="account", outcome="halt", findings=[finding("LOSS-01", "BREACH")], at=T0)
    world.decide("behind", findings=[finding("CAP-01", "BREACH")], at=T0 + SECOND)
    assert [each.rule for each in evidence.fired(world.conn, T0, T0 + SECOND)] == ["LOSS-01"]
    (run,) = evidence.decided(world.conn, T0, T0 + SECOND)
    assert (run.run_id, run.engine_id, run.mode, run.decisions) == (world.run_id, "MAIN", "PAPER", 1)
    assert (run.points, run.first, run.last, run.bundle) == (("account",), T0, T0, world.bundle_sha256)
    assert evidence.outside(world.conn, T0, T0 + SECOND) == 2
    (all_of_it,) = evidence.decided(world.conn, None, T0 + 2 * SECOND)
    assert (all_of_it.decisions, all_of_it.points) == (3, ("account", "order"))
