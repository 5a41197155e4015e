"""Layers only tighten: a loosening is refused with both places and an order that shows it, or declared and let be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import Mqk, change, line_of

TIER_A = "profiles/tier_a_consistent.yaml"
BASE = "controls/exposure.yaml"
LOOSEN = """
loosen:
  - limit: max_position
    why: the desk grows into its new capital
    approved_by: chief-risk-officer
    until: 2099-01-01
"""


def test_a_layer_that_loosens_a_limit_is_refused_with_both_places_and_an_order_that_it_would_let_pass(
    mqk: Mqk, policies: Path
) -> None:
    change(policies / TIER_A, "  max_position: 20%", "  max_position: 25%")
    ended = mqk("policy", "check", "policies")
    here, beneath = line_of(policies / TIER_A, "max_position"), line_of(policies / BASE, "max_position:")
    assert ended.code == 1
    assert f"policies/{TIER_A}:{here}:" in ended.out
    assert "error[MQK-1420]: `limits.max_position` is `25%` here and `20%` beneath" in ended.out
    assert f"policies/{BASE}:{beneath}:" in ended.out
    assert "order.qty " in ended.out
    assert "`projected.position_value` is " in ended.out


def test_no_backtest_runs_on_a_layer_that_loosens(mqk: Mqk, policies: Path) -> None:
    change(policies / TIER_A, "  daily_loss: 2%", "  daily_loss: 3%")
    ended = mqk("backtest", "--policies", "policies", "--engine", "MAIN", "--bars", ".", "--out", "out")
    assert ended.code == 2
    assert "MQK-1420" in ended.err


def test_a_loosening_that_is_declared_is_let_be(mqk: Mqk, policies: Path) -> None:
    change(policies / TIER_A, "  max_position: 20%", "  max_position: 25%")
    text = (policies / TIER_A).read_text("utf-8")
    (policies / TIER_A).write_text(text + LOOSEN, "utf-8")
    ended = mqk("policy", "check", "policies")
    assert (ended.code, "no faults" in ended.out) == (0, True), ended.out


def test_a_loosening_that_is_declared_excuses_no_other(mqk: Mqk, policies: Path) -> None:
    change(policies / TIER_A, "  max_position: 20%", "  max_position: 25%")
    change(policies / TIER_A, "  max_drawdown: 18%", "  max_drawdown: 30%")
    text = (policies / TIER_A).read_text("utf-8")
    (policies / TIER_A).write_text(text + LOOSEN, "utf-8")
    ended = mqk("policy", "check", "policies", "--format", "json")
    assert [(each["code"], each["line"]) for each in ended.json] == [
        ("MQK-1420", line_of(policies / TIER_A, "max_drawdown"))
    ]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("require: order.qty >= 0", "MQK-1422"),
        ("require: order.qty > 5 and order.qty < 5", "MQK-1423"),
    ],
)
def test_a_rule_that_says_nothing_is_an_error_where_it_stands(mqk: Mqk, policies: Path, rule: str, code: str) -> None:
    file = policies / TIER_A
    added = f"\nrules:\n  - id: OWN-01\n    title: Says nothing\n    at: order\n    {rule}\n    otherwise: deny\n"
    file.write_text(file.read_text("utf-8") + added, "utf-8")
    ended = mqk("policy", "check", "policies", "--format", "json")
    assert [(each["code"], each["line"]) for each in ended.json] == [(code, line_of(file, "OWN-01"))]


def test_a_layer_that_will_loosen_on_a_later_day_is_told_today(mqk: Mqk, policies: Path) -> None:
    file = policies / TIER_A
    rule = """
rules:
  - id: ORD-11
    title: Any symbol, later
    at: order
    require: order.symbol in engine.universe or order.qty < 5
    otherwise: deny
    effective: {from: 2098-01-01}
"""
    file.write_text(file.read_text("utf-8") + rule, "utf-8")
    ended = mqk("policy", "check", "policies", "--format", "json")
    assert [(each["code"], each["line"]) for each in ended.json] == [("MQK-1420", line_of(file, "ORD-11"))]
    assert ended.json[0]["message"].startswith("from 2098-01-01 on, ")


def test_a_leave_to_loosen_is_no_leave_for_the_layer_above(mqk: Mqk, policies: Path) -> None:
    change(policies / TIER_A, "  max_position: 20%", "  max_position: 25%")
    text = (policies / TIER_A).read_text("utf-8")
    (policies / TIER_A).write_text(text + LOOSEN, "utf-8")
    engine = policies / "engines/main.yaml"
    engine.write_text(engine.read_text("utf-8") + "\nlimits:\n  max_position: 30%\n", "utf-8")
    ended = mqk("policy", "check", "policies", "--format", "json")
    assert [(each["code"], each["file"]) for each in ended.json] == [("MQK-1420", "policies/engines/main.yaml")]


def test_a_name_that_a_layer_redefines_is_compared_by_what_it_comes_to(mqk: Mqk, policies: Path) -> None:
    base = policies / BASE
    change(
        base, "projected.position_value <= limits.max_position of projected.equity", "projected.position_value <= room"
    )
    text = base.read_text("utf-8")
    base.write_text(text + "\nlet:\n  room: limits.max_position of projected.equity\n", "utf-8")
    tier = policies / TIER_A
    before = tier.read_text("utf-8")
    tier.write_text(before + "\nlet:\n  room: min(limits.max_position of projected.equity, 15_000 USD)\n", "utf-8")
    assert mqk("policy", "check", "policies").code == 0
    tier.write_text(before + "\nlet:\n  room: max(limits.max_position of projected.equity, 15_000 USD)\n", "utf-8")
    ended = mqk("policy", "check", "policies", "--format", "json")
    assert [(each["code"], each["file"]) for each in ended.json] == [("MQK-1420", f"policies/{TIER_A}")]
