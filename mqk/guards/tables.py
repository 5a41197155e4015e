"""Decision tables as expressions: each column becomes a chain of `if`, so that every backend has tables for nothing.

What lives here: cells, rows and how hits are put together. What does not: whether rows overlap or leave gaps, which is
analysed before anything is bound. A gap that is met all the same is an error, and never a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce

from mqk.dsl import ConstantRef, DslError, Environment, Expr, Type, check_expression, parse_expression, syntax
from mqk.dsl import types as t
from mqk.dsl.environment import FactRef
from mqk.dsl.syntax import Value
from mqk.guards.catalogue import Entry
from mqk.guards.held import held
from mqk.policy import TableRow, TableSource, Text
from mqk.policy.cells import Cell, CellError, Part, parse_cell
from mqk.policy.tables import Input
from mqk.policy.values import read_value
from mqk.quantity import QuantityError

_FORMATS = {"word": "symbol"}
# The types of columns whose values do not say it themselves.
_COLUMNS = {"quantity": t.QUANTITY, "count": t.COUNT, "symbol": t.SYMBOL}


Faults = list[tuple[DslError, Text]]


MAX_ROWS = 200
"""Longer tables are refused: nobody can review them."""


class TableFault(Exception):
    """A table that is no expression at some point: every reason, each with the text it concerns."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(faults)
        self.faults = faults


class Table:
    """One table; `columns` are its outputs."""

    def __init__(self, source: TableSource) -> None:
        self.source = source
        self.columns = dict(source.outputs)

    def expression(self, column: str, environment: Environment) -> Expr:
        """The checked expression of a column. Raises TableFault when an input or a cell cannot be read there."""
        faults: Faults = []
        count = len(self.source.rows)
        if count > MAX_ROWS:
            help_ = f"keep it under {MAX_ROWS} rows: split it into several tables"
            fault = DslError("limit", f"a table of {count} rows is too long to review", 0, 0, help_)
            raise TableFault([(fault, Text("", self.source.span))])
        inputs: dict[str, Expr] = {}
        for name, text in self.source.inputs:
            found = _read(text, environment, faults)
            if found is not None:
                inputs[name] = found
        if faults:
            raise TableFault(faults)
        rows = [self._row(row, inputs, environment, faults) for row in self.source.rows]
        counted = self.source.collect == "count"
        values = [] if counted else [self._value(row, column, environment, faults) for row in self.source.rows]
        other = None if self.source.otherwise is None else self.source.otherwise.get(column)
        otherwise = None if other is None else _output(other, self.columns[column], environment, faults)
        if faults:
            raise TableFault(faults)
        answers = [value for value in values if value is not None]
        if self.columns[column] == "word":
            answers, otherwise = _of_one_list(answers, otherwise)
        return self._put_together(rows, answers, otherwise)

    def inputs(self, environment: Environment, known: Mapping[str, Entry]) -> Mapping[str, Input] | None:
        """What the inputs hold, for judging whether the rows leave gaps; None where they cannot be read."""
        found: dict[str, Input] = {}
        for name, text in self.source.inputs:
            try:
                checked = check_expression(parse_expression(text.text), environment, None)
            except DslError:
                return None
            if checked.errors or checked.expr.type is None:
                return None
            # Facts are held in whole units; what is computed from them may lie between.
            fact = checked.expr.ref if isinstance(checked.expr, syntax.Name) else None
            whole = isinstance(fact, FactRef) and fact.type.kind is not t.Kind.RATIO
            minimum = known[fact.name].minimum if isinstance(fact, FactRef) and fact.name in known else None
            if isinstance(checked.expr, syntax.Window) and checked.expr.function == "count":
                minimum, whole = 0, True
            low = None if minimum is None else Fraction(minimum)
            found[name] = Input(checked.expr.type, whole, low)
        return found

    def _value(self, row: TableRow, column: str, environment: Environment, faults: Faults) -> Expr | None:
        text = row.outputs.get(column)
        if text is None:
            place = Text("", row.span)
            faults.append((DslError("value", f"a row of `{self.source.id}` has no `{column}`", 0, 0), place))
            return None
        return _output(text, self.columns[column], environment, faults)

    def _row(
        self,
        row: TableRow,
        inputs: dict[str, Expr],
        environment: Environment,
        faults: Faults,
    ) -> Expr:
        conditions: list[Expr] = []
        for name, cell in row.cells.items():
            if name in inputs:
                try:
                    conditions += _cell(inputs[name], parse_cell(cell), environment, faults)
                except CellError as fault:
                    reason = DslError("syntax", fault.message, 0, 0, fault.help)
                    faults.append((reason, Text("", fault.span)))
        return _all(conditions)

    def _put_together(self, rows: Sequence[Expr], answers: Sequence[Expr], otherwise: Expr | None) -> Expr:
        match self.source.collect if self.source.hit == "collect" else None:
            case "count":
                ones = [_choose(row, _count(1), _count(0)) for row in rows]
                return self._added(rows, ones, otherwise)
            case "sum":
                nothing = replace(_number(0), type=answers[0].type)
                return self._added(
                    rows, [_choose(r, a, nothing) for r, a in zip(rows, answers, strict=True)], otherwise
                )
            case "min" | "max" as extreme:
                # The values are fixed, so the first row that fits, best value first, has the best of all that fit.
                order = sorted(range(len(rows)), key=lambda i: Fraction(_worth(answers[i])), reverse=extreme == "max")
                return _first([rows[i] for i in order], [answers[i] for i in order], otherwise)
            case _:
                return _first(rows, answers, otherwise)

    def _added(self, rows: Sequence[Expr], parts: Sequence[Expr], otherwise: Expr | None) -> Expr:
        def add(left: Expr, right: Expr) -> Expr:
            return syntax.Arithmetic(start=0, end=0, op="+", left=left, right=right, type=left.type)

        total = reduce(add, parts)
        return total if otherwise is None else _choose(_any(rows), total, otherwise)


def _first(rows: Sequence[Expr], answers: Sequence[Expr], otherwise: Expr | None) -> Expr:
    result = _gap(answers[-1]) if otherwise is None else otherwise
    for row, answer in zip(reversed(rows), reversed(answers), strict=True):
        result = _choose(row, answer, result)
    return result


def _gap(sample: Expr) -> Expr:
    """Where no row fits and nothing is said for that: an error, whatever the column's type."""
    one, zero = (_number(n) for n in (1, 0))
    ratio = syntax.Arithmetic(start=0, end=0, op="/", left=one, right=zero, type=t.NUMBER)
    never = syntax.Compare(start=0, end=0, operands=(ratio, zero), ops=(">",), type=t.BOOL)
    return _choose(never, sample, sample)


def _number(value: int) -> Expr:
    return syntax.Literal(start=0, end=0, kind="number", text=str(value), value=value, type=t.NUMBER)


def _count(value: int) -> Expr:
    return replace(_number(value), type=t.COUNT)


def _choose(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    return syntax.If(start=0, end=0, condition=condition, then=then, otherwise=otherwise, type=then.type)


def _all(conditions: Sequence[Expr]) -> Expr:
    if len(conditions) == 1:
        return conditions[0]
    if not conditions:
        return syntax.Literal(start=0, end=0, kind="bool", text="true", value=True, type=t.BOOL)
    return syntax.Connective(start=0, end=0, op="and", operands=tuple(conditions), type=t.BOOL)


def _any(conditions: Sequence[Expr]) -> Expr:
    if len(conditions) == 1:
        return conditions[0]
    return syntax.Connective(start=0, end=0, op="or", operands=tuple(conditions), type=t.BOOL)


def _worth(answer: Expr) -> int | Fraction:
    value: Value | None = None
    if isinstance(answer, syntax.Literal):
        value = answer.value
    elif isinstance(answer, syntax.Name) and isinstance(answer.ref, ConstantRef):
        value = answer.ref.value
    assert isinstance(value, int | Fraction)
    return value


def _read(text: Text, environment: Environment, faults: Faults) -> Expr | None:
    """An input's expression as written; its types are checked here, and again wherever it is compared."""
    try:
        parsed = parse_expression(text.text)
    except DslError as fault:
        faults.append((fault, text))
        return None
    checked = check_expression(parsed, environment, None)
    faults += [(each, text) for each in checked.errors]
    return parsed


def _cell(given: Expr, cell: Cell, environment: Environment, faults: Faults) -> list[Expr]:
    """The conditions that a cell puts on an input; none when anything fits."""
    if cell.members is not None:
        return _among(given, cell, cell.members, environment, faults)
    found: list[Expr] = []
    for bound, ops in ((cell.low, (">=", ">")), (cell.high, ("<=", "<"))):
        value = None if bound is None else _part(bound.value, faults)
        if bound is not None and value is not None:
            compared = syntax.Compare(start=0, end=0, operands=(given, value), ops=(ops[not bound.included],))
            found += _condition(compared, bound.value, environment, faults)
    return found


def _among(given: Expr, cell: Cell, members: Sequence[Part], environment: Environment, faults: Faults) -> list[Expr]:
    """The condition that an input is one of some values, or none of them: words in a set, others one by one."""
    values = [(part, value) for part in members if (value := _part(part, faults)) is not None]
    if len(values) > 1 and all(isinstance(value, syntax.Symbol) for _, value in values):
        items = tuple(value for _, value in values)
        member = syntax.Member(
            start=0, end=0, item=given, container=syntax.SetOf(start=0, end=0, items=items), negated=cell.negated
        )
        return _condition(member, members[0], environment, faults)
    op = "!=" if cell.negated else "=="
    each = [
        condition
        for part, value in values
        for condition in _condition(
            syntax.Compare(start=0, end=0, operands=(given, value), ops=(op,)), part, environment, faults
        )
    ]
    if cell.negated or len(each) < 2:
        return each
    return [_any(each)]


def _part(part: Part, faults: Faults) -> Expr | None:
    try:
        return parse_expression(part.text)
    except DslError as fault:
        faults.append((fault, Text(part.text, part.span)))
        return None


def _condition(condition: Expr, part: Part, environment: Environment, faults: Faults) -> list[Expr]:
    """The condition once checked; faults underline the value that makes it."""
    checked = check_expression(condition, environment, t.BOOL)
    for each in checked.errors:
        fault = DslError(each.code, each.message, 0, len(part.text), each.help)
        faults.append((fault, Text(part.text, part.span)))
    return [] if checked.errors else [checked.expr]


def _output(text: Text, column: str, environment: Environment, faults: Faults) -> Expr | None:
    """A value of an output column: written out, or a limit."""
    written = " ".join(text.text.split())
    if written.startswith("limits."):
        checked = check_expression(syntax.Name(start=0, end=len(text.text), path=written), environment, None)
        faults += [(each, text) for each in checked.errors]
        return checked.expr
    format_ = _FORMATS.get(column, column)
    try:
        value, kind = held(read_value(format_, written))
    except QuantityError as fault:
        faults.append((DslError("value", fault.message, 0, len(text.text), fault.help), text))
        return None
    kind = t.count_of(kind.noun) if column == "count" else _COLUMNS.get(column, kind)
    if isinstance(value, str):
        return syntax.Symbol(start=0, end=0, text=value, type=kind)
    literal = {"boolean": "bool", "price": "money", "quantity": "number"}.get(column, column)
    return syntax.Literal(start=0, end=0, kind=literal, text=written, value=value, type=kind)


def _of_one_list(answers: Sequence[Expr], otherwise: Expr | None) -> tuple[list[Expr], Expr | None]:
    """Words of one column are one closed list."""
    every = [*answers, *([otherwise] if otherwise is not None else [])]
    words = sorted({each.text for each in every if isinstance(each, syntax.Symbol)})
    kind: Type = t.enum(*words)
    return [replace(each, type=kind) for each in answers], None if otherwise is None else replace(otherwise, type=kind)
