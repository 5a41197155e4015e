"""The reference interpreter: what a checked expression is worth at one moment. This file is the specification.

Every other backend must agree with it, value for value and fault for fault. It is written to be read, not to be fast:
all arithmetic is on exact rationals, nothing is skipped, nothing is rounded.

Three rules make it three-valued and fail-closed:
1. A fact that is missing, stale or of the wrong type is an error where it is used, and so is a division by zero.
2. `and` and `or` judge every operand, so an error is never absorbed - except that an operand made of `present(...)`
   tests alone may settle the result, and what stands behind it is then not judged.
3. `if` judges its condition and the chosen branch only.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

from mqk.dsl import syntax
from mqk.dsl.environment import ConstantRef, DerivedRef, FactRef
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
        """How many events a window holds. Raises EvaluationError when nobody counts them."""


def evaluate(expr: syntax.Expr, lookup: Lookup) -> syntax.Value:
    """The value of a checked expression. Raises EvaluationError for the first fault in source order."""
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
        case syntax.If(condition=condition, then=then, otherwise=otherwise):
            return evaluate(then if evaluate(condition, lookup) else otherwise, lookup)
        case syntax.Call(function=function, arguments=arguments):
            numbers = [_number(evaluate(argument, lookup)) for argument in arguments]
            if function == "abs":
                return abs(numbers[0])
            return min(numbers) if function == "min" else max(numbers)
        case syntax.Present(fact=fact):
            assert isinstance(fact.ref, FactRef)
            return lookup.present(fact.ref)
        case syntax.Window(slot=slot):
            assert slot is not None
            return lookup.window(slot)
        case _:
            raise AssertionError(f"unknown node {type(expr).__name__}")


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
