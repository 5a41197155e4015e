"""`mqk policy impact` and `mqk policy coverage` over what backtests and paper runs have recorded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mqk.cli.sections import Section, html_page, markdown_lines
from tests.cli.shell import Ended, Mqk, change

DAYS = ("--start", "2003-06-01", "--end", "2003-09-30")


@pytest.fixture
def head(policies: Path) -> Path:
    """The same policies with a tighter cap."""
    tighter = Path(shutil.copytree(policies, policies.parent / "head"))
    change(tighter / "profiles" / "tier_a_consistent.yaml", "max_position: 20%", "max_position: 12%")
    return tighter


@pytest.fixture
def recorded(mqk: Mqk, policies: Path, bars: Path) -> Path:
    """The artifacts of a backtest."""
    ended = mqk("backtest", "--policies", policies, "--engine", "MAIN", "--bars", bars, *DAYS, "--out", "out")
    assert ended.code == 0, ended.err
    return policies.parent / "out"


def impact(mqk: Mqk, *options: object) -> Ended:
    return mqk("policy", "impact", "policies", "head", "--decisions", *options)


@pytest.mark.usefixtures("head")
def test_an_impact_says_which_orders_flip_by_which_rule_and_for_how_much(mqk: Mqk, recorded: Path) -> None:
    ended = impact(mqk, recorded, "--format", "json", "--limit", "2")
    assert ended.code == 0, ended.err
    found = ended.json
    assert {each["direction"] for each in found["flips"]} == {"TIGHTER"}
    assert {rule for each in found["flips"] for rule in each["rules"]} == {"CAP-01"}
    assert (found["unlike_recorded"], found["not_evaluated"], found["lost"]) == (0, {}, [])
    assert len(found["sample"]) == 2
    for each in found["sample"]:
        assert (each["before"]["outcome"], each["after"]["outcome"]) == ("allow", "deny")
    text = impact(mqk, recorded).out
    for words in ("CAP-01", "by day", "allow → deny", "what would have followed from a flip is not played"):
        assert words in text


def test_a_report_is_written_as_markdown_and_as_a_page() -> None:
    made = [Section("sum", ("rule", "n"), [("A|B", "<1>")], (1,), ["said below"])]
    assert markdown_lines(made) == ["## sum", "", "| rule | n |", "|---|---:|", "| A\\|B | <1> |", "", "said below", ""]
    page = html_page("sum", made)
    assert page.startswith("<!doctype html>")
    assert '<td class="n">&lt;1&gt;</td>' in page


@pytest.mark.usefixtures("policies")
def test_coverage_over_a_history_names_what_never_fired_and_what_is_used_of_limits(mqk: Mqk, recorded: Path) -> None:
    text = mqk("policy", "coverage", "policies", "--decisions", recorded).out
    assert "rules that never fired" in text
    assert "never approached" in text
    assert any("CAP-01" in line and "below" in line for line in text.splitlines())


def test_a_source_without_decisions_is_refused(mqk: Mqk, policies: Path) -> None:
    ended = mqk("policy", "impact", policies, policies, "--decisions", policies)
    assert ended.code == 2
    assert "holds no recorded decisions" in ended.err
    assert "help:" in ended.err


@pytest.mark.usefixtures("head", "recorded")
def test_a_paper_run_records_what_the_backtest_of_the_same_bars_records(
    mqk: Mqk, bars: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MQK_DATABASE_URL", database_url)
    paper = ("run", "paper", "--policies", "policies", "--engine", "MAIN", "--bars", bars, *DAYS, "--pace", "0s")
    assert mqk(*paper).code == 0
    assert mqk("run", "export", "exported").code == 0
    (file,) = (tmp_path / "exported").iterdir()
    ours, theirs = orders(file), orders(tmp_path / "out" / "decisions.parquet")
    assert len(ours) == len(theirs) > 0
    # What differs between a backtest and a paper run: names, the mode, and what the run is told of the desk.
    named = {"decision_id", "run_id", "bundle", "mode", "facts.run.mode", "client_order_id", "facts.run.armed_for"}
    told = {"facts.firm.equity", "facts.firm.gross_exposure", "facts.clock.skew", "ages.clock.skew"}
    for mine, other in zip(ours, theirs, strict=True):
        shared = mine.keys() & other.keys() - named - told
        assert {key: mine[key] for key in shared} == {key: other[key] for key in shared}
    found = [impact(mqk, source, "--format", "json").json for source in ("database", tmp_path / "out")]
    assert tally(found[0]) == tally(found[1])


def orders(file: Path) -> list[dict[str, Any]]:
    table = pq.read_table(file).to_pylist()
    return sorted((row for row in table if row["point"] == "order"), key=lambda row: (row["at"], row["symbol"]))


def tally(found: dict[str, Any]) -> str:
    return json.dumps([found["judged"].get("MAIN", {}).get("order"), found["flips"]], sort_keys=True)
