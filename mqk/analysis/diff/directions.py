"""Which way each difference of guards leads, and the whole of them: asked of the solver in both directions.

What lives here: what is asked, and how a loosening that only several differences make together is laid at their doors.
What does not: the questions (tightening.py), what differs (guarded.py), how a witness is shown (showing.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mqk.analysis.diff.differences import Difference
from mqk.analysis.diff.guarded import hybrid
from mqk.analysis.diff.results import Direction
from mqk.analysis.names import rests_on, texts_of
from mqk.analysis.rules import judged, stops
from mqk.analysis.tightening import Looser, looser
from mqk.analysis.verdicts import Verdict
from mqk.guards.environment import PolicyEnvironment
from mqk.guards.points import Point
from mqk.policy import Bundle


@dataclass(frozen=True, slots=True)
class Compared:
    """Two bundles and everything that one of them lets pass and the other stops, in both directions."""

    low: Bundle
    high: Bundle
    looser: Sequence[Looser] = ()
    tighter: Sequence[Looser] = ()

    @property
    def direction(self) -> Direction:
        """What it all comes to."""
        return direction(self.looser, self.tighter)

    def at(self, point: Point, least: int) -> Compared:
        """What of it is of one point, and of outcomes from one step of the ladder on."""
        of_point = [
            [each for each in found if each.rule.point is point and each.rule.level >= least]
            for found in (self.looser, self.tighter)
        ]
        return Compared(self.low, self.high, *of_point)

    def stopping(self, point: Point) -> Compared:
        """What of it stops something at a point: no warnings."""
        return self.at(point, stops(point))


def direction(looser_: Sequence[Looser], tighter: Sequence[Looser]) -> Direction:
    """What loosenings and tightenings come to. What is proven to loosen nothing is at worst tighter."""
    loosens = _surely(looser_)
    if looser_ and not loosens:
        return Direction.UNDECIDED
    if loosens:
        # What is not proven to stop no more than before is not called looser alone.
        return Direction.INCOMPARABLE if tighter else Direction.LOOSER
    return Direction.TIGHTER if tighter else Direction.EQUAL


def _surely(found: Iterable[Looser]) -> bool:
    return any(each.answer.verdict is Verdict.REFUTED for each in found)


def compared(low: Bundle, high: Bundle, budget: int) -> Compared:
    """Two bundles, asked about in both directions."""
    return Compared(low, high, looser(low, high, budget=budget), looser(high, low, budget=budget))


@dataclass(slots=True)
class Attributed:
    """What the differences of guards come to: the whole, each made alone, and each as its own rules alone have it.

    `covered` is asked where a difference changes nothing today: what of it only other rules hold back.
    """

    whole: Compared
    alone: dict[str, Compared] = field(default_factory=dict)
    together: dict[str, list[Looser]] = field(default_factory=dict)
    covered: dict[str, Compared] = field(default_factory=dict)

    def of(self, difference: Difference) -> tuple[Direction, Compared]:
        """Which way one difference leads, and what shows it."""
        found = self.alone[difference.path]
        more = self.together.get(difference.path, [])
        if more:
            joint = Compared(self.whole.low, self.whole.high, more, found.tighter)
            return joint.direction, joint
        if found.direction is Direction.EQUAL and difference.path in self.covered:
            hidden = self.covered[difference.path]
            looser_, tighter = (list(filter(_plausible, each)) for each in (hidden.looser, hidden.tighter))
            return direction(looser_, tighter) if looser_ or tighter else hidden.direction, found
        return found.direction, found


def _plausible(found: Looser) -> bool:
    """Whether a moment is one of an account that has something: limits are not there for those in debt."""
    witness = found.answer.witness
    values = {} if witness is None else witness.values
    return all(
        value >= 0 for name, value in values.items() if name.endswith((".equity", ".cash")) and isinstance(value, int)
    )


def attributed(low: Bundle, high: Bundle, differences: Sequence[Difference], budget: int) -> Attributed:
    """Ask about the whole, and about each difference made alone where there are several."""
    asked = [each for each in differences if each.apply is not None]
    whole = compared(low, high, budget)
    found = Attributed(whole)
    if not asked:
        return found
    start = hybrid(low, high)
    for each in asked:
        assert each.apply is not None
        made = each.apply(start)
        stands = _stands(start, made, each)
        if len(asked) == 1:
            found.alone[each.path] = whole
        elif stands:
            found.alone[each.path] = compared(start, made, budget)
        else:
            found.alone[each.path] = _touched(whole, each)
        if found.alone[each.path].direction is Direction.EQUAL and stands:
            sides = _own_rules(start, each), _own_rules(made, each)
            found.covered[each.path] = compared(*sides, budget)
    for loosening in whole.looser:
        causes = [each for each in asked if each.name in _causes(loosening)]
        if not any(_covers(found.alone[each.path], loosening) for each in causes):
            for each in causes or asked:
                found.together.setdefault(each.path, []).append(loosening)
    return found


def _own_rules(bundle: Bundle, difference: Difference) -> Bundle:
    """A bundle with no rules but those that a difference is about."""
    rules = [
        rule
        for rule in bundle.rules
        if difference.name == f"rules.{rule.id}" or difference.name in rests_on(bundle, texts_of(rule))
    ]
    return replace(bundle, rules=tuple(rules))


def _stands(start: Bundle, made: Bundle, difference: Difference) -> bool:
    """Whether everything that checked still checks with one difference made alone."""
    environments: Mapping[str, tuple[PolicyEnvironment, PolicyEnvironment]] = {
        point.value: (PolicyEnvironment.of(start, point), PolicyEnvironment.of(made, point)) for point in Point
    }
    before = {rule.id: rule for rule in start.rules}
    for rule in made.rules:
        touched = difference.name == f"rules.{rule.id}" or difference.name in rests_on(made, texts_of(rule))
        if not touched:
            continue
        was, is_ = before.get(rule.id, rule), rule
        old, new = environments[was.at][0], environments[is_.at][1]
        if judged(is_, new) is None and judged(was, old) is not None:
            return False
    return True


def _causes(loosening: Looser) -> frozenset[str]:
    named = {part.name for pair in loosening.causes for part in pair if part is not None}
    return frozenset({*named, f"rules.{loosening.rule.id}"})


def _touched(whole: Compared, difference: Difference) -> Compared:
    """What of the whole a difference may have to do with, where it cannot be made alone."""
    parts = [[each for each in found if difference.name in _causes(each)] for found in (whole.looser, whole.tighter)]
    return Compared(whole.low, whole.high, *parts)


def _covers(alone: Compared, loosening: Looser) -> bool:
    """Whether a difference alone already loosens the same rule."""
    return any(each.rule.id == loosening.rule.id for each in alone.looser)
