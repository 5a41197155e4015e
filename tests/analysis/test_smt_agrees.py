"""The solver reads an expression as the interpreter does: the same value, defined at the same moments."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.dsl import Expr, check_expression, format_expression, parse_expression
from mqk.dsl import types as t
from tests.analysis.agreement import Reading, smt_agrees
from tests.dsl.worlds import USD, Moment, World, expressions, moments

WORLD = World()
KINDS = (t.BOOL, USD, t.RATIO, t.QUANTITY, t.DURATION)


def checked(expr: Expr, kind: t.Type) -> Expr:
    """Through text, as policies come."""
    result = check_expression(parse_expression(format_expression(expr)), WORLD, kind)
    assert not result.errors, [error.message for error in result.errors]
    return result.expr


@settings(max_examples=150, deadline=None)
@given(expressions(t.BOOL, 3), st.lists(moments(), min_size=1, max_size=4))
def test_solver_and_interpreter_agree_on_every_condition(drawn: Expr, instants: list[Moment]) -> None:
    expr = checked(drawn, t.BOOL)
    reading = Reading(expr)
    for moment in instants:
        assert smt_agrees(expr, moment, reading), format_expression(expr)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(st.just(kind), expressions(kind, 3))), moments())
def test_solver_and_interpreter_agree_on_every_amount(drawn: tuple[t.Type, Expr], moment: Moment) -> None:
    kind, expr = drawn[0], checked(drawn[1], drawn[0])
    assert smt_agrees(expr, moment), f"{kind}: {format_expression(expr)}"
