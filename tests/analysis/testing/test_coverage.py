"""Coverage: a rule is seen only where a passing case has judged it, or named it; what is not seen has its line."""

from __future__ import annotations

from pathlib import Path

from mqk.analysis.testing import Bench, Cell, Coverage, measure, run_suites
from mqk.guards import Result
from tests.analysis.testing.desk import HEAD, RISK, cases, desk, suites

_WORDS = {Result.PASS: "pass", Result.BREACH: "breach", Result.ERROR: "err"}
RULES = ("KILL-01", "CAP-01", "CAP-07", "LOSS-01", "RATE-05", "DATA-04", "DATA-06")


def coverage(folder: Path, *lines: str) -> Coverage:
    bench, read, faults = suites(folder, cases(*lines))
    assert not faults, faults
    return measure(bench.policies, bench, run_suites(read, bench))


def covered(found: Coverage) -> set[tuple[str, Result]]:
    return {(cell.rule, cell.result) for cell in set(found.cells) - set(found.uncovered)}


def test_every_rule_has_three_cells(tmp_path: Path) -> None:
    bench = Bench(desk(tmp_path))
    found = measure(bench.policies, bench, [])
    assert {(cell.rule, cell.result) for cell in found.cells} == {(rule, each) for rule in RULES for each in Result}
    assert found.share == 0


def test_a_cell_names_the_line_of_its_rule(tmp_path: Path) -> None:
    bench = Bench(desk(tmp_path))
    cell = next(each for each in measure(bench.policies, bench, []).uncovered if each.rule == "CAP-01")
    lines = RISK.splitlines()
    assert lines[cell.span.line - 1].strip() == "- id: CAP-01"
    assert str(cell).endswith(f"risk.yaml:{cell.span.line}: CAP-01 is never seen to {_WORDS[cell.result]}")


def test_a_pass_is_seen_where_the_rule_is_judged_and_nowhere_else(tmp_path: Path) -> None:
    found = coverage(tmp_path, "name: n, at: order, given: {order.side: SELL, position.qty: 90}, expect: allow")
    assert covered(found) == set(), "an exit is judged by none of these rules"
    found = coverage(tmp_path, "name: n, at: order, given: {order.side: SELL}, expect: allow")
    assert covered(found) == {("KILL-01", Result.PASS), ("CAP-01", Result.PASS)}, "CAP-07 is about purchases"


def test_a_breach_and_an_error_are_seen_by_being_named(tmp_path: Path) -> None:
    found = coverage(
        tmp_path,
        "name: a, at: order, given: {order.qty: 51}, expect: deny, by: CAP-01",
        "name: b, at: order, missing: [order.qty], expect: deny, by: CAP-07, result: error",
    )
    assert ("CAP-01", Result.BREACH) in covered(found)
    assert ("CAP-07", Result.ERROR) in covered(found)
    assert ("CAP-01", Result.ERROR) not in covered(found), "it erred as well, and nobody said so"


def test_a_case_that_fails_covers_nothing(tmp_path: Path) -> None:
    assert covered(coverage(tmp_path, "name: n, at: order, given: {order.qty: 51}, expect: allow")) == set()


def test_a_rule_that_no_engine_uses_is_uncovered(tmp_path: Path) -> None:
    unused = RISK.replace("desk_risk", "unused").replace("A floor", "Nobody's")
    bench, read, _ = suites(tmp_path, cases("name: n, at: order, expect: allow"))
    (tmp_path / "unused.yaml").write_text(unused, "utf-8")
    again = Bench(desk(tmp_path))
    found = measure(again.policies, again, run_suites(read, bench))
    assert {cell.rule for cell in found.uncovered if cell.span.file.endswith("unused.yaml")} == set(RULES[:5])
    assert all(isinstance(cell, Cell) for cell in found.cells)


def test_one_engine_alone_is_measured_on_request(tmp_path: Path) -> None:
    bench, read, _ = suites(tmp_path, cases("name: n, at: order, expect: allow", head=HEAD))
    found = measure(bench.policies, bench, run_suites(read, bench, engine="DESK"), engine="DESK")
    assert len(found.cells) == 3 * len(RULES)
