"""The day that counts: today where none is given, and every command asks about the same one."""

from __future__ import annotations

import csv
import json
import re
from datetime import date
from pathlib import Path

import pytest

import mqk
from mqk.cli import options
from tests.cli.shell import Mqk, change

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


def backtested(mqk_: Mqk, bars: Path, out: str) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
    """The day and side of each order in the second half of 2003, and by rule the days on which it denied one."""
    days = ("--start", "2003-06-01", "--end", "2003-12-31", "--as-of", "2003-08-10")
    ended = mqk_("backtest", "--engine", "MAIN", "--bars", bars, *days, "--out", out)
    assert ended.code == 0, ended.err
    with Path(out, "orders.csv").open() as lines:
        orders = [(row["at"][:10], row["side"]) for row in csv.DictReader(lines)]
    denied: dict[str, list[str]] = {}
    for line in Path(out, "audit.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["kind"] == "refused":
            for finding in event["data"]["decision"]["findings"]:
                denied.setdefault(finding["rule"], []).append(event["at"][:10])
    return orders, denied


END = "2003-09-15"


def test_a_waiver_that_ends_within_a_backtest_ends_there(mqk: Mqk, policies: Path, bars: Path) -> None:
    """The day is the market's: what was waived until then is denied from then on, in the same run."""
    change(policies / "profiles" / "tier_a_consistent.yaml", "max_position: 20%", "max_position: 12%")
    _, without = backtested(mqk, bars, "without")
    assert min(without["CAP-01"]) < END
    dated = WAIVER.replace("from: 2026-06-01, until: 2026-07-01", f"from: 2003-08-01, until: {END}")
    (policies / "june.yaml").write_text(dated)
    orders, waived = backtested(mqk, bars, "with")
    assert [side for day, side in orders if day < END].count("BUY") > 1
    assert min(waived["CAP-01"]) >= END
    assert set(waived["CAP-01"]) & set(without["CAP-01"])


def test_nothing_is_added_once_a_leave_to_loosen_has_ended_within_a_backtest(
    mqk: Mqk, policies: Path, bars: Path
) -> None:
    """What lies beneath is known to whoever binds the policy again; until then exits alone are placed."""
    change(policies / "profiles" / "tier_a_consistent.yaml", "max_position: 20%", "max_position: 12%")
    leave = f"loosen:\n  - {{limit: max_position, why: a trial, approved_by: chief, until: {END}}}\n\n"
    engine = policies / "engines" / "main.yaml"
    change(engine, "# An ordinary moment.", f"limits: {{max_position: 30%}}\n{leave}# An ordinary moment.")
    orders, denied = backtested(mqk, bars, "out")
    assert "CAP-01" not in denied
    assert min(denied["EXPIRED"]) >= END
    assert {side for day, side in orders if day >= END} == {"SELL"}
    assert "BUY" in {side for day, side in orders if day < END}
    why = mqk("why", "EXPIRED", "--run-dir", "out").out
    assert f"The leave to loosen limits.max_position lasts until {END}: bind the policy again" in why
    assert "policies/engines/main.yaml" in why
    assert mqk("policy", "check", "policies", "--as-of", "2003-08-10").code == 0
