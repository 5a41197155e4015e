"""What is certain within bounds holds for everything inside them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mqk.dsl import check_expression, parse_expression, syntax
from mqk.dsl.bounds import Bounds, Unbounded
from mqk.dsl.emit_python import Rule, emit_point
from mqk.guards.environment import PolicyEnvironment
from mqk.guards.points import Point
from tests.engine.worlds import guards

MOVING = ("account.equity", "account.peak_equity")
NUMBERS = st.recursive(
    st.sampled_from(["account.equity", "account.peak_equity", "account.cash", "100 USD", "0 USD"]),
    lambda below: st.one_of(
        st.tuples(below, st.sampled_from("+-"), below).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        st.tuples(st.sampled_from(["2%", "150%", "0%"]), below).map(lambda x: f"({x[0]} of {x[1]})"),
        below.map(lambda x: f"(-{x})"),
        st.tuples(st.sampled_from(["min", "max"]), below, below).map(lambda x: f"{x[0]}({x[1]}, {x[2]})"),
        st.tuples(below, st.sampled_from(["2", "-3"])).map(lambda x: f"({x[0]} * {x[1]})"),
        st.tuples(below, below).map(lambda x: f"(if account.cash > 5 USD then {x[0]} else {x[1]})"),
    ),
    max_leaves=5,
)
TRUTHS = st.recursive(
    st.tuples(NUMBERS, st.sampled_from(["<", "<=", ">", ">="]), NUMBERS).map(" ".join),
    lambda below: st.one_of(
        below.map(lambda x: f"not ({x})"),
        st.tuples(below, st.sampled_from(["and", "or"]), below).map(lambda x: f"({x[0]}) {x[1]} ({x[2]})"),
    ),
    max_leaves=3,
)
AMOUNTS = st.integers(-300 * 10**6, 300 * 10**6)


def checked(text: str) -> syntax.Expr | None:
    environment = PolicyEnvironment.of(guards().bundle, Point.ACCOUNT)
    found = check_expression(parse_expression(text), environment)
    return None if found.errors else found.expr


def holds(expr: syntax.Expr, **views: object) -> bool:
    def fail(*_: object) -> int:
        raise AssertionError("nothing is missing here")

    return emit_point([Rule(expr)], list(views), None, fail).judge(*views.values()) == 0


@settings(max_examples=150, deadline=None)
@given(text=TRUTHS, cash=AMOUNTS, one=st.tuples(AMOUNTS, AMOUNTS), two=st.tuples(AMOUNTS, AMOUNTS), data=st.data())
def test_what_is_certain_holds_everywhere_inside_and_what_holds_somewhere_is_possible(
    text: str, cash: int, one: tuple[int, int], two: tuple[int, int], data: st.DataObject
) -> None:
    expr, bounds = checked(text), Bounds(MOVING)
    assume(expr is not None)
    assert expr is not None
    low = SimpleNamespace(equity=min(one), peak_equity=min(two))
    high = SimpleNamespace(equity=max(one), peak_equity=max(two))
    inside = SimpleNamespace(
        cash=cash,
        equity=data.draw(st.integers(min(one), max(one))),
        peak_equity=data.draw(st.integers(min(two), max(two))),
    )
    truth = holds(expr, account=inside)
    certain = holds(bounds.certain(expr), account=inside, account_low=low, account_high=high)
    possible = holds(bounds.possible(expr), account=inside, account_low=low, account_high=high)
    assert truth or not certain
    assert possible or not truth


@pytest.mark.parametrize(
    "text",
    [
        "abs(account.equity) < 5 USD",
        "account.equity == account.cash",
        "account.equity < 5 USD and account.equity != 3 USD",
        "(5% of account.equity) * (account.cash / 3 USD) < 2 USD",
        "if account.equity > 3 USD then account.cash > 1 USD else account.cash > 2 USD",
    ],
)
def test_what_is_not_monotone_has_no_bounds(text: str) -> None:
    expr = checked(text)
    assert expr is not None
    with pytest.raises(Unbounded):
        Bounds(MOVING).certain(expr)
