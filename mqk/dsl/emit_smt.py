"""Checked expressions to the solver's terms: what an expression is worth, and when it is worth anything at all.

What lives here: the third twin of the reference interpreter (evaluate.py). An expression becomes a pair: its value, and
the condition under which judging it raises nothing. What does not: questions to the solver (mqk.analysis).

A fact is three unknowns: its value, whether it can be used, and, when it may be missing, whether it is there: a fact
that is there can still be stale or unreadable. Words are whole numbers, one for each word that occurs; a symbol may
also be any other number. Money, times and counts are whole numbers as everywhere; ratios are the solver's exact reals.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import z3

from mqk.dsl import syntax
from mqk.dsl.emit_smt_elements import Collected, Element, close, quantified
from mqk.dsl.emit_smt_numbers import Algebra, Ratio, Term, constant, divided, negated, plus, times
from mqk.dsl.emit_smt_terms import (
    TRUE,
    WHOLE,
    Encoded,
    Members,
    Unknown,
    defined,
    every,
    implied,
    negation,
    some,
    unknown_term,
)
from mqk.dsl.environment import CollectionRef, ConstantRef, DerivedRef, ElementRef, FactRef
from mqk.dsl.evaluate import only_presence
from mqk.dsl.types import COUNT, Kind
from mqk.quantity import INT64_MAX


@dataclass(slots=True)
class Encoder:
    """Expressions of one question to the solver; what they share, such as facts, they share as unknowns.

    `exact` products are what they are; the others are unknowns of their own, see emit_smt_numbers.py. `slots` is how
    many elements every collection has, None for as many as matter, see emit_smt_elements.py; `loose` says that
    something is less exact than it could be.
    """

    exact: bool = False
    slots: int | None = None
    loose: bool = False
    algebra: Algebra = field(init=False)
    unknowns: dict[str, Unknown] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)
    collections: dict[str, Collected] = field(default_factory=dict)
    scope: dict[str, Element] = field(default_factory=dict)
    _known: dict[object, tuple[syntax.Expr, Encoded]] = field(default_factory=dict)
    _closed: list[Term] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.algebra = Algebra(self.exact)

    def encode(self, expr: syntax.Expr) -> Encoded:
        """What a checked expression is worth, and when."""
        key = (id(expr), *(element.name for element in self.scope.values()))
        found = self._known.get(key)
        if found is None:
            # The expression is kept with its answer, so that its identity is not given to another one.
            found = self._known[key] = (expr, self._encode(expr))
        return found[1]

    def within(self, expr: syntax.Quantified, element: Element) -> tuple[Encoded | None, Encoded | None]:
        """What `where` and the body of a quantifier are worth for one element."""
        with self._speaking_of(expr.variable, element):
            where = None if expr.where is None else self.encode(expr.where)
            return where, None if expr.body is None else self.encode(expr.body)

    @contextmanager
    def _speaking_of(self, variable: str, element: Element) -> Iterator[None]:
        outer = self.scope
        self.scope = {**outer, variable: element}
        yield
        self.scope = outer

    def collected(self, ref: CollectionRef) -> Collected:
        """A collection as unknowns."""
        if ref.name not in self.collections:
            self.collections[ref.name] = Collected(ref, z3.Bool(f"{ref.name} usable"))
        return self.collections[ref.name]

    def grow(self, found: Collected, size: int) -> None:
        """Give a collection so many elements, each of which may be there or not."""
        for number in range(len(found.elements), size):
            name = f"{found.ref.name} {number + 1}"
            found.elements.append(Element(name, z3.Bool(f"{name} there"), found.ref))

    def _field(self, ref: ElementRef) -> Unknown:
        element = self.scope[ref.variable]
        if ref.field not in element.fields:
            name = f"{element.name} {ref.field}"
            element.fields[ref.field] = self.fact(FactRef(name, ref.type, ref.optional))
        return element.fields[ref.field]

    def word(self, text: str) -> Term:
        """The number of a word."""
        return z3.IntVal(self.words.setdefault(text, len(self.words)))

    def axioms(self) -> list[Term]:
        """What is true of every unknown by its type, of every collection, and of every product. Asked for last."""
        self.settle()
        found = list(self._closed)
        for unknown in self.unknowns.values():
            match unknown.type.kind:
                case Kind.ENUM:
                    found.append(z3.Or([unknown.value == self.word(member) for member in unknown.type.members]))
                case kind if kind in WHOLE:
                    found.append(z3.And(unknown.value >= -INT64_MAX - 1, unknown.value <= INT64_MAX))
                case _:
                    pass
            if unknown.window is not None and unknown.window.function == "count":
                found.append(unknown.value >= 0)
            if not z3.is_true(unknown.present):
                found.append(z3.Implies(unknown.usable, unknown.present))
        return found + self.algebra.laws()

    def settle(self) -> None:
        """Meet every fact that is still to be met: those of the elements of collections."""
        self._closed += close(self)

    def fact(self, ref: FactRef) -> Unknown:
        """The unknowns of a fact."""
        if ref.name not in self.unknowns:
            present = z3.Bool(f"{ref.name} present") if ref.optional else z3.BoolVal(True)
            self.unknowns[ref.name] = Unknown(
                ref.name, ref.type, unknown_term(ref.name, ref.type), z3.Bool(f"{ref.name} usable"), present
            )
        return self.unknowns[ref.name]

    def _window(self, expr: syntax.Window) -> Encoded:
        assert expr.slot is not None
        if expr.slot not in self.unknowns:
            kind = expr.type or COUNT
            self.unknowns[expr.slot] = Unknown(
                expr.slot,
                kind,
                z3.Int(expr.slot),
                z3.Bool(f"{expr.slot} usable"),
                z3.BoolVal(True),
                expr,
            )
        unknown = self.unknowns[expr.slot]
        return Encoded(self.algebra.unknown(unknown.value), unknown.usable)

    def _encode(self, expr: syntax.Expr) -> Encoded:
        match expr:
            case syntax.Literal(value=value):
                assert value is not None
                return Encoded(self._held(value), TRUE)
            case syntax.Symbol(text=text):
                return Encoded(self.word(text), TRUE)
            case syntax.Name(ref=ref):
                match ref:
                    case FactRef() | ElementRef():
                        unknown = self.fact(ref) if isinstance(ref, FactRef) else self._field(ref)
                        numeric = ref.type.kind in WHOLE or ref.type.kind is Kind.RATIO
                        held = self.algebra.unknown(unknown.value) if numeric else unknown.value
                        return Encoded(held, unknown.usable)
                    case DerivedRef(definition=definition):
                        return self.encode(definition)
                    case ConstantRef(value=value):
                        return Encoded(self._held(value), TRUE)
                    case _:
                        raise AssertionError(f"`{expr.path}` was not checked")
            case syntax.SetOf(items=items):
                parts = [self.encode(item) for item in items]
                return Encoded(Members(tuple((each.value, TRUE) for each in parts)), every(defined(parts)))
            case syntax.Negate(operand=operand):
                part = self.encode(operand)
                return Encoded(negated(part.value), part.defined)
            case syntax.Not(operand=operand):
                part = self.encode(operand)
                return Encoded(negation(part.value), part.defined)
            case syntax.Arithmetic(op=op, left=left, right=right):
                return self._arithmetic(op, self.encode(left), self.encode(right))
            case syntax.Compare():
                return self._compare(expr)
            case syntax.Member(item=item, container=container, negated=is_negated):
                one, many = self.encode(item), self.encode(container)
                within = some(every([holds, one.value == word]) for word, holds in many.value.words)
                return Encoded(negation(within) if is_negated else within, every(defined([one, many])))
            case syntax.Connective():
                return self._connective(expr)
            case syntax.If(condition=condition, then=then, otherwise=otherwise):
                return self._if(self.encode(condition), self.encode(then), self.encode(otherwise))
            case syntax.Call(function="multiple_of", arguments=(number, syntax.If() as by)):
                # Of each divisor apart it is a remainder; of a divisor that varies the solver decides nothing.
                each = [replace(expr, arguments=(number, one)) for one in (by.then, by.otherwise)]
                return self._if(self.encode(by.condition), *(self.encode(one) for one in each))
            case syntax.Call(function=function, arguments=arguments):
                parts = [self.encode(argument) for argument in arguments]
                numbers = [part.value for part in parts]
                if function == "multiple_of":
                    quotient = self._arithmetic("/", parts[0], parts[1])
                    return Encoded(self.algebra.whole(quotient.value), quotient.defined)
                if function == "abs":
                    numbers.append(negated(numbers[0]))
                chosen = self.algebra.largest(numbers, "<=" if function == "min" else ">=")
                return Encoded(chosen, every(defined(parts)))
            case syntax.Present(fact=fact):
                assert isinstance(fact.ref, FactRef | ElementRef)
                found = self.fact(fact.ref) if isinstance(fact.ref, FactRef) else self._field(fact.ref)
                return Encoded(found.present, TRUE)
            case syntax.Window():
                return self._window(expr)
            case syntax.Quantified():
                return quantified(self, expr)
            case _:
                raise AssertionError(f"unknown node {type(expr).__name__}")

    def _held(self, value: syntax.Value) -> Any:
        match value:
            case bool():
                return z3.BoolVal(value)
            case int() | Fraction():
                return constant(value)
            case str():
                return self.word(value)
            case _:
                return Members(tuple((self.word(member), TRUE) for member in sorted(value)))

    def _arithmetic(self, op: str, left: Encoded, right: Encoded) -> Encoded:
        both = every(defined([left, right]))
        match op:
            case "+":
                return Encoded(plus(left.value, right.value), both)
            case "-":
                return Encoded(plus(left.value, negated(right.value)), both)
            case "/":
                return Encoded(
                    divided(left.value, right.value), every([both, negation(self.algebra.zero(right.value))])
                )
            case _:
                return Encoded(times(left.value, right.value), both)

    def _compare(self, expr: syntax.Compare) -> Encoded:
        parts = [self.encode(operand) for operand in expr.operands]
        values = [part.value for part in parts]
        links = [self._link(op, a, b) for op, a, b in zip(expr.ops, values, values[1:], strict=False)]
        return Encoded(every(links), every(defined(parts)))

    def _link(self, op: str, left: Any, right: Any) -> Term:
        if isinstance(left, Ratio):
            return self.algebra.compare(op, left, right)
        return left == right if op == "==" else left != right

    def _connective(self, expr: syntax.Connective) -> Encoded:
        """Every operand counts, and must be defined unless a test of presence before it has settled the result."""
        parts = [self.encode(operand) for operand in expr.operands]
        conditions, reached = [], TRUE
        for operand, part in zip(expr.operands, parts, strict=True):
            conditions.append(implied(reached, part.defined))
            if only_presence(operand):
                reached = every([reached, part.value if expr.op == "and" else negation(part.value)])
        values = [part.value for part in parts]
        return Encoded(every(values) if expr.op == "and" else some(values), every(conditions))

    def _if(self, condition: Encoded, then: Encoded, otherwise: Encoded) -> Encoded:
        chosen = (
            then.defined
            if then.defined.eq(otherwise.defined)
            else z3.If(condition.value, then.defined, otherwise.defined)
        )
        return Encoded(self._either(condition.value, then.value, otherwise.value), every([condition.defined, chosen]))

    def _either(self, condition: Term, then: Any, otherwise: Any) -> Any:
        match then:
            case Ratio():
                return self.algebra.choose(condition, then, otherwise)
            case Members():
                words = [(word, every([condition, holds])) for word, holds in then.words]
                words += [(word, every([negation(condition), holds])) for word, holds in otherwise.words]
                return Members(tuple(words))
            case _:
                return z3.If(condition, then, otherwise)
