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
