"""That a policy only tightens another: whatever it lets pass, the other lets pass as well.

What lives here: the comparison of two bundles rule by rule, and against all rules together where one rule alone does
not settle it; and the layers of one bundle, each against the one beneath. What does not: how things are proven.

A rule of the lower bundle is kept up when, wherever it fails, something of the upper bundle fails that weighs at least
as much: as severe an outcome, confirmed as fast, held as long. That is asked of the rule of the same id first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mqk.analysis.moments import lookup_of, ordinary
from mqk.analysis.names import Part, changed, rests_on, texts_of
from mqk.analysis.rules import Judged, facts_of, judged, said
from mqk.analysis.verdicts import Answer, Verdict, Witness
from mqk.dsl.meaning import meaning
from mqk.guards.environment import PolicyEnvironment
from mqk.guards.points import POSTURE_OF, Enforcement, Point
from mqk.policy import Bundle, LatchSource, RuleSource
from mqk.quantity import format_date, parse_instant

if TYPE_CHECKING:
    from mqk.dsl.emit_smt import Encoder
    from mqk.dsl.emit_smt_numbers import Term


@dataclass(frozen=True, slots=True)
class Looser:
    """Something that a lower bundle stops and an upper one may let pass.

    `rule` is the rule beneath that stops it, `other` what has become of it, `causes` the named values that differ.
    """

    rule: Judged
    other: Judged | None
    causes: tuple[tuple[Part | None, Part | None], ...]
    answer: Answer

    @property
    def says(self) -> str | None:
        """What the rule beneath says at the witness."""
        witness = self.answer.witness
        return None if witness is None else said(self.rule, lookup_of(witness))


def looser(
    low: Bundle,
    high: Bundle,
    points: Sequence[Point] = tuple(Point),
    *,
    least: int = 1,
    budget: int | None = None,
) -> list[Looser]:
    """Everything that `low` stops and `high` may let pass. What is the same in both costs nothing.

    `least` is the step on the ladder from which on an outcome counts: 1 for warnings too. `budget` is what one question
    may cost, in the solver's steps (None: the usual).
    """
    differing = changed(low, high)
    found: list[Looser] = []
    for point in points:
        found += _Comparison(low, high, point, differing, budget).run(least)
    return found


class _Comparison:
    """Two bundles at one point."""

    def __init__(
        self,
        low: Bundle,
        high: Bundle,
        point: Point,
        differing: dict[str, tuple[Part | None, Part | None]],
        budget: int | None,
    ) -> None:
        self._low, self._high, self._point, self._differing, self._budget = low, high, point, differing, budget
        self._above = {rule.id: rule for rule in high.rules if rule.at == point.value}
        self._environments = [PolicyEnvironment.of(bundle, point) for bundle in (low, high)]
        self._all: list[Judged] | None = None

    def run(self, least: int) -> list[Looser]:
        asked = []
        for source in self._low.rules:
            if source.at != self._point.value or self._same(source, self._above.get(source.id)):
                continue
            rule = judged(source, self._environments[0])
            # What does not check beneath binds nobody there; a shadow rule stops nothing.
            if rule is not None and rule.level >= least:
                asked.append(rule)
        if not asked or self._all_kept_up(asked):
            return []
        found = []
        for rule in asked:
            answer = self._kept_up(rule)
            if answer.verdict is not Verdict.PROVED:
                found.append(Looser(rule, self._judged_above(rule.id), self._causes(rule.source), answer))
        return found

    def _all_kept_up(self, rules: Sequence[Judged]) -> bool:
        """Whether all of them are plainly kept up by their namesakes, with those rules that speak of nothing else.

        One question for all: a limit that is lowered is most often read by several rules, and each is kept up in the
        same way. False is open.
        """
        namesakes = [self._judged_above(rule.id) for rule in rules]
        if not all(one is not None and weighs(one, rule) for one, rule in zip(namesakes, rules, strict=True)):
            return False
        from mqk.analysis import model, prove  # noqa: PLC0415 - only what differs pays for the solver

        spoken_of = frozenset(fact for rule in rules for fact in facts_of(rule))
        covers = [
            each
            for each in self._everything_above()
            if all(weighs(each, rule) for rule in rules) and facts_of(each) <= spoken_of and _meets(each, rules)
        ]
        by_id = {each.id: each for each in covers}
        if not all(rule.id in by_id for rule in rules):
            return False

        def slips(encoder: Encoder) -> Term:
            return model.lets_any_pass(encoder, rules, covers)

        return prove.impossible(self._point, slips, self._budget or prove.BUDGET)

    def _everything_above(self) -> list[Judged]:
        if self._all is None:
            sources = self._above.values()
            self._all = [each for one in sources if (each := judged(one, self._environments[1])) is not None]
        return self._all

    def _same(self, one: RuleSource, other: RuleSource | None) -> bool:
        """Whether a rule is plainly the same in both, so that nothing needs to be asked."""
        if other is None or _facets(one) != _facets(other):
            return False
        return not self._differing or not (rests_on(self._low, texts_of(one)) & self._differing.keys())

    def _judged_above(self, name: str) -> Judged | None:
        source = self._above.get(name)
        return None if source is None else judged(source, self._environments[1])

    def _kept_up(self, rule: Judged) -> Answer:
        """Whether wherever `rule` fails something above fails that weighs as much."""
        other = self._judged_above(rule.id)
        if other is not None and weighs(other, rule) and _reads_alike(rule, other):
            return Answer(Verdict.PROVED)
        from mqk.analysis import model, prove  # noqa: PLC0415 - only what differs pays for the solver

        if other is not None and weighs(other, rule):

            def alone(encoder: Encoder) -> Term:
                return model.lets_pass(encoder, rule, [other])

            if prove.impossible(self._point, alone, self._budget or prove.BUDGET):
                return Answer(Verdict.PROVED)
        covers = [each for each in self._everything_above() if weighs(each, rule) and _meets(each, [rule])]

        def together(encoder: Encoder) -> Term:
            return model.lets_pass(encoder, rule, covers)

        def really(witness: Witness) -> bool:
            lookup = lookup_of(witness)
            return not rule.passes(lookup) and all(each.passes(lookup) for each in covers)

        usual = ordinary(self._high, self._point)
        day = self._high.as_of
        if day is not None and any(each.waived is not None for each in (rule, *covers)):
            # Guards ask the clock whether a waiver still holds.
            usual["clock.now"] = parse_instant(f"{format_date(day)}T20:00:00Z")
        return prove.find(self._point, together, usual, really, self._budget or prove.BUDGET, self._high.universe)

    def _causes(self, source: RuleSource) -> tuple[tuple[Part | None, Part | None], ...]:
        texts = texts_of(source)
        if source.id in self._above:
            texts += texts_of(self._above[source.id])
        read = rests_on(self._low, texts) | rests_on(self._high, texts)
        return tuple(self._differing[name] for name in self._differing if name in read)


def _meets(one: Judged, others: Sequence[Judged]) -> bool:
    """Whether a rule is about a symbol that one of some others is about: if not, it passes where they fail."""
    return one.symbols is None or any(each.symbols is None or one.symbols & each.symbols for each in others)


def weighs(one: Judged, other: Judged) -> bool:
    """Whether a failing of `one` is worth at least a failing of `other`: as severe, as fast, as long."""
    if one.level < other.level or (other.outcome == "flatten" != one.outcome and other.level > 1):
        # An engine that is disarmed leaves its book open: what closes it is worth no less for being milder otherwise.
        return False
    if other.enforcement is not Enforcement.BLOCK or other.outcome not in POSTURE_OF:
        return True
    return one.confirm <= other.confirm and lasts(one.latch, other.latch)


def lasts(one: LatchSource | None, other: LatchSource | None) -> bool:
    """Whether an outcome held by `one` is let go no sooner, and by nobody else, than one held by `other`."""
    if other is None:
        return True
    if one is None or (other.until == "released" and one.until != "released"):
        return False
    return one.by is None if other.by is None else one.by in (None, other.by)


def without(low: Bundle, high: Bundle, names: frozenset[str]) -> Bundle:
    """The lower bundle with some of its parts as the upper one has them: what it declares as loosened."""
    limits = {
        **low.limits,
        **{name: limit for name, limit in high.limits.items() if f"limits.{name}" in names},
    }
    lets = {**low.lets, **{name: let for name, let in high.lets.items() if f"lets.{name}" in names}}
    tables = {**low.tables, **{name: table for name, table in high.tables.items() if f"tables.{name}" in names}}
    above = {rule.id: rule for rule in high.rules}
    rules = tuple(above.get(rule.id, rule) if f"rules.{rule.id}" in names else rule for rule in low.rules)
    return replace(low, limits=limits, lets=lets, tables=tables, rules=rules)


def _reads_alike(one: Judged, other: Judged) -> bool:
    return all(
        meaning(a) == meaning(b)
        for a, b in (
            (one.require, other.require),
            (one.when, other.when),
            (one.gate, other.gate),
            (one.waived, other.waived),
        )
    )


def _facets(rule: RuleSource) -> tuple[object, ...]:
    """What a rule says, apart from where it is written."""
    when = None if rule.when is None else " ".join(rule.when.text.split())
    return (
        " ".join(rule.require.text.split()),
        when,
        rule.otherwise,
        rule.confirm,
        rule.latch,
        rule.exits_included,
        rule.enforce,
        tuple(" ".join(("true" if each.scope is None else each.scope.text).split()) for each in rule.waivers),
    )
