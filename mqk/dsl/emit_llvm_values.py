"""Expressions to native code that computes them: truth values, exact numbers and words, each with what is an error.

What lives here: one method per kind of value, after the reference interpreter. Nothing branches: both sides of an `if`
are computed and one is chosen, and an error counts only where the interpreter would have met it. What does not: rules
(emit_llvm.py), and reading facts (emit_llvm_reads.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from mqk.dsl import syntax
from mqk.dsl import types as t
from mqk.dsl.emit_llvm_layout import USABLE
from mqk.dsl.emit_llvm_numbers import MOST_WIDE, NARROW, ONE, WIDE, ZERO, Exact, Whole, known
from mqk.dsl.emit_llvm_reads import Reads, Said
from mqk.dsl.environment import ConstantRef, DerivedRef, ElementRef, FactRef
from mqk.dsl.evaluate import only_presence

V = TypeVar("V")


class Values(Reads):
    """Writes the code of expressions."""

    def _chosen(self, condition: Said[Any], then: Any, otherwise: Any) -> Any:
        """The error of a choice: its condition's, or that of the side that is chosen."""
        if then is None and otherwise is None:
            return condition.error
        sides = [self.truth(value=False) if each is None else each for each in (then, otherwise)]
        return self.either(condition.error, self.builder.select(condition.value, *sides))

    # -- truth values ----------------------------------------------------------------------------------------------

    def boolean(self, expr: syntax.Expr) -> Said[Any]:
        """Code for a condition."""
        match expr:
            case syntax.Literal(value=value) | syntax.Name(ref=ConstantRef(value=value)):
                return Said(self.truth(value=bool(value)))
            case syntax.Name(ref=FactRef() | ElementRef() as ref):
                held = self._read(ref)
                return Said(self.builder.icmp_signed("!=", held.value, self.constant(0)), held.error)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._closed("truth", definition, self.boolean)
            case syntax.Not(operand=operand):
                said = self.boolean(operand)
                return Said(self.builder.not_(said.value), said.error)
            case syntax.Present(fact=fact):
                assert isinstance(fact.ref, FactRef | ElementRef)
                return Said(self.present(fact.ref))
            case syntax.Compare():
                return self._compare(expr)
            case syntax.Member(item=item, container=container, negated=negated):
                said = self.word(item)
                found = self.one_of(said.value, self._members(container))
                return Said(self.builder.not_(found) if negated else found, said.error)
            case syntax.Connective(op=op, operands=operands):
                return self._connective(op, operands)
            case syntax.If():
                return self._if(expr, self.boolean, self.builder.select)
            case syntax.Quantified():
                return self._holds(expr)
            case syntax.Call(function="multiple_of", arguments=(whole, part)):
                first, second = self.number(whole), self.number(part)
                divides, zero = self._numbers.divides(first.value, second.value)
                return Said(divides, self.either(first.error, second.error, zero))
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a condition")

    def _connective(self, op: str, operands: Sequence[syntax.Expr]) -> Said[Any]:
        """Every operand is judged, in order, unless presence tests alone settle the result before it."""
        settles = op == "or"
        result, error, reached = self.truth(value=not settles), None, None
        for operand in operands:
            said = self.boolean(operand)
            error = self.either(error, said.error if reached is None else self.where(reached, said.error))
            result = self.builder.or_(result, said.value) if settles else self.builder.and_(result, said.value)
            if only_presence(operand):
                goes_on = self.builder.not_(said.value) if settles else said.value
                reached = goes_on if reached is None else self.builder.and_(reached, goes_on)
        return Said(result, error)

    def _compare(self, expr: syntax.Compare) -> Said[Any]:
        kind = next((operand.type.kind for operand in expr.operands if operand.type), None)
        compare: Callable[[str, Any, Any], Any]
        if kind is t.Kind.BOOL:
            said, compare = [self.boolean(operand) for operand in expr.operands], self.builder.icmp_signed
        elif kind in (t.Kind.SYMBOL, t.Kind.ENUM, t.Kind.TEXT):
            said, compare = [self.word(operand) for operand in expr.operands], self.builder.icmp_signed
        else:
            said, compare = [self.number(operand) for operand in expr.operands], self._numbers.compare
        result = None
        for op, a, b in zip(expr.ops, said, said[1:], strict=False):
            holds = compare(op, a.value, b.value)
            result = holds if result is None else self.builder.and_(result, holds)
        return Said(result, self.either(*(each.error for each in said)))

    def _if(
        self, expr: syntax.If, write: Callable[[syntax.Expr], Said[V]], choose: Callable[[Any, V, V], V]
    ) -> Said[V]:
        # A decision table is a chain as long as it has rows: gone down in a loop, and put together from its end.
        steps: list[tuple[Said[Any], Said[V]]] = []
        below: syntax.Expr = expr
        while isinstance(below, syntax.If):
            steps.append((self.boolean(below.condition), write(below.then)))
            below = below.otherwise
        said = write(below)
        for condition, then in reversed(steps):
            value = choose(condition.value, then.value, said.value)
            said = Said(value, self._chosen(condition, then.error, said.error))
        return said

    # -- words -----------------------------------------------------------------------------------------------------

    def word(self, expr: syntax.Expr) -> Said[Any]:
        """Code for a word, as its id."""
        match expr:
            case (
                syntax.Symbol(text=text)
                | syntax.Literal(value=str(text))
                | syntax.Name(ref=ConstantRef(value=str(text)))
            ):
                return Said(self.constant(self.layout.word(text)))
            case syntax.Name(ref=FactRef() | ElementRef() as ref):
                return self._read(ref)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._closed("word", definition, self.word)
            case syntax.If():
                return self._if(expr, self.word, self.builder.select)
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a word")

    def _members(self, expr: syntax.Expr) -> list[Any]:
        match expr:
            case syntax.SetOf(items=items):
                return [self.word(item).value for item in items]
            case syntax.Name(ref=ConstantRef(value=frozenset() as value)):
                return [self.constant(self.layout.word(word)) for word in sorted(value)]
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a set")

    def one_of(self, word: Any, members: Sequence[Any]) -> Any:
        """Whether a word is one of these."""
        found = self.truth(value=False)
        for member in members:
            found = self.builder.or_(found, self.builder.icmp_signed("==", word, member))
        return found

    # -- numbers ---------------------------------------------------------------------------------------------------

    def number(self, expr: syntax.Expr) -> Said[Exact]:
        """Code for an exact number."""
        match expr:
            case syntax.Literal(value=value) | syntax.Name(ref=ConstantRef(value=value)):
                assert isinstance(value, int | Fraction)
                exact = Fraction(value)
                return Said(Exact(known(exact.numerator), known(exact.denominator)))
            case syntax.Name(ref=FactRef() | ElementRef() as ref):
                return self._measured(ref)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._closed("number", definition, self.number)
            case syntax.Quantified():
                return self._tallied(expr)
            case syntax.Window(slot=str(slot)):
                held = self._at(self.layout.window(slot), ("window", slot), slot)
                return Said(Exact(Whole(*self.layout.interval(slot), held.value), ONE), held.error)
            case syntax.Negate(operand=operand):
                said = self.number(operand)
                return Said(Exact(self._numbers.subtract(ZERO, said.value.top), said.value.bottom), said.error)
            case syntax.Arithmetic(op="/", left=left, right=right):
                a, b = self.number(left), self.number(right)
                over, zero = self._numbers.reciprocal(b.value)
                return Said(self._numbers.combine("*", a.value, over), self.either(a.error, b.error, zero))
            case syntax.Arithmetic(op=op, left=left, right=right):
                a, b = self.number(left), self.number(right)
                return Said(self._numbers.combine(op, a.value, b.value), self.either(a.error, b.error))
            case syntax.If():
                return self._if(expr, self.number, self._numbers.choose)
            case syntax.Call(function="abs", arguments=(operand,)):
                said = self.number(operand)
                return Said(Exact(self._numbers.absolute(said.value.top), said.value.bottom), said.error)
            case syntax.Call(function=function, arguments=arguments):
                return self._extreme("<=" if function == "min" else ">=", arguments)
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a number")

    def _extreme(self, op: str, arguments: Sequence[syntax.Expr]) -> Said[Exact]:
        best = self.number(arguments[0])
        for argument in arguments[1:]:
            other = self.number(argument)
            value = self._numbers.choose(self._numbers.compare(op, best.value, other.value), best.value, other.value)
            best = Said(value, self.either(best.error, other.error))
        return best

    # -- collections -----------------------------------------------------------------------------------------------

    def _holds(self, expr: syntax.Quantified) -> Said[Any]:
        """`some` and `every`."""
        some, body = expr.kind == "some", expr.body
        assert body is not None
        result = self._variable(self.truth(value=not some))

        def settle(meant: Any) -> Any:
            said = self.boolean(body)
            found = said.value if some else self.builder.not_(said.value)
            before = self.builder.load(result)
            self.builder.store(
                self.builder.select(self.builder.and_(meant, found), self.truth(value=some), before), result
            )
            return self.where(meant, said.error)

        error = self._each(expr, settle)
        return Said(self.builder.load(result), error)

    def _tallied(self, expr: syntax.Quantified) -> Said[Exact]:
        """`count of` and `sum of`; a sum keeps what is below its line when all its terms share it."""
        assert expr.ref is not None
        most = expr.ref.maximum
        wide = self._ir.IntType(WIDE)
        top, bottom = self._variable(self._ir.Constant(wide, 0)), self._variable(self._ir.Constant(wide, 1))
        made: list[Exact] = []

        def settle(meant: Any) -> Any:
            said: Said[Exact] = Said(Exact(ONE, ONE)) if expr.body is None else self.number(expr.body)
            term = self._numbers.select(meant, said.value.top, ZERO)
            below = said.value.bottom
            if below.constant is not None:
                # The sum of so many terms lies between these, whatever comes in.
                low, high = most * min(term.low, 0), most * max(term.high, 0)
                shape = Whole(max(low, -MOST_WIDE), min(high, MOST_WIDE))
                if shape.constant is None:
                    so_far = self._as_wide(Whole(shape.low, shape.high, self.builder.load(top)))
                    self.builder.store(self._numbers.code(self._numbers.add(so_far, term), WIDE), top)
                made.append(Exact(shape, below))
                return self.where(meant, said.error)
            unbounded = Whole(-MOST_WIDE, MOST_WIDE, self.builder.load(top))
            below = self._numbers.select(meant, below, ONE)
            under = Whole(1, MOST_WIDE, self.builder.load(bottom))
            sums = self._numbers.add(self._numbers.multiply(unbounded, below), self._numbers.multiply(term, under))
            self.builder.store(self._numbers.code(sums, WIDE), top)
            self.builder.store(self._numbers.code(self._numbers.multiply(under, below), WIDE), bottom)
            made.append(Exact(unbounded, under))
            return self.where(meant, said.error)

        error = self._each(expr, settle)
        (shape,) = made
        return Said(Exact(self._loaded(shape.top, top), self._loaded(shape.bottom, bottom)), error)

    def _as_wide(self, number: Whole) -> Whole:
        """A number whose code is held in 128 bits, in the width that its interval asks for."""
        if number.constant is not None or number.width == WIDE:
            return number
        return Whole(number.low, number.high, self.builder.trunc(number.code, self._ir.IntType(NARROW)))

    def _loaded(self, shape: Whole, variable: Any) -> Whole:
        if shape.constant is not None:
            return shape
        return self._as_wide(Whole(shape.low, shape.high, self.builder.load(variable)))

    def _each(self, expr: syntax.Quantified, settle: Callable[[Any], Any]) -> Any:
        """A loop over the elements of a collection: `settle` is told whether one is meant, and gives its error."""
        assert expr.ref is not None
        rows = self.layout.rows(expr.ref)
        unknown = self.truth(value=False)
        if expr.ref.name not in self.layout.certain:
            unknown = self._differs(self._flag(rows.count), USABLE)
        count = self.builder.select(unknown, self.constant(0), self._load(2 * rows.count))
        error, number = self._variable(unknown), self._variable(self.constant(0))
        head, body, done = (self.builder.append_basic_block(name) for name in ("elements", "element", "after"))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(self.builder.icmp_signed("<", self.builder.load(number), count), body, done)
        self.builder.position_at_end(body)
        with self._element(expr.variable, rows, self.builder.load(number)):
            meant, errs = self.truth(value=True), None
            if expr.where is not None:
                said = self.boolean(expr.where)
                meant, errs = said.value, said.error
            errs = self.either(errs, settle(meant))
            if errs is not None:
                self.builder.store(self.builder.or_(self.builder.load(error), errs), error)
        self.builder.store(self.builder.add(self.builder.load(number), self.constant(1)), number)
        self.builder.branch(head)
        self.builder.position_at_end(done)
        return self.builder.load(error)
