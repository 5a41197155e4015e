"""A policy that only tightens is told from one that does not, by proof, with a moment to show it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqk.analysis.moments import lookup_of
from mqk.analysis.rules import outcome_level, rules_at
from mqk.analysis.tightening import Looser, looser, without
from mqk.dsl import Expr, format_expression
from mqk.dsl import types as t
from mqk.guards import Point
from mqk.guards.lookup import ViewLookup
from mqk.policy import Bundle, LatchSource, RuleSource
from mqk.quantity import Duration, Rate, Ratio
from tests.analysis.worlds import only, rule, shipped, waiver, with_limit, with_rule
from tests.dsl.worlds import expressions
from tests.guards.test_random_policies import ORDER_WORDS, facts, views

POINTS = tuple(Point)


def flips(low: Bundle, high: Bundle, found: Looser) -> bool:
    """Whether the witness of a loosening shows it when both sides are judged."""
    assert found.answer.witness is not None
    lookup = lookup_of(found.answer.witness)
    point = found.rule.point
    return (
        outcome_level(rules_at(low, point), lookup) >= found.rule.level > 0
        and outcome_level([each for each in rules_at(high, point) if each.level >= found.rule.level], lookup)
        < found.rule.level
    )


def test_what_is_the_same_is_not_looser() -> None:
    assert looser(shipped(), shipped()) == []


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"enforce": "warn"}, ["CAP-01"]),
        ({"enforce": "shadow"}, ["CAP-01"]),
        ({"otherwise": "warn"}, ["CAP-01"]),
        ({"when": "order.type == MARKET"}, ["CAP-01"]),
        ({"when": "order.side == BUY"}, []),  # ORD-13 denies the others
        ({"when": "order.qty > 0"}, []),  # ORD-03 denies the others
        ({"require": "projected.position_value < 20_001 USD"}, ["CAP-01"]),
        ({"require": "projected.position_value <= 20% of projected.equity and order.qty < 5"}, []),
        ({"require": "projected.position_value * 5 <= projected.equity"}, []),
        ({"require": "not (projected.equity * 0.2 < projected.position_value)"}, []),
    ],
)
def test_everything_about_a_rule_that_can_loosen_it_is_considered(changes: dict[str, str], rules: list[str]) -> None:
    low = shipped()
    high = with_rule(low, "CAP-01", **changes)
    found = looser(low, high)
    assert [each.rule.id for each in found] == rules
    assert all(flips(low, high, each) for each in found)


def test_a_rule_that_lets_exits_go_is_looser_than_one_that_does_not() -> None:
    low = shipped()
    assert [each.rule.id for each in looser(low, with_rule(low, "ORD-03", exits_included=False))] == ["ORD-03"]
    assert looser(low, with_rule(low, "CAP-01", exits_included=True)) == []


def test_a_rule_that_is_gone_is_looser_unless_another_denies_as_much() -> None:
    low = only(shipped(), rule("A", "order.qty <= 10"), rule("B", "order.qty <= 5"))
    a, b = low.rules
    assert looser(low, only(low, b)) == []
    (found,) = looser(low, only(low, a))
    assert found.rule.id == "B"
    assert found.answer.witness is not None
    assert found.answer.witness.values["order.qty"] in (6, 10)


@pytest.mark.parametrize(
    ("rule_id", "changes"),
    [
        ("LOSS-01", {"confirm": 2}),
        ("LOSS-01", {"latch": None}),
        ("LOSS-03", {"latch": LatchSource("session_end", "risk_officer")}),
        ("LOSS-03", {"latch": LatchSource("released", "operator")}),
        ("LOSS-03", {"otherwise": "halt"}),
        ("LOSS-01", {"latch": LatchSource("released", "operator")}),  # it could then be let go before the session ends
    ],
)
def test_what_is_held_shorter_confirmed_later_or_released_by_others_is_looser(
    rule_id: str, changes: dict[str, object]
) -> None:
    low = shipped()
    assert [each.rule.id for each in looser(low, with_rule(low, rule_id, **changes))] == [rule_id]


@pytest.mark.parametrize(
    ("rule_id", "changes"),
    [
        ("RATE-05", {"otherwise": "flatten"}),
        ("RATE-05", {"latch": LatchSource("released", None)}),
        ("LOSS-01", {"otherwise": "disarm"}),
    ],
)
def test_what_is_held_longer_or_weighs_more_is_tighter(rule_id: str, changes: dict[str, object]) -> None:
    low = shipped()
    assert looser(low, with_rule(low, rule_id, **changes)) == []


def test_a_longer_window_of_as_many_events_is_tighter_and_a_shorter_one_looser() -> None:
    low = shipped()
    value = low.limits["rejects"].value
    assert isinstance(value, Rate)
    longer = with_limit(low, "rejects", Rate(value.count, Duration(value.window.micros * 2)))
    assert looser(low, longer) == []
    (found,) = looser(longer, low)
    assert found.rule.id == "RATE-05"


def test_a_rule_that_reads_a_fact_less_is_looser_where_the_fact_is_missing() -> None:
    low = only(shipped(), rule("A", "order.qty <= 10 and market.price > 0 USD or order.qty <= 10"))
    high = only(shipped(), rule("A", "order.qty <= 10"))
    assert looser(high, low) == []
    (found,) = looser(low, high)
    assert found.answer.witness is not None
    assert found.answer.witness.missing >= {"market.price"}


def test_what_a_layer_declares_as_loosened_counts_as_it_has_it() -> None:
    low = shipped()
    high = with_limit(low, "max_position", Ratio(Fraction(1, 4)))
    assert looser(low, high)
    assert looser(without(low, high, frozenset({"limits.max_position"})), high) == []
    assert looser(without(low, high, frozenset({"limits.daily_loss"})), high)


def test_a_rule_that_is_waived_is_looser_where_it_is_and_a_narrower_waiver_tighter() -> None:
    def waived(scope: str) -> Bundle:
        return with_rule(shipped(), "CAP-01", waivers=(waiver(scope),))

    assert [each.rule.id for each in looser(shipped(), waived("order.symbol == SPY"))] == ["CAP-01"]
    assert looser(waived("order.symbol == SPY"), shipped()) == []
    assert looser(waived("order.qty < 50"), waived("order.qty < 40")) == []
    assert looser(waived("order.qty < 40"), waived("order.qty < 50"))
    # Only a limit that the scope rests on differs.
    scope = "order.value < limits.max_position of account.equity * 2"
    narrow, wide = waived(scope), with_limit(waived(scope), "max_position", Ratio(Fraction(1, 4)))
    assert looser(narrow, wide)


conditions = expressions(t.BOOL, 2, ORDER_WORDS)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[RuleSource], list[RuleSource]]:
    """Two or three rules, and the same with one of them changed in some way."""

    def text(expr: Expr) -> str:
        return format_expression(expr)

    low = [
        rule(f"R-{number}", text(draw(conditions)), exits_included=draw(st.booleans()))
        for number in range(draw(st.integers(1, 3)))
    ]
    at = draw(st.integers(0, len(low) - 1))
    old, other = low[at].require.text, text(draw(conditions))
    how = draw(st.sampled_from(["and", "or", "other", "when", "warn", "exits", "gone", "not not"]))
    changed = {
        "and": rule(low[at].id, f"({old}) and ({other})", exits_included=low[at].exits_included),
        "or": rule(low[at].id, f"({old}) or ({other})", exits_included=low[at].exits_included),
        "other": rule(low[at].id, other, exits_included=low[at].exits_included),
        "when": rule(low[at].id, old, when=other, exits_included=low[at].exits_included),
        "warn": rule(low[at].id, old, enforce="warn", exits_included=low[at].exits_included),
        "exits": rule(low[at].id, old, exits_included=not low[at].exits_included),
        "not not": rule(low[at].id, f"not (not ({old}))", exits_included=low[at].exits_included),
    }
    high = [*low[:at], *([] if how == "gone" else [changed[how]]), *low[at + 1 :]]
    return low, high


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.large_base_example, HealthCheck.too_slow])
@given(pairs(), st.lists(facts(), min_size=4, max_size=12))
def test_nothing_that_any_moment_shows_to_be_looser_is_ever_called_tighter(
    drawn: tuple[list[RuleSource], list[RuleSource]], moments: list[dict[str, object]]
) -> None:
    low, high = (only(shipped(), *rules) for rules in drawn)
    found = looser(low, high, (Point.ORDER,))
    below, above = rules_at(low, Point.ORDER), rules_at(high, Point.ORDER)
    for moment in moments:
        lookup = ViewLookup(views(moment))
        if outcome_level(below, lookup) > outcome_level(above, lookup):
            assert found, moment
    for each in found:
        if each.answer.witness is not None:
            assert flips(low, high, each)
