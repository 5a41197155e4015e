"""Boundary cases: they pass on the policies they are made of, are made the same again, and stand on both sides."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqk.analysis.testing import (
    Bench,
    Subject,
    boundary_cases,
    measure,
    needed,
    read_suites,
    run_suites,
    survivors,
    write_documents,
)
from mqk.guards import Result
from tests.analysis.testing.desk import RISK, desk


def subject(folder: Path, risk: str = RISK) -> Subject:
    return Bench(desk(folder, risk=risk)).subject("DESK")


def written(found: Subject) -> dict[str, str]:
    return write_documents(found, boundary_cases(found).cases)


def with_boundaries(folder: Path, risk: str = RISK) -> Bench:
    """The desk with the boundary cases of its rules beside them."""
    for file, text in written(subject(folder, risk)).items():
        Path(file).write_text(text, "utf-8")
    return Bench(desk(folder, risk=risk))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.integers(1, 9_999), loss=st.integers(1, 9_999), rejects=st.integers(1, 9))
def test_boundary_cases_pass_on_the_policies_they_were_made_of(
    tmp_path: Path, share: int, loss: int, rejects: int
) -> None:
    risk = RISK.replace("max_position: 20%", f"max_position: {share}bps")
    risk = risk.replace("daily_loss: 2%", f"daily_loss: {loss}bps").replace("5 per 300s", f"{rejects} per 300s")
    for old in tmp_path.glob("*.boundaries.test.yaml"):
        old.unlink()
    bench = with_boundaries(tmp_path, risk)
    read, faults = read_suites(bench.policies, bench)
    assert not faults
    verdicts = run_suites(read, bench)
    assert verdicts
    assert [(each.case.name, each.differences) for each in verdicts if not each.passed] == []


def test_boundary_cases_make_every_rule_pass_breach_and_err(tmp_path: Path) -> None:
    bench = with_boundaries(tmp_path)
    assert boundary_cases(bench.subject("DESK")).unreached == ()
    read, _ = read_suites(bench.policies, bench)
    assert measure(bench.policies, bench, run_suites(read, bench)).share == Fraction(1)


def test_making_them_again_changes_nothing(tmp_path: Path) -> None:
    first = written(subject(tmp_path))
    with_boundaries(tmp_path)
    assert written(subject(tmp_path)) == first
    assert set(first) == {
        str(tmp_path / f"{name}.desk.boundaries.test.yaml").removeprefix("./") for name in ("risk", "bars")
    }


def test_a_limit_is_met_from_both_sides_and_one_step_apart(tmp_path: Path) -> None:
    edges = {
        case.name: case
        for case in boundary_cases(subject(tmp_path)).cases
        if case.rule == "CAP-01" and case.name.startswith("CAP-01 order.worst_price rising")
    }
    before, behind = edges["CAP-01 order.worst_price rising, before"], edges["CAP-01 order.worst_price rising, behind"]
    # Ten shares and a fifth of 100_000 USD: 2_000 USD a share, and not a micro more.
    assert before.given == {"order.worst_price": "2_000 USD"}
    assert (before.expect, before.by) == ("allow", ())
    assert behind.given == {"order.worst_price": "2_000.000001 USD"}
    assert (behind.expect, behind.by, behind.result) == ("deny", ("CAP-01",), Result.BREACH)
    assert "CAP-01 order.worst_price rising, inside" in edges
    assert "CAP-01 order.worst_price rising, beyond" in edges


def test_an_exit_and_a_moment_outside_when_are_shown_to_be_free(tmp_path: Path) -> None:
    names = {case.name: case.expect for case in boundary_cases(subject(tmp_path)).cases}
    assert names["CAP-01 an exit"] == "allow"
    assert names["CAP-07 outside `when`"] == "allow"


def test_a_few_of_them_do_what_all_of_them_do(tmp_path: Path) -> None:
    found = subject(tmp_path)
    every = boundary_cases(found).cases
    few = needed(found, every, [], Bench(desk(tmp_path)))
    assert len(few) * 3 < len(every)
    for file, text in write_documents(found, few).items():
        Path(file).write_text(text, "utf-8")
    bench = Bench(desk(tmp_path))
    read, _ = read_suites(bench.policies, bench)
    verdicts = run_suites(read, bench)
    assert measure(bench.policies, bench, verdicts).share == 1
    assert [str(left) for tally in survivors(verdicts, bench) for left in tally.survivors] == []


def test_none_is_needed_where_all_of_them_stand_already(tmp_path: Path) -> None:
    bench = with_boundaries(tmp_path)
    read, _ = read_suites(bench.policies, bench)
    found = bench.subject("DESK")
    assert needed(found, boundary_cases(found).cases, run_suites(read, bench), bench) == []


def test_names_are_unique_and_in_order(tmp_path: Path) -> None:
    names = [(case.rule, case.name) for case in boundary_cases(subject(tmp_path)).cases]
    assert names == sorted(set(names))
