"""Every case and every defect of the lists is answered exactly once: by a test here, by one elsewhere, or in words.

What counts: `test_rsk_01_...` is a test of RSK-01 (`test_int_1_...` of INT-1), `pytest.param(..., id="RSK-01 ...")` is
one, too; `ELSEWHERE` names the test that holds a case, `ANSWERED` says why one does not apply as it was written.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.acceptance.ids import CASES, DEFECTS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_TEST = re.compile(r"test_([a-z]{2,4})_(\d+)_\w+")
_ID = re.compile(r"([A-Z]{2,4}-\d+)\b")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def modules() -> list[Path]:
    return sorted(HERE.glob("test_cases_*.py"))


def functions(path: Path) -> list[str]:
    return [node.name for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]


def named() -> set[str]:
    """The cases that a test here is named after."""
    found: set[str] = set()
    for path in modules():
        for name in functions(path):
            if (match := _TEST.fullmatch(name)) is not None:
                found.add(f"{match[1].upper()}-{match[2]}")
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.keyword) and node.arg == "id" and isinstance(node.value, ast.Constant):
                found |= set(_ID.findall(str(node.value.value)))
    return found


def table(name: str) -> dict[str, str]:
    """A table of all modules, which may not say anything twice."""
    found: dict[str, str] = {}
    for path in modules():
        for node in tree(path).body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
                assert node.value is not None
                said = ast.literal_eval(node.value)
                assert not set(said) & set(found)
                found |= said
    return found


def test_every_case_is_tested_or_answered_and_never_both() -> None:
    ways = Counter([*named(), *table("ELSEWHERE"), *table("ANSWERED")])
    assert {case for case, count in ways.items() if count > 1} == set()
    assert set(CASES) - set(ways) == set(), "neither tested nor answered"
    assert set(ways) - set(CASES) == set(), "no such case"


def test_the_lists_name_nothing_twice() -> None:
    assert len(set(CASES)) == len(CASES)


@pytest.mark.parametrize("case", sorted(table("ELSEWHERE")))
def test_what_is_held_elsewhere_is_there(case: str) -> None:
    file, _, name = table("ELSEWHERE")[case].partition("::")
    assert name in functions(ROOT / file)


@pytest.mark.parametrize("case", sorted(table("ANSWERED")))
def test_an_answer_is_a_sentence(case: str) -> None:
    answer = table("ANSWERED")[case]
    assert len(answer.split()) >= 6
    assert answer.endswith(".")


@pytest.mark.parametrize("number", DEFECTS)
def test_every_defect_of_rules_has_a_test_of_its_number(number: int) -> None:
    names = [name for path in HERE.glob("test_defects_*.py") for name in functions(path)]
    assert [name for name in names if name.startswith(f"test_c{number:02}_")]
