"""Policies and facts made up by hypothesis, all the way: YAML text, loader, layers, checker, both backends."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from mqk.dsl import Expr, FactRef, format_expression, syntax
from mqk.dsl import types as t
from mqk.dsl.missing import MISSING
from mqk.guards import GuardSet, Point, Result, compile_bundle, facts_at
from mqk.guards.catalogue import VIEWS
from mqk.guards.fact import SIDE, USD
from mqk.guards.lookup import ViewLookup
from mqk.guards.views import HeldPosition
from mqk.policy import PolicyError, effective_bundle, load_policies
from tests.dsl.worlds import Vocabulary, expressions, literal_node, name_node, node

ENTRIES = facts_at(Point.ORDER)


def _names(kind: t.Type) -> list[str]:
    return [name for name, entry in ENTRIES.items() if entry.type == kind]


def _presence() -> st.SearchStrategy[Expr]:
    optional = [n for n, e in ENTRIES.items() if isinstance(e.ref, FactRef) and e.ref.optional]
    return st.sampled_from(optional).map(lambda path: node(syntax.Present, fact=name_node(path)))


def _unnamed_counts() -> list[str]:
    """Counts that go with counts of anything: those of orders and of positions do not go with each other."""
    return [name for name in _names(t.COUNT) if not ENTRIES[name].type.noun]


_digits = st.integers(0, 6)
ORDER_WORDS = Vocabulary(
    {
        USD: st.sampled_from(_names(USD)).map(name_node) | _digits.map(lambda n: literal_node("money", f"{n} USD")),
        t.QUANTITY: st.sampled_from(_names(t.QUANTITY)).map(name_node),
        t.COUNT: st.sampled_from([*_unnamed_counts(), "limits.rejects.count"]).map(name_node)
        | st.just(node(syntax.Window, stream="cancels", duration=name_node("limits.rejects.window"))),
        t.RATIO: st.just(name_node("limits.max_position")) | _digits.map(lambda n: literal_node("ratio", f"{n}%")),
        t.DURATION: _digits.map(lambda n: literal_node("duration", f"{n}s")),
        t.INSTANT: st.just(name_node("clock.now")),
        t.NUMBER: _digits.map(lambda n: literal_node("number", str(n))),
        SIDE: st.just(name_node("order.side")),
        t.SYMBOL: st.just(name_node("order.symbol")),
        t.BOOL: st.sampled_from([*_names(t.BOOL), "limits.allow_short"]).map(name_node) | _presence(),
    },
    SIDE,
    ("BUY", "SELL"),
    "engine.universe",
    elements=(
        (
            "p",
            "positions",
            {
                USD: st.sampled_from(["p.exposure", "p.average_price"]).map(name_node),
                t.QUANTITY: st.just(name_node("p.qty")),
                t.SYMBOL: st.just(name_node("p.symbol")),
                t.BOOL: st.just(node(syntax.Present, fact=name_node("p.average_price"))),
            },
        ),
    ),
)
EXTRA = """
kind: risk
id: made_up
title: Made up
owner: tests
limits: {max_position: 20%, daily_loss: 2%, rejects: 5 per 300s, allow_short: false}
rules:
  - {id: READ-01, title: Reads every limit, at: account, otherwise: halt,
     require: limits.allow_short or count(rejects within limits.rejects.window) < limits.rejects.count}
  - {id: READ-02, title: Reads the ratio, at: order, otherwise: warn,
     require: limits.max_position of order.value >= 0 USD}
"""
ENGINE = """
kind: engine
id: T
title: Test
owner: tests
mode: PAPER
uses: {risk: [made_up], integrity: [bars_strict], lifecycle: [run], execution: [us_equities_costs], schedule: [paper]}
capital: 1_000 USD
calendar: XNYS
timeframes: [1D]
universe: [SPY, QQQ]
strategies: [{id: swing_trend_v1}]
"""
SHARED = ("integrity/bars.yaml", "lifecycle/run.yaml", "execution/us_equities.yaml", "schedule/paper.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy folder that lacks only the made-up rules."""
    shipped = Path(__file__).parents[2] / "policies"
    home = tmp_path_factory.mktemp("policies")
    for name in SHARED:
        (home / Path(name).name).write_text((shipped / name).read_text(encoding="utf-8"), encoding="utf-8")
    (home / "engine.yaml").write_text(ENGINE.strip() + "\n", encoding="utf-8")
    return home


def written(rules: list[tuple[Expr, Expr | None, bool, str]]) -> str:
    """The policy document that holds the rules, each expression a plain scalar or a quoted one."""
    text = EXTRA.strip()
    for number, (require, when, exits, enforce) in enumerate(rules):
        lines = [
            f"- id: R-{number:02}",
            f"  title: Rule {number}",
            "  at: order",
            f"  require: ({format_expression(require)})",
            *([f"  when: ({format_expression(when)})"] if when is not None else []),
            "  otherwise: deny",
            f"  enforce: {enforce}",
            *(["  exits: {included: because the test says so}"] if exits else []),
        ]
        text += "\n" + textwrap.indent("\n".join(lines), "  ")
    return text + "\n"


conditions = expressions(t.BOOL, 3, ORDER_WORDS)
drawn_rules = st.lists(
    st.tuples(
        conditions,
        st.none() | expressions(t.BOOL, 2, ORDER_WORDS),
        st.booleans(),
        st.sampled_from(["shadow", "warn", "block"]),
    ),
    min_size=1,
    max_size=3,
)
near = st.integers(-3, 6) | st.integers(-3, 6).map(lambda n: n * 1_000_000) | st.integers(-(2**63), 2**63 - 1)


def _value(kind: t.Type) -> st.SearchStrategy[object]:
    if kind == t.BOOL:
        return st.booleans()
    if kind.kind is t.Kind.ENUM:
        return st.sampled_from(kind.members)
    if kind.kind is t.Kind.SYMBOL:
        return st.sampled_from(["SPY", "QQQ", "IBM"])
    return near


@st.composite
def facts(draw: st.DrawFn) -> dict[str, object]:
    """Order facts with holes."""
    observed = {n: e for n, e in ENTRIES.items() if isinstance(e.ref, FactRef)}
    gone = draw(st.sets(st.sampled_from(sorted(observed)), max_size=2))
    values = {n: draw(_value(e.type)) for n, e in observed.items() if n not in gone}
    if draw(st.booleans()):
        values["windows.cancels_5m"] = draw(st.integers(0, 6))
    values["positions"] = MISSING if draw(st.integers(0, 9)) == 0 else draw(st.lists(_held(), max_size=3))
    return values


@st.composite
def _held(draw: st.DrawFn) -> HeldPosition:
    """A held position that may lack a field."""
    position = HeldPosition()
    for name, kind in (("symbol", t.SYMBOL), ("qty", t.QUANTITY), ("exposure", USD), ("average_price", USD)):
        if draw(st.integers(0, 9)):
            setattr(position, name, draw(_value(kind)))
    return position


def views(values: dict[str, object]) -> dict[str, object]:
    made = {name: view() for name, view in VIEWS[Point.ORDER].items()}
    for name, value in values.items():
        view, _, attribute = name.partition(".")
        if not attribute:
            made[view] = value
        elif value is not MISSING:
            setattr(made[view], attribute, value)
    return made


def compiled(folder: Path, rules: list[tuple[Expr, Expr | None, bool, str]]) -> GuardSet:
    (folder / "made_up.yaml").write_text(written(rules), encoding="utf-8")
    policies = load_policies([folder])
    assert not policies.diagnostics, policies.diagnostics
    try:
        return compile_bundle(effective_bundle(policies, "T"))
    except PolicyError as fault:
        # Said of five hundred positions, a large condition costs too much.
        assert {each.code for each in fault.diagnostics} == {"MQK-1307"}
        reject()


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(rules=drawn_rules, moments=st.lists(facts(), min_size=1, max_size=8))
def test_generated_guards_agree_with_the_interpreter_on_results_and_fault_codes(
    folder: Path, rules: list[tuple[Expr, Expr | None, bool, str]], moments: list[dict[str, object]]
) -> None:
    guard = compiled(folder, rules).order
    for values in moments:
        moment = views(values)
        answers = guard.results(ViewLookup(moment))
        mask = guard.judge(*(moment[name] for name in guard.parameters))
        assert [bool(mask >> i & 1) for i in range(len(answers))] == [r is not Result.PASS for r, _ in answers]
        decision = guard.decide(moment)
        said = {finding.rule: (finding.result, finding.fault) for finding in decision.findings}
        expected = {
            rule.id: (result, error.fault.value if error else None)
            for rule, (result, error) in zip(guard.rules, answers, strict=True)
            if result is not Result.PASS
        }
        assert said == expected
        blocked = any(
            rule.enforcement == "block" and rule.outcome == "deny" and result is not Result.PASS
            for rule, (result, _) in zip(guard.rules, answers, strict=True)
        )
        assert (decision.outcome == "deny") == blocked


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules=drawn_rules, order=st.permutations(range(3)))
def test_the_order_in_which_rules_are_written_never_matters(
    folder: Path, rules: list[tuple[Expr, Expr | None, bool, str]], order: list[int]
) -> None:
    named = list(enumerate(rules))
    shuffled = [named[i] for i in order if i < len(named)]
    first = compiled(folder, rules)
    text = written(rules)
    # The same rules under the same ids, in another order.
    blocks = text.split("\n  - id: R-")
    head, bodies = blocks[0], [body.rstrip("\n") for body in blocks[1:]]
    (folder / "made_up.yaml").write_text(
        "\n  - id: R-".join([head, *(bodies[i] for i, _ in shuffled)]) + "\n", encoding="utf-8"
    )
    second = effective_bundle(load_policies([folder]), "T")
    assert second.sha256 == first.bundle.sha256
