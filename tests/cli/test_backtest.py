"""`mqk backtest` and `mqk why --run-dir`: one run, its figures, its files, and what it refused, explained."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import Ended, Mqk, change

PROMISED = {"bars", "orders", "fills", "denied", "halts", "final_equity", "max_drawdown", "artifacts_sha256"}
ARTIFACTS = {
    "audit.jsonl",
    "decisions.parquet",
    "corporate_actions.csv",
    "equity_curve.csv",
    "fills.csv",
    "manifest.json",
    "metrics.json",
    "orders.csv",
    "report.html",
}


def backtest(mqk: Mqk, *options: object) -> Ended:
    return mqk("backtest", "--policies", "policies", "--engine", "MAIN", "--out", "out", "--format", "json", *options)


@pytest.fixture
def tight(policies: Path) -> Path:
    """Policies that some orders of the test's bars break."""
    change(policies / "profiles" / "tier_a_consistent.yaml", "max_position: 20%", "max_position: 12%")
    return policies


@pytest.mark.usefixtures("tight")
def test_stdout_is_the_promised_summary_and_nothing_else(mqk: Mqk, tmp_path: Path, bars: Path) -> None:
    ended = backtest(mqk, "--bars", bars)
    assert ended.code == 0
    assert set(ended.json) >= PROMISED
    assert ended.json["bars"] == sum(len(path.read_text("ascii").splitlines()) - 1 for path in bars.iterdir())
    assert ended.json["denied"] > 0
    assert "bars/s" in ended.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == ARTIFACTS


@pytest.mark.usefixtures("policies")
def test_paths_may_follow_one_option_or_each_have_one(mqk: Mqk, bars: Path) -> None:
    first, second = sorted(bars.iterdir())
    one = backtest(mqk, "--bars", first, second, "--end", "2003-12-31")
    each = backtest(mqk, "--bars", first, "--bars", second, "--end", "2003-12-31")
    assert one.code == each.code == 0
    assert one.json == each.json


@pytest.mark.usefixtures("policies")
def test_days_cut_the_bars_at_both_ends_included(mqk: Mqk, bars: Path) -> None:
    path = bars / "IBM_1D.csv"
    ended = backtest(mqk, "--bars", path, "--start", "2004-03-01", "--end", "2004-03-05")
    assert ended.json["bars"] == 5


@pytest.mark.usefixtures("tight")
def test_the_text_explains_one_refusal_in_full(mqk: Mqk, bars: Path) -> None:
    ended = mqk("backtest", "--engine", "MAIN", "--bars", bars, "--out", "out")
    assert ended.code == 0
    assert "CAP-01  No symbol dominates the book" in ended.out
    assert "set in policies/profiles/tier_a_consistent.yaml:10 by risk:tier_a_consistent" in ended.out
    assert "headroom" in ended.out


@pytest.mark.usefixtures("tight")
def test_why_finds_a_refusal_by_rule_and_by_line(mqk: Mqk, tmp_path: Path, bars: Path) -> None:
    backtest(mqk, "--bars", bars)
    by_rule = mqk("why", "CAP-01", "--run-dir", "out", "--format", "json").json
    assert by_rule["outcome"] == "deny"
    assert by_rule["findings"][0]["rule"] == "CAP-01"
    assert by_rule["facts"]["order.side"] == "BUY"
    by_line = mqk("why", by_rule["decision_id"], "--run-dir", "out", "--format", "json").json
    assert by_line == by_rule
    line = (tmp_path / "out" / "audit.jsonl").read_text("utf-8").splitlines()[int(by_rule["decision_id"])]
    (recorded,) = json.loads(line)["data"]["decision"]["findings"]
    assert recorded.items() <= by_rule["findings"][0].items()
    text = mqk("why", "CAP-01", "--run-dir", "out").out
    assert by_rule["findings"][0]["message"] in text
    (size,) = [each for each in by_rule["distance"]["rules"][0]["flips"] if each["quantity"] == "order.qty"]
    assert f"shares too many: passes at {size['passes']} shares" in text
    assert "set in policies/profiles/tier_a_consistent.yaml:10 by risk:tier_a_consistent" in text


def test_why_names_no_line_of_policies_that_are_not_those_of_the_decision(mqk: Mqk, tight: Path, bars: Path) -> None:
    backtest(mqk, "--bars", bars)
    change(tight / "profiles" / "tier_a_consistent.yaml", "max_position: 12%", "max_position: 13%")
    ended = mqk("why", "CAP-01", "--run-dir", "out")
    assert ended.code == 0
    assert "must be at most" in ended.out
    assert "set in" not in ended.out
    assert "what would change it" not in ended.out
    assert "--policies" in ended.err


@pytest.mark.usefixtures("tight")
def test_whatif_replays_a_recorded_decision_and_its_whole_history_with_another_limit(mqk: Mqk, bars: Path) -> None:
    denied = backtest(mqk, "--bars", bars).json["denied"]
    command = ("policy", "whatif", "--decision", "CAP-01", "--run-dir", "out", "--decisions", "out", "--format", "json")
    ended = mqk(*command, "--set", "limits.max_position=100%")
    assert (ended.code, ended.err) == (0, "")
    before, after, history = (ended.json[each] for each in ("before", "after", "history"))
    assert (before["outcome"], after["outcome"]) == ("deny", "allow")
    assert before["distance"]["rules"][0]["rule"] == "CAP-01"
    assert (ended.json["verdict"], list(ended.json["engines"])) == ("LOOSER", ["MAIN"])
    (change,) = ended.json["changes"]
    assert (change["path"], change["before"], change["after"]) == ("limits.max_position", "12%", "100%")
    assert sum(flip["decisions"] for flip in history["flips"]) == denied


@pytest.mark.usefixtures("tight")
def test_why_says_what_it_cannot_find(mqk: Mqk, bars: Path) -> None:
    backtest(mqk, "--bars", bars)
    for wanted, words in (("0", "is `start`"), ("X-9", "no decision `X-9`"), ("999999", "no decision")):
        ended = mqk("why", wanted, "--run-dir", "out")
        assert (ended.code, ended.out) == (2, "")
        assert words in ended.err
    assert mqk("why", "1", "--run-dir", "nowhere").code == 2


@pytest.mark.usefixtures("policies")
def test_every_bad_row_of_every_file_is_reported_in_one_run(mqk: Mqk, tmp_path: Path) -> None:
    header = "date,open,high,low,close,volume\n"
    (tmp_path / "SPY_1D.csv").write_text(header + "2024-01-02,1,2,x,1,10\n2024-01-03,1,2,1,1,-\n", "utf-8")
    (tmp_path / "QQQ_1D.csv").write_text(header + "2024-01-06,1,2,1,1,10\n", "utf-8")
    ended = backtest(mqk, "--bars", "SPY_1D.csv", "QQQ_1D.csv")
    assert (ended.code, ended.out) == (2, "")
    for place in ("SPY_1D.csv:2:", "SPY_1D.csv:3:", "QQQ_1D.csv:2:"):
        assert f"{place}" in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--bars", "nowhere.csv"), "nowhere.csv"),
        (("--bars", "BARS", "--start", "2030-01-01"), "no bar ends between"),
        (("--bars", "BARS", "--start", "2004-01-02", "--end", "2004-01-01"), "is before"),
        (("--bars", "BARS", "--overlay", "slipage_x2"), "did you mean `slippage_x2`?"),
        (("--bars", "BARS", "--end", "soon"), "is not a date"),
        (("--bars", "BARS", "--train", "10"), "`--train` says nothing without `--walk-forward`"),
        (("--bars", "BARS", "--engine", "MAIN,MAIN"), "names `MAIN` twice"),
        (("--bars", "BARS", "--engine", ","), "names no engine"),
        ((), "--bars"),
    ],
)
def test_what_cannot_be_run_is_bad_input(mqk: Mqk, bars: Path, options: tuple[str, ...], words: str) -> None:
    ended = backtest(mqk, *(str(bars) if each == "BARS" else each for each in options))
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.usefixtures("policies")
def test_every_engine_and_every_stress_that_is_none_is_told_at_once(mqk: Mqk, bars: Path) -> None:
    ended = backtest(mqk, "--bars", bars, "--engine", "MAIN,MAIM", "--stress", "slipage_x2,fees_hig")
    assert (ended.code, ended.out) == (2, "")
    for words in (
        "there is no engine `MAIM`",
        "`slipage_x2`",
        "did you mean `slippage_x2`?",
        "did you mean `fees_high`?",
    ):
        assert ended.err.count(words) == 1


@pytest.mark.usefixtures("policies")
def test_a_place_that_cannot_be_written_is_told_before_anything_runs(mqk: Mqk, tmp_path: Path, bars: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = mqk("backtest", "--engine", "MAIN", "--bars", bars, "--out", "file/out", "--prove-no-lookahead")
    assert (ended.code, ended.out) == (2, "")
    assert "`file/out` cannot be made" in ended.err


@pytest.mark.usefixtures("policies")
def test_several_engines_do_not_move_in_with_the_run_of_one(mqk: Mqk, tmp_path: Path, bars: Path) -> None:
    assert backtest(mqk, "--bars", bars).code == 0
    before = sorted(path.name for path in (tmp_path / "out").iterdir())
    ended = backtest(mqk, "--bars", bars, "--engine", "MAIN,EXP")
    assert (ended.code, ended.out) == (2, "")
    assert "`out` holds the run of one engine" in ended.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == before


@pytest.mark.usefixtures("policies")
def test_a_folder_with_other_files_is_not_written_to(mqk: Mqk, tmp_path: Path, bars: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work", "utf-8")
    ended = backtest(mqk, "--bars", bars)
    assert (ended.code, ended.out) == (2, "")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


@pytest.mark.usefixtures("policies")
def test_a_stress_changes_the_result_and_the_bundle(mqk: Mqk, bars: Path) -> None:
    plain = backtest(mqk, "--bars", bars).json
    stressed = backtest(mqk, "--bars", bars, "--overlay", "slippage_x2").json
    assert stressed["bundle"] != plain["bundle"]
    assert stressed["final_equity_micros"] < plain["final_equity_micros"]


@pytest.mark.usefixtures("tight")
def test_two_hash_seeds_give_the_same_bytes(tmp_path: Path, bars: Path) -> None:
    found = []
    for seed in ("0", "1"):
        command = [sys.executable, "-c", "from mqk.cli.main import run; run()", "backtest", "--policies", "policies"]
        command += ["--engine", "MAIN", "--bars", str(bars), "--out", f"out{seed}", "--format", "json"]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
        files = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / f"out{seed}").iterdir()
        }
        found.append((done.stdout, files))
    assert found[0] == found[1]
    assert set(found[0][1]) == ARTIFACTS


@pytest.mark.usefixtures("policies")
def test_a_run_is_replayed_from_its_folder_and_a_change_is_found(mqk: Mqk, tmp_path: Path, bars: Path) -> None:
    shutil.copytree(bars, tmp_path / "bars")
    assert backtest(mqk, "--bars", "bars", "--end", "2004-06-30").code == 0
    ended = mqk("replay", "out")
    assert (ended.code, "note" in ended.out) == (0, False)
    assert "is the same in every byte" in ended.out
    (tmp_path / "bars").rename(tmp_path / "elsewhere")
    gone = mqk("replay", "out")
    assert (gone.code, gone.out) == (2, "")
    assert "`bars/AAPL_1D.csv`" in gone.err
    assert mqk("replay", "out", "--data", "elsewhere").code == 0
    change(tmp_path / "out" / "metrics.json", '"halts": 0', '"halts": 1')
    found = mqk("replay", "out", "--data", "elsewhere", "--format", "json")
    assert found.code == 1
    (difference,) = found.json["differences"]
    assert difference["file"] == "metrics.json"
    assert (difference["recorded"].strip("` "), difference["replayed"].strip("` ")) == ('"halts": 1,', '"halts": 0,')


@pytest.mark.usefixtures("policies")
def test_two_runs_are_compared(mqk: Mqk, bars: Path) -> None:
    for out, overlays in (("plain", ()), ("stressed", ("--overlay", "slippage_x2"))):
        options = ("--bars", bars / "AAPL_1D.csv", "--end", "2004-06-30", *overlays)
        assert mqk("backtest", "--engine", "MAIN", "--out", out, *options).code == 0
    same = mqk("backtest", "compare", "plain", "plain")
    assert (same.code, same.out) == (0, "plain and plain are the same in every byte\n")
    found = mqk("backtest", "compare", "plain", "stressed")
    assert found.code == 1
    assert "bundle.content.execution.costs.slippage" in found.out
    assert "orders.csv line " in found.out
    assert mqk("backtest", "compare", "plain", "nowhere").code == 2


@pytest.mark.usefixtures("policies")
def test_stresses_run_in_the_same_command_and_are_compared(mqk: Mqk, tmp_path: Path, bars: Path) -> None:
    options = ("--bars", bars / "AAPL_1D.csv", "--end", "2004-06-30")
    plain = backtest(mqk, *options).json
    ran = backtest(mqk, *options, "--stress", "slippage_x2, latency_high").json
    assert {key: value for key, value in ran.items() if key != "stress"} == plain
    assert list(ran["stress"]) == ["slippage_x2", "latency_high"]
    assert ran["stress"]["slippage_x2"]["final_equity_micros"] < plain["final_equity_micros"]
    assert {path.name for path in (tmp_path / "out" / "stress" / "slippage_x2").iterdir()} == ARTIFACTS - {
        "report.html"
    }
    assert mqk("replay", "out", "--data", bars).code == 0
    fills = tmp_path / "out" / "stress" / "latency_high" / "fills.csv"
    fills.write_text(fills.read_text("utf-8").replace("BUY", "SELL", 1), "utf-8")
    found = mqk("replay", "out", "--data", bars)
    assert (found.code, "stress/latency_high/fills.csv: line 2" in found.out) == (1, True)
    text = mqk("backtest", "--engine", "MAIN", "--out", "out", *options, "--stress", "slippage_x2").out
    assert re.search(r"^slippage_x2 +[\d_.]+ USD", text, re.MULTILINE)
    wrong = backtest(mqk, *options, "--stress", "slipage_x2")
    assert (wrong.code, "did you mean `slippage_x2`?" in wrong.err) == (2, True)


@pytest.mark.usefixtures("policies")
def test_look_ahead_is_looked_for_before_the_run(mqk: Mqk, tmp_path: Path, bars: Path) -> None:
    options = ("--engine", "MAIN", "--bars", bars / "AAPL_1D.csv", "--end", "2003-12-31", "--prove-no-lookahead")
    proven = mqk("backtest", *options, "--format", "json")
    assert (proven.code, proven.json["holds"], proven.json["strategies"]) == (0, True, ["swing_trend_v1"])
    assert proven.json["decisions_compared"] > 500
    ended = mqk("backtest", *options, "--out", "out")
    assert ended.code == 0
    assert ended.out.startswith("no look-ahead in `swing_trend_v1`: ")
    assert (tmp_path / "out" / "report.html").is_file()
    missing = mqk("backtest", *options[:-1])
    assert (missing.code, missing.out) == (2, "")
    assert "--out" in missing.err
