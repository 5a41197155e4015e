"""Expressions to code that computes them: truth values as Python conditions, numbers as pairs of integer expressions.

What lives here: one method per kind of value. Every method returns an expression that is pure and cannot raise; what
can raise has been computed by the statements before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeVar

from mqk.dsl import syntax
from mqk.dsl import types as t
from mqk.dsl.emit_facts import may_raise
from mqk.dsl.emit_loops import Loops
from mqk.dsl.emit_numbers import Number, combine, relation, set_literal, times
from mqk.dsl.emit_scopes import Step
from mqk.dsl.environment import ConstantRef, DerivedRef, ElementRef, FactRef
from mqk.dsl.evaluate import only_presence

V = TypeVar("V")


class Emitter(Loops):
    """Writes the statements of the rules of one generated function."""

    # -- truth values ----------------------------------------------------------------------------------------------

    def boolean(self, expr: syntax.Expr) -> str:
        """Code for a condition."""
        text, key = self._key(expr)
        for scope in reversed(self._stack):
            if key in scope.truths:
                return scope.truths[key]
        code = self._boolean(expr)
        if self._uses[text] > 1 and not isinstance(expr, syntax.Literal | syntax.Name | syntax.Present):
            code = self._temporary(code)
            self._stack[-1].truths[key] = code
        return code

    def _boolean(self, expr: syntax.Expr) -> str:
        match expr:
            case syntax.Literal(value=value) | syntax.Name(ref=ConstantRef(value=value)):
                return repr(value)
            case syntax.Name(ref=FactRef() | ElementRef() as ref):
                # A bare `is`-testable optional must raise when it is missing, and `not not` asks it.
                return f"(not not {self._read(ref)})" if ref.optional else self._read(ref)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._closed(lambda: self.boolean(definition))
            case syntax.Not(operand=operand):
                return f"(not {self.boolean(operand)})"
            case syntax.Present(fact=fact):
                assert isinstance(fact.ref, FactRef | ElementRef)
                return f"({self._read(fact.ref)} is not MISSING)"
            case syntax.Compare():
                return self._compare(expr)
            case syntax.Member(item=item, container=container, negated=negated):
                word = "not in" if negated else "in"
                return f"({self._word(item)} {word} {self._members(container)})"
            case syntax.Connective(op=op, operands=operands):
                return self._connective(op, operands)
            case syntax.If():
                steps = self._ladder(expr, self.boolean)
                result = self._temporary("False")
                self._climb(steps, lambda value: [f"{result} = {value}"])
                return result
            case syntax.Quantified():
                return self._holds(expr)
            case syntax.Call(function="multiple_of", arguments=(whole, part)):
                return self._multiple(self.number(whole), self._named(self.number(part)))
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a condition")

    def _multiple(self, whole: Number, part: Number) -> str:
        if not part.numerator.lstrip("-").isdigit() or int(part.numerator) == 0:
            self._line(f"if {part.numerator} == 0: raise ZeroDivisionError")
        top, bottom = times(whole.numerator, part.denominator), times(part.numerator, whole.denominator)
        # Missing, a fact has no `%`: that is a TypeError, and a fault like any other.
        return f"(({top}) % ({bottom}) == 0)"

    def _connective(self, op: str, operands: Sequence[syntax.Expr]) -> str:
        """Every operand is judged, in order, unless presence tests alone settle the result before it.

        Python's own `and` and `or` skip operands; that is unobservable only where what is skipped cannot raise.
        """
        first, rest = operands[0], operands[1:]
        if not rest:
            return self.boolean(first)
        if not any(may_raise(operand) for operand in rest):
            return "(" + f" {op} ".join(self.boolean(operand) for operand in operands) + ")"
        if only_presence(first):
            condition = self.boolean(first)
            scope, tail = self._inside(lambda: self._connective(op, rest))
            result = self._temporary("True" if op == "or" else "False")
            self._line(f"if {f'not {condition}' if op == 'or' else condition}:")
            self._splice([*scope.all_lines, "    " * scope.indent + f"{result} = {tail}"])
            return result
        head = self._temporary(self.boolean(first))
        if not any(only_presence(operand) for operand in rest):
            parts = [head, *(self._temporary(self.boolean(operand)) for operand in rest)]
            return "(" + f" {op} ".join(parts) + ")"
        tail = self._temporary(self._connective(op, rest))
        return f"({head} {op} {tail})"

    def _compare(self, expr: syntax.Compare) -> str:
        kind = next((operand.type.kind for operand in expr.operands if operand.type), None)
        if kind in (t.Kind.SYMBOL, t.Kind.ENUM, t.Kind.TEXT, t.Kind.BOOL):
            words = [self.boolean(operand) if kind is t.Kind.BOOL else self._word(operand) for operand in expr.operands]
            return self._all([f"{a} {op} {b}" for op, a, b in zip(expr.ops, words, words[1:], strict=False)], expr)
        eager = len(expr.operands) > 2
        numbers = [self._named(self.number(o)) if eager else self.number(o) for o in expr.operands]
        return self._all([relation(op, a, b) for op, a, b in zip(expr.ops, numbers, numbers[1:], strict=False)], expr)

    def _all(self, pairs: Sequence[str], expr: syntax.Compare) -> str:
        """All pairs of a chain. A chain may stop early, but a missing fact in a later pair must still be seen."""
        if len(pairs) > 1 and may_raise(expr):
            pairs = [self._temporary(pair) for pair in pairs]
        return "(" + " and ".join(pairs) + ")"

    def _word(self, expr: syntax.Expr) -> str:
        match expr:
            case syntax.Symbol(text=text) | syntax.Literal(value=str(text)):
                return repr(text)
            case syntax.Name(ref=ConstantRef(value=value)):
                return repr(value)
            case syntax.Name(ref=FactRef() | ElementRef() as ref):
                return self._read(ref)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._closed(lambda: self._word(definition))
            case syntax.If():
                steps = self._ladder(expr, self._word)
                result = self._temporary("''")
                self._climb(steps, lambda value: [f"{result} = {value}"])
                return result
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a word")

    def _members(self, expr: syntax.Expr) -> str:
        match expr:
            case syntax.SetOf(items=items):
                return set_literal(self._word(item) for item in items)
            case syntax.Name(ref=ConstantRef(value=frozenset() as value)):
                return set_literal(repr(member) for member in value)
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a set")

    # -- numbers ---------------------------------------------------------------------------------------------------

    def number(self, expr: syntax.Expr) -> Number:
        """Code for an exact number."""
        text, key = self._key(expr)
        for scope in reversed(self._stack):
            if key in scope.numbers:
                return scope.numbers[key]
        number = self._number(expr)
        if self._uses[text] > 1 and not isinstance(expr, syntax.Literal | syntax.Name):
            number = self._named(number)
            self._stack[-1].numbers[key] = number
        return number

    def _number(self, expr: syntax.Expr) -> Number:
        match expr:
            case syntax.Literal(value=value) | syntax.Name(ref=ConstantRef(value=value)):
                assert isinstance(value, int | Fraction)
                exact = Fraction(value)
                return Number(str(exact.numerator), exact.denominator)
            case syntax.Name(ref=FactRef() | ElementRef() as ref):
                fact = self._read(ref)
                if ref.type.kind is t.Kind.RATIO:
                    return Number(f"{fact}.numerator", f"{fact}.denominator")
                return Number(fact)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._closed(lambda: self.number(definition))
            case syntax.Quantified():
                return self._tallied(expr)
            case syntax.Window(slot=str(slot)):
                return Number(self._fact(slot))
            case syntax.Negate(operand=operand):
                number = self.number(operand)
                return Number(f"(-{number.numerator})", number.denominator)
            case syntax.Arithmetic(op=op, left=left, right=right):
                return combine(op, self.number(left), self._divisor(right) if op == "/" else self.number(right))
            case syntax.If():
                return self._choose_number(self._ladder(expr, self.number))
            case syntax.Call(function="abs", arguments=(operand,)):
                number = self._named(self.number(operand))
                top = number.numerator
                return Number(f"({top} if {top} >= 0 else -{top})", number.denominator)
            case syntax.Call(function=function, arguments=arguments):
                best = self._named(self.number(arguments[0]))
                for argument in arguments[1:]:
                    other = self._named(self.number(argument))
                    best = self._better("<=" if function == "min" else ">=", best, other)
                return best
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a number")

    def _better(self, op: str, a: Number, b: Number) -> Number:
        keeps = relation(op, a, b)
        if a.denominator == b.denominator:
            return self._named(Number(f"({a.numerator} if {keeps} else {b.numerator})", a.denominator))
        chosen = self._temporary(keeps)
        top = self._temporary(f"{a.numerator} if {chosen} else {b.numerator}")
        return Number(top, self._temporary(f"{a.denominator} if {chosen} else {b.denominator}"))

    def _divisor(self, expr: syntax.Expr) -> Number:
        """One over the divisor, with its sign on top; raises in the generated code when it is zero."""
        number = self.number(expr)
        top = self._temporary(number.numerator)
        self._line(f"if {top} == 0: raise ZeroDivisionError")
        flipped = self._temporary(f"{number.denominator} if {top} > 0 else -({number.denominator})")
        return Number(flipped, self._temporary(f"{top} if {top} > 0 else -{top}"))

    def _choose_number(self, steps: list[Step[Number]]) -> Number:
        bottoms = {step.value.denominator for step in steps}
        (shared,) = bottoms if len(bottoms) == 1 else (None,)
        same = isinstance(shared, int)
        if same and len(steps) == 2 and not steps[0].lines and not steps[1].lines:
            (first, second), condition = steps, steps[0].head.removeprefix("if ").removesuffix(":")
            return Number(
                f"({first.value.numerator} if {condition} else {second.value.numerator})", steps[0].value.denominator
            )
        top = self._temporary("0")
        if same:
            self._climb(steps, lambda value: [f"{top} = {value.numerator}"])
            return Number(top, steps[0].value.denominator)
        bottom = self._temporary("1")
        self._climb(steps, lambda value: [f"{top} = {value.numerator}", f"{bottom} = {value.denominator}"])
        return Number(top, bottom)

    # -- names -----------------------------------------------------------------------------------------------------

    def _read(self, ref: FactRef | ElementRef) -> str:
        """The local variable of a fact or a field."""
        return self._field(ref) if isinstance(ref, ElementRef) else self._fact(ref.name, ref)

    def _closed(self, write: Callable[[], V]) -> V:
        """A definition, which knows nothing of the elements that are being spoken of where it is used."""
        bound, self._bound = self._bound, {}
        value = write()
        self._bound = bound
        return value
