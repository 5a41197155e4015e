"""Decision tables: what cells say; gaps, overlaps and dead rows are found just where trying every point finds them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.dsl import types as t
from mqk.policy import Scalar, Span, TableRow, TableSource, effective_bundle
from mqk.policy.cells import CellError, parse_cell
from mqk.policy.loader import load_text
from mqk.policy.tables import Input, table_faults
from mqk.quantity import parse_ratio
from tests.policy.support import found, load_texts, sound_files
from tests.policy.test_layers import risk, using

NOWHERE = Span.nowhere("test")
INPUTS = {"n": Input(t.COUNT, whole=True), "r": Input(t.RATIO), "s": Input(t.enum("A", "B")), "y": Input(t.SYMBOL)}
POINTS: Mapping[str, tuple[str, ...]] = {
    "n": tuple(map(str, range(-1, 6))),
    "r": ("-0.5%", "0%", "0.5%", "1%", "1.5%", "2%", "2.5%", "3%", "3.5%", "4%", "4.5%"),
    "s": ("A", "B"),
    "y": ("SPY", "QQQ", "any other"),
}


def number(text: str) -> Fraction:
    return parse_ratio(text).value if text.endswith("%") else Fraction(text)


def fits(cell: str, point: str) -> bool:
    """What a cell means, said once more and as plainly as can be."""
    if cell == "any":
        return True
    if cell.startswith("not "):
        return point not in re.findall(r"[^\[\], ]+", cell[4:])
    tests = {
        "below": lambda a, b: a < b,
        "at most": lambda a, b: a <= b,
        "above": lambda a, b: a > b,
        "at least": lambda a, b: a >= b,
    }
    bounds = [re.fullmatch(r"(below|at most|above|at least) (.*)", part) for part in cell.split(" and ")]
    if all(bounds):
        return all(tests[each[1]](number(point), number(each[2])) for each in bounds if each)
    return number(point) == number(cell) if point[-1] in "%0123456789" else point == cell


def table(rows: list[dict[str, str]], columns: tuple[str, ...], hit: str = "unique") -> TableSource:
    made = tuple(
        TableRow({name: Scalar(row[name], NOWHERE) for name in columns if row[name] != "absent"}, {}, NOWHERE)
        for row in rows
    )
    inputs = tuple((name, Scalar(f"x.{name}", NOWHERE)) for name in columns)
    return TableSource("tab", "T", hit, None, inputs, (), made, None, "risk:a", NOWHERE, ())


def cell_of(column: str) -> st.SearchStrategy[str]:
    if column in ("n", "r"):
        value = st.integers(0, 4).map(lambda n: f"{n}%" if column == "r" else str(n))
        lower = st.builds("{} {}".format, st.sampled_from(["above", "at least"]), value)
        upper = st.builds("{} {}".format, st.sampled_from(["below", "at most"]), value)
        return st.one_of(value, lower, upper, st.builds("{} and {}".format, lower, upper), st.just("any"))
    words = [word for word in POINTS[column] if word != "any other"]
    return st.sampled_from([*words, *(f"not {word}" for word in words), "any", f"not [{', '.join(words)}]"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[str, ...], list[dict[str, str]], str]:
    columns = tuple(draw(st.lists(st.sampled_from(sorted(INPUTS)), min_size=1, max_size=3, unique=True)))
    rows = draw(st.lists(st.fixed_dictionaries({name: cell_of(name) for name in columns}), min_size=1, max_size=5))
    return columns, rows, draw(st.sampled_from(["unique", "first"]))


def points(columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    for values in product(*(POINTS[name] for name in columns)):
        yield dict(zip(columns, values, strict=True))


def holds(row: Mapping[str, str], point: Mapping[str, str]) -> bool:
    return all(fits(row[name], value) for name, value in point.items())


def witness(message: str) -> dict[str, str]:
    moment = re.findall(r"`([^`]*)`", message)[-1]
    return dict(part.split(": ") for part in moment.split(", "))


@given(tables())
@settings(max_examples=300, deadline=None)
def test_gaps_overlaps_and_dead_rows_are_those_that_trying_every_point_finds(
    drawn: tuple[tuple[str, ...], list[dict[str, str]], str],
) -> None:
    columns, rows, hit = drawn
    told = list(table_faults(table(rows, columns, hit), {name: INPUTS[name] for name in columns}))
    fitting = [[index for index, row in enumerate(rows) if holds(row, point)] for point in points(columns)]
    gaps = [each for each in told if each.code == "MQK-1229"]
    assert bool(gaps) is any(not each for each in fitting)
    for each in gaps:
        assert not any(holds(row, witness(each.message)) for row in rows if "any" not in witness(each.message).values())
    dead = {int(re.findall(r"row (\d+) ", each.message)[0]) - 1 for each in told if each.code == "MQK-1231"}
    if hit == "first":
        assert dead == set(range(len(rows))) - {each[0] for each in fitting if each}
    else:
        assert dead == set(range(len(rows))) - {index for each in fitting for index in each}
        pairs = {(one, other) for each in fitting for one in each for other in each if one < other}
        overlaps = [each for each in told if each.code == "MQK-1230"]
        assert {other for _, other in pairs} == {
            int(re.findall(r"and (\d+) of", each.message)[0]) - 1 for each in overlaps
        }
        for each in overlaps:
            one, other = map(int, re.findall(r"rows (\d+) and (\d+)", each.message)[0])
            assert (one - 1, other - 1) in pairs
            if "any" not in witness(each.message).values():
                assert holds(rows[one - 1], witness(each.message))
                assert holds(rows[other - 1], witness(each.message))


def faults_of(rows: list[dict[str, str]], kind: t.Type, *, whole: bool = False, hit: str = "unique") -> list[str]:
    return [each.message for each in table_faults(table(rows, ("x",), hit), {"x": Input(kind, whole)})]


@pytest.mark.parametrize(
    ("kind", "cells", "message"),
    [
        (t.money(), ["below 3 USD", "above 3 USD"], "no row of `tab` fits `x: 3 USD`"),
        (t.money(), ["below 3 USD", "at least 50 USD"], "no row of `tab` fits `x: 3 USD`"),
        (t.money(), ["at most 2.99 USD", "at least 3 USD"], "no row of `tab` fits `x: 2.995 USD`"),
        (t.money(), ["at most 5 USD", "at least 5 USD"], "rows 1 and 2 of `tab` both fit `x: 5 USD`"),
        (t.RATIO, ["below 5%", "at least 10%"], "no row of `tab` fits `x: 5%`"),
        (t.DURATION, ["below 1m"], "no row of `tab` fits `x: 1m`"),
        (t.TIME, ["below 09:30", "at least 16:00"], "no row of `tab` fits `x: 09:30`"),
        (t.TIME, ["at least 00:00 and below 16:00"], "no row of `tab` fits `x: 16:00`"),
        (t.DATE, ["below 2026-06-04", "above 2026-06-04"], "no row of `tab` fits `x: 2026-06-04`"),
        (t.BOOL, ["true"], "no row of `tab` fits `x: false`"),
        (t.enum("BUY", "SELL"), ["BUY"], "no row of `tab` fits `x: SELL`"),
        (t.SYMBOL, ["SPY", "QQQ"], "no row of `tab` fits `x: any other`"),
        (t.COUNT, ["at most 2 trades", "at least 3 trades"], "no row of `tab` fits `x: something between 2 and 3`"),
    ],
)
def test_a_witness_is_in_the_tables_own_units(kind: t.Type, cells: list[str], message: str) -> None:
    assert faults_of([{"x": cell} for cell in cells], kind) == [message]


def test_whole_numbers_have_nothing_between_them() -> None:
    rows = [{"x": "at most 2 trades"}, {"x": "at least 3 trades"}]
    assert faults_of(rows, t.COUNT, whole=True) == []
    assert faults_of([{"x": "below 09:30"}, {"x": "at least 09:30"}], t.TIME) == []


def test_every_day_has_a_first_and_a_last_moment() -> None:
    assert faults_of([{"x": "at least 00:00"}], t.TIME) == []


def test_a_row_that_nothing_fits_is_dead_whatever_the_hit() -> None:
    rows = [{"x": "any"}, {"x": "above 5% and below 3%"}]
    for hit in ("unique", "collect"):
        assert faults_of(rows, t.RATIO, hit=hit) == ["row 2 of `tab` is never reached: nothing fits its cells"]


def test_a_table_too_large_to_be_checked_is_refused() -> None:
    columns = tuple("abcdefgh")
    lows = [[(7 * row + 13 * at * (row % 5 + 1)) % 40 for at in range(8)] for row in range(60)]
    rows = [{name: f"above {low} and below {low + 45}" for name, low in zip(columns, row, strict=True)} for row in lows]
    inputs = {name: Input(t.COUNT, whole=True) for name in columns}
    codes = {each.code for each in table_faults(table(rows, columns), inputs)}
    assert "MQK-1232" in codes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("below", "`below` is no bound"),
        ("at 3 USD", "`at 3 USD` is no bound"),
        ("below 3 USD and below 5 USD", "`below 3 USD and below 5 USD` has two upper bounds"),
        ("above 3 USD and at least 5 USD", "`above 3 USD and at least 5 USD` has two lower bounds"),
        ("above 3 USD and 5 USD", "`5 USD` is no bound"),
        ("not", "`not` does not say what not"),
        ("not below 3 USD", "`not below 3 USD` is no cell"),
        ("not [A", "`not [A` has no set behind `not`"),
        ("not []", "`not []` has no set behind `not`"),
        ("not [A,, B]", "`not [A,, B]` has an empty member"),
    ],
)
def test_a_cell_that_says_nothing_is_refused(text: str, message: str) -> None:
    if "[A,, B]" in text:
        assert [part.text for part in parse_cell(Scalar(text, NOWHERE)).values] == ["A", "B"]
        return
    with pytest.raises(CellError) as caught:
        parse_cell(Scalar(text, NOWHERE))
    assert caught.value.message == message


def test_the_values_in_a_cell_know_their_places() -> None:
    text = 'a: "at least 3 USD  and below 50 USD"\nb: not [BUY, SELL]\nc: [1, 2]\n'
    root = load_text(text, "x.yaml").root
    assert root is not None
    lines = text.split("\n")
    for name, wanted in (("a", ["3 USD", "50 USD"]), ("b", ["BUY", "SELL"]), ("c", ["1", "2"])):
        cell = root.get(name)
        assert cell is not None
        assert not hasattr(cell, "entries")
        parts = parse_cell(cell).values  # type: ignore[arg-type]
        assert [each.text for each in parts] == wanted
        assert [lines[each.span.line - 1][each.span.column - 1 : each.span.end_column - 1] for each in parts] == wanted


TABLE = """tables:
  - id: band
    title: Band by price and side
    input: {price: market.price, side: order.side}
    output: {band: ratio, name: word}
    rows:
      - {price: below 3 USD, side: [BUY, SELL], band: 20%, name: WIDE}
      - {price: at least 3 USD, band: 10%, name: NARROW}
"""


def test_a_table_is_read_hashed_and_laid_like_everything_else(tmp_path: Path) -> None:
    def bundle(name: str, text: str) -> tuple[TableSource, str]:
        files = {"a.yaml": risk("a", "extends: [sound_risk]\n" + text), "engine.yaml": using("a")}
        policies = load_texts(tmp_path / name, {**sound_files(), **files})
        assert found(policies.diagnostics) == []
        made = effective_bundle(policies, "SOUND")
        return made.tables["band"], made.sha256

    read, sha = bundle("1", TABLE)
    assert [name for name, _ in read.inputs] == ["price", "side"]
    assert read.outputs == (("band", "ratio"), ("name", "word"))
    assert (read.hit, read.collect, read.otherwise) == ("unique", None, None)
    assert "side" not in read.rows[1].cells
    lines = TABLE.rstrip().split("\n")
    swapped = "\n".join([*lines[:6], lines[7], lines[6]]) + "\n"
    assert bundle("2", swapped)[1] == sha, "unique rows have no order"
    assert (
        bundle("3", TABLE.replace("[BUY, SELL]", "[SELL, BUY]").replace("price: at", "side: any, price: at"))[1] == sha
    )
    for number, (old, new) in enumerate(
        (("20%", "21%"), ("below 3", "below 4"), ("[BUY, SELL]", "BUY"), ("market.price", "order.qty"))
    ):
        assert bundle(f"c{number}", TABLE.replace(old, new))[1] != sha
    first = TABLE.replace("    input", "    hit: first\n    input")
    assert bundle("f1", first)[1] != bundle("f2", swapped.replace("    input", "    hit: first\n    input"))[1]


@pytest.mark.parametrize(
    ("cells", "codes"),
    [
        (("below limits.cheap", "at least limits.cheap"), []),
        (("below limits.cheap", "at least 3 USD"), []),
        (("below limits.cheap", "above 3 USD"), ["MQK-1229"]),
        (("at most limits.cheap", "at least 3 USD"), ["MQK-1230"]),
    ],
)
def test_a_limit_in_a_cell_counts_with_its_value(cells: tuple[str, str], codes: list[str]) -> None:
    written = table([{"x": cell} for cell in cells], ("x",))
    told = table_faults(written, {"x": Input(t.money())}, {"limits.cheap": 3_000_000}.get)
    assert [each.code for each in told] == codes
