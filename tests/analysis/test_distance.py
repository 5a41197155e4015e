"""How far a decision is from another one: every boundary told is one, judged on both sides by guards compiled anew."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.analysis.distance import Distance, Flip, distance
from mqk.analysis.testing import Bench, Subject
from mqk.guards import GuardSet, Moment, Point, Result, canonical_name, compile_bundle, read_facts
from mqk.policy import Bundle
from mqk.policy.values import read_value, type_tag
from tests.analysis.testing.desk import RISK, desk

MORE = """
  - id: ORD-06
    title: A limit stays close to the market
    at: order
    when: present(order.limit_price)
    require: abs(order.limit_price - market.price) <= limits.collar of market.price
    otherwise: deny
  - id: ORD-11
    title: Restricted symbols
    at: order
    require: order.symbol not in limits.restricted
    otherwise: deny
  - id: ORD-03
    title: Lots
    at: order
    require: order.qty >= limits.max_order_qty
    otherwise: deny
"""
LIMITS = "  rejects: 5 per 300s\n  collar: 10%\n  restricted: [GME]\n  max_order_qty: 5\n"
Facts = dict[str, str]


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A small desk with a rule of every shape."""
    risk = RISK.replace("  rejects: 5 per 300s\n", LIMITS) + MORE.removeprefix("\n")
    return Bench(desk(tmp_path_factory.mktemp("desk"), risk=risk)).subject("DESK")


def moment(subject: Subject, guards: GuardSet, point: Point, facts: Facts) -> Moment:
    """The desk's ordinary moment with some facts changed."""
    usual = {name: text for name, text in subject.usual().items() if name not in {canonical_name(f) for f in facts}}
    return read_facts({**usual, **facts}, guards, point, lenient=True)


def told(subject: Subject, point: Point, facts: Facts) -> Distance:
    """The distance of the decision at a moment."""
    guards = subject.guards
    seen = moment(subject, guards, point, facts)
    return distance(subject.bundle, guards, guards.guards[point].decide(seen.views, seen.problems), seen)


def result(subject: Subject, point: Point, facts: Facts, rule: str, limit: tuple[str, str] | None = None) -> Result:
    """What one rule says, by the reference interpreter of all rules compiled together, with a limit set otherwise."""
    bundle: Bundle = subject.bundle
    if limit is not None:
        held = bundle.limits[limit[0]]
        changed = replace(held, value=read_value(type_tag(held.value), limit[1]), text=limit[1])
        bundle = replace(bundle, limits={**bundle.limits, held.name: changed})
    guards = subject.guards if limit is None else compile_bundle(bundle)
    seen = moment(subject, guards, point, facts)
    decision = guards.guards[point].decide(seen.views, seen.problems, passes=True)
    return next(each.result for each in decision.findings if each.rule == rule)


def with_flip(subject: Subject, point: Point, facts: Facts, rule: str, flip: Flip, value: str) -> Result:
    name = flip.quantity
    if name.startswith("limits."):
        return result(subject, point, facts, rule, (name.removeprefix("limits."), value))
    return result(subject, point, {**facts, name: value}, rule)


orders = st.fixed_dictionaries(
    {
        "order.qty": st.integers(0, 150).map(str),
        "order.side": st.sampled_from(["BUY", "SELL"]),
        "order.worst_price": st.integers(1, 90_000).map(lambda cents: f"{cents / 100:.2f} USD"),
        "market.price": st.integers(50, 90_000).map(lambda cents: f"{cents / 100:.2f} USD"),
        "account.equity": st.integers(0, 200_000).map(lambda dollars: f"{dollars} USD"),
        "account.cash": st.integers(-500, 200_000).map(lambda dollars: f"{dollars} USD"),
        "position.qty": st.integers(-60, 60).map(str),
        "run.killed": st.sampled_from(["false", "false", "true"]),
    },
    optional={"order.limit_price": st.integers(1, 90_000).map(lambda cents: f"{cents / 100:.2f} USD")},
)


@settings(max_examples=15, deadline=None)
@given(facts=orders)
def test_what_is_told_of_an_order_is_a_boundary(subject: Subject, facts: Facts) -> None:
    found = told(subject, Point.ORDER, facts)
    for rule in found.rules:
        assert result(subject, Point.ORDER, facts, rule.rule) is not Result.PASS
        for flip in rule.flips:
            assert with_flip(subject, Point.ORDER, facts, rule.rule, flip, flip.passes) is Result.PASS
            assert with_flip(subject, Point.ORDER, facts, rule.rule, flip, flip.fails) is not Result.PASS


@settings(max_examples=15, deadline=None)
@given(facts=orders)
def test_the_size_told_is_the_largest_smaller_one_with_which_all_deciding_rules_pass(
    subject: Subject, facts: Facts
) -> None:
    """Every smaller size, judged one by one; what is said to fail at every size fails at a few larger ones too."""
    found = told(subject, Point.ORDER, facts)
    guard = subject.guards.guards[Point.ORDER]
    deciding = {each.rule for each in found.rules}
    now = int(facts["order.qty"])

    def failing(size: int) -> set[str]:
        seen = moment(subject, subject.guards, Point.ORDER, {**facts, "order.qty": str(size)})
        return {each.rule for each in guard.decide(seen.views, seen.problems).findings}

    smaller = next((size for size in range(now - 1, 0, -1) if not failing(size) & deciding), None) if deciding else None
    if smaller is not None:
        assert found.size is not None
        assert found.size.passes == str(smaller)
        assert found.then == ("allow" if not failing(smaller) else "deny")
    elif found.size is not None:
        assert int(found.size.passes) > now
        assert not failing(int(found.size.passes)) & deciding
    for rule in found.rules:
        if rule.never:
            assert all(rule.rule in failing(size) for size in (*range(1, 40), now + 1, 10 * now + 1, 1_000_000))


@settings(max_examples=12, deadline=None)
@given(equity=st.integers(0, 100_000), start=st.integers(1, 120_000), rejects=st.integers(0, 12))
def test_what_is_told_of_an_account_is_a_boundary(subject: Subject, equity: int, start: int, rejects: int) -> None:
    facts = {
        "account.equity": f"{equity} USD",
        "account.day_start_equity": f"{start} USD",
        "count(rejects within 5m)": str(rejects),
    }
    found = told(subject, Point.ACCOUNT, facts)
    assert not found.sized
    for rule in found.rules:
        assert rule.flips
        for flip in rule.flips:
            assert with_flip(subject, Point.ACCOUNT, facts, rule.rule, flip, flip.passes) is Result.PASS
            assert with_flip(subject, Point.ACCOUNT, facts, rule.rule, flip, flip.fails) is not Result.PASS


def test_a_cap_is_told_by_size_and_by_limit(subject: Subject) -> None:
    found = told(subject, Point.ORDER, {"order.qty": "62"})
    (cap,) = found.rules
    size, limit = cap.flips
    assert (size.passes, size.fails, size.apart, size.worth) == ("50", "51", "12 shares", "20_000 USD")
    assert (limit.quantity, limit.passes, limit.fails, limit.rises) == ("limits.max_position", "24.8%", "24.79%", True)
    assert found.then == "allow"


def test_a_larger_size_is_told_where_no_smaller_one_passes(subject: Subject) -> None:
    found = told(subject, Point.ORDER, {"order.qty": "3"})
    (lots,) = found.rules
    assert [(each.quantity, each.passes, each.rises) for each in lots.flips] == [
        ("order.qty", "5", True),
        ("limits.max_order_qty", "3", False),
    ]


def test_where_nothing_helps_it_is_proven(subject: Subject) -> None:
    found = told(subject, Point.ORDER, {"run.killed": "true"})
    (killed,) = found.rules
    assert (killed.flips, killed.never, found.size) == ((), True, None)


def test_a_set_is_told_without_the_symbol(subject: Subject) -> None:
    found = told(subject, Point.ORDER, {"order.symbol": "GME"})
    (restricted,) = found.rules
    (flip,) = restricted.flips
    assert (flip.quantity, flip.now, flip.passes) == ("limits.restricted", "with GME", "without GME")
    assert restricted.never


def test_what_cannot_be_judged_is_far_from_everything(subject: Subject) -> None:
    guards = subject.guards
    usual = subject.usual()
    del usual["account.equity"]
    seen = read_facts(usual, guards, Point.ORDER, lenient=True)
    found = distance(subject.bundle, guards, guards.order.decide(seen.views, seen.problems), seen)
    assert [(each.rule, each.flips, each.never) for each in found.rules] == [("CAP-01", (), True)]


def test_an_allowed_order_is_at_no_distance(subject: Subject) -> None:
    assert told(subject, Point.ORDER, {"order.qty": "10"}) == Distance((), sized=False)
