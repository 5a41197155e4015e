"""Mutants that are no mistakes: those proven to judge every moment as the policy does, which no case can tell apart.

What lives here: the question, asked of the solver. What does not: which mutants the cases let live (mutation.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from mqk.analysis.moments import around
from mqk.analysis.rules import Judged, rules_at
from mqk.analysis.testing.mutants import Mutant
from mqk.guards import Point
from mqk.guards.lookup import ViewLookup
from mqk.policy import Bundle, RuleSource

if TYPE_CHECKING:
    from mqk.dsl.emit_smt import Encoder
    from mqk.dsl.emit_smt_numbers import Term

# What one proof may cost, in the solver's own steps: far below a second, since there may be one for every mutant.
_BUDGET: Final = 2_000_000


def equivalent(mutant: Mutant, bundle: Bundle, concerned: Iterable[RuleSource]) -> bool:
    """Whether a mutant is proven to come to the same at every moment, in each of the rules it concerns.

    A breach and an error of one rule come to the same. What is not proven is not said.
    """
    changed = mutant.of(bundle)
    for source in concerned:
        point = Point(source.at)
        (rule,) = [each for each in rules_at(bundle, point) if each.id == source.id]
        other = next((each for each in rules_at(changed, point) if each.id == source.id), None)
        nearby = (lookup for _, lookup in around(bundle, point))
        if any(_level(rule, each) != _level(other, each) for each in nearby) or not _alike(rule, other):
            return False
    return True


def _level(rule: Judged | None, lookup: ViewLookup) -> int:
    """What a rule comes to at a moment, as a step on the ladder; one that is not there any more, to nothing."""
    return 0 if rule is None or rule.passes(lookup) else rule.level


def _alike(rule: Judged, other: Judged | None) -> bool:
    from mqk.analysis import prove  # noqa: PLC0415 - the solver, for the few mutants that survive
    from mqk.analysis.model import fails, passes  # noqa: PLC0415
    from mqk.dsl.emit_smt_terms import every, some  # noqa: PLC0415

    def differs(encoder: Encoder) -> Term:
        if other is None:
            return fails(encoder, rule)
        if rule.level != other.level:
            return some([fails(encoder, rule), fails(encoder, other)])
        return some(
            [
                every([passes(encoder, rule), fails(encoder, other)]),
                every([fails(encoder, rule), passes(encoder, other)]),
            ]
        )

    return any(prove.impossible(rule.point, differs, _BUDGET, exact=exact) for exact in (False, True))
