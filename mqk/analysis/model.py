"""Rules as the solver sees them: when each passes, and how severe the outcome is.

What lives here: guard.py's algorithm in the solver's terms. What does not: the questions asked about it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import z3

from mqk.analysis.rules import Judged
from mqk.dsl import Expr
from mqk.dsl.emit_smt import Encoder
from mqk.dsl.emit_smt_numbers import Term
from mqk.dsl.emit_smt_terms import every, negation, some


def passes(encoder: Encoder, rule: Judged) -> Term:
    """When a rule passes: where it spares a moment, does not apply, or has what it asks for."""
    answer = holds(encoder, rule.require)
    if rule.when is not None:
        when = encoder.encode(rule.when)
        answer = every([when.defined, some([negation(when.value), answer])])
    for spared in (rule.waived, rule.gate, rule.elsewhere):
        if spared is not None:
            each = encoder.encode(spared)
            answer = every([each.defined, some([each.value, answer])])
    return answer


def fails(encoder: Encoder, rule: Judged) -> Term:
    """When a rule does not pass, be it a breach or an error."""
    return z3.Not(passes(encoder, rule))


def lets_pass(encoder: Encoder, rule: Judged, others: Sequence[Judged]) -> Term:
    """When a rule fails and none of the others does."""
    return every([fails(encoder, rule), *(passes(encoder, other) for other in others)])


def lets_any_pass(encoder: Encoder, rules: Sequence[Judged], others: Sequence[Judged]) -> Term:
    """When one of the rules fails and none of the others does."""
    return every([some(fails(encoder, rule) for rule in rules), *(passes(encoder, other) for other in others)])


def at_least(encoder: Encoder, rules: Sequence[Judged], level: int) -> Term:
    """When the outcome is at least so severe."""
    return some(fails(encoder, rule) for rule in rules if rule.level >= level)


def opened(encoder: Encoder, before: Sequence[Expr], after: Sequence[Expr]) -> Term:
    """When all of some conditions hold, and not all of some others."""
    return every([*(holds(encoder, each) for each in after), z3.Not(every(holds(encoder, each) for each in before))])


def newly_possible(encoder: Encoder, before: Sequence[Sequence[Expr]], after: Sequence[Sequence[Expr]]) -> Term:
    """When one of some moves has all its conditions, and none of some others has."""
    possible, was = (
        some(every(holds(encoder, each) for each in conditions) for conditions in moves) for moves in (after, before)
    )
    return every([possible, z3.Not(was)])


def comes_to(encoder: Encoder, rules: Sequence[Judged], levels: Collection[int], when: Expr | None) -> Term:
    """When a condition holds and the outcome is one of some steps on the ladder."""
    exactly = []
    for level in sorted(levels):
        above = z3.Not(at_least(encoder, rules, level + 1))
        exactly.append(above if level == 0 else z3.And(at_least(encoder, rules, level), above))
    return every([*([holds(encoder, when)] if when is not None else []), some(exactly)])


def as_wanted(encoder: Encoder, wanted: Sequence[tuple[Expr, bool]]) -> Term:
    """When every condition is defined and is what is wanted of it, at a moment where every fact is there."""
    terms = []
    for expr, value in wanted:
        encoded = encoder.encode(expr)
        terms += [encoded.defined, encoded.value if value else negation(encoded.value)]
    return every(terms)


def possible_move(encoder: Encoder, wanted: Sequence[Expr], rules: Sequence[Judged], without: Expr | None) -> Term:
    """When conditions hold, rules pass, and one more condition does not hold."""
    terms = [*(holds(encoder, each) for each in wanted), *(passes(encoder, rule) for rule in rules)]
    if without is not None:
        terms.append(z3.Not(holds(encoder, without)))
    return every(terms)


def holds(encoder: Encoder, expr: Expr) -> Term:
    """When a condition is defined and true."""
    encoded = encoder.encode(expr)
    return every([encoded.defined, encoded.value])
