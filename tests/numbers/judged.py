"""Conditions without facts, judged by the interpreter and by generated Python: what the number suites ask.

Nothing here asserts; the tests beside it do.
"""

from __future__ import annotations

from collections.abc import Sequence

from mqk.dsl import EvaluationError, Expr, check_expression, evaluate, parse_expression
from mqk.dsl.emit_python import Rule, emit_point
from tests.dsl.worlds import COLLECTIONS, Moment, World

WORLD = World()
PARAMETERS = ("a", "b", "windows", *COLLECTIONS)
EMPTY = Moment({})


def checked(text: str) -> Expr:
    """The checked tree of a condition that must be sound."""
    result = check_expression(parse_expression(text), WORLD)
    assert not result.errors, (text, [error.message for error in result.errors])
    return result.expr


def interpreted(conditions: Sequence[str], moment: Moment = EMPTY) -> list[bool | None]:
    """What the interpreter says of each condition: true, false, or None for an error."""
    return [_one(checked(text), moment) for text in conditions]


def compiled(conditions: Sequence[str], moment: Moment = EMPTY) -> list[bool]:
    """Whether each condition passes in generated code, all in one function; an error does not pass."""
    exprs = [checked(text) for text in conditions]
    rules = [Rule(expr) for expr in exprs]

    def explain(*_: object) -> int:
        return sum(1 << i for i, expr in enumerate(exprs) if _one(expr, moment) is not True)

    mask = emit_point(rules, PARAMETERS, None, explain).judge(*moment.views())
    return [not mask >> i & 1 for i in range(len(rules))]


def _one(expr: Expr, moment: Moment) -> bool | None:
    try:
        return bool(evaluate(expr, moment))
    except EvaluationError:
        return None
