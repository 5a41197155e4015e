"""`mqk policy check`: every error of every file in one run, at its place, for people and for programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import Mqk, change, line_of

TIER_A = "profiles/tier_a_consistent.yaml"
FIELDS = {"code", "severity", "message", "help", "file", "line", "column", "end_line", "end_column"}


def test_the_shipped_policies_are_without_fault(mqk: Mqk) -> None:
    ended = mqk("policy", "check")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("engines EXP, MAIN: no faults\n")


def test_json_of_good_policies_is_an_empty_list(mqk: Mqk) -> None:
    ended = mqk("policy", "check", "--format", "json")
    assert (ended.code, ended.json, ended.err) == (0, [], "")


def test_three_typos_are_three_carets_with_three_suggestions(mqk: Mqk, policies: Path) -> None:
    base, bars, tier = (policies / name for name in ("controls/exposure.yaml", "integrity/bars.yaml", TIER_A))
    change(base, "  max_gross: 100% ", "  max_gros: 100%  ")
    change(bars, "feed.late <=", "feed.lat <=")
    change(tier, "extends: [us_equities_base]", "extends: [us_equites_base]")
    gross, late, extends = line_of(base, "max_gros:"), line_of(bars, "feed.lat "), line_of(tier, "extends:")
    written = base.read_text("utf-8").splitlines()[gross - 1]
    ended = mqk("policy", "check", "policies")
    assert ended.code == 1
    assert ended.err == ""
    assert ended.out == (
        f"policies/controls/exposure.yaml:{gross}:3: error[MQK-1101]: unknown limit `max_gros`\n"
        f" {gross} | {written}\n"
        f" {' ' * len(str(gross))} |   ^^^^^^^^\n"
        "   help: did you mean `max_gross`?\n"
        "\n"
        f"policies/integrity/bars.yaml:{late}:14: error[MQK-1302]: unknown name `feed.lat`\n"
        f" {late} |     require: feed.lat <= limits.stale_after\n"
        f" {' ' * len(str(late))} |              ^^^^^^^^\n"
        "   help: did you mean `feed.late`?\n"
        "\n"
        f"policies/{TIER_A}:{extends}:11: error[MQK-1201]: there is no `risk` document `us_equites_base`\n"
        f" {extends} | extends: [us_equites_base]\n"
        "   |           ^^^^^^^^^^^^^^^\n"
        "   help: did you mean `us_equities_base`?\n"
        "\n"
        "3 errors in 3 files\n"
        "explained by: mqk explain MQK-1101 MQK-1302 MQK-1201\n"
    )


def test_quiet_says_only_what_is_wrong(mqk: Mqk, policies: Path) -> None:
    assert mqk("policy", "check", "--quiet").out == ""
    change(policies / "engines" / "main.yaml", "mode: PAPER\n\n", "mode: PAPR\n\n")
    loud, quiet = mqk("policy", "check").out, mqk("policy", "check", "-q")
    assert quiet.code == 1
    assert loud.startswith(quiet.out)
    assert "error[" in quiet.out
    assert "explain" not in quiet.out


def test_the_summary_counts_what_was_checked(mqk: Mqk) -> None:
    said = mqk("policy", "check").out
    assert re.fullmatch(r"\d+ documents in \d+ files, \d+ rules, engines EXP, MAIN: no faults\n", said)


def test_github_and_sarif_are_for_machines(mqk: Mqk, policies: Path) -> None:
    change(policies / "engines" / "main.yaml", "mode: PAPER\n\n", "mode: PAPR\n\n")
    github = mqk("policy", "check", "--format", "github")
    assert github.code == 1
    assert github.out.startswith("::error file=policies/engines/main.yaml,line=")
    sarif = mqk("policy", "check", "--format", "sarif")
    assert (sarif.code, sarif.err) == (1, "")
    assert [each["ruleId"] for each in sarif.json["runs"][0]["results"]] == ["MQK-1105"]


@pytest.mark.parametrize(
    ("written", "code", "underlined", "help_has"),
    [
        ("  max_position: 0.20", "MQK-1111", "0.20", "`20%` or `0.20%`"),
        ("  max_position: 15:59", "MQK-1111", "15:59", "%"),
        ("  allow_short: no", "MQK-1115", "no", "`false`"),
        ("  max_position: 20%\n  max_position: 25%", "MQK-1005", "max_position", "keep one"),
        ("  max_position: &cap 20%", "MQK-1006", "&cap", "remove it"),
        ("  risk.pdt: {mode: auto}", "MQK-1015", "risk.pdt", "`risk:`"),
    ],
)
def test_each_trick_of_yaml_is_one_error_at_the_very_token(
    mqk: Mqk, policies: Path, written: str, code: str, underlined: str, help_has: str
) -> None:
    file = policies / TIER_A
    change(file, "  max_position: 20%", written)
    ended = mqk("policy", "check", "policies", "--format", "json")
    assert ended.code == 1
    assert [each["code"] for each in ended.json] == [code]
    (found,) = ended.json
    line = file.read_text("utf-8").splitlines()[found["line"] - 1]
    assert line[found["column"] - 1 : found["end_column"] - 1] == underlined
    assert help_has in found["help"]


def test_json_is_a_list_of_exactly_the_promised_fields(mqk: Mqk, policies: Path) -> None:
    change(policies / "engines" / "main.yaml", "mode: PAPER\n\n", "mode: PAPR\n\n")
    ended = mqk("policy", "check", "--format", "json")
    assert ended.code == 1
    assert ended.err == ""
    assert [set(each) for each in ended.json] == [FIELDS]
    assert ended.json[0]["file"] == "policies/engines/main.yaml"


def test_expressions_and_parameters_are_checked_although_another_file_is_broken(mqk: Mqk, policies: Path) -> None:
    (policies / "broken.yaml").write_text("kind: risk\n  id: x\n", "utf-8")
    change(policies / "controls" / "operations.yaml", "not run.killed", "not run.kiled")
    change(policies / "engines" / "main.yaml", "lookback: 50", "lookback: often")
    change(policies / "engines" / "exp.yaml", "  market.price: 470.00 USD", "  market.prize: 470.00 USD")
    change(policies / "lifecycle" / "run.yaml", "reconcile.age < 60s, confirm", "reconcile.age < 60 USD, confirm")
    found = mqk("policy", "check", "--format", "json").json
    assert [(each["file"].removeprefix("policies/"), each["code"]) for each in found] == [
        ("broken.yaml", "MQK-1001"),
        ("controls/operations.yaml", "MQK-1302"),
        ("engines/exp.yaml", "MQK-1403"),
        ("engines/main.yaml", "MQK-1404"),
        ("lifecycle/run.yaml", "MQK-1304"),
    ]


def test_a_fault_that_several_engines_meet_is_reported_once(mqk: Mqk, policies: Path) -> None:
    base = policies / "controls" / "operations.yaml"
    change(base, "not run.killed", "not run.kiled")
    found = mqk("policy", "check", "--format", "json").json
    assert [(each["code"], each["line"]) for each in found] == [("MQK-1302", line_of(base, "run.kiled"))]


def test_rules_that_no_engine_uses_are_checked_all_the_same(mqk: Mqk, policies: Path) -> None:
    (policies / "spare.yaml").write_text(
        "kind: risk\nid: spare\ntitle: Unused\nowner: risk-office\nextends: [us_equities_base]\n"
        "limits: {room: 5%}\n"
        "rules:\n"
        "  - {id: X-1, title: Good, at: order, otherwise: deny, require: order.value <= limits.room of account.cash}\n"
        "  - {id: X-2, title: Bad, at: order, otherwise: deny, require: order.valu <= limits.room of account.cash}\n",
        "utf-8",
    )
    found = mqk("policy", "check", "--format", "json").json
    assert [(each["code"], each["file"], each["line"]) for each in found] == [("MQK-1302", "policies/spare.yaml", 9)]


def test_a_limit_that_nothing_reads_is_an_error(mqk: Mqk, policies: Path) -> None:
    change(policies / "profiles" / "tier_a_consistent.yaml", "  daily_loss: 2%", "  daily_loss: 2%\n  weekly_pain: 5%")
    found = mqk("policy", "check", "--format", "json").json
    assert [(each["code"], each["message"]) for each in found] == [
        ("MQK-1401", "no rule of `MAIN` reads the limit `weekly_pain`")
    ]


def test_a_limit_with_an_unreadable_value_is_one_mistake(mqk: Mqk, policies: Path) -> None:
    base = policies / "controls" / "rates.yaml"
    change(base, "rejects: 5 per 300s", "rejects: 5 times")
    change(policies / "profiles" / "tier_b_experimental.yaml", "  rejects: 3 per 300s\n", "")
    found = mqk("policy", "check", "--format", "json").json
    assert [each["line"] for each in found] == [line_of(base, "rejects: 5 times")]


def test_a_strategy_that_is_not_installed_here_is_a_warning_and_no_error(mqk: Mqk, policies: Path) -> None:
    change(policies / "engines" / "exp.yaml", "  - id: exp_meanrev_v1", "  - id: our_own_v1")
    ended = mqk("policy", "check", "--format", "json")
    assert ended.code == 0
    assert [(each["severity"], each["code"]) for each in ended.json] == [("warning", "MQK-1404")]


def test_an_engine_that_trades_without_a_life_of_orders_is_told_before_it_trades(mqk: Mqk, policies: Path) -> None:
    main = policies / "engines/main.yaml"
    change(main, "lifecycle: [run, order]", "lifecycle: [run]")
    ended = mqk("policy", "check", "policies", "--format", "json")
    assert [(each["code"], each["line"]) for each in ended.json] == [
        ("MQK-1640", line_of(main, "- id: swing_trend_v1"))
    ]
    # Who only watches places no order, and needs no life of any.
    change(main, "  - id: swing_trend_v1", "  - id: swing_trend_v1\n    shadow: true")
    assert mqk("policy", "check", "policies").code == 0


def test_a_path_that_is_not_there_is_a_finding(mqk: Mqk) -> None:
    ended = mqk("policy", "check", "nowhere")
    assert ended.code == 1
    assert "there is no file or folder `nowhere`" in ended.out


def test_checking_loads_no_calendar_no_data_frames_and_no_database() -> None:
    script = (
        "import json, sys\n"
        "from mqk.cli.main import main\n"
        "code = main(['policy', 'check', '--format', 'json'])\n"
        "heavy = ('pandas', 'numpy', 'exchange_calendars', 'sqlalchemy', 'sqlmodel', 'alembic', 'psycopg')\n"
        "heavy += ('llvmlite',)\n"
        "sys.stderr.write(json.dumps([code, [name for name in heavy if name in sys.modules]]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stderr) == [0, []]
