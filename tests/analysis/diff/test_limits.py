"""Every shipped number moved by one step: the verdict is right both ways, and real guards flip at the witness."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mqk.analysis.diff import BUDGET, Direction, ShownWitness
from mqk.analysis.diff.pair import Pair
from mqk.guards import Point, compile_bundle
from mqk.guards.points import LADDERS
from mqk.policy import LimitValue
from mqk.quantity import Count, Duration, Money, Quantity, Rate, Ratio, parse_money
from tests.analysis.worlds import shipped, with_limit

CENT = 10_000
# Nothing comes of a step today: another limit or rule is met first, and what is behind it is looser all the same.
COVERED = {
    "MAIN": {"max_gross", "max_leverage", "ssr_trigger"},
    "EXP": {"losing_streak", "max_gross", "max_group", "max_leverage", "ssr_trigger", "streak_position"},
}
# Where more is tighter: what must at least be there, or have passed, or lie on a coarser grid.
FLOORS = {
    *("cagr", "months", "profit_factor", "sharpe", "trades", "worst_week"),
    *("cooldown", "duplicate_within", "floor", "maintenance_long", "maintenance_short", "margin_minimum"),
    *("opening_wait", "ramp", "tick", "warm_up"),
}
# Neither way is tighter: a share of what is below zero shrinks as it grows, and other steps have other multiples.
NEITHER = {"firm_gross", "tick_below_dollar", "tradable"}


def a_step_more(name: str, value: LimitValue) -> LimitValue | None:
    """The next value that a person would write: a cent, a basis point, a second, one more."""
    match value:
        case Ratio(value=ratio):
            return Ratio(ratio + Fraction(1, 10_000))
        case Money(micros=micros, currency=currency):
            return Money(micros + (1 if name == "tick_below_dollar" else CENT), currency)
        case Count(value=count, noun=noun):
            return Count(count + 1, noun)
        case Quantity(value=quantity):
            return Quantity(quantity + 1)
        case Duration(micros=micros):
            return Duration(micros + 1_000_000)
        case Rate(count=count, window=window):
            return Rate(count + 1, window)
        case _:
            return None


def expected(engine: str, name: str) -> Direction:
    if name in COVERED[engine]:
        return Direction.LOOSER
    if name in NEITHER:
        return Direction.INCOMPARABLE
    return Direction.TIGHTER if name.removeprefix("candidate_") in FLOORS else Direction.LOOSER


def milder(witness: ShownWitness, *, then: bool) -> bool:
    """Whether the outcome is milder on the new side (`then`), or on the old one; of one severity, it lasts shorter."""
    ladder = LADDERS[Point(witness.point)]
    assert witness.before is not None
    assert witness.after is not None
    before, after = ladder.index(witness.before.outcome), ladder.index(witness.after.outcome)
    return after < before if then else before < after


@pytest.mark.parametrize("engine", ["MAIN", "EXP"])
def test_a_step_either_way_has_the_right_verdict_and_a_witness_that_flips(engine: str) -> None:
    bundle = shipped(engine)
    compiled = compile_bundle(bundle)
    for name, limit in bundle.limits.items():
        more = a_step_more(name, limit.value)
        if more is None:
            continue
        found, (change,) = Pair(bundle, with_limit(bundle, name, more), BUDGET, [compiled]).run()
        # What is behind other rules loosens at least; away from them, moments of debt may show the reverse too.
        assert change.path == f"limits.{name}"
        assert change.direction is expected(engine, name) or (change.direction.loosens and name in COVERED[engine]), (
            change
        )
        assert found.verdict is change.direction
        if name in COVERED[engine]:
            assert {each.verdict for each in found.points.values()} == {Direction.EQUAL}
        warned = [each for each in found.points.values() if each.verdict is change.direction]
        for point in found.points.values():
            assert (point.looser is not None) is point.verdict.loosens, name
            assert point.looser is None or milder(point.looser, then=True), point.looser
            assert point.tighter is None or milder(point.tighter, then=False), point.tighter
            tightens = point.verdict in (Direction.TIGHTER, Direction.INCOMPARABLE)
            assert (point.tighter is not None) is tightens, name
            for witness in filter(None, (point.looser, point.tighter)):
                plausible(witness, bundle.universe)
        # A warning stops nothing, so that the point stays as it is and the change alone tells.
        assert warned or name in COVERED[engine] or name == "position_loss", name
        assert (change.witness is not None) is (change.direction.loosens and name not in COVERED[engine])
        assert change.witness is not None or not change.direction.loosens or "it today" in change.why, name


def plausible(witness: ShownWitness, universe: tuple[str, ...]) -> None:
    """An order of a symbol that the engine trades, at prices in cents."""
    if witness.point == "order":
        side, qty, symbol, _, price, currency = witness.subject.split()
        assert side in ("BUY", "SELL")
        assert int(qty) > 0
        assert symbol in universe
        micros = parse_money(f"{price} {currency}").micros
        assert micros % CENT == 0 or micros < 1_000_000, witness.subject
