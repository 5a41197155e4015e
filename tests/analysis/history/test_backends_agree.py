"""A rule in DuckDB and in Spark says what the interpreter says: pass, breach and error, digit for digit."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from mqk.analysis.history.backends import Backend, Engine, opened
from mqk.analysis.history.judging import BREACH, LOST, PASS, truth_of
from mqk.analysis.history.records import Part
from mqk.dsl import Expr, check_expression, format_expression, parse_expression
from mqk.dsl import types as t
from mqk.dsl.emit_ibis_numbers import NotEmitted
from mqk.dsl.emit_python import Rule
from tests.analysis.history.tables import POINT, codes, part_of, said, table_of
from tests.dsl.worlds import Moment, World, expressions, moments

WORLD = World()
REFUSALS = {
    "a ratio of an element is not held exactly",
    "its numbers may need more than 38 digits",
    "it adds up quotients by facts of the elements",
}


def checked(expr: Expr) -> Expr:
    result = check_expression(parse_expression(format_expression(expr)), WORLD)
    assert not result.errors, [error.message for error in result.errors]
    return result.expr


def condition(text: str) -> Expr:
    return checked(parse_expression(text))


# Without shrinking: what fails is a rule among others, and each takes a query.
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)

rules = st.builds(
    lambda require, when, gated, unless, symbols: Rule(
        checked(require),
        None if when is None else checked(when),
        gated,
        None if unless is None else checked(unless),
        symbols,
    ),
    expressions(t.BOOL, 3),
    st.none() | expressions(t.BOOL, 2),
    st.booleans(),
    st.none() | expressions(t.BOOL, 1),
    st.none() | st.frozensets(st.sampled_from(["SPY", "QQQ"])),
)


def agree(backend: Backend, drawn: list[Rule], gate: Expr, instants: list[Moment]) -> list[list[int]]:
    """Hold a backend against the interpreter, rule by rule and row by row; what it said of those that it judges."""
    arrow = table_of(instants)
    with tempfile.TemporaryDirectory() as folder:
        part = part_of(arrow, Path(folder) / "moments.parquet")
        pq.write_table(arrow, part.files[0], store_schema=False)
        return _agree(backend, part, drawn, gate, instants)


def _agree(backend: Backend, part: Part, drawn: list[Rule], gate: Expr, instants: list[Moment]) -> list[list[int]]:
    table = backend.table(part)
    asked: dict[str, Any] = {}
    for number, rule in enumerate(drawn):
        try:
            asked[f"r{number}"] = truth_of(table, part, (POINT,), rule, gate, "b.symbol").code
        except NotEmitted as fault:
            assert fault.why in REFUSALS
    if not asked:
        return []
    answers = codes(backend, asked, table)
    for name, found in answers.items():
        rule = drawn[int(name[1:])]
        for moment, answer in zip(instants, found, strict=True):
            expected = said(rule, gate, moment)
            assert answer in (expected, LOST), (format_expression(rule.require), moment, answer, expected)
    return list(answers.values())


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), phases=QUICK)
@given(
    st.lists(rules, min_size=4, max_size=8),
    expressions(t.BOOL, 2),
    st.lists(moments(), min_size=6, max_size=12),
)
def test_duckdb_and_the_interpreter_agree_on_every_rule(drawn: list[Rule], gate: Expr, instants: list[Moment]) -> None:
    with opened(Engine.DUCKDB) as backend:
        agree(backend, drawn, checked(gate), instants)


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), phases=QUICK)
@given(
    drawn=st.lists(rules, min_size=20, max_size=20),
    gate=expressions(t.BOOL, 2),
    instants=st.lists(moments(), min_size=12, max_size=12),
)
def test_spark_and_the_interpreter_agree_on_every_rule(
    spark: SparkSession, drawn: list[Rule], gate: Expr, instants: list[Moment]
) -> None:
    with opened(Engine.SPARK, spark) as backend:
        agree(backend, drawn, checked(gate), instants)


def test_facts_of_64_bits_are_judged_exactly_or_not_at_all() -> None:
    """Products of three facts do not fit into 38 digits, whatever they are: those of small ones are still judged."""
    rule = Rule(condition("a.qty * (a.qty * (a.qty * a.price)) >= a.money"))
    big = 2**63 - 1
    instants = [
        Moment({"a.qty": qty, "a.price": price, "a.money": money})
        for qty, price, money in ((3, 5, 134), (3, 5, 136), (big, 5, 1), (-1, 7, -7), (-1, 7, -6), (3, big, 1))
    ]
    answers = []
    with opened(Engine.DUCKDB) as backend:
        answers = agree(backend, [rule], condition("a.flag"), instants)
    assert answers == [[PASS, BREACH, LOST, PASS, BREACH, LOST]]


def test_one_product_of_two_facts_of_64_bits_is_exact() -> None:
    rule = Rule(condition("a.qty * a.price >= a.money"))
    ends = (-(2**63), 2**63 - 1, 0, 1, -1)
    instants = [Moment({"a.qty": q, "a.price": p, "a.money": m}) for q in ends for p in ends for m in ends]
    with opened(Engine.DUCKDB) as backend:
        (answers,) = agree(backend, [rule], condition("a.flag"), instants)
    assert LOST not in answers
