"""Whether the solver's reading of an expression is the interpreter's, at one moment: for tests and for fuzzing.

Nothing here asserts; an expression is encoded with exact products, the moment's facts are put in the place of the
unknowns, and what is left must be the interpreter's answer.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import prod
from typing import Any

import z3

from mqk.dsl import ElementRef, EvaluationError, Expr, FactRef, Lookup, evaluate
from mqk.dsl.emit_smt import Encoder
from mqk.dsl.emit_smt_numbers import Ratio, Sum
from mqk.dsl.emit_smt_terms import Members, Unknown
from mqk.dsl.syntax import Value

# No moment has more elements than this.
SLOTS = 4


def grounding(encoder: Encoder, moment: Lookup) -> Callable[[Any], Any]:
    """Puts a moment's facts in the place of an encoder's unknowns in any term."""
    reading = Reading.__new__(Reading)
    reading.encoder = encoder
    return _Facts(reading.facts(moment)).ground


class Reading:
    """An expression as the solver reads it, to be asked at many moments."""

    def __init__(self, expr: Expr) -> None:
        self.expr = expr
        self.encoder = Encoder(exact=True, slots=SLOTS)
        self.encoded = self.encoder.encode(expr)
        self._axioms: Any = None

    def at(self, moment: Lookup) -> Value | None:
        """What the expression is worth at a moment; None when it is not defined."""
        facts = self.facts(moment)
        known_now = _Facts(facts)
        if self._axioms is None:
            self._axioms = z3.And(*self.encoder.axioms())
        assert _truth(known_now.ground(self._axioms)), f"{self._axioms} does not hold"
        if not _truth(known_now.ground(self.encoded.defined)):
            return None
        return self._value(self.encoded.value, known_now)

    def facts(self, moment: Lookup) -> list[tuple[Any, Any]]:
        """What stands for each of the encoder's unknowns at a moment."""
        found = self._elements(moment)
        known = {term.get_id() for term, _ in found}
        for unknown in self.encoder.unknowns.values():
            if unknown.usable.get_id() not in known:
                found += self._facts(unknown, moment)
        return found

    def _elements(self, moment: Lookup) -> list[tuple[Any, Any]]:
        """Collections: which elements are there, and their fields."""
        pairs: list[tuple[Any, Any]] = []
        for collected in self.encoder.collections.values():
            try:
                elements = moment.elements(collected.ref)
                assert len(elements) <= len(collected.elements)
                pairs.append((collected.usable, z3.BoolVal(True)))
            except EvaluationError:
                elements = ()
                pairs.append((collected.usable, z3.BoolVal(False)))
            for number, element in enumerate(collected.elements):
                here = number < len(elements)
                pairs.append((element.there, z3.BoolVal(here)))
                for name, unknown in element.fields.items():
                    ref = ElementRef("e", name, unknown.type)
                    value: Value | None = None
                    try:
                        value = moment.field(elements[number], ref) if here else None
                    except EvaluationError:
                        value = None
                    pairs += self._held(unknown, value, here and moment.has(elements[number], ref))
        return pairs

    def _value(self, held: Any, facts: _Facts) -> Value:
        match held:
            case Ratio(over=over, under=under):
                return self._sum(over, facts) / self._sum(under, facts)
            case Members(words=words):
                kept = {facts.ground(word).as_long() for word, holds in words if _truth(facts.ground(holds))}
                return frozenset(word for word, number in self.encoder.words.items() if number in kept)
            case _:
                ground = facts.ground(held)
                if z3.is_bool(ground):
                    return _truth(ground)
                return next(word for word, number in self.encoder.words.items() if number == ground.as_long())

    def _sum(self, number: Sum, facts: _Facts) -> Fraction:
        total = Fraction(0)
        for factors, part in number.parts:
            values = [_exact(facts.ground(self.encoder.algebra.unknowns[factor])) for factor in factors]
            total += prod(values, start=part)
        return total

    def _facts(self, unknown: Unknown, moment: Lookup) -> list[tuple[Any, Any]]:
        value: Value | None
        try:
            if unknown.window is not None:
                value = moment.window(unknown.name)
            else:
                value = moment.fact(FactRef(unknown.name, unknown.type))
        except EvaluationError:
            value = None
        present = unknown.window is not None or moment.present(FactRef(unknown.name, unknown.type))
        return self._held(unknown, value, present)

    def _held(self, unknown: Unknown, value: Value | None, present: bool) -> list[tuple[Any, Any]]:
        pairs = [(unknown.usable, z3.BoolVal(value is not None))]
        if not z3.is_true(unknown.present):
            pairs.append((unknown.present, z3.BoolVal(present)))
        if value is not None:
            pairs.append((unknown.value, self._term(value)))
        elif unknown.type.members:
            pairs.append((unknown.value, self.encoder.word(unknown.type.members[0])))
        elif not z3.is_bool(unknown.value):
            pairs.append((unknown.value, z3.IntVal(0) if unknown.value.is_int() else z3.RealVal(0)))
        return pairs

    def _term(self, value: Value) -> Any:
        match value:
            case bool():
                return z3.BoolVal(value)
            case int():
                return z3.IntVal(value)
            case Fraction():
                return z3.RealVal(value)
            case str():
                return self.encoder.word(value)
            case _:
                raise AssertionError(f"no fact is {value!r}")


def smt_agrees(expr: Expr, moment: Lookup, reading: Reading | None = None) -> bool:
    """Whether solver and interpreter say the same of a checked expression at a moment, errors included.

    `reading` spares encoding the expression again when it is asked at many moments.
    """
    expected: Value | None
    try:
        expected = evaluate(expr, moment)
    except EvaluationError:
        expected = None
    found = (reading or Reading(expr)).at(moment)
    return type(found) is type(expected) and found == expected if isinstance(expected, bool) else found == expected


def _of_sort(value: Any, unknown: Any) -> Any:
    """A whole number stands for a ratio too; the library itself takes it for neither."""
    return value if value.sort() == unknown.sort() else z3.RealVal(value.as_long())


class _Facts:
    """The values of all unknowns at one moment, in the form in which the solver's library takes them.

    `z3.substitute` looks at every pair anew for every term; over millions of terms that is most of the time.
    """

    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        self._pairs = pairs  # keeps the terms alive
        self._number = len(pairs)
        self._unknowns = (z3.Ast * len(pairs))(*(unknown.as_ast() for unknown, _ in pairs))
        self._values = (z3.Ast * len(pairs))(*(_of_sort(value, unknown).as_ast() for unknown, value in pairs))

    def ground(self, term: Any) -> Any:
        """The term with every unknown replaced, simplified."""
        ctx = term.ctx
        found = z3.Z3_substitute(ctx.ref(), term.as_ast(), self._number, self._unknowns, self._values)
        return z3.simplify(z3.z3._to_expr_ref(found, ctx))


def _truth(term: Any) -> bool:
    assert z3.is_true(term) or z3.is_false(term), term
    return bool(z3.is_true(term))


def _exact(number: Any) -> Fraction:
    return Fraction(number.as_long()) if z3.is_int_value(number) else Fraction(number.as_fraction())
