"""Checked expressions to Ibis expressions over a table of recorded facts: the twin of the interpreter for histories.

What lives here: one expression to one column, for whichever engine runs it (DuckDB, Spark). What does not: where the
facts are recorded (a `Facts` says so), and which rules are judged (mqk.analysis.history).

The interpreter's three values are SQL's: what it cannot judge is NULL, so that a condition is true, false or NULL. All
of it is strict: SQL's own `and`, `or`, `least` and `greatest`, which look past a NULL, are used only where there is
none. Numbers are exact, see emit_ibis_numbers.py; what no query can judge exactly raises NotEmitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Protocol, TypeVar

from mqk.dsl import syntax
from mqk.dsl import types as t
from mqk.dsl.emit_ibis_elements import quantified
from mqk.dsl.emit_ibis_numbers import (
    ONE,
    NotEmitted,
    Number,
    Whole,
    absolute,
    add,
    choice,
    chosen,
    compare,
    divide,
    furthest,
    is_multiple,
    multiply,
    negate,
    number,
    related,
)
from mqk.dsl.emit_ibis_truths import Truth, all_of, any_of, constant_truth, either, presence_first
from mqk.dsl.emit_python import Rule
from mqk.dsl.environment import CollectionRef, ConstantRef, DerivedRef, ElementRef, FactRef
from mqk.dsl.evaluate import only_presence

Worth = TypeVar("Worth")
NUMERIC = t.ORDERED_KINDS | {t.Kind.RATE}


class NotRecorded(Exception):
    """A fact, a window or a collection that the table does not hold: what reads it cannot be judged again."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Held:
    """A recorded fact as columns: `column`, NULL where it is missing or cannot be used, and `below` for a ratio.

    `low` and `high` bound whole numbers. `present` says whether it was given, usable or not.
    """

    column: Any
    present: Any
    nullable: bool = True
    low: int = 0
    high: int = 0
    below: Whole | None = None


class Facts(Protocol):
    """Where the emitter finds recorded facts. Each raises NotRecorded for what the table does not hold."""

    def fact(self, ref: FactRef) -> Held:
        """A fact's columns; what is stale is NULL."""

    def window(self, slot: str) -> Held:
        """What a window held."""

    def elements(self, ref: CollectionRef) -> Any:
        """A collection, as an array of structs; NULL where it is missing or cannot be used."""

    def field(self, element: Any, collection: str, ref: FactRef) -> Held:
        """A field of one of its elements."""


@dataclass(slots=True)
class Emitter:
    """Expressions over one table; what is met twice is made once."""

    facts: Facts
    scope: dict[str, tuple[Any, CollectionRef]] = field(default_factory=dict)
    _known: dict[int, tuple[syntax.Expr, Any]] = field(default_factory=dict)

    def rule(self, rule: Rule, gate: syntax.Expr | None, index: str | None) -> Truth:
        """Whether a rule passes: NULL where it cannot be judged. Raises NotEmitted and NotRecorded."""
        judged = self.truth(rule.require)
        if rule.when is not None:
            judged = either(self.truth(rule.when), judged, constant_truth(holds=True))
        if rule.unless is not None:
            judged = either(self.truth(rule.unless), constant_truth(holds=True), judged)
        if rule.gated and gate is not None:
            judged = either(self.truth(gate), constant_truth(holds=True), judged)
        if rule.symbols is not None and index is not None:
            held = self.facts.fact(FactRef(index, t.SYMBOL))
            ours = _one_of(Truth(held.column, held.nullable), sorted(rule.symbols))
            judged = either(ours, judged, constant_truth(holds=True))
        return judged

    def within(self, expr: syntax.Quantified, element: Any) -> Emitter:
        """The emitter inside a quantifier, for one element."""
        assert expr.ref is not None
        return Emitter(self.facts, {**self.scope, expr.variable: (element, expr.ref)})

    # -- conditions ------------------------------------------------------------------------------------------------

    def truth(self, expr: syntax.Expr) -> Truth:
        """A condition."""
        found = self._known.get(id(expr))
        if found is None:
            # The expression is kept with its answer, so that its identity is not given to another one.
            found = self._known[id(expr)] = (expr, self._truth(expr))
        known: Truth = found[1]
        return known

    def _truth(self, expr: syntax.Expr) -> Truth:
        match expr:
            case syntax.Literal(value=bool(value)) | syntax.Name(ref=ConstantRef(value=bool(value))):
                return constant_truth(holds=value)
            case syntax.Name(ref=FactRef() | ElementRef() as ref):
                held = self._held(ref)
                return Truth(held.column, held.nullable)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._outside().truth(definition)
            case syntax.Not(operand=operand):
                return self.truth(operand).opposite()
            case syntax.Compare():
                return self._compare(expr)
            case syntax.Member(item=item, container=container, negated=negated):
                within = self._member(item, container)
                return within.opposite() if negated else within
            case syntax.Connective(op=op, operands=operands):
                parts = [(self.truth(operand), only_presence(operand)) for operand in operands]
                return presence_first(op, parts)
            case syntax.If():
                steps, last = _ladder(expr)
                return self._choose_truth([(self.truth(c), self.truth(v)) for c, v in steps], self.truth(last))
            case syntax.Call(function="multiple_of", arguments=(whole, part)):
                a, b = self.number(whole), self.number(part)
                made = is_multiple(a, b)
                if isinstance(made, bool):
                    return constant_truth(holds=made)
                return Truth(made, a.nullable or b.nullable or b.top.low <= 0 <= b.top.high)
            case syntax.Present(fact=fact):
                assert isinstance(fact.ref, FactRef | ElementRef)
                return Truth(self._held(fact.ref).present, nullable=False)
            case syntax.Quantified():
                made = quantified(self, expr)
                assert isinstance(made, Truth)
                return made
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a condition")

    def _choose_truth(self, steps: Sequence[tuple[Truth, Truth]], last: Truth) -> Truth:
        taken, result = _reachable(steps, last)
        if not taken:
            return result
        column = choice([(c.column, c.nullable, v.column) for c, v in taken], result.column)
        nullable = any(c.nullable or v.nullable for c, v in taken) or result.nullable
        return Truth(column, nullable)

    def _compare(self, expr: syntax.Compare) -> Truth:
        kinds = {operand.type.kind for operand in expr.operands if operand.type is not None}
        pairs = list(zip(expr.ops, expr.operands, expr.operands[1:], strict=False))
        if kinds & NUMERIC:
            numbers = {id(operand): self.number(operand) for operand in expr.operands}
            return all_of([self._related(op, numbers[id(a)], numbers[id(b)]) for op, a, b in pairs])
        if t.Kind.BOOL in kinds:
            truths = [(op, self.truth(a), self.truth(b)) for op, a, b in pairs]
            # As numbers, because `NOT a = b` is read as `NOT (a = b)`.
            return all_of(
                [
                    Truth(related(op, a.column.cast("int8"), b.column.cast("int8")), a.nullable or b.nullable)
                    for op, a, b in truths
                ]
            )
        links = []
        for op, a, b in pairs:
            left, right = self.word(a), self.word(b)
            if isinstance(left, str) and isinstance(right, str):
                links.append(constant_truth(holds=bool(related(op, left, right))))
                continue
            # Words are compared for equality alone, so that the sides may change places.
            column, other = (right, left) if isinstance(left, str) else (left, right)
            assert not isinstance(column, str)
            links.append(Truth(related(op, column.column, getattr(other, "column", other)), _may(left) or _may(right)))
        return all_of(links)

    def _related(self, op: str, a: Number, b: Number) -> Truth:
        made = compare(op, a, b)
        return constant_truth(holds=made) if isinstance(made, bool) else Truth(made, a.nullable or b.nullable)

    def _member(self, item: syntax.Expr, container: syntax.Expr) -> Truth:
        match container:
            case syntax.SetOf(items=items):
                members = [self.word(each) for each in items]
            case syntax.Name(ref=ConstantRef(value=frozenset() as value)):
                members = sorted(value)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._member(item, definition)
            case _:
                raise NotEmitted("it asks for a member of what is no set of constants")
        one = self.word(item)
        words = [each for each in members if isinstance(each, str)]
        columns = [each for each in members if not isinstance(each, str)]
        found = [constant_truth(holds=one in words)] if isinstance(one, str) else [_one_of(one, words)]
        found += [Truth(each.column == getattr(one, "column", one), each.nullable or _may(one)) for each in columns]
        return any_of(found)

    # -- words -----------------------------------------------------------------------------------------------------

    def word(self, expr: syntax.Expr) -> Truth | str:
        """A symbol, a member of a list or a text: a constant, or a column (and whether it may be NULL)."""
        match expr:
            case syntax.Symbol(text=text) | syntax.Literal(value=str(text)):
                return text
            case syntax.Name(ref=ConstantRef(value=str(value))):
                return value
            case syntax.Name(ref=FactRef() | ElementRef() as ref):
                held = self._held(ref)
                return Truth(held.column, held.nullable)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._outside().word(definition)
            case syntax.If():
                import ibis  # noqa: PLC0415 - heavy

                def column(said: Truth | str) -> Truth:
                    return Truth(ibis.literal(said, "string"), nullable=False) if isinstance(said, str) else said

                steps, last = _ladder(expr)
                made = [(self.truth(c), column(self.word(v))) for c, v in steps]
                return self._choose_truth(made, column(self.word(last)))
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a word")

    # -- numbers ---------------------------------------------------------------------------------------------------

    def number(self, expr: syntax.Expr) -> Number:
        """An exact number."""
        found = self._known.get(id(expr))
        if found is None:
            found = self._known[id(expr)] = (expr, self._number(expr))
        known: Number = found[1]
        return known

    def _number(self, expr: syntax.Expr) -> Number:
        match expr:
            case (
                syntax.Literal(value=int() | Fraction() as value)
                | syntax.Name(ref=ConstantRef(value=int() | Fraction() as value))
            ):
                exact = Fraction(value)
                return number(exact.numerator, exact.denominator)
            case syntax.Name(ref=FactRef() | ElementRef() as ref):
                return _numeric(self._held(ref))
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._outside().number(definition)
            case syntax.Window(slot=str(slot)):
                return _numeric(self.facts.window(slot))
            case syntax.Negate(operand=operand):
                return negate(self.number(operand))
            case syntax.Arithmetic(op=op, left=left, right=right):
                a, b = self.number(left), self.number(right)
                if op == "/":
                    return divide(a, b)
                return add(a, b) if op == "+" else add(a, negate(b)) if op == "-" else multiply(a, b)
            case syntax.Call(function="abs", arguments=(operand,)):
                a = self.number(operand)
                return Number(absolute(a.top), a.bottom)
            case syntax.Call(function=("min" | "max") as function, arguments=arguments):
                best = self.number(arguments[0])
                for argument in arguments[1:]:
                    best = furthest(function, best, self.number(argument))
                return best
            case syntax.If():
                steps, last = _ladder(expr)
                return self._choose([(self.truth(c), self.number(v)) for c, v in steps], self.number(last))
            case syntax.Quantified():
                made = quantified(self, expr)
                assert isinstance(made, Number)
                return made
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a number")

    def _choose(self, steps: Sequence[tuple[Truth, Number]], last: Number) -> Number:
        taken, result = _reachable(steps, last)
        if not taken:
            return result
        tops = [(c.column, c.nullable, v.top) for c, v in taken]
        if all(v.bottom.constant == result.bottom.constant is not None for _, v in taken):
            return Number(chosen(tops, result.top), result.bottom)
        bottoms = [(c.column, c.nullable, v.bottom) for c, v in taken]
        return Number(chosen(tops, result.top), chosen(bottoms, result.bottom))

    # -- facts -----------------------------------------------------------------------------------------------------

    def _outside(self) -> Emitter:
        """Where definitions are judged: outside of every quantifier."""
        return self if not self.scope else Emitter(self.facts)

    def _held(self, ref: FactRef | ElementRef) -> Held:
        if isinstance(ref, FactRef):
            return self.facts.fact(ref)
        element, collection = self.scope[ref.variable]
        return self.facts.field(element, collection.name, replace(collection.fields[ref.field]))


def _numeric(held: Held) -> Number:
    return Number(Whole(held.column, held.low, held.high, nullable=held.nullable), held.below or ONE)


def _one_of(word: Truth, words: Sequence[str]) -> Truth:
    """Whether a word is one of some constants; nothing is in an empty set, and yet a word that is missing is seen."""
    return Truth(word.column.isin(words) if words else word.column != word.column, word.nullable)


def _may(word: Truth | str) -> bool:
    return not isinstance(word, str) and word.nullable


def _ladder(expr: syntax.If) -> tuple[list[tuple[syntax.Expr, syntax.Expr]], syntax.Expr]:
    """A chain of choices, as long as a table has rows, without recursion."""
    steps = []
    below: syntax.Expr = expr
    while isinstance(below, syntax.If):
        steps.append((below.condition, below.then))
        below = below.otherwise
    return steps, below


def _reachable(steps: Sequence[tuple[Truth, Worth]], last: Worth) -> tuple[list[tuple[Truth, Worth]], Worth]:
    """The choices whose conditions are open, and what is left where none of them holds."""
    taken: list[tuple[Truth, Worth]] = []
    for condition, worth in steps:
        if condition.constant:
            return taken, worth
        if condition.constant is None:
            taken.append((condition, worth))
    return taken, last
