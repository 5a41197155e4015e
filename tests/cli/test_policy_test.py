"""`mqk policy test`: what it says about cases, coverage and mutants, and that it ends well only when all is well."""

from __future__ import annotations

from pathlib import Path

from tests.analysis.testing.desk import HEAD, RISK, cases, desk
from tests.cli.shell import Mqk

GOOD = cases(
    "name: ten shares pass, at: order, expect: allow",
    "name: too much of one, at: order, given: {order.qty: 51}, expect: deny, by: CAP-01",
)
BAD = cases("name: too much of one, at: order, given: {order.qty: 51}, expect: allow")


def test_passing_cases_end_well(mqk: Mqk, tmp_path: Path) -> None:
    desk(tmp_path / "policies", GOOD)
    ended = mqk("policy", "test")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        "2 of 2 cases passed, in 1 test document\ncoverage 19%: 4 of 21 (every rule passing, in breach and in error)\n"
    )


def test_a_failing_case_is_a_finding_with_its_line_and_both_outcomes(mqk: Mqk, tmp_path: Path) -> None:
    desk(tmp_path / "policies", BAD)
    ended = mqk("policy", "test", "policies")
    assert ended.code == 1
    line = BAD.splitlines().index(BAD.splitlines()[-1]) + 1
    assert ended.out.startswith(
        f"policies/t0.test.yaml:{line}: DESK: too much of one: failed\n"
        "    expected `allow`, got `deny`\n"
        "    BREACH of CAP-01: `projected.position_value` is 20_400 USD, must be at most 20_000 USD"
    )
    assert "0 of 1 cases passed" in ended.out


def test_coverage_is_told_even_when_a_case_fails(mqk: Mqk, tmp_path: Path) -> None:
    desk(tmp_path / "policies", BAD)
    ended = mqk("policy", "test", "--coverage")
    assert ended.code == 1
    line = RISK.splitlines().index("  - id: CAP-01") + 1
    for word in ("pass", "breach", "err"):
        assert f"policies/risk.yaml:{line}: CAP-01 is never seen to {word}\n" in ended.out


def test_coverage_below_the_least_asked_for_is_a_finding(mqk: Mqk, tmp_path: Path) -> None:
    desk(tmp_path / "policies", GOOD)
    assert mqk("policy", "test", "--min-coverage", "19%").code == 0
    ended = mqk("policy", "test", "--min-coverage", "100%")
    assert ended.code == 1
    assert "4 of 21 (every rule passing, in breach and in error), below 100%" in ended.out


def test_no_case_at_all_is_a_finding(mqk: Mqk, tmp_path: Path) -> None:
    desk(tmp_path / "policies")
    ended = mqk("policy", "test")
    assert ended.code == 1
    assert "no case was run" in ended.out


def test_a_document_with_a_fault_is_a_finding_though_every_case_passes(mqk: Mqk, tmp_path: Path) -> None:
    other = cases("name: n, at: order, expect: deny, by: CAP-1", head=HEAD.replace("desk_test", "other"))
    desk(tmp_path / "policies", GOOD, other)
    ended = mqk("policy", "test")
    assert ended.code == 1
    assert "error[MQK-1450]: `DESK` has no rule `CAP-1`" in ended.out
    assert "2 of 2 cases passed, in 1 test document" in ended.out


def test_survivors_are_listed_and_a_finding(mqk: Mqk, tmp_path: Path) -> None:
    desk(tmp_path / "policies", GOOD)
    ended = mqk("policy", "test", "--mutate")
    assert ended.code == 1
    line = RISK.splitlines().index("  - id: KILL-01") + 1
    assert f"policies/risk.yaml:{line}: DESK: KILL-01 removed: no case sees it\n" in ended.out
    assert "mutants killed" in ended.out


def test_generated_cases_are_written_once_and_leave_nothing_uncovered_or_unnoticed(mqk: Mqk, tmp_path: Path) -> None:
    desk(tmp_path / "policies", GOOD)
    first = mqk("policy", "test", "--generate", "--write")
    assert (first.code, first.err) == (0, "")
    assert first.out == (
        "policies/bars.desk.boundaries.test.yaml: written\npolicies/risk.desk.boundaries.test.yaml: written\n"
    )
    again = mqk("policy", "test", "--generate", "--write")
    assert again.out == first.out.replace("written", "unchanged")
    ended = mqk("policy", "test", "--mutate", "--min-coverage", "100%", "--format", "json")
    assert ended.code == 0
    assert ended.json["passed"] == ended.json["cases"] > 50
    assert ended.json["coverage"]["uncovered"] == []
    assert ended.json["mutants"]["survivors"] == []


def test_generated_cases_are_printed_when_nothing_is_to_be_written(mqk: Mqk, tmp_path: Path) -> None:
    desk(tmp_path / "policies")
    before = sorted((tmp_path / "policies").iterdir())
    ended = mqk("policy", "test", "--generate", "--engine", "DESK")
    assert ended.code == 0
    assert "id: risk_boundaries_desk" in ended.out
    assert sorted((tmp_path / "policies").iterdir()) == before


def test_write_without_generate_is_refused(mqk: Mqk, tmp_path: Path) -> None:
    desk(tmp_path / "policies", GOOD)
    ended = mqk("policy", "test", "--write")
    assert ended.code == 2
    assert "add `--generate`" in ended.err
