"""Bundles to compare: the shipped ones, changed in one place.

Nothing here asserts; the tests beside it do.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache

from mqk.policy import (
    Bundle,
    LimitValue,
    PolicySet,
    RuleSource,
    Span,
    Text,
    effective_bundle,
    load_policies,
    shipped_policies_dir,
)
from mqk.policy.sources import WaiverSource

NOWHERE = Span("made_up.yaml", 1, 1, 1, 2)


@cache
def shipped_policies() -> PolicySet:
    """Every shipped document."""
    return load_policies([shipped_policies_dir()])


@cache
def shipped(engine: str = "MAIN") -> Bundle:
    """The effective policy of a shipped engine."""
    return effective_bundle(shipped_policies(), engine)


def with_limit(bundle: Bundle, name: str, value: LimitValue) -> Bundle:
    """The bundle with one limit set otherwise."""
    return replace(bundle, limits={**bundle.limits, name: replace(bundle.limits[name], value=value, text=str(value))})


def with_rule(bundle: Bundle, rule_id: str, **changes: object) -> Bundle:
    """The bundle with one rule changed; texts are given as they are written."""
    texts = {key: Text(value, NOWHERE) for key, value in changes.items() if key in ("require", "when") and value}
    rules = tuple(
        replace(rule, **{**changes, **texts}) if rule.id == rule_id else rule  # type: ignore[arg-type] # by the caller
        for rule in bundle.rules
    )
    return replace(bundle, rules=rules)


def only(bundle: Bundle, *rules: RuleSource) -> Bundle:
    """The bundle with no rules but these."""
    return replace(bundle, rules=rules)


def rule(rule_id: str, require: str, **other: object) -> RuleSource:
    """A rule of orders that denies, unless said otherwise."""
    made = next(each for each in shipped().rules if each.id == "CAP-01")
    plain = replace(made, id=rule_id, title=rule_id, require=Text(require, NOWHERE), when=None, span=NOWHERE)
    texts = {key: Text(str(value), NOWHERE) for key, value in other.items() if key == "when" and value is not None}
    return replace(plain, **{**other, **texts})  # type: ignore[arg-type] # by the caller


def waiver(scope: str | None) -> WaiverSource:
    """A waiver of a rule, where a condition holds."""
    text = None if scope is None else Text(scope, NOWHERE)
    begin, end = date(2026, 1, 1), date(2026, 2, 1)
    return WaiverSource("W-1", "w", "R-1", text, "why", None, "a", "b", begin, end, "waiver:w", NOWHERE)
