"""The compiled guard is the reference interpreter: rule by rule, moment by moment, fault by fault."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.dsl import EvaluationError, Expr, check_expression, evaluate, format_expression, parse_expression
from mqk.dsl import types as t
from mqk.dsl.emit_python import Rule, emit_point
from tests.dsl.worlds import COLLECTIONS, FACTS, Moment, World, expressions, moments

WORLD = World()
PARAMETERS = ("a", "b", "windows", *COLLECTIONS)


def checked(expr: Expr) -> Expr:
    """Through text, as policies come."""
    result = check_expression(parse_expression(format_expression(expr)), WORLD)
    assert not result.errors, [error.message for error in result.errors]
    return result.expr


def says(rule: Rule, gate: Expr | None, moment: Moment) -> bool:
    """Whether a rule passes, by the interpreter; an error does not pass."""
    try:
        if rule.symbols is not None and moment.fact(FACTS["b.symbol"]) not in rule.symbols:
            return True
        if rule.gated and gate is not None and evaluate(gate, moment):
            return True
        if rule.unless is not None and evaluate(rule.unless, moment):
            return True
        if rule.when is not None and not evaluate(rule.when, moment):
            return True
        return bool(evaluate(rule.require, moment))
    except EvaluationError:
        return False


conditions = expressions(t.BOOL, 3)
rules = st.tuples(
    conditions,
    st.none() | expressions(t.BOOL, 2),
    st.booleans(),
    st.none() | expressions(t.BOOL, 1),
    st.none() | st.frozensets(st.sampled_from(["SPY", "QQQ"])),
)


@settings(max_examples=150, deadline=None)  # `make fuzz` asks about a million pairs
@given(st.lists(rules, min_size=1, max_size=4), expressions(t.BOOL, 2), st.lists(moments(), min_size=1, max_size=6))
def test_generated_code_and_interpreter_agree_on_every_rule(
    drawn: list[tuple[Expr, Expr | None, bool, Expr | None, frozenset[str] | None]],
    drawn_gate: Expr,
    instants: list[Moment],
) -> None:
    gate = checked(drawn_gate)
    compiled = [
        Rule(checked(r), None if w is None else checked(w), g, None if u is None else checked(u), s)
        for r, w, g, u, s in drawn
    ]
    for moment in instants:
        expected = sum(1 << i for i, rule in enumerate(compiled) if not says(rule, gate, moment))
        asked: list[bool] = []

        def explain(*_: object, answer: int = expected, asked: list[bool] = asked) -> int:
            asked.append(True)
            return answer

        emitted = emit_point(compiled, PARAMETERS, gate, explain, "b.symbol")
        assert emitted.judge(*moment.views()) == expected, emitted.source


@settings(max_examples=150, deadline=None)
@given(conditions, moments(holes=False))
def test_compiled_code_answers_by_itself_when_no_fact_is_missing(drawn: Expr, moment: Moment) -> None:
    rule = Rule(checked(drawn))

    def explain(*_: object) -> int:
        raise AssertionError("the interpreter was asked although nothing is missing")

    emitted = emit_point([rule], PARAMETERS, None, explain)
    try:
        expected = bool(evaluate(rule.require, moment))
    except EvaluationError:
        return  # a division by zero is a fault, and faults are the interpreter's
    assert emitted.judge(*moment.views()) == (0 if expected else 1), emitted.source


@settings(max_examples=150, deadline=None)
@given(conditions)
def test_formatting_is_a_fixed_point_and_parsing_gives_the_same_tree(drawn: Expr) -> None:
    text = format_expression(drawn)
    assert parse_expression(text) == parse_expression(format_expression(parse_expression(text)))
    assert format_expression(parse_expression(text)) == text


@settings(max_examples=100, deadline=None)
@given(conditions)
def test_generated_source_is_the_same_text_every_time(drawn: Expr) -> None:
    rule = Rule(checked(drawn))
    sources = {emit_point([rule], PARAMETERS, None, lambda *_: 0).source for _ in range(3)}
    assert len(sources) == 1


@settings(max_examples=100, deadline=None)
@given(conditions, moments(holes=False), st.data())
def test_a_missing_fact_never_turns_a_breach_into_a_pass(drawn: Expr, moment: Moment, data: st.DataObject) -> None:
    """Without `present`, taking a fact away can only make an answer an error."""
    rule = checked(drawn)
    if "present(" in format_expression(rule):
        return
    try:
        before = bool(evaluate(rule, moment))
    except EvaluationError:
        return
    gone = data.draw(st.sampled_from(sorted(moment.values)))
    poorer = Moment({name: value for name, value in moment.values.items() if name != gone}, moment.collections)
    try:
        assert bool(evaluate(rule, poorer)) is before
    except EvaluationError as error:
        assert error.subject == gone
