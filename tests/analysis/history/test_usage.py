"""What a history has used of policies is what the real guards say of it, decision by decision."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest

from mqk.analysis.history.backends import Engine, opened
from mqk.analysis.history.headroom import Headroom, measure_headroom
from mqk.analysis.history.mutation import measure_mutants
from mqk.analysis.history.records import read_parts
from mqk.analysis.history.replay import moment_of
from mqk.analysis.history.usage import measure_usage
from mqk.guards import GuardSet, Point, Result, compile_bundle
from mqk.guards.lookup import ViewLookup
from mqk.policy import PolicyError
from mqk.quantity import Ratio
from tests.analysis.history.histories import judged, recorded, rows, shipped


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("history"))


def test_rules_fire_and_err_as_often_as_the_real_guards_say(history: Path) -> None:
    expected: Counter[tuple[str, Result]] = Counter()
    for row in rows(history):
        guard = shipped().guards[Point(row["point"])]
        moment = moment_of(row, guard.point)
        for rule, (result, _) in zip(
            guard.rules, guard.results(ViewLookup(moment.views, moment.problems)), strict=True
        ):
            expected[rule.id, result] += 1
    with opened(Engine.DUCKDB) as backend:
        found = measure_usage(backend, read_parts(history), {"MAIN": shipped()})
    said = {each.rule.id: (each.fired, each.erred) for each in found if each.decisions}
    assert said == {
        rule: (expected[rule, Result.BREACH], expected[rule, Result.ERROR]) for rule in {rule for rule, _ in expected}
    }
    assert any(fired for fired, _ in said.values())


def headroom_of(history: Path, guards: GuardSet, rule: str) -> Headroom:
    with opened(Engine.DUCKDB) as backend:
        found = measure_headroom(backend, read_parts(history), {"MAIN": guards})
    return next(each for each in found if each.clause.rule.id == rule)


def with_position(guards: GuardSet, share: Fraction) -> GuardSet:
    limit = replace(guards.bundle.limits["max_position"], value=Ratio(share))
    return compile_bundle(replace(guards.bundle, limits={**guards.bundle.limits, "max_position": limit}))


def test_the_tightest_value_of_a_limit_flips_nothing_and_the_least_below_it_flips_that_decision(history: Path) -> None:
    found = headroom_of(history, shipped(), "CAP-01")
    assert found.tightest is not None
    steps = ceil(found.tightest.value * 10**9)
    edge, below = (with_position(shipped(), Fraction(each, 10**9)) for each in (steps, steps - 1))
    allowed = [row for row in rows(history) if row["point"] == "order" and row["outcome"] == "allow"]
    assert all(judged(row, edge).allowed for row in allowed)
    flipped = [row["decision_id"] for row in allowed if not judged(row, below).allowed]
    assert found.tightest.decision in flipped
    assert found.least is not None
    assert found.most is not None
    assert 0 <= found.least <= (found.median or 0) <= found.most


def test_a_history_notices_a_mutant_exactly_when_a_decision_comes_out_otherwise(history: Path) -> None:
    bundle = shipped().bundle
    few = tuple(rule for rule in bundle.rules if rule.id in ("CAP-01", "CAP-15", "ORD-18"))
    read = {"limits.max_position", "limits.warm_up"}
    limits = {name: limit for name, limit in bundle.limits.items() if f"limits.{name}" in read}
    small = compile_bundle(replace(bundle, rules=few, limits=limits, lets={}, tables={}, lifecycles={}))
    with opened(Engine.DUCKDB) as backend:
        found = measure_mutants(backend, read_parts(history), "MAIN", small)
    orders = [row for row in rows(history) if row["point"] == "order"]
    before = [judged(row, small).outcome for row in orders]
    for mutant in found.mutants:
        try:
            mutated = compile_bundle(mutant.of(small.bundle))
        except PolicyError:
            continue  # without the rule nothing reads its limit
        differs = [judged(row, mutated).outcome for row in orders] != before
        assert differs == (mutant in found.noticed), mutant.what
    assert 0 < len(found.noticed) < len(found.mutants)
