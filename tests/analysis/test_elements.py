"""What is said of collections: the solver reads it as the interpreter does, and proves it whatever their size."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.analysis.model import holds
from mqk.dsl import Expr, check_expression, parse_expression
from mqk.dsl.emit_smt import Encoder
from tests.analysis.agreement import smt_agrees
from tests.dsl.worlds import Moment, World

WORLD = World()

SAID = (
    "some h in holdings satisfies h.value > a.money",
    "every h in holdings where h.side == BUY satisfies h.value > 0 USD and h.qty > 0",
    "(sum of h.value for h in holdings where h.symbol in limits.list) <= a.money",
    "sum of h.weight for h in holdings <= 100%",
    "sum of h.qty for h in holdings == a.qty",
    "(count of h in holdings where h.qty > 0) <= a.count",
    "every h in holdings satisfies not present(h.cost) or h.cost < h.value",
    "some h in holdings satisfies some r in resting satisfies r.qty == h.qty",
    "every h in holdings satisfies multiple_of(h.qty, 2)",
    "multiple_of(a.money, 2 USD) or multiple_of(a.qty, a.qty - 1)",
    "sum of (if h.side == BUY then h.value else -h.value) for h in holdings > 0 USD",
)


def checked(text: str) -> Expr:
    result = check_expression(parse_expression(text), WORLD)
    assert not result.errors, [error.message for error in result.errors]
    return result.expr


def elements(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[SimpleNamespace]:
    """Elements with holes."""
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: SimpleNamespace(**given))


amounts = st.integers(-3, 3).map(lambda n: n * 1_000_000)
holding = elements(
    symbol=st.sampled_from(["SPY", "IBM"]),
    value=amounts,
    qty=st.integers(-3, 4),
    cost=amounts,
    weight=st.fractions(0, 1, max_denominator=4),
    frozen=st.booleans(),
    side=st.sampled_from(["BUY", "SELL"]),
)
whole = elements(symbol=st.just("SPY"), value=amounts, qty=st.integers(0, 3), weight=st.just(0), side=st.just("BUY"))
resting = elements(qty=st.integers(-3, 4), side=st.just("SELL"))


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(SAID),
    st.none() | st.lists(holding, max_size=4) | st.lists(whole, max_size=2),
    st.lists(resting, max_size=2),
    amounts,
    st.integers(-1, 3),
)
def test_solver_and_interpreter_agree_on_collections(
    text: str, held: list[SimpleNamespace] | None, working: list[SimpleNamespace], money: int, count: int
) -> None:
    collections = {"resting": working, **({} if held is None else {"holdings": held})}
    moment = Moment({"a.money": money, "a.qty": count, "a.count": abs(count)}, collections)
    assert smt_agrees(checked(text), moment)


def follows(assumed: str, concluded: str) -> bool:
    """Whether what is assumed cannot hold without what is concluded, where the latter is defined."""
    encoder = Encoder()
    conclusion = encoder.encode(checked(concluded))
    solver = z3.Solver()
    solver.add(holds(encoder, checked(assumed)), conclusion.defined, z3.Not(conclusion.value))
    solver.add(*encoder.axioms())
    answer = solver.check()
    assert answer != z3.unknown
    return bool(answer == z3.unsat)


@pytest.mark.parametrize(
    ("assumed", "concluded"),
    [
        ("every h in holdings satisfies h.value <= 10 USD", "every h in holdings satisfies h.value <= 20 USD"),
        ("some h in holdings satisfies h.value > 20 USD", "some p in holdings satisfies p.value > 10 USD"),
        ("every h in holdings satisfies h.qty > 0", "not (some h in holdings satisfies h.qty <= 0)"),
        ("every h in holdings satisfies h.qty > 0", "every h in holdings where h.side == BUY satisfies h.qty > 0"),
        ("(count of h in holdings where h.qty > 0) == 0", "every h in holdings satisfies h.qty <= 0"),
        ("some h in holdings satisfies h.qty > 0", "(count of h in holdings where h.qty > 0) >= 1"),
        ("sum of h.value for h in holdings > 1 USD", "some h in holdings satisfies h.value > 0 USD"),
        ("sum of h.value for h in holdings <= 1 USD", "sum of h.value for h in holdings <= 2 USD"),
        ("(count of h in holdings where h.qty > 0) > 1", "(count of h in holdings where h.qty > 0) <= 3"),
        ("multiple_of(a.money, 4 USD)", "multiple_of(a.money, 2 USD)"),
    ],
)
def test_what_is_true_of_collections_of_any_size_is_proven(assumed: str, concluded: str) -> None:
    assert follows(assumed, concluded)


@pytest.mark.parametrize(
    ("assumed", "concluded"),
    [
        ("every h in holdings satisfies h.value <= 20 USD", "every h in holdings satisfies h.value <= 10 USD"),
        ("every h in holdings satisfies h.qty > 0", "some h in holdings satisfies h.qty > 0"),
        ("some h in holdings satisfies h.qty > 0", "every h in holdings satisfies h.qty > 0"),
        (
            "(some h in holdings satisfies h.qty > 0) and (some h in holdings satisfies h.value > 0 USD)",
            "some h in holdings satisfies h.qty > 0 and h.value > 0 USD",
        ),
        ("sum of h.value for h in holdings > 1 USD", "every h in holdings satisfies h.value > 0 USD"),
        ("multiple_of(a.money, 2 USD)", "multiple_of(a.money, 4 USD)"),
    ],
)
def test_what_is_not_true_of_some_collection_is_never_proven(assumed: str, concluded: str) -> None:
    assert not follows(assumed, concluded)
