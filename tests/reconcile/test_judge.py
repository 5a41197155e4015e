"""What differences call for is the policy's to say, and what it does not speak of, or cannot judge, halts."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from mqk.guards import GuardSet, compile_bundle
from mqk.policy import RuleSource, Scalar, Span
from mqk.reconcile import Difference, Kind, Severity, clean
from tests.engine.worlds import shipped
from tests.reconcile.judged import NOW, as_judged

SECOND = 1_000_000
FOUND = Difference(Kind.POSITION, "SPY", "5", "7", "SPY", 5, 7)
FLYING = replace(FOUND, in_flight=True)


@cache
def judging(*rules: tuple[str, str, str], enforce: str = "block") -> GuardSet:
    """MAIN with these rules of differences, each what it requires, what follows, and when it applies, and no other."""
    bundle = shipped().bundle
    model = next(rule for rule in bundle.rules if rule.at == "difference")
    own: list[RuleSource] = [
        replace(
            model,
            id=f"X-{number}",
            require=Scalar(require, Span.nowhere("require")),
            otherwise=otherwise,
            when=Scalar(when, Span.nowhere("when")) if when else None,
            enforce=enforce,
        )
        for number, (require, otherwise, when) in enumerate(rules)
    ]
    others = [rule for rule in bundle.rules if rule.at != "difference"]
    return compile_bundle(replace(bundle, rules=(*others, *own)))


def outcome(difference: Difference, *rules: tuple[str, str, str], enforce: str = "block") -> str:
    (judged,) = as_judged([difference], judging(*rules, enforce=enforce))
    return judged.outcome


@pytest.mark.parametrize("difference", [FOUND, FLYING, replace(FOUND, foreign=True)])
def test_without_any_rule_every_difference_halts(difference: Difference) -> None:
    (judged,) = as_judged([difference], judging())
    assert (judged.outcome, judged.severity, judged.rules) == ("halt", Severity.HALT, ())
    assert not clean([judged])


def test_a_difference_that_no_rule_speaks_of_halts() -> None:
    note = ("difference.kind != CASH", "note", "")
    assert outcome(FLYING, note) == "halt"
    assert outcome(Difference(Kind.CASH, "cash", "1 USD", "2 USD"), note) == "note"
    assert outcome(FLYING, ("difference.in_flight", "halt", "")) == "halt", "it passes, and says nothing"


def test_a_rule_that_cannot_be_judged_does_not_speak() -> None:
    note = ("difference.ours != difference.theirs", "note", "")
    assert outcome(replace(FOUND, ours=5, theirs=5), note) == "note"
    assert outcome(replace(FOUND, ours=None), note) == "halt"


def test_a_shadow_does_not_speak_and_a_warning_does() -> None:
    rule = ("difference.kind != POSITION", "halt", "")
    assert outcome(FOUND, rule, enforce="shadow") == "halt"
    assert outcome(FOUND, rule, enforce="warn") == "warn"
    assert outcome(FOUND, rule) == "halt"


def test_the_most_severe_outcome_wins_and_names_its_rules() -> None:
    rules = (
        ("difference.kind != POSITION", "note", ""),
        ("difference.theirs <= 6", "disarm", "difference.symbol == SPY"),
        ("not (difference.kind == POSITION)", "halt", ""),
    )
    (judged,) = as_judged([FOUND], judging(*rules))
    assert (judged.outcome, judged.severity, judged.rules) == ("disarm", Severity.HALT, ("X-1",))


def test_how_long_a_difference_has_been_there_counts_from_when_it_was_first_found() -> None:
    patient = ("difference.age <= 60s", "halt", ""), ("difference.age > 60s", "note", "")
    for age, expected in ((0, "note"), (60, "note"), (61, "halt")):
        standing = {("position", "SPY"): NOW - age * SECOND}
        (judged,) = as_judged([FLYING], judging(*patient), standing=standing)
        assert (judged.outcome, judged.since) == (expected, NOW - age * SECOND)
    other = {("position", "QQQ"): NOW - 3_600 * SECOND, ("cash", "SPY"): NOW - 3_600 * SECOND}
    (judged,) = as_judged([FLYING], judging(*patient), standing=other)
    assert (judged.outcome, judged.since) == ("note", NOW)


def test_every_kind_of_difference_halts_by_a_rule_that_names_it() -> None:
    """No difference is left to what follows when nobody speaks."""
    for kind in Kind:
        (judged,) = as_judged([Difference(kind, "MAIN_1", "a", "b", "SPY", 1, 2)])
        assert judged.rules, kind
        assert (judged.severity is Severity.NOTE) is (kind is Kind.ORDER_OVER), kind
