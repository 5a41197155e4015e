"""Mutants: what a case notices really changes a verdict; what none notices is listed with its line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqk.analysis.testing import Bench, Mutant, Subject, Suite, mutants, read_suites, run_suites, survivors
from mqk.analysis.testing.running import run_case
from mqk.guards import compile_bundle
from mqk.policy import PolicyError, effective_bundle, load_policies, shipped_policies_dir
from tests.analysis.testing.desk import HEAD, RISK, cases, desk, suites
from tests.analysis.testing.test_boundaries import with_boundaries

Desk = tuple[Bench, Sequence[Suite], Sequence[Mutant]]
SOME = (
    "name: a, at: order, expect: allow",
    "name: b, at: order, given: {order.qty: 51}, expect: deny, by: CAP-01",
    "name: c, at: order, given: {run.killed: true}, expect: deny, by: KILL-01",
    "name: d, at: account, given: {account.equity: 98_000 USD}, expect: halt, by: LOSS-01",
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The desk with a few cases, which notice some mutants and not others, and the mutants they do not."""
    found, read, faults = suites(tmp_path_factory.mktemp("desk"), cases(*SOME))
    assert not faults
    (tally,) = survivors(run_suites(read, found), found)
    return found, read, [left.mutant for left in tally.survivors]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 10_000))
def test_a_mutant_is_killed_when_a_case_fails_on_the_mutated_policies_and_only_then(bench: Desk, number: int) -> None:
    """The quick way of judging a mutant, which judges anew only what can have changed, is the slow way."""
    found, read, left = bench
    subject = found.subject("DESK")
    every = list(mutants(subject.bundle))
    mutant = every[number % len(every)]
    survives = mutant in left
    try:
        whole = _compiled(mutant, subject)
    except PolicyError:
        return
    fails = any(not run_case(suite, case, whole).passed for suite in read for case in suite.cases)
    assert fails is not survives


def _compiled(mutant: Mutant, subject: Subject) -> Subject:
    bundle = mutant.of(subject.bundle)
    return Subject(bundle, compile_bundle(bundle))


def test_every_mutant_means_something_else_to_a_reader(bench: Desk) -> None:
    """A mutant differs from the policy in its words, and no two of a bundle are told in the same words at one place."""
    subject = bench[0].subject("DESK")
    every = list(mutants(subject.bundle))
    assert all(mutant.of(subject.bundle).sha256 != subject.bundle.sha256 for mutant in every)
    told = [(mutant.place, mutant.what) for mutant in every]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize(
    "words",
    [
        "CAP-01 removed",
        "CAP-01 with `enforce: shadow`",
        "CAP-01 with `enforce: warn`",
        "CAP-01 with `otherwise: warn`",
        "CAP-01 with exits included",
        "`projected.position_value > limits.max_position of account.equity` in CAP-01",
        "`projected.position_value < limits.max_position of account.equity` in CAP-01",
        "`limits.max_position` 20.01% instead of 20%",
        "`limits.max_position` 19.99% instead of 20%",
        "`limits.rejects` 6 per 5m instead of 5 per 300s",
        "`when` of CAP-07 removed",
        "`run.killed` in KILL-01",
        "`order.side != BUY` as `when` of CAP-07",
        "LOSS-01 with `otherwise: reduce_only`",
    ],
)
def test_the_mistakes_people_make_are_among_the_mutants(bench: Desk, words: str) -> None:
    assert words in [mutant.what for mutant in mutants(bench[0].subject("DESK").bundle)]


def test_and_and_or_are_swapped_and_each_side_is_left_out(tmp_path: Path) -> None:
    risk = RISK.replace("require: not run.killed", "require: not run.killed and run.posture == NORMAL")
    subject = Bench(desk(tmp_path, risk=risk)).subject("DESK")
    told = [mutant.what for mutant in mutants(subject.bundle)]
    for words in ("not run.killed or run.posture == NORMAL", "not run.killed", "run.posture == NORMAL"):
        assert f"`{words}` in KILL-01" in told


def test_a_survivor_is_listed_with_the_line_of_the_mistake(tmp_path: Path) -> None:
    found, read, _ = suites(tmp_path, cases(*SOME))
    (tally,) = survivors(run_suites(read, found), found)
    lines = RISK.splitlines()
    told = {left.mutant.what: left for left in tally.survivors}
    left = told["RATE-05 removed"]
    assert lines[left.mutant.place.line - 1].strip() == "- id: RATE-05"
    assert str(left).startswith(f"{left.mutant.place.file}:{left.mutant.place.line}: DESK: ")
    limit = told["`limits.max_position` 20.01% instead of 20%"]
    assert lines[limit.mutant.place.line - 1].strip() == "max_position: 20%"


def test_boundary_cases_kill_every_mutant_of_the_desk(tmp_path: Path) -> None:
    found = with_boundaries(tmp_path)
    read, _ = read_suites(found.policies, found)
    (tally,) = survivors(run_suites(read, found), found)
    assert [str(left) for left in tally.survivors] == []
    assert tally.killed + tally.unusable + tally.equivalent == tally.total > 50


def test_a_case_that_fails_kills_nothing(tmp_path: Path) -> None:
    """What fails on the policies as they are says nothing about a mistake in them."""
    line = "name: n, at: order, given: {order.qty: 51}, expect: allow"
    found, read, _ = suites(tmp_path, cases(line, head=HEAD))
    assert survivors(run_suites(read, found), found) == []


def test_definitions_and_tables_are_mistaken_too() -> None:
    bundle = effective_bundle(load_policies([shipped_policies_dir()]), "MAIN")
    made = list(mutants(bundle))
    # A product of two names holds nothing that a finger could slip on.
    assert {each.let.name for each in made if each.let is not None} == bundle.lets.keys() - {"luld_width"}
    for table in bundle.tables.values():
        theirs = [each for each in made if each.table is not None and each.table.id == table.id]
        places = {(each.place.line, each.place.column) for each in theirs}
        for row in table.rows:
            for text in row.outputs.values():
                assert (text.span.line, text.span.column) in places
        assert {each.name for each in theirs} == {f"tables.{table.id}"}
    assert all(each.of(bundle) != bundle for each in made)
