"""Facts that can be stale: too old, they are errors where they are read; without an age, nobody asks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mqk.dsl import EvaluationError, FactRef, check_expression, evaluate, parse_expression
from mqk.dsl import types as t
from mqk.dsl.emit_python import Rule, emit_point
from mqk.dsl.errors import Fault
from mqk.dsl.missing import MISSING
from mqk.guards import GuardSet, Point, read_facts
from mqk.guards.fact import View
from mqk.guards.lookup import ViewLookup

OLD = FactRef("quote.price", t.money(), max_age=5_000_000)
MAYBE = FactRef("quote.bid", t.money(), optional=True, max_age=5_000_000)
EVER = FactRef("quote.size", t.QUANTITY)


class Quotes:
    """An environment of one subject."""

    def lookup(self, name: str) -> FactRef | None:
        return {ref.name: ref for ref in (OLD, MAYBE, EVER)}.get(name)

    def names(self) -> list[str]:
        return [OLD.name, MAYBE.name, EVER.name]

    def streams(self) -> dict[str, t.Type | None]:
        return {}

    def collection(self, name: str) -> None:  # noqa: ARG002 - part of the protocol
        return None

    def collections(self) -> list[str]:
        return []

    def absence(self, name: str) -> None:  # noqa: ARG002 - part of the protocol
        return None


def judged(text: str, ages: dict[str, int], **facts: object) -> tuple[bool | Fault, bool, str]:
    """What the interpreter says, whether the generated code answered for itself, and the code."""
    checked = check_expression(parse_expression(text), Quotes())
    assert not checked.errors
    quote = SimpleNamespace(**{"bid": MISSING, **facts}, ages=ages)
    lookup = ViewLookup({"quote": quote})
    said: bool | Fault
    try:
        said = bool(evaluate(checked.expr, lookup))
    except EvaluationError as error:
        said = error.fault
    asked: list[bool] = []

    def explain(*_: object) -> int:
        asked.append(True)
        return 0 if said is True else 1

    emitted = emit_point([Rule(checked.expr)], ["quote"], None, explain)
    assert emitted.judge(quote) == (0 if said is True else 1)
    return said, not asked, emitted.source


@pytest.mark.parametrize(
    ("age", "said"), [(0, True), (4_999_999, True), (5_000_000, True), (5_000_001, Fault.STALE), (10**12, Fault.STALE)]
)
def test_a_fact_is_stale_when_it_is_older_than_it_may_be(age: int, said: bool | Fault) -> None:
    assert judged("quote.price > 0 USD", {"price": age}, price=1)[:2] == (said, said is True)


def test_a_fact_whose_age_nobody_knows_is_not_stale() -> None:
    assert judged("quote.price > 0 USD", {}, price=1)[0] is True


def test_a_stale_fact_is_there_and_an_error_where_it_is_used() -> None:
    stale = {"bid": 6_000_000}
    assert judged("present(quote.bid)", stale, bid=1)[0] is True
    assert judged("present(quote.bid) and quote.bid > 0 USD", stale, bid=1)[0] is Fault.STALE
    assert judged("not present(quote.bid) or quote.bid > 0 USD", stale, bid=1)[0] is Fault.STALE


def test_facts_that_never_grow_old_cost_nothing() -> None:
    assert "ages" not in judged("quote.size > 0", {}, size=1)[2]


def test_every_view_says_that_nothing_is_known_of_ages() -> None:
    assert View().ages == {}


def test_an_age_in_a_facts_document_belongs_to_its_fact(main: GuardSet) -> None:
    moment = read_facts({"market.price": "3 USD", "age(market.price)": "6m"}, main, Point.ORDER)
    assert ViewLookup(moment.views).age("market.price") == 360_000_000
    spoilt = read_facts({"market.price": "3 USD", "age(market.price)": "old"}, main, Point.ORDER)
    assert "market.price" in spoilt.problems
