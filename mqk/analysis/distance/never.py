"""That no size of an order passes, proven: with every fact but the size as it is, the rule fails whatever the size.

What lives here: the question to the solver. What does not: looking for sizes that pass (search.py).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from mqk.analysis.rules import Judged
from mqk.dsl import EvaluationError, FactRef
from mqk.guards.catalogue import facts_at
from mqk.guards.lookup import ViewLookup

if TYPE_CHECKING:
    from mqk.dsl.emit_smt import Encoder
    from mqk.dsl.emit_smt_numbers import Term
    from mqk.dsl.emit_smt_terms import Unknown

# What the proof may cost, in the solver's own steps: with one unknown it takes hardly any.
_BUDGET: Final = 1_000_000


def no_size_passes(rule: Judged, lookup: ViewLookup, size: str) -> bool:
    """Whether it is proven that a rule fails at a moment whatever the size of the order. False is open."""
    import z3  # noqa: PLC0415 - the solver, where a search has found nothing

    from mqk.analysis import prove  # noqa: PLC0415
    from mqk.analysis.model import passes  # noqa: PLC0415
    from mqk.dsl.emit_smt_terms import every  # noqa: PLC0415

    def fixed(encoder: Encoder, unknown: Unknown) -> list[Term]:
        """That a fact is as it is."""
        if unknown.name == size:
            return [unknown.usable, unknown.value >= 1]
        try:
            if unknown.window is not None:
                value: Any = lookup.window(unknown.name)
            else:
                value = lookup.fact(FactRef(unknown.name, unknown.type, max_age=_age_limit(rule, unknown.name)))
        except EvaluationError:
            there = unknown.window is None and lookup.present(FactRef(unknown.name, unknown.type))
            return [z3.Not(unknown.usable), *([] if z3.is_true(unknown.present) else [unknown.present == there])]
        return [unknown.present, unknown.usable, unknown.value == _term(encoder, unknown, value)]

    def _term(encoder: Encoder, unknown: Unknown, value: Any) -> Term:
        match value:
            case bool():
                return z3.BoolVal(value)
            case str():
                return encoder.word(value)
            case Fraction():
                return z3.RealVal(value)
            case _:
                return z3.IntVal(value) if z3.is_int(unknown.value) else z3.RealVal(value)

    def goal(encoder: Encoder) -> Term:
        terms = [passes(encoder, rule)]
        for unknown in list(encoder.unknowns.values()):
            terms += fixed(encoder, unknown)
        return every(terms)

    return any(prove.impossible(rule.point, goal, _BUDGET, exact=exact) for exact in (False, True))


def _age_limit(rule: Judged, name: str) -> int | None:
    entry = facts_at(rule.point).get(name)
    return None if entry is None else entry.max_age
