"""Mutants: an effective policy with one small mistake in it, such as somebody could make without being noticed.

What lives here: which mistakes there are, each with its place and its words. What does not: finding out whether a test
notices (mutation.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from mqk.dsl import format_expression, parse_expression, syntax
from mqk.guards import LADDERS, Enforcement, Point
from mqk.policy import Bundle, Instant, Limit, LimitValue, RuleSource, Span, Text, TimeOfDay, canonical_text, read_any
from mqk.policy.sources import LetSource, TableSource
from mqk.quantity import Count, Duration, Money, Quantity, QuantityError, Rate, Ratio, SessionSpan

_FLIPPED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_TOGGLED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_SWAPPED = {"+": "-", "-": "+", "and": "or", "or": "and", "min": "max", "max": "min"}
# One step of each value: what a slip of a finger in its last digit makes of it.
_BASIS_POINT = Ratio(Fraction(1, 10_000))
_CENT = 10_000
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Mutant:
    """A policy with one mistake: where it was made, in which words, and what stands in the bundle instead.

    `rules` are the rules whose say may differ: `removed` is one of them that is not there any more.
    """

    place: Span
    what: str
    rule: RuleSource | None = None
    removed: str | None = None
    limit: Limit | None = None
    let: LetSource | None = field(default=None, compare=False)
    table: TableSource | None = field(default=None, compare=False)

    @property
    def name(self) -> str | None:
        """The name that means something else, as conditions speak of it; None for a mistake within a rule."""
        if self.limit is not None:
            return f"limits.{self.limit.name}"
        if self.table is not None:
            return f"tables.{self.table.id}"
        return None if self.let is None else self.let.name

    def of(self, bundle: Bundle) -> Bundle:
        """The bundle with the mistake in it."""
        rules = tuple(
            self.rule if self.rule is not None and each.id == self.rule.id else each
            for each in bundle.rules
            if each.id != self.removed
        )
        limits = dict(bundle.limits)
        if self.limit is not None:
            limits[self.limit.name] = self.limit
        lets = bundle.lets if self.let is None else {**bundle.lets, self.let.name: self.let}
        tables = bundle.tables if self.table is None else {**bundle.tables, self.table.id: self.table}
        return replace(bundle, rules=rules, limits=limits, lets=lets, tables=tables)


def mutants(bundle: Bundle) -> Iterator[Mutant]:
    """Every mutant of an effective bundle, rules first, in a stable order."""
    for rule in bundle.rules:
        yield from _of_rule(rule)
    for limit in bundle.limits.values():
        yield from _of_limit(limit)
    for let in bundle.lets.values():
        for place, text in _slipped(let.text):
            yield Mutant(place, f"`{text.text}` as `{let.name}`", let=replace(let, text=text))
    for table in bundle.tables.values():
        yield from _of_table(table)


def _of_rule(rule: RuleSource) -> Iterator[Mutant]:
    yield Mutant(rule.span, f"{rule.id} removed", removed=rule.id)
    yield from _weaker(rule)
    for key in ("require", "when"):
        text: Text | None = getattr(rule, key)
        if text is None:
            continue
        if key == "when":
            yield Mutant(text.span, f"`when` of {rule.id} removed", rule=replace(rule, when=None))
        for place, mutated in _slipped(text):
            written = mutated.text
            if key == "require":
                yield Mutant(place, f"`{written}` in {rule.id}", rule=replace(rule, require=mutated))
            else:
                yield Mutant(place, f"`{written}` as `when` of {rule.id}", rule=replace(rule, when=mutated))


def _slipped(text: Text) -> Iterator[tuple[Span, Text]]:
    """An expression with one slip in it, and where that is."""
    for slip, changed in _slips(parse_expression(text.text)):
        yield text.part(slip.start, slip.end), Text(format_expression(changed), text.span)


def _of_table(table: TableSource) -> Iterator[Mutant]:
    """An input that is another one, and an output one step to either side.

    What a row is about is let be: a row that speaks of more or of less leaves a gap or an overlap, and is refused.
    """
    for number, (name, text) in enumerate(table.inputs):
        for place, changed in _slipped(text):
            inputs = (*table.inputs[:number], (name, changed), *table.inputs[number + 1 :])
            words = f"`{changed.text}` as `{name}` of `tables.{table.id}`"
            yield Mutant(place, words, table=replace(table, inputs=inputs))
    for number, row in enumerate(table.rows):
        for place, words, outputs in _of_outputs(table, row.outputs):
            rows = (*table.rows[:number], replace(row, outputs=outputs), *table.rows[number + 1 :])
            yield Mutant(place, words, table=replace(table, rows=rows))
    for place, words, outputs in _of_outputs(table, table.otherwise or {}):
        yield Mutant(place, words, table=replace(table, otherwise=outputs))


def _of_outputs(table: TableSource, outputs: Mapping[str, Text]) -> Iterator[tuple[Span, str, Mapping[str, Text]]]:
    for name, text in outputs.items():
        for place, changed in _slipped(text):
            words = f"`{changed.text}` instead of {text.text} as `tables.{table.id}.{name}`"
            yield place, words, {**outputs, name: changed}


def _weaker(rule: RuleSource) -> Iterator[Mutant]:
    """A milder outcome, a weaker enforcement, and exits judged where they were free or the other way round."""
    ladder = LADDERS[Point(rule.at)]
    milder = ladder[ladder.index(rule.otherwise) - 1]
    if milder != "allow":
        words = f"{rule.id} with `otherwise: {milder}`"
        yield Mutant(rule.span, words, rule=replace(rule, otherwise=milder))
    for level in Enforcement:
        if level.value != rule.enforce:
            yield Mutant(rule.span, f"{rule.id} with `enforce: {level}`", rule=replace(rule, enforce=level.value))
    if rule.at == Point.ORDER:
        words = f"{rule.id} with exits {'free' if rule.exits_included else 'included'}"
        yield Mutant(rule.span, words, rule=replace(rule, exits_included=not rule.exits_included))


def _slips(expr: syntax.Expr) -> Iterator[tuple[syntax.Expr, syntax.Expr]]:
    """Every expression with one slip in it, with the node at which it was made."""
    for node, changed in _here(expr):
        yield node, changed
    for name in expr.BELOW:
        value = getattr(expr, name)
        children = value if isinstance(value, tuple) else (value,)
        for index, child in enumerate(children):
            for node, changed in _slips(child) if child is not None else ():
                below = (*children[:index], changed, *children[index + 1 :])
                placed: dict[str, Any] = {name: below if isinstance(value, tuple) else changed}
                yield node, replace(expr, **placed)


def _here(expr: syntax.Expr) -> Iterator[tuple[syntax.Expr, syntax.Expr]]:
    """The slips at one node."""
    match expr:
        case syntax.Compare(ops=ops):
            for table in (_FLIPPED, _TOGGLED):
                for index, op in enumerate(ops):
                    if op in table:
                        yield expr, replace(expr, ops=(*ops[:index], table[op], *ops[index + 1 :]))
        case syntax.Connective(op=op, operands=operands):
            yield expr, replace(expr, op=_SWAPPED[op])
            for index, operand in enumerate(operands):
                rest = (*operands[:index], *operands[index + 1 :])
                yield operand, rest[0] if len(rest) == 1 else replace(expr, operands=rest)
        case syntax.Arithmetic(op=op) if op in _SWAPPED:
            yield expr, replace(expr, op=_SWAPPED[op])
        case syntax.Not(operand=operand):
            yield expr, operand
        case syntax.Member(negated=negated):
            yield expr, replace(expr, negated=not negated)
        case syntax.Call(function="abs", arguments=(argument,)):
            yield expr, argument
        case syntax.Call(function=function) if function in _SWAPPED:
            yield expr, replace(expr, function=_SWAPPED[function])
        case syntax.If(then=then, otherwise=otherwise):
            yield expr, replace(expr, then=otherwise, otherwise=then)
        case syntax.Literal():
            for text in _neighbours(expr):
                yield expr, replace(expr, text=text, value=None)
        case _:
            return


def _neighbours(literal: syntax.Literal) -> Iterator[str]:
    """The literals one step away from one."""
    if literal.text in ("true", "false"):
        yield "false" if literal.text == "true" else "true"
        return
    value = _literal(literal)
    if value is not None:
        for each in _stepped(value):
            yield _written(each)


def _literal(literal: syntax.Literal) -> LimitValue | None:
    try:
        return read_any(literal.text)
    except QuantityError:
        return None


def _of_limit(limit: Limit) -> Iterator[Mutant]:
    """A limit one step to either side; yes for no; a set without one of its members."""
    for value in _stepped(limit.value):
        words = f"`limits.{limit.name}` {_written(value)} instead of {limit.text}"
        yield Mutant(limit.span, words, limit=replace(limit, value=value, text=_written(value)))


def _stepped(value: LimitValue) -> Iterator[LimitValue]:
    match value:
        case bool():
            yield not value
        case Rate(count=count, window=window):
            for each in _around(count):
                if each:
                    yield Rate(each, window)
        case Ratio(value=ratio):
            yield Ratio(ratio + _BASIS_POINT.value)
            if ratio >= _BASIS_POINT.value:
                yield Ratio(ratio - _BASIS_POINT.value)
        case Money(micros=micros, currency=currency):
            for each in _around(micros, _CENT):
                yield Money(each, currency)
        case Duration(micros=micros):
            for each in _around(micros, _SECOND):
                yield Duration(each)
        case SessionSpan(count=count, unit=unit):
            for each in _around(count):
                if each:
                    yield SessionSpan(each, unit)
        case Count(value=count, noun=noun):
            for each in _around(count):
                yield Count(each, noun)
        case Quantity(value=quantity):
            for each in _around(quantity):
                yield Quantity(each)
        case TimeOfDay(micros=micros):
            for each in _around(micros, _SECOND):
                yield TimeOfDay(each)
        case Instant(micros=micros):
            for each in _around(micros, _SECOND):
                yield Instant(each)
        case date():
            yield value + timedelta(days=1)
            yield value - timedelta(days=1)
        case tuple():
            for member in value:
                yield tuple(each for each in value if each != member)
        case _:
            return


def _around(value: int, step: int = 1) -> Iterator[int]:
    yield value + step
    if value >= step:
        yield value - step


def _written(value: LimitValue) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return canonical_text(value)
