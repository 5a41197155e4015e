"""Tests that are hollowed out are looser: engines, deciding rules, results and boundaries that are tested no more."""

from __future__ import annotations

import pytest

from mqk.analysis.diff import Direction
from tests.analysis.diff.sides import desk_files, diff, edited, only

E, T, L, X = Direction.EQUAL, Direction.TIGHTER, Direction.LOOSER, Direction.INCOMPARABLE
CASES = "tests.desk_cases"
MADE = """kind: test
id: risk_boundaries_desk
title: Boundaries of risk for DESK
owner: tests
engine: DESK
cases:
  - {name: "CAP-01 order.qty rising, before", at: order, given: {order.qty: 50}, expect: allow}
  - {name: "CAP-01 order.qty rising, behind", at: order, given: {order.qty: 52}, expect: deny, by: CAP-01}
  - {name: "KILL-01 run.killed", at: order, given: {run.killed: true}, expect: deny, by: KILL-01}
"""
BEHIND = """  - {name: "CAP-01 order.qty rising, behind", at: order, given: {order.qty: 52}, expect: deny, by: CAP-01}
"""


def files() -> dict[str, str]:
    before = edited(desk_files(), "cases.test.yaml", "by: CAP-01}", "by: CAP-01, result: breach}")
    before["cases.test.yaml"] += (
        "  - {name: no equity, at: order, given: {order.qty: 1_000}, missing: [account.equity], expect: deny,\n"
        "     by: CAP-01, result: error}\n"
    )
    other = before["engine.yaml"].replace("id: DESK", "id: TWIN")
    before = edited(before, "cases.test.yaml", "engine: DESK", "engines: [DESK, TWIN]")
    return {**before, "twin.yaml": other, "risk.desk.boundaries.test.yaml": MADE}


HOLLOWED = [
    ("engines: [DESK, TWIN]", "engines: [DESK]", f"{CASES}.engines", L, ("TWIN",)),
    (", by: CAP-01, result: breach", "", f"{CASES}.more do not", L, ("DESK", "TWIN")),
    (", result: error", "", f"{CASES}.no equity", L, ("DESK", "TWIN")),
    ("given: {order.qty: 51}", "given: {order.qty: 5_000}", f"{CASES}.more do not", X, ("DESK", "TWIN")),
    ("by: CAP-01, result: breach", "by: KILL-01, result: breach", f"{CASES}.more do not", X, ("DESK", "TWIN")),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "direction", "engines"), HOLLOWED)
def test_a_case_that_notices_less_is_looser_and_another_case_is_not_comparable(
    old: str, new: str, path: str, direction: Direction, engines: tuple[str, ...]
) -> None:
    before = files()
    after = edited(before, "cases.test.yaml", old, new)
    found = diff(before, after)
    assert (only(found).path, only(found).direction, only(found).engines) == (path, direction, engines)
    assert found.engines["TWIN"].verdict is direction
    assert only(diff(after, before)).direction is direction.mirrored


def test_how_a_case_is_written_is_nothing() -> None:
    before = files()
    after = edited(before, "cases.test.yaml", ", result: breach", "")
    after = edited(after, "cases.test.yaml", "order.qty: 1_000", "order.qty: 1000")
    assert diff(before, after).changes == ()


def test_a_case_follows_a_rule_to_its_new_name() -> None:
    before = files()
    after = {name: text.replace("CAP-01", "CAP-77") for name, text in before.items()}
    assert only(diff(before, after)).path == "rules.CAP-77"


def test_a_boundary_that_is_left_out_is_looser_while_its_rules_are_the_same() -> None:
    before = files()
    found = only(diff(before, edited(before, "risk.desk.boundaries.test.yaml", BEHIND, "")))
    assert (found.path, found.direction) == ("tests.risk_boundaries_desk.CAP-01 order.qty rising, behind", L)


def test_boundaries_that_are_made_anew_are_nothing_and_fewer_of_them_are_looser() -> None:
    before = files()
    changed = edited(before, "risk.yaml", "max_position: 20%", "max_position: 10%")
    anew = edited(changed, "risk.desk.boundaries.test.yaml", "order.qty: 50}", "order.qty: 25}")
    anew = edited(anew, "risk.desk.boundaries.test.yaml", "order.qty: 52}", "order.qty: 27}")
    assert [each.path for each in diff(before, anew).changes] == ["limits.max_position"]
    fewer = edited(changed, "risk.desk.boundaries.test.yaml", BEHIND, "")
    told = {each.path: each.direction for each in diff(before, fewer).changes}
    assert told == {"limits.max_position": T, "tests.risk_boundaries_desk.CAP-01": L}
