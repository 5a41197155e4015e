"""`mqk assess`: what ships answers what is asked, and the report is the same for the same inputs in every form."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mqk.cli.main import main
from mqk.policy import answers, effective_bundle, load_policies, read_obligations, shipped_policies_dir
from tests.analysis.assess.desk import CAPS, change, desk
from tests.cli.shell import Mqk

ASKED = {
    "sec_15c3_5": ["(b)", "(c)(1)(i)", "(c)(1)(ii)", "(c)(2)(i)", "(c)(2)(ii)", "(c)(2)(iii)", "(c)(2)(iv)", "(d)",
                   "(e)"],
    "eu_rts_6": ["Art. 9", "Art. 12", "Art. 15(1)(a)", "Art. 15(1)(b)", "Art. 15(1)(c)", "Art. 15(1)(d)", "Art. 15(2)",
                 "Art. 15(3)", "Art. 15(4)", "Art. 15(5)", "Art. 15(6)", "Art. 16", "Art. 17", "Art. 18"],
    "finra_4210": ["4210(d)(2)", "4210(f)(1)"],
}  # fmt: skip


@pytest.fixture(scope="module")
def backtest(tmp_path_factory: pytest.TempPathFactory, bars: Path) -> Path:
    """The artifacts of a backtest of what ships."""
    out = tmp_path_factory.mktemp("history") / "run"
    arguments = ["backtest", "--engine", "MAIN", "--as-of", "2026-06-10", "--out", str(out)]
    assert main([*arguments, "--policies", str(shipped_policies_dir()), "--bars", str(bars)]) == 0
    return out


@pytest.mark.parametrize("document", ASKED)
def test_every_article_has_an_obligation(document: str) -> None:
    found = {each.id: each for each in read_obligations(load_policies([shipped_policies_dir()]), None)}
    articles = {each.article for each in found[document].obligations}
    assert set(ASKED[document]) <= articles


def test_what_ships_answers_every_obligation_and_says_what_fired(mqk: Mqk, backtest: Path) -> None:
    when = ("--as-of", "2026-06-10", "--since", "2003-06-01")
    asked = ("--decisions", backtest.parent, "--format", "json", "--fail-on-gap")
    ended = mqk("assess", shipped_policies_dir(), *when, *asked)
    assert (ended.code, ended.err) == (0, "")
    made = ended.json
    assert made["summary"]["obligations"]["gap"] == made["summary"]["findings"]["gap"] == 0
    assert made["tests"]["failed"] == []
    assert {each["verdict"] for each in made["claims"]} == {"PROVED"}
    told = {each["engine"]: each for each in made["controls"]["CAP-01"]["engines"]}
    assert told["MAIN"]["fired"] > 0
    assert re.fullmatch(r"200[345]-\d\d-\d\dT.*", told["MAIN"]["last_fired"])
    assert told["EXP"]["fired"] is None
    (source,) = made["evidence"]["sources"]
    assert (source["engine"], source["current"]) == ("MAIN", True)


def test_before_the_day_the_pattern_rule_answers_and_after_it_intraday_margin() -> None:
    loaded = load_policies([shipped_policies_dir()])

    def controls(day: date) -> set[str]:
        found = [each for document in read_obligations(loaded, day) for each in document.obligations]
        (asked,) = [each for each in found if each.id == "FINRA-DT"]
        rules = [rule.id for rule in effective_bundle(loaded, "MAIN", as_of=day).rules]
        return {rule for rule in rules if any(answers(rule, control) for control in asked.controls)}

    assert controls(date(2026, 6, 3)) == {"REG-01", "REG-03"}
    assert controls(date(2026, 6, 4)) == {"REG-02", "REG-02b"}


def report(mqk: Mqk, policies: Path, format_: str, *more: object) -> str:
    ended = mqk("assess", policies, "--as-of", "2026-06-01", "--format", format_, *more)
    assert (ended.code, ended.err) == (0, "")
    return ended.out


@pytest.mark.parametrize("format_", ["markdown", "html", "json"])
def test_the_same_inputs_give_the_same_report(mqk: Mqk, tmp_path: Path, format_: str) -> None:
    policies = desk(tmp_path)
    assert report(mqk, policies, format_) == report(mqk, policies, format_)


def test_the_page_needs_nothing_else_and_shows_text_as_text(mqk: Mqk, tmp_path: Path) -> None:
    policies = desk(tmp_path, CAPS.replace("No symbol dominates.", "no <script>alert(1)</script> | `here`"))
    page = report(mqk, policies, "html")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.findall(r"(?:src|href)=\"(?!#)|url\(|@import|https?://", page)
    assert "@media print" in page
    table = report(mqk, policies, "markdown")
    assert r"no \<script\>alert(1)\</script\> \| `here`" in table


def test_a_file_or_a_folder_takes_the_report(mqk: Mqk, tmp_path: Path) -> None:
    policies = desk(tmp_path)
    assert report(mqk, policies, "html", "--out", "reports").splitlines() == [
        "1 obligations: 1 answered",
        f"written to {Path('reports/assessment.html')}",
    ]
    report(mqk, policies, "markdown", "--out", "reports/june.md")
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["assessment.html", "june.md"]


def decided(rule: str, at: int, point: str = "order") -> dict[str, Any]:
    return {"decision_id": f"d{at}", "run_id": "r", "engine": "DESK", "bundle": "0" * 64, "mode": "PAPER",
            "point": point, "at": at, "outcome": "deny", "deciding": [rule]}  # fmt: skip


def test_recorded_decisions_count_between_the_last_review_and_the_day(mqk: Mqk, tmp_path: Path) -> None:
    policies, day = desk(tmp_path), 86_400_000_000
    rows = [decided("CAP-01", at * day) for at in (20_000, 20_500, 20_605, 20_606)]
    table = pa.Table.from_pylist(rows)
    at = table.schema.get_field_index("at")
    pq.write_table(
        table.set_column(at, "at", table.column("at").cast(pa.timestamp("us", tz="UTC"))), "decisions.parquet"
    )
    made = json.loads(report(mqk, policies, "json", "--decisions", "decisions.parquet", "--since", "2025-01-01"))
    (control,) = made["controls"]["CAP-01"]["engines"]
    assert (control["fired"], control["last_fired"], control["last_decision"]) == (
        2,
        "2026-06-01T00:00:00Z",
        f"d{20_605 * day}",
    )
    assert any("only the rules that decided" in said for said in made["unseen"])
    assert "2 recorded decisions: they lie outside of the time assessed" in made["unseen"]


def test_a_record_that_was_changed_is_left_out_and_told(mqk: Mqk, tmp_path: Path, backtest: Path) -> None:
    changed = tmp_path / "audit.jsonl"
    changed.write_bytes((backtest / "audit.jsonl").read_bytes().replace(b"BREACH", b"PASS", 1))
    made = json.loads(report(mqk, desk(tmp_path), "json", "--decisions", changed))
    assert made["evidence"]["decisions"] == 0
    assert "is not as it was written" in made["evidence"]["unread"][0]


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=desk", "-c", "user.email=desk@example.invalid")
    day = {"GIT_AUTHOR_DATE": "2026-03-02T12:00:00Z", "GIT_COMMITTER_DATE": "2026-03-02T12:00:00Z"}
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, env=os.environ | day)


def test_what_changed_since_the_last_review_is_compared(mqk: Mqk, tmp_path: Path) -> None:
    policies = desk(tmp_path)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "as reviewed")
    change(policies, "engine", "max_position: 15%", "max_position: 16%")
    for since in ("HEAD", "2026-03-03"):
        changes = json.loads(report(mqk, policies, "json", "--since", since))["changes"]
        assert changes["difference"]["verdict"] == "LOOSER"
        (limit,) = [each for each in changes["difference"]["changes"] if each["path"] == "limits.max_position"]
        assert (limit["before"], limit["after"], limit["direction"]) == ("15%", "16%", "LOOSER")
    assert "let more pass than at HEAD" in report(mqk, policies, "markdown", "--since", "HEAD")
    unseen = json.loads(report(mqk, policies, "json", "--since", "2026-03-01"))["changes"]
    assert unseen["difference"] is None
    assert "no revision of the policies is as old" in unseen["unseen"][0]
    assert "no git revision `HAED`" in mqk("assess", policies, "--since", "HAED").err


def test_the_log_of_policies_says_who_agreed_and_whether_what_is_assessed_is_active(
    mqk: Mqk, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQK_DATABASE_URL", database_url)
    policies = desk(tmp_path)

    def assessed() -> Any:
        return json.loads(mqk("assess", policies, "--database", "--format", "json").out)

    assert "no policy was ever activated" in " ".join(assessed()["unseen"])
    assert mqk("policy", "propose", policies, "--reason", "the first", "--as", "ana").code == 0
    for name in ("bo", "cy"):
        assert mqk("policy", "approve", 1, "--as", name, "--yes", "--shared-account").code == 0
    assert mqk("policy", "activate", 1, "--as", "ana").code == 0
    made = assessed()
    (entry,) = made["changes"]["log"]
    told = {key: entry[key] for key in ("what", "engine", "revision", "proposed_by", "approved_by", "why")}
    assert told == {
        "what": "activated",
        "engine": "DESK",
        "revision": 1,
        "proposed_by": "ana",
        "approved_by": ["bo", "cy"],
        "why": "the first",
    }
    assert [each for each in made["gaps"] if each["kind"] == "not active"] == []
    change(policies, "engine", "max_position: 15%", "max_position: 16%")
    (gap,) = [each for each in assessed()["gaps"] if each["kind"] == "not active"]
    assert (gap["weight"], gap["engines"]) == ("gap", ["DESK"])
    for format_ in ("markdown", "html"):
        assert "bo, cy" in mqk("assess", policies, "--database", "--format", format_).out


def test_a_gap_ends_in_a_finding_when_asked(mqk: Mqk, tmp_path: Path) -> None:
    policies = desk(tmp_path, cases=None)
    assert mqk("assess", policies).code == 0
    assert mqk("assess", policies, "--fail-on-gap").code == 1


def test_what_cannot_be_assessed_is_said(mqk: Mqk, tmp_path: Path) -> None:
    policies = desk(tmp_path)
    assert mqk("assess", policies, "--engine", "DESC").err.endswith("help: did you mean `DESK`?\n")
    assert "holds no recorded decisions" in mqk("assess", policies, "--decisions", tmp_path / "policies").err
    (policies / "house.yaml").unlink()
    ended = mqk("assess", policies)
    assert (ended.code, ended.out) == (2, "")
    assert "there are no obligations" in ended.err
