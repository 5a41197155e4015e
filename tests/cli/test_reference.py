"""`mqk reference`: the pages say what this mqk knows, and the committed ones are those it would print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mqk.cli.main import main
from mqk.cli.reference import PAGES
from mqk.cli.reference_language import CONSTRUCTS
from mqk.dsl import check_expression, parse_expression
from mqk.dsl import types as t
from mqk.dsl.check import FUNCTIONS
from mqk.guards import Point, facts_at
from mqk.guards.catalogue import STREAMS, collections_at
from mqk.guards.environment import PolicyEnvironment
from mqk.policy import CODES
from mqk.policy.schemas import KINDS, schema_set

COMMITTED = Path(__file__).parents[2] / "schemas" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_pages_are_current(name: str) -> None:
    said = (COMMITTED / f"{name}.md").read_text("utf-8")
    assert said == PAGES[name](), "run `make reference`"


def test_every_fact_stream_and_collection_is_on_the_page() -> None:
    page = PAGES["facts"]()
    known = {name for point in Point for name in (*facts_at(point), *collections_at(point))} | set(STREAMS)
    assert {name for name in known if f"`{name}`" not in page} == set()


def test_every_function_of_the_language_is_on_the_page() -> None:
    assert set(FUNCTIONS) <= set(CONSTRUCTS)
    assert {"present", "count", "total"} <= set(CONSTRUCTS)


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_every_example_of_a_form_compiles(name: str) -> None:
    each = CONSTRUCTS[name]
    environment = PolicyEnvironment(Point(each.point), {})
    assert check_expression(parse_expression(each.example), environment, t.BOOL).errors == ()


def test_every_kind_and_key_is_on_the_page() -> None:
    page = PAGES["kinds"]()
    assert re.findall(r"^## `(\w+)`$", page, flags=re.MULTILINE) == list(KINDS)
    for kind in KINDS:
        section = page.partition(f"## `{kind}`\n")[2].partition("\n## ")[0]
        for key in schema_set().schemas[kind]["properties"]:
            assert f"| `{key}`" in section, (kind, key)


def test_every_code_is_on_the_page() -> None:
    assert re.findall(r"^\| (MQK-[0-9]+) ", PAGES["diagnostics"](), flags=re.MULTILINE) == list(CODES)


def test_pages_are_printed_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reference", "functions"]) == 0
    assert capsys.readouterr().out == PAGES["functions"]()
    assert main(["reference", "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.md" for name in PAGES)
