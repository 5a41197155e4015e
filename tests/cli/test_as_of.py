"""The day that counts: today where none is given, and every command asks about the same one."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

import mqk
from mqk.cli import options
from tests.cli.shell import Mqk

WAIVER = """kind: waiver
id: june
title: Index rebalancing in June
owner: risk-office
rule: CAP-01
engines: [MAIN]
why: the index is rebalanced
requested_by: head-of-trading
approved_by: chief
effective: {from: 2026-06-01, until: 2026-07-01}
"""


def effective(mqk_: Mqk, *arguments: str) -> list[str]:
    shown = mqk_("policy", "effective", "--engine", "MAIN", "--format", "json", *arguments)
    assert shown.code == 0, shown.err
    return [each["id"] for each in shown.json["waivers"]]


def test_without_a_day_today_counts(mqk: Mqk, policies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (policies / "june.yaml").write_text(WAIVER)
    for day, waived in (
        (date(2026, 5, 31), []),
        (date(2026, 6, 1), ["june"]),
        (date(2026, 6, 30), ["june"]),
        (date(2026, 7, 1), []),
    ):
        monkeypatch.setattr(options, "today", lambda day=day: day)
        assert effective(mqk) == waived
        assert effective(mqk, "--as-of", day.isoformat()) == waived
    assert effective(mqk, "--as-of", "2026-06-15") == ["june"]


def test_check_judges_the_day_it_is_asked_about(mqk: Mqk, policies: Path) -> None:
    (policies / "june.yaml").write_text(WAIVER.replace("CAP-01", "CAP-99"))
    told = mqk("policy", "check", "policies", "--as-of", "2026-06-30")
    assert (told.code, "MQK-1220" in told.out) == (1, True)
    assert mqk("policy", "check", "policies", "--as-of", "2026-07-01").code == 0


def test_a_clock_is_read_nowhere_near_a_policy() -> None:
    package = Path(mqk.__file__).parent
    for floor in ("quantity", "dsl", "policy", "guards", "analysis", "engine", "backtest"):
        for path in (package / floor).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"\.(now|today|utcnow)\(|time\.time\(|time_ns\(", text), path


def test_the_effective_policy_shows_what_holds_for_a_while_only(mqk: Mqk, policies: Path) -> None:
    (policies / "june.yaml").write_text(WAIVER)
    engine = policies / "engines" / "main.yaml"
    leave = "loosen:\n  - {rule: CAP-02, why: a trial, approved_by: chief, until: 2026-06-15}\n"
    text = engine.read_text(encoding="utf-8")
    engine.write_text(text + "\nlet: {open_loss: account.equity}\nenforce: {CAP-02: warn}\n" + leave)
    shown = mqk("policy", "effective", "--engine", "MAIN", "--as-of", "2026-06-14").out
    assert re.search(r"waived\n +CAP-01 +june +everywhere +until 2026-07-01 +by chief +\S+june.yaml:2\n", shown)
    assert re.search(r"loosened\n +rules.CAP-02 +engine:MAIN +a trial +until 2026-06-15 +by chief", shown)
    assert re.search(r"names\n(?: +.*\n)* +open_loss +account.equity", shown)
    assert re.search(r"broker +paper", shown)
    ended = mqk("policy", "effective", "--engine", "MAIN", "--as-of", "2026-06-15").out
    assert "loosened\n" not in ended
    assert re.search(r"not in force\n +engine:MAIN +CAP-02: warn \(loosened until 2026-06-15\)", ended)
