"""Every case of our own suite (`units.suite`) holds in the interpreter and in generated code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from mqk.dsl import DslError, check_expression, parse_expression
from mqk.guards import canonical_name
from tests.dsl.worlds import Moment
from tests.numbers.judged import WORLD, compiled, interpreted

SUITE = Path(__file__).with_name("units.suite")


@dataclass(frozen=True)
class Case:
    """One line: what is asked, of which facts, and what must come of it."""

    verdict: str
    condition: str
    facts: tuple[tuple[str, int], ...]
    line: int


def cases() -> list[Case]:
    found = []
    for number, line in enumerate(SUITE.read_text("utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        verdict, condition, *given = (part.strip() for part in line.split(" | "))
        facts = [pair.split(" = ") for pair in given[0].split(", ")] if given else []
        found.append(
            Case(verdict, condition, tuple((canonical_name(name), int(value)) for name, value in facts), number)
        )
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.line}: {case.condition}")
def test_a_case_of_the_suite_is_what_it_says(case: Case) -> None:
    kind, _, code = case.verdict.partition(" ")
    if kind == "refused":
        try:
            codes = {error.code for error in check_expression(parse_expression(case.condition), WORLD).errors}
        except DslError as error:
            codes = {error.code}
        assert codes == {code}
        return
    moment = Moment(dict(case.facts))
    expected = {"true": True, "false": False, "error": None}[kind]
    assert interpreted([case.condition], moment) == [expected]
    assert compiled([case.condition], moment) == [expected is True]


def test_the_suite_asks_for_every_kind_of_verdict_in_every_part() -> None:
    verdicts = [case.verdict.partition(" ")[0] for case in cases()]
    assert len(verdicts) >= 110
    assert {"true", "false", "error", "refused"} == set(verdicts)
