"""Checked rules to one Python function over plain integers: the fast twin of the reference interpreter.

What lives here: code generation for one guard point. The function judges all rules and returns a bit per rule that did
not pass, so 0 means that everything passed. Ratios stay exact: a value is a pair (numerator, denominator) in the
generated code and comparisons multiply across, so nothing is ever divided or rounded.

What does not: what happens when a fact is missing. The generated code just raises, and calls `_explain`, which asks the
interpreter. Facts that must be there are attributes that are not set when they are missing, so that reading them all
at the top makes every missing fact visible, whatever `and` and `or` would have skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from mqk.dsl import syntax
from mqk.dsl import types as t
from mqk.dsl.emit_facts import inlined, key_of, may_raise
from mqk.dsl.emit_numbers import Number, combine, relation, set_literal
from mqk.dsl.environment import ConstantRef, DerivedRef, FactRef
from mqk.dsl.evaluate import only_presence
from mqk.dsl.missing import MISSING, MissingFact
from mqk.dsl.windows import window_attribute

Judge = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule to compile: it passes when `when` is false or `require` is true.

    `gated` rules are judged only where the gate of the point is false.
    """

    require: syntax.Expr
    when: syntax.Expr | None = None
    gated: bool = False


@dataclass(frozen=True, slots=True)
class Emitted:
    """Generated source, and the function it defines. Rule number i owns bit i of the result."""

    source: str
    judge: Judge


def emit_point(
    rules: Sequence[Rule], parameters: Sequence[str], gate: syntax.Expr | None, explain: Callable[..., int]
) -> Emitted:
    """Compile the rules of one guard point.

    `parameters` are the views the function takes, in order; a fact `order.qty` is read as `order.qty`, a window as an
    attribute of `windows`. `explain` takes the same views and returns the bits when a fact could not be used.
    """
    emitter = _Emitter(rules, gate)
    outer = emitter.open_section(2)
    for i, rule in enumerate(rules):
        if not rule.gated:
            emitter.rule(i, rule)
    inner_lines: list[str] = []
    if gate is not None and any(rule.gated for rule in rules):
        condition = emitter.boolean(gate)
        inner = emitter.open_section(3)
        for i, rule in enumerate(rules):
            if rule.gated:
                emitter.rule(i, rule)
        inner_lines = [f"        if not {condition}:", *inner.loads, *inner.lines]
    signature = ", ".join(parameters)
    source = "\n".join(
        [
            f"def judge({signature}):",
            "    try:",
            "        mask = 0",
            *outer.loads,
            *outer.lines,
            *inner_lines,
            "        return mask",
            "    except FAULTS:",
            f"        return explain({signature})",
            "",
        ]
    )
    faults = (AttributeError, MissingFact, ZeroDivisionError, TypeError)
    namespace: dict[str, object] = {"MISSING": MISSING, "FAULTS": faults, "explain": explain}
    exec(compile(source, "<guard>", "exec"), namespace)  # noqa: S102 - generated from a checked tree, never from text
    judge = namespace["judge"]
    assert callable(judge)
    return Emitted(source, judge)


def attribute(name: str) -> str:
    """Where generated code reads a fact or a window: `order.limit_price`, `windows.rejects_300s`."""
    if name.startswith(("count(", "total(")):
        return "windows." + window_attribute(name)
    view, _, rest = name.partition(".")
    return f"{view}.{rest.replace('.', '_')}"


@dataclass(slots=True)
class _Scope:
    """A block of generated code and what has been computed by its end. Sections also load facts, before all else."""

    indent: int
    lines: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    numbers: dict[str, Number] = field(default_factory=dict)
    truths: dict[str, str] = field(default_factory=dict)


class _Emitter:
    """Writes the statements of one guard point; every method returns an expression that is pure and cannot raise."""

    def __init__(self, rules: Sequence[Rule], gate: syntax.Expr | None) -> None:
        roots = [*(r.require for r in rules), *(r.when for r in rules if r.when is not None)]
        self._uses = Counter(key_of(node) for root in [*roots, *([gate] if gate else [])] for node in inlined(root))
        self._stack: list[_Scope] = []
        self._facts: dict[str, str] = {}
        self._section: _Scope
        self._temporaries = 0

    def open_section(self, indent: int) -> _Scope:
        """Start a block whose facts are all read at its top; it sees what the sections before it computed."""
        self._section = _Scope(indent)
        self._stack.append(self._section)
        return self._section

    def rule(self, number: int, rule: Rule) -> None:
        """The statements that set the rule's bit when it does not pass."""
        bit = 1 << number
        if rule.when is None:
            self._line(f"if not {self.boolean(rule.require)}: mask |= {bit}")
            return
        # Facts are read at the top of the section even when `when` is false: the interpreter then sorts it out.
        condition = self.boolean(rule.when)
        block, require = self._block(rule.require)
        self._line(f"if {condition}:")
        self._splice(block)
        self._line(f"    if not {require}: mask |= {bit}")

    # -- statements and scopes -------------------------------------------------------------------------------------

    def _line(self, text: str) -> None:
        scope = self._stack[-1]
        scope.lines.append("    " * scope.indent + text)

    def _temporary(self, expression: str) -> str:
        name = f"t{self._temporaries}"
        self._temporaries += 1
        self._line(f"{name} = {expression}")
        return name

    def _block(self, expr: syntax.Expr) -> tuple[list[str], str]:
        """The statements and the result of a truth value that may only be computed inside a condition."""
        scope = _Scope(self._stack[-1].indent + 1)
        self._stack.append(scope)
        result = self.boolean(expr)
        self._stack.pop()
        return scope.lines, result

    def _number_block(self, expr: syntax.Expr) -> tuple[list[str], Number]:
        scope = _Scope(self._stack[-1].indent + 1)
        self._stack.append(scope)
        result = self.number(expr)
        self._stack.pop()
        return scope.lines, result

    def _splice(self, lines: Iterable[str]) -> None:
        self._stack[-1].lines.extend(lines)

    def _fact(self, slot: str) -> str:
        """The local variable that holds a fact, read at the top of the section that first needs it."""
        if slot not in self._facts:
            source = attribute(slot)
            name = source.replace(".", "_")
            self._facts[slot] = name
            self._section.loads.append("    " * self._section.indent + f"{name} = {source}")
        return self._facts[slot]

    # -- truth values ----------------------------------------------------------------------------------------------

    def boolean(self, expr: syntax.Expr) -> str:
        """Code for a condition."""
        key = key_of(expr)
        for scope in reversed(self._stack):
            if key in scope.truths:
                return scope.truths[key]
        code = self._boolean(expr)
        if self._uses[key] > 1 and not isinstance(expr, syntax.Literal | syntax.Name | syntax.Present):
            code = self._temporary(code)
            self._stack[-1].truths[key] = code
        return code

    def _boolean(self, expr: syntax.Expr) -> str:
        match expr:
            case syntax.Literal(value=value) | syntax.Name(ref=ConstantRef(value=value)):
                return repr(value)
            case syntax.Name(ref=FactRef(name=name, optional=optional)):
                # A bare `is`-testable optional must raise when it is missing, and `not not` asks it.
                return f"(not not {self._fact(name)})" if optional else self._fact(name)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self.boolean(definition)
            case syntax.Not(operand=operand):
                return f"(not {self.boolean(operand)})"
            case syntax.Present(fact=fact):
                return f"({self._fact(fact.path)} is not MISSING)"
            case syntax.Compare():
                return self._compare(expr)
            case syntax.Member(item=item, container=container, negated=negated):
                word = "not in" if negated else "in"
                return f"({self._word(item)} {word} {self._members(container)})"
            case syntax.Connective(op=op, operands=operands):
                return self._connective(op, operands)
            case syntax.If(condition=condition, then=then, otherwise=otherwise):
                return self._choose(self.boolean(condition), self._block(then), self._block(otherwise))
            case _:
                raise AssertionError(f"{type(expr).__name__} is not a condition")

    def _choose(self, condition: str, then: tuple[list[str], str], otherwise: tuple[list[str], str]) -> str:
        result = self._temporary("False")
        self._line(f"if {condition}:")
        self._splice(then[0])
        self._line(f"    {result} = {then[1]}")
        self._line("else:")
        self._splice(otherwise[0])
        self._line(f"    {result} = {otherwise[1]}")
        return result

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
            scope = _Scope(self._stack[-1].indent + 1)
            condition = self.boolean(first)
            self._stack.append(scope)
            tail = self._connective(op, rest)
            self._stack.pop()
            settled: tuple[list[str], str] = ([], "True" if op == "or" else "False")
            branches = (settled, (scope.lines, tail)) if op == "or" else ((scope.lines, tail), settled)
            return self._choose(condition, *branches)
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
            case syntax.Name(ref=FactRef(name=name)):
                return self._fact(name)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._word(definition)
            case syntax.If(condition=condition, then=then, otherwise=otherwise):
                # Words never raise beyond reading a fact, so a plain conditional is enough.
                return f"({self._word(then)} if {self.boolean(condition)} else {self._word(otherwise)})"
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
        key = key_of(expr)
        for scope in reversed(self._stack):
            if key in scope.numbers:
                return scope.numbers[key]
        number = self._number(expr)
        if self._uses[key] > 1 and not isinstance(expr, syntax.Literal | syntax.Name):
            number = self._named(number)
            self._stack[-1].numbers[key] = number
        return number

    def _named(self, number: Number) -> Number:
        """The same number held in local variables, so that using it twice computes it once."""
        top, bottom = number.numerator, number.denominator
        top = top if top.isidentifier() or top.lstrip("-").isdigit() else self._temporary(top)
        if isinstance(bottom, str) and not bottom.isidentifier():
            bottom = self._temporary(bottom)
        return Number(top, bottom)

    def _number(self, expr: syntax.Expr) -> Number:
        match expr:
            case syntax.Literal(value=value) | syntax.Name(ref=ConstantRef(value=value)):
                assert isinstance(value, int | Fraction)
                exact = Fraction(value)
                return Number(str(exact.numerator), exact.denominator)
            case syntax.Name(ref=FactRef(name=name, type=kind)):
                fact = self._fact(name)
                if kind.kind is t.Kind.RATIO:
                    return Number(f"{fact}.numerator", f"{fact}.denominator")
                return Number(fact)
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self.number(definition)
            case syntax.Window(slot=str(slot)):
                return Number(self._fact(slot))
            case syntax.Negate(operand=operand):
                number = self.number(operand)
                return Number(f"(-{number.numerator})", number.denominator)
            case syntax.Arithmetic(op=op, left=left, right=right):
                return combine(op, self.number(left), self._divisor(right) if op == "/" else self.number(right))
            case syntax.If(condition=condition, then=then, otherwise=otherwise):
                return self._choose_number(
                    self.boolean(condition), self._number_block(then), self._number_block(otherwise)
                )
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

    def _choose_number(
        self, condition: str, then: tuple[list[str], Number], otherwise: tuple[list[str], Number]
    ) -> Number:
        (then_lines, a), (else_lines, b) = then, otherwise
        same = a.denominator == b.denominator and isinstance(a.denominator, int)
        if same and not then_lines and not else_lines:
            return Number(f"({a.numerator} if {condition} else {b.numerator})", a.denominator)
        top = self._temporary("0")
        bottom = "1" if same else self._temporary("1")
        for keyword, lines, number in ((f"if {condition}:", then_lines, a), ("else:", else_lines, b)):
            self._line(keyword)
            self._splice(lines)
            self._line(f"    {top} = {number.numerator}")
            if not same:
                self._line(f"    {bottom} = {number.denominator}")
        return Number(top, a.denominator if same else bottom)
