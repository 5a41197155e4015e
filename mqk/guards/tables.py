"""Decision tables as expressions: each column becomes a chain of `if`, so that every backend has tables for nothing.

What lives here: cells, rows and how hits are put together. What does not: whether rows overlap or leave gaps, which is
analysed before anything is bound. A gap that is met all the same is an error, and never a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce

from mqk.dsl import ConstantRef, DslError, Environment, Expr, Type, check_expression, parse_expression, syntax
from mqk.dsl import types as t
from mqk.dsl.syntax import Value
from mqk.guards.held import held
from mqk.policy import TableRow, TableSource, Text
from mqk.policy.nodes import Scalar
from mqk.policy.values import read_value
from mqk.quantity import QuantityError

_BOUNDS = {"below": "<", "at most": "<=", "above": ">", "at least": ">="}
_BOUND = re.compile(r"(below|at most|above|at least)\s+(.+)", re.DOTALL)
_FORMATS = {"word": "symbol"}
# The types of columns whose values do not say it themselves.
_COLUMNS = {"quantity": t.QUANTITY, "count": t.COUNT, "symbol": t.SYMBOL}


class TableFault(Exception):
    """A table that is no expression at some point: every reason, each with the text it concerns."""

    def __init__(self, faults: list[tuple[DslError, Text]]) -> None:
        super().__init__(faults)
        self.faults = faults


class Table:
    """One table; `columns` are its outputs."""

    def __init__(self, source: TableSource) -> None:
        self.source = source
        self.columns = dict(source.outputs)

    def expression(self, column: str, environment: Environment) -> Expr:
        """The checked expression of a column. Raises TableFault when an input or a cell cannot be read there."""
        faults: list[tuple[DslError, Text]] = []
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

    def _value(
        self, row: TableRow, column: str, environment: Environment, faults: list[tuple[DslError, Text]]
    ) -> Expr | None:
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
        faults: list[tuple[DslError, Text]],
    ) -> Expr:
        conditions: list[Expr] = []
        for name, cell in row.cells.items():
            if name not in inputs:
                continue
            if isinstance(cell, Text):
                conditions += _cell(inputs[name], cell, environment, faults)
            else:
                members = [item for item in cell.items if isinstance(item, Scalar)]
                text = f"[{', '.join(item.text for item in members)}]"
                place = members[0] if members else Text("", cell.span)
                conditions += _among(inputs[name], text, place, environment, faults, negated=False)
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


def _read(text: Text, environment: Environment, faults: list[tuple[DslError, Text]]) -> Expr | None:
    """An input's expression as written; its types are checked here, and again wherever it is compared."""
    try:
        parsed = parse_expression(text.text)
    except DslError as fault:
        faults.append((fault, text))
        return None
    checked = check_expression(parsed, environment, None)
    faults += [(each, text) for each in checked.errors]
    return parsed


def _cell(given: Expr, cell: Text, environment: Environment, faults: list[tuple[DslError, Text]]) -> list[Expr]:
    """The conditions that a cell puts on an input; none when anything fits."""
    text = " ".join(cell.text.split())
    if text == "any":
        return []
    negated = text.startswith("not ")
    wanted = text.removeprefix("not ")
    if wanted.startswith("["):
        return _among(given, wanted, cell, environment, faults, negated=negated)
    if negated:
        return _compared(given, "!=", wanted, cell, environment, faults)
    bounds = [_BOUND.fullmatch(part) for part in re.split(r" and ", text)]
    if not any(bounds):
        return _compared(given, "==", text, cell, environment, faults)
    found: list[Expr] = []
    for bound, part in zip(bounds, re.split(r" and ", text), strict=True):
        if bound is None:
            help_ = "join two bounds, such as `at least 3 USD and below 50 USD`"
            faults.append((DslError("syntax", f"`{part}` is no bound", 0, len(cell.text), help_), cell))
        else:
            found += _compared(given, _BOUNDS[bound[1]], bound[2], cell, environment, faults)
    return found


def _compared(
    given: Expr, op: str, text: str, cell: Text, environment: Environment, faults: list[tuple[DslError, Text]]
) -> list[Expr]:
    return _condition(
        cell,
        text,
        lambda value: syntax.Compare(start=0, end=0, operands=(given, value), ops=(op,)),
        environment,
        faults,
    )


def _among(
    given: Expr,
    text: str,
    cell: Text,
    environment: Environment,
    faults: list[tuple[DslError, Text]],
    *,
    negated: bool,
) -> list[Expr]:
    """Words are looked up in a set; other values are compared one by one."""

    def condition(value: Expr) -> Expr:
        if isinstance(value, syntax.SetOf) and not all(isinstance(item, syntax.Symbol) for item in value.items):
            op = "!=" if negated else "=="
            each = [syntax.Compare(start=0, end=0, operands=(given, item), ops=(op,)) for item in value.items]
            joined = syntax.Connective(start=0, end=0, op="and" if negated else "or", operands=tuple(each))
            return each[0] if len(each) == 1 else joined
        return syntax.Member(start=0, end=0, item=given, container=value, negated=negated)

    return _condition(cell, text, condition, environment, faults)


def _condition(
    cell: Text,
    text: str,
    make: Callable[[Expr], Expr],
    environment: Environment,
    faults: list[tuple[DslError, Text]],
) -> list[Expr]:
    """The checked condition that a value in a cell stands for; faults underline the whole cell."""
    try:
        value = parse_expression(text)
    except DslError as fault:
        faults.append((DslError(fault.code, fault.message, 0, len(cell.text), fault.help), cell))
        return []
    checked = check_expression(make(value), environment, t.BOOL)
    found = checked.errors
    if found:
        faults += [(DslError(each.code, each.message, 0, len(cell.text), each.help), cell) for each in found]
        return []
    return [checked.expr]


def _output(text: Text, column: str, environment: Environment, faults: list[tuple[DslError, Text]]) -> Expr | None:
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
