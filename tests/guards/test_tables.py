"""Decision tables against the plainest reading: go through the rows, see which fit, put their values together."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.dsl import DerivedRef, EvaluationError, evaluate, syntax
from mqk.dsl import types as t
from mqk.dsl.emit_python import Rule, emit_point
from mqk.dsl.errors import Fault
from mqk.guards.environment import PolicyEnvironment
from mqk.guards.lookup import ViewLookup
from mqk.guards.names import Names
from mqk.guards.points import Point
from mqk.policy import Span, TableRow, TableSource, Text

PLACE = Span.nowhere("table")
BOUNDS = {
    "below": lambda x, n: x < n,
    "at most": lambda x, n: x <= n,
    "above": lambda x, n: x > n,
    "at least": lambda x, n: x >= n,
    "not": lambda x, n: x != n,
    "": lambda x, n: x == n,
}
UPPER, LOWER = ("below", "at most"), ("above", "at least")
Row = tuple[tuple[tuple[str, int], ...], str, int]
rows = st.lists(
    st.tuples(
        st.tuples()
        | st.tuples(st.tuples(st.sampled_from([*UPPER, *LOWER, "", "not"]), st.integers(0, 6)))
        | st.tuples(
            st.tuples(st.sampled_from(UPPER), st.integers(0, 6)), st.tuples(st.sampled_from(LOWER), st.integers(0, 6))
        ),
        st.sampled_from(["any", "BUY", "not SELL", "not [BUY]"]),
        st.integers(-3, 9),
    ),
    min_size=1,
    max_size=6,
)


def fits(row: Row, qty: int, side: str) -> bool:
    bounds, word, _ = row
    sides = {"any": {"BUY", "SELL"}, "BUY": {"BUY"}, "not SELL": {"BUY"}, "not [BUY]": {"SELL"}}[word]
    return side in sides and all(BOUNDS[each](qty, n) for each, n in bounds)


def source(drawn: list[Row], hit: str, collect: str | None, otherwise: int | None) -> TableSource:
    return TableSource(
        id="made",
        title="Made",
        hit=hit,
        collect=collect,
        inputs=(("qty", Text("order.qty", PLACE)), ("side", Text("order.side", PLACE))),
        outputs=(("width", "count" if collect == "count" else "money"),),
        rows=tuple(
            TableRow(
                {
                    "qty": Text(" and ".join(f"{word} {n}".strip() for word, n in bounds) or "any", PLACE),
                    "side": Text(word, PLACE),
                },
                {"width": Text(f"{value} USD" if collect != "count" else "1", PLACE)},
                PLACE,
            )
            for bounds, word, value in drawn
        ),
        otherwise=None
        if otherwise is None
        else {"width": Text(f"{otherwise} USD" if collect != "count" else str(abs(otherwise)), PLACE)},
        document="risk:made",
        span=PLACE,
        chain=(),
    )


def plainly(drawn: list[Row], how: str, otherwise: int | None, qty: int, side: str) -> int | None:
    """What the table says, in micros or as a count; None for a gap."""
    values = [row[2] for row in drawn if fits(row, qty, side)]
    if not values and how not in ("sum", "count"):
        return None if otherwise is None else otherwise * 1_000_000
    if not values:
        return 0 if otherwise is None else abs(otherwise) if how == "count" else otherwise * 1_000_000
    match how:
        case "count":
            return len(values)
        case "first":
            return values[0] * 1_000_000
        case _:
            return {"sum": sum, "min": min, "max": max}[how](values) * 1_000_000


@settings(max_examples=60, deadline=None)
@given(rows, st.sampled_from(["first", "sum", "min", "max", "count"]), st.none() | st.integers(-3, 9))
def test_a_table_says_what_its_rows_say(drawn: list[Row], how: str, otherwise: int | None) -> None:
    table = source(drawn, "first" if how == "first" else "collect", None if how == "first" else how, otherwise)
    environment = PolicyEnvironment(Point.ORDER, {}, Names({}, {"made": table}))
    ref = environment.lookup("tables.made.width")
    assert isinstance(ref, DerivedRef), environment.own.diagnostics
    name = syntax.Name(start=0, end=0, path=ref.name, ref=ref, type=ref.type)
    for qty in {0, 6, *(n for bounds, _, _ in drawn for _, n in bounds)}:
        for side in ("BUY", "SELL"):
            views = {"order": SimpleNamespace(qty=qty, side=side)}
            expected = plainly(drawn, how, otherwise, qty, side)
            try:
                found = evaluate(name, ViewLookup(views))
            except EvaluationError as error:
                assert error.fault is Fault.DIVISION_BY_ZERO
                found = None
            assert found == expected
            # The generated code, asked whether the table says just that.
            value = syntax.Literal(start=0, end=0, kind="number", text="?", value=expected or 0, type=ref.type)
            rule = Rule(syntax.Compare(start=0, end=0, operands=(name, value), ops=("==",), type=t.BOOL))
            emitted = emit_point([rule], ["order"], None, lambda *_: 2)
            assert emitted.judge(views["order"]) == (2 if expected is None else 0), emitted.source


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("at least 3 and at least 4", "has two lower bounds"),
        ("at least", "is no bound"),
        ("at least BUY", "found the word `BUY`"),
        ("3 USD", "cannot be compared"),
        ("not", "does not say what not"),
        ("below (3", "ends too early"),
    ],
)
def test_a_cell_that_says_nothing_is_refused(cell: str, said: str) -> None:
    table = source([((("", 3),), "any", 1)], "first", None, 2)
    row = TableRow({"qty": Text(cell, PLACE)}, table.rows[0].outputs, PLACE)
    names = Names({}, {"made": TableSource(**{**{f: getattr(table, f) for f in table.__slots__}, "rows": (row,)})})
    environment = PolicyEnvironment(Point.ORDER, {}, names)
    assert environment.lookup("tables.made.width") is None
    assert environment.absence("tables.made.width") == ""
    assert any(said in each.message for each in names.diagnostics), [each.message for each in names.diagnostics]
