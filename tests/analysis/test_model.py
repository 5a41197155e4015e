"""What is proven is what the guards do: guard, interpreter and solver never differ in their reading of a rule."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import z3
from hypothesis import HealthCheck, given, settings

from mqk.analysis.model import passes
from mqk.analysis.rules import Judged, rules_at
from mqk.dsl.emit_smt import Encoder
from mqk.guards import GuardSet, Point, Result, compile_bundle
from mqk.guards.lookup import ViewLookup
from tests.analysis.agreement import SLOTS, grounding
from tests.analysis.worlds import rule, shipped, waiver
from tests.guards.test_random_policies import facts, views

# An instant at which the waivers made up here are in force.
WITHIN = 1_768_478_400_000_000


@cache
def guards() -> GuardSet:
    """MAIN, with rules that are about symbols, waived, or open to errors on the way."""
    extra = (
        rule("R-1", "order.qty < 3", waivers=(waiver("order.side == BUY"),)),
        rule("R-2", "order.qty < 3", waivers=(waiver("order.limit_price > 1 USD"), waiver("order.qty == 3"))),
        rule("R-3", "order.limit_price > 2 USD", when="order.stop_price > 1 USD and order.symbol in [SPY, IBM]"),
        rule("R-4", "order.qty < 3", when="order.symbol == QQQ", exits_included=True),
        rule("R-5", "order.qty < 3", waivers=(waiver(None),)),
    )
    bundle = shipped()
    return compile_bundle(replace(bundle, rules=(*bundle.rules, *extra)))


@cache
def judged() -> tuple[Judged, ...]:
    return tuple(rules_at(guards().bundle, Point.ORDER))


@settings(max_examples=60, suppress_health_check=[HealthCheck.large_base_example, HealthCheck.too_slow])
@given(facts())
def test_a_rule_is_read_as_the_guard_judges_it(values: dict[str, object]) -> None:
    """Within the time of the waivers: what is proven takes them as if they held (mqk/guards/expiry.py)."""
    guard = guards().order
    lookup = ViewLookup(views({**values, "clock.now": WITHIN}))
    by_guard = {
        each.id: result is Result.PASS for each, (result, _) in zip(guard.rules, guard.results(lookup), strict=True)
    }
    assert {each.id: each.passes(lookup) for each in judged()} == by_guard
    encoder = Encoder(exact=True, slots=SLOTS)
    terms = {each.id: passes(encoder, each) for each in judged()}
    ground = grounding(encoder, lookup)
    assert {name: z3.is_true(ground(term)) for name, term in terms.items()} == by_guard
