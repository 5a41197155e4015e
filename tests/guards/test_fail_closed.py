"""Taking a fact away, or spoiling it, never turns anything into `allow`: for every rule, fact and engine shipped."""

from __future__ import annotations

import pytest

from mqk.dsl import EvaluationError, FactRef, evaluate, syntax
from mqk.guards import GuardSet, Point, Result, canonical_name, compile_bundle, facts_at, read_facts
from mqk.guards.catalogue import collections_at
from mqk.guards.guard import observed
from mqk.guards.lookup import ViewLookup
from mqk.policy import PolicySet, effective_bundle, load_policies
from mqk.policy.resources import shipped_policies_dir

ENGINES = ("MAIN", "EXP")
POINTS = (Point.ORDER, Point.ACCOUNT, Point.BAR, Point.FEED)
SPOILT = ("", "abc", "NaN", "nan", "Infinity", "1e9", "yes", None, float("nan"), 1.5, [], {}, "99999999999999999999")


def shipped() -> dict[str, GuardSet]:
    policies: PolicySet = load_policies([shipped_policies_dir()])
    return {engine: compile_bundle(effective_bundle(policies, engine)) for engine in ENGINES}


GUARDS = shipped()


def document(guards: GuardSet, point: Point) -> dict[str, object]:
    """The baseline's facts of one point."""
    texts = {name: text.text for name, text in guards.bundle.baseline.items()}
    windows = ("count(", "total(") if point in (Point.ORDER, Point.ACCOUNT) else ()
    known = {name: text for name, text in texts.items() if name in facts_at(point) or name.startswith(windows)}
    # A baseline says nothing of a collection that is empty.
    return {**known, **{name: [] for name in collections_at(point)}}


def needed(guards: GuardSet, point: Point) -> set[str]:
    """The facts that some rule of the point reads, as the baseline names them."""
    names: set[str] = set()
    for rule in guards.guards[point].rules:
        for root in (rule.require, rule.when):
            for node in observed(root) if root is not None else []:
                if isinstance(node, syntax.Name):
                    names.add(node.path)
                elif isinstance(node, syntax.Window):
                    names.add(str(node.slot))
    return names


def outcome(guards: GuardSet, point: Point, facts: dict[str, object]) -> str:
    moment = read_facts(facts, guards, point)
    return guards.guards[point].decide(moment.views, moment.problems).outcome


CASES = [
    (e, p, f) for e in ENGINES for p in POINTS for f in sorted(document(GUARDS[e], p)) if f not in collections_at(p)
]


@pytest.mark.parametrize(("engine", "point"), [(e, p) for e in ENGINES for p in POINTS])
def test_the_baseline_is_an_allowed_moment_and_covers_every_fact_that_rules_need(engine: str, point: Point) -> None:
    guards = GUARDS[engine]
    facts = document(guards, point)
    assert outcome(guards, point, facts) == "allow"
    optional = {n for n, entry in facts_at(point).items() if isinstance(entry.ref, FactRef) and entry.ref.optional}
    assert needed(guards, point) - optional <= {canonical_name(fact) for fact in facts}


@pytest.mark.parametrize(("engine", "point", "fact"), CASES)
def test_deleting_a_fact_that_a_rule_needs_never_allows(engine: str, point: Point, fact: str) -> None:
    guards = GUARDS[engine]
    facts = document(guards, point)
    del facts[fact]
    # Read only where it matters: by a rule whose `when` does not hold in this moment.
    if fact in ("position.unrealised", "count(fills within 1 sessions)"):
        facts |= {"position.qty": 1} if fact.startswith("position") else {"count(orders within 1 sessions)": 50}
    optional = fact in facts_at(point) and getattr(facts_at(point)[fact].ref, "optional", False)
    if canonical_name(fact) in needed(guards, point) and not optional:
        assert outcome(guards, point, facts) != "allow"


@pytest.mark.parametrize(("engine", "point", "fact"), CASES)
def test_spoiling_any_fact_never_allows(engine: str, point: Point, fact: str) -> None:
    guards = GUARDS[engine]
    for value in SPOILT:
        assert outcome(guards, point, {**document(guards, point), fact: value}) != "allow", value


@pytest.mark.parametrize(("engine", "point", "fact"), CASES)
def test_compiled_code_and_interpreter_agree_when_a_view_lacks_a_fact(engine: str, point: Point, fact: str) -> None:
    """Views are filled by code whose types are checked; documents, which may hold anything, go through `read_facts`."""
    guards = GUARDS[engine]
    guard = guards.guards[point]
    if fact not in facts_at(point):
        return
    moment = read_facts(document(guards, point), guards, point)
    view, _, attribute = fact.partition(".")
    delattr(moment.views[view], attribute)
    expected = [result is not Result.PASS for result, _ in guard.results(ViewLookup(moment.views))]
    mask = guard.judge(*(moment.views[name] for name in guard.parameters))
    assert [bool(mask >> i & 1) for i in range(len(expected))] == expected


def test_every_error_names_the_fact_and_the_fault() -> None:
    guards = GUARDS["MAIN"]
    facts = document(guards, Point.ORDER)
    del facts["account.equity"]
    facts["order.symbol"] = "spy?"
    moment = read_facts(facts, guards, Point.ORDER)
    decision = guards.order.decide(moment.views, moment.problems)
    assert decision.outcome == "deny"
    faults = {finding.rule: (finding.result, finding.fault) for finding in decision.findings}
    assert faults["CAP-02"][0] is Result.ERROR
    assert {fault for _, fault in faults.values()} == {"missing", "invalid"}
    assert any("`account.equity` is missing" in finding.message for finding in decision.findings)


def test_every_order_rule_is_an_error_on_a_moment_without_facts() -> None:
    guards = GUARDS["MAIN"]
    lookup = ViewLookup(read_facts({}, guards, Point.ORDER).views)
    for rule in guards.order.rules:
        with pytest.raises(EvaluationError):
            evaluate(rule.when if rule.when is not None and not _asks_for_presence(rule.when) else rule.require, lookup)


def _asks_for_presence(condition: syntax.Expr) -> bool:
    """Whether a rule applies only where a fact that may be missing is there."""
    return any(isinstance(node, syntax.Present) for node in syntax.walk(condition))
