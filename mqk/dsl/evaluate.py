"""The reference interpreter: what a checked expression is worth at one moment. This file is the specification.

Every other backend must agree with it, value for value and fault for fault. It is written to be read, not to be fast:
all arithmetic is on exact rationals, nothing is skipped, nothing is rounded.

Three rules make it three-valued and fail-closed:
1. A fact that is missing, stale or of the wrong type is an error where it is used, and so is a division by zero.
2. `and` and `or` judge every operand, so an error is never absorbed - except that an operand made of `present(...)`
   tests alone may settle the result, and what stands behind it is then not judged.
3. `if` judges its condition and the chosen branch only. What is said of a collection is judged for every element,
   even when one of them has settled it; an element for which `where` is false is judged no further.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from mqk.dsl import syntax
from mqk.dsl.environment import CollectionRef, ConstantRef, DerivedRef, ElementRef, FactRef
from mqk.dsl.errors import EvaluationError, Fault

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}


class Lookup(Protocol):
    """Where the interpreter finds facts."""

    def fact(self, ref: FactRef) -> syntax.Value:
        """The fact's value. Raises EvaluationError when it is missing, stale or of the wrong type."""

    def present(self, ref: FactRef) -> bool:
        """Whether the fact is there. Never raises."""

    def window(self, slot: str) -> int:
        """What a window holds. Raises EvaluationError when nobody counts it."""

    def elements(self, ref: CollectionRef) -> Sequence[object]:
        """The elements of a collection. Raises EvaluationError when it is missing or has too many."""

    def field(self, element: object, ref: ElementRef) -> syntax.Value:
        """The value of an element's field. Raises EvaluationError when it is missing, stale or of the wrong type."""

    def has(self, element: object, ref: ElementRef) -> bool:
        """Whether an element's field is there. Never raises."""


@dataclass(frozen=True, slots=True)
class Within:
    """A lookup inside a quantifier: everything that `outer` knows, and one element under its name."""

    outer: Lookup
    variable: str
    element: object

    def fact(self, ref: FactRef) -> syntax.Value:
        """As outside."""
        return self.outer.fact(ref)

    def present(self, ref: FactRef) -> bool:
        """As outside."""
        return self.outer.present(ref)

    def window(self, slot: str) -> int:
        """As outside."""
        return self.outer.window(slot)

    def elements(self, ref: CollectionRef) -> Sequence[object]:
        """As outside."""
        return self.outer.elements(ref)

    def field(self, element: object, ref: ElementRef) -> syntax.Value:
        """As outside."""
        return self.outer.field(element, ref)

    def has(self, element: object, ref: ElementRef) -> bool:
        """As outside."""
        return self.outer.has(element, ref)


def _element(lookup: Lookup, variable: str) -> object:
    while isinstance(lookup, Within):
        if lookup.variable == variable:
            return lookup.element
        lookup = lookup.outer
    raise AssertionError(f"`{variable}` was not checked")


def evaluate(expr: syntax.Expr, lookup: Lookup) -> syntax.Value:
    """The value of a checked expression. Raises EvaluationError for the first fault in source order."""
    while isinstance(expr, syntax.If):
        # A decision table is a chain of these, as long as it has rows.
        expr = expr.then if evaluate(expr.condition, lookup) else expr.otherwise
    match expr:
        case syntax.Literal(value=value):
            assert value is not None
            return value
        case syntax.Symbol(text=text):
            return text
        case syntax.Name(ref=ref):
            match ref:
                case FactRef():
                    return lookup.fact(ref)
                case DerivedRef(definition=definition):
                    return evaluate(definition, lookup)
                case ConstantRef(value=value):
                    return value
                case ElementRef(variable=variable):
                    return lookup.field(_element(lookup, variable), ref)
                case _:
                    raise AssertionError(f"`{expr.path}` was not checked")
        case syntax.SetOf(items=items):
            return frozenset(str(evaluate(item, lookup)) for item in items)
        case syntax.Negate(operand=operand):
            return -_number(evaluate(operand, lookup))
        case syntax.Not(operand=operand):
            return not evaluate(operand, lookup)
        case syntax.Arithmetic(op=op, left=left, right=right):
            a, b = _number(evaluate(left, lookup)), _number(evaluate(right, lookup))
            return _arithmetic(op, a, b)
        case syntax.Compare(operands=operands, ops=ops):
            values = [evaluate(operand, lookup) for operand in operands]
            return all(_COMPARE[op](a, b) for op, a, b in zip(ops, values, values[1:], strict=False))
        case syntax.Member(item=item, container=container, negated=negated):
            value, members = evaluate(item, lookup), evaluate(container, lookup)
            assert isinstance(members, frozenset)
            return (value in members) is not negated
        case syntax.Connective(op=op, operands=operands):
            settles = op == "or"
            result = not settles
            for operand in operands:
                value = bool(evaluate(operand, lookup))
                if value is settles:
                    result = settles
                    if only_presence(operand):
                        break
            return result
        case syntax.Call(function=function, arguments=arguments):
            numbers = [_number(evaluate(argument, lookup)) for argument in arguments]
            if function == "abs":
                return abs(numbers[0])
            if function == "multiple_of":
                return _arithmetic("/", *numbers).denominator == 1
            return min(numbers) if function == "min" else max(numbers)
        case syntax.Present(fact=fact):
            if isinstance(fact.ref, ElementRef):
                return lookup.has(_element(lookup, fact.ref.variable), fact.ref)
            assert isinstance(fact.ref, FactRef)
            return lookup.present(fact.ref)
        case syntax.Window(slot=slot):
            assert slot is not None
            return lookup.window(slot)
        case syntax.Quantified(kind=kind, body=body):
            inside = meant(expr, lookup)
            if kind == "count":
                return len(list(inside))
            assert body is not None
            said = [evaluate(body, each) for each in inside]
            if kind == "sum":
                return sum((_number(value) for value in said), Fraction(0))
            return any(said) if kind == "some" else all(said)
        case _:
            raise AssertionError(f"unknown node {type(expr).__name__}")


def meant(expr: syntax.Quantified, lookup: Lookup) -> Iterator[Within]:
    """For every element that a quantifier speaks of, the lookup in which its body is judged."""
    assert expr.ref is not None
    for element in lookup.elements(expr.ref):
        inside = Within(lookup, expr.variable, element)
        if expr.where is None or evaluate(expr.where, inside):
            yield inside


def only_presence(expr: syntax.Expr) -> bool:
    """Whether an expression is made of `present(...)` tests alone, and so can never be an error."""
    match expr:
        case syntax.Present():
            return True
        case syntax.Not(operand=operand):
            return only_presence(operand)
        case syntax.Connective(operands=operands):
            return all(only_presence(operand) for operand in operands)
        case _:
            return False


def _number(value: syntax.Value) -> Fraction:
    assert isinstance(value, int | Fraction)
    return Fraction(value)


def _arithmetic(op: str, a: Fraction, b: Fraction) -> Fraction:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "/":
            if b == 0:
                raise EvaluationError(Fault.DIVISION_BY_ZERO, "/")
            return a / b
        case _:
            return a * b
