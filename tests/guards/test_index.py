"""Rules by symbol: which symbols a rule is about, that others do not reach it, and that this changes no answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.dsl import check_expression, parse_expression
from mqk.guards import GuardSet, Point, Result, compile_bundle, read_facts
from mqk.guards.environment import PolicyEnvironment
from mqk.guards.index import symbols_of
from mqk.guards.lookup import ViewLookup
from mqk.policy import effective_bundle, load_policies
from tests.bench.scale import compiled, with_rules

BUNDLE = effective_bundle(load_policies([Path(__file__).parents[2] / "policies"]), "MAIN")


@pytest.mark.parametrize(
    ("when", "symbols"),
    [
        ("order.symbol == SPY", {"SPY"}),
        ("SPY == order.symbol", {"SPY"}),
        ("order.symbol in [SPY, QQQ]", {"SPY", "QQQ"}),
        ("order.symbol in [SPY, QQQ] and order.symbol in [QQQ, IBM]", {"QQQ"}),
        ("order.side == BUY and (order.symbol == SPY and order.qty > 3)", {"SPY"}),
        ("order.symbol in engine.universe", set(BUNDLE.universe)),
        ("order.symbol != SPY", None),
        ("order.symbol not in [SPY]", None),
        ("order.symbol == SPY or order.qty > 3", None),
        ("not (order.symbol == SPY)", None),
        ("order.qty > 3", None),
    ],
)
def test_a_rule_is_about_the_symbols_that_its_condition_confines_it_to(when: str, symbols: set[str] | None) -> None:
    checked = check_expression(parse_expression(when), PolicyEnvironment.of(BUNDLE, Point.ORDER))
    assert not checked.errors
    assert symbols_of(checked.expr, "order.symbol") == symbols


@pytest.fixture(scope="module")
def many() -> GuardSet:
    return compiled(with_rules(BUNDLE, 200))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 25), st.integers(4_900, 5_300), st.sampled_from(["BUY", "SELL"]), st.booleans())
def test_generated_code_and_interpreter_agree_on_rules_by_symbol(
    many: GuardSet, symbol: int, qty: int, side: str, whole: bool
) -> None:
    facts: dict[str, object] = {name: text.text for name, text in BUNDLE.baseline.items()}
    facts |= {"order.symbol": f"S{symbol}", "order.qty": qty, "order.side": side}
    if not whole:
        del facts["order.worst_price"]
    moment = read_facts(facts, many, Point.ORDER, lenient=True)
    answers = many.order.results(ViewLookup(moment.views))
    mask = many.order.judge(*(moment.views[name] for name in many.order.parameters))
    assert [bool(mask >> bit & 1) for bit in range(len(answers))] == [r is not Result.PASS for r, _ in answers]
    told = {finding.rule for finding in many.order.decide(moment.views, mask=mask).findings}
    ours = {f"N-{10 * symbol + which:05}" for which in range(10)}
    assert told <= ours


def test_code_for_another_symbol_is_not_run(many: GuardSet) -> None:
    """A call reads the facts of its own symbol's rules and of those about all symbols, and no others."""
    lines = many.order.source.split("def judge(")[1].splitlines()
    assert len(lines) < 20, many.order.source
    assert many.order.source.count("def part") == 20


def test_thousands_of_rules_compile_to_one_guard() -> None:
    found = compiled(with_rules(BUNDLE, 1_500))
    assert len(found.order.rules) == 1_500
    assert compile_bundle(BUNDLE).order.rules
