"""C-42 and C-50, defects of runs: engines that share capital, a lost report, an engine that cannot run twice.

Each is shown to be impossible on whole backtests.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mqk.backtest import BacktestError, run_backtest, verify_audit
from mqk.backtest.replay import read_run, replay
from mqk.promotion import read_evidence
from mqk.quantity import parse_instant
from mqk.strategies import Context
from tests.backtest.test_run import restless
from tests.backtest.worlds import walk
from tests.cli.conftest import *  # noqa: F403 - the fixtures of the command line
from tests.cli.shell import Mqk
from tests.engine.worlds import guards, host, shipped


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("policies")
def test_c42_engines_of_one_command_share_no_capital(mqk: Mqk, tmp_path: Path, bars: Path) -> None:
    options = ("--bars", bars / "IBM_1D.csv", "--end", "2004-06-30", "--format", "json")
    both = mqk("backtest", "--engine", "MAIN,EXP", "--out", "desk", *options)
    assert both.code == 0
    assert list(both.json["engines"]) == ["MAIN", "EXP"]
    for engine, capital in (("MAIN", "100_000 USD"), ("EXP", "25_000 USD")):
        alone = mqk("backtest", "--engine", engine, "--out", f"alone/{engine}", *options).json
        # On a desk each sees what the firm comes to, which is another run: here that is far from its cap.
        named = {"run_id": alone["run_id"], "artifacts_sha256": alone["artifacts_sha256"]}
        assert {**both.json["engines"][engine], **named} == alone
        assert both.json["engines"][engine]["run_id"] != alone["run_id"]
        assert alone["initial_equity"] == capital
        for name in ("equity_curve.csv", "metrics.json"):
            assert (tmp_path / "alone" / engine / name).read_bytes() == (tmp_path / "desk" / engine / name).read_bytes()
    ids = [
        row["client_order_id"] for engine in ("MAIN", "EXP") for row in rows(tmp_path / "desk" / engine / "orders.csv")
    ]
    assert len(ids) == len(set(ids))
    assert {each.split("_")[0] for each in ids} <= {"MAIN", "EXP"}


def test_c50_an_incomplete_bar_neither_ends_a_run_nor_loses_its_report(tmp_path: Path) -> None:
    bars = walk(["AAPL", "SPY"], 60, 3, swing=6)
    torn = [replace(bar, complete=False) if number in {20, 21, 75} else bar for number, bar in enumerate(bars)]
    ran = run_backtest(guards(), torn, out=tmp_path / "run", host=host(restless, 2))
    assert ran.bars == len(bars)
    assert ran.bars_rejected >= 3
    assert ran.failed is None
    assert ran.fills > 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["bars_rejected"] == ran.bars_rejected
    assert metrics["sharpe"] is not None
    assert (tmp_path / "run" / "report.html").stat().st_size > 5_000


def test_c50_guards_carry_nothing_from_one_run_to_the_next() -> None:
    set_, bars = guards(), walk(["AAPL", "SPY"], 60, 3, swing=6)
    first = run_backtest(set_, bars, host=host(restless, 2))
    run_backtest(set_, walk(["SPY"], 90, 8, swing=9), host=host(restless, 2))
    assert run_backtest(set_, bars, host=host(restless, 2)) == first


def test_c50_a_run_whose_strategy_fails_leaves_everything_up_to_there_and_says_why(tmp_path: Path) -> None:
    bars = walk(["AAPL", "SPY"], 60, 3, swing=6)
    seen = [0]

    def fails_late(context: Context) -> dict[str, int] | None:
        seen[0] += 1
        assert seen[0] < 80, "it has no more ideas"
        return restless(context)

    ran = run_backtest(guards(), bars, out=tmp_path / "run", host=host(fails_late, 2))
    assert ran.failed is not None
    assert "it has no more ideas" in ran.failed
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["failed"] == ran.failed
    assert metrics["fills"] == len(rows(tmp_path / "run" / "fills.csv")) > 0
    curve = rows(tmp_path / "run" / "equity_curve.csv")
    assert len(curve) == 40
    assert curve[-1]["equity"].replace(".", "") == str(ran.final_equity_micros)
    audit = (tmp_path / "run" / "audit.jsonl").read_bytes()
    assert verify_audit(audit) is None
    assert [json.loads(line)["kind"] for line in audit.splitlines()[-2:]] == ["aborted", "end"]
    assert "ended early" in (tmp_path / "run" / "report.html").read_text()
    assert read_evidence(tmp_path / "run").halted


@pytest.mark.usefixtures("policies")
def test_c50_a_run_that_is_stopped_says_by_what_and_why(mqk: Mqk, tmp_path: Path, policies: Path, bars: Path) -> None:
    profile = policies / "profiles" / "tier_a_consistent.yaml"
    profile.write_text(profile.read_text("utf-8").replace("daily_loss: 2%", "daily_loss: 0.2%"), "utf-8")
    ended = mqk("backtest", "--engine", "MAIN", "--bars", bars, "--out", "out")
    assert ended.code == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["halts"] >= len(metrics["stops"]) > 0
    first = metrics["stops"][0]
    assert (first["rule"], first["outcome"]) == ("LOSS-01", "halt")
    assert "must be" in first["why"]
    assert f"stopped on {first['at']} by LOSS-01 (halt): {first['why']}" in ended.out
    assert first["why"].split("`")[1] in (tmp_path / "out" / "report.html").read_text()


def test_c42_a_shadow_says_what_it_would_do_and_orders_nothing(tmp_path: Path) -> None:
    bars = walk(["AAPL", "SPY"], 60, 3, swing=6)
    alone = run_backtest(guards(), bars, out=tmp_path / "alone", host=host(restless, 2))
    shadowed = host(restless, 2, shadows={"watching": lambda context: {context.symbol: 1_000}})
    beside = run_backtest(guards(), bars, out=tmp_path / "beside", host=shadowed)
    assert beside.final_equity_micros == alone.final_equity_micros
    for name in ("orders.csv", "fills.csv", "equity_curve.csv"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "beside" / name).read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "beside" / "audit.jsonl").read_bytes().splitlines()]
    said = [line["data"] for line in lines if line["kind"] == "shadowed"]
    assert said
    assert all("1000" in json.dumps(each) for each in said)


def test_a_failed_run_is_the_same_when_it_is_replayed(tmp_path: Path) -> None:
    bars = walk(["SPY"], 60, 3, swing=6)
    run_backtest(shipped(), bars, out=tmp_path / "run")
    found = replay(read_run(tmp_path / "run"), bars)
    assert found.same


def test_c50_a_position_whose_bars_stop_coming_is_late_and_told(tmp_path: Path) -> None:
    stays, ends = walk(["SPY"], 40, 3, swing=2), walk(["QQQ"], 20, 3, swing=2)
    bought = [False]

    def buys_once(context: Context) -> dict[str, int] | None:
        if context.symbol == "QQQ" and not bought[0]:
            bought[0] = True
            return {"QQQ": 50}
        return None

    ran = run_backtest(guards(), [*stays, *ends], out=tmp_path / "run", host=host(buys_once))
    assert ran.open_positions == {"QQQ": 50}
    assert ran.stale_positions == {"QQQ": ends[-1].end}
    assert ran.posture != "NORMAL"
    lines = [json.loads(line) for line in (tmp_path / "run" / "audit.jsonl").read_bytes().splitlines()]
    late = [line for line in lines if line["kind"] == "decided" and line["data"]["point"] == "feed"]
    assert late
    assert parse_instant(late[0]["at"]) > ends[-1].end
    assert "Valued at an old price" in (tmp_path / "run" / "report.html").read_text()
    # Whoever holds nothing of it is not held up by a recording that is over.
    assert run_backtest(guards(), [*stays, *ends], host=host(lambda _: None)).posture == "NORMAL"


def test_c50_two_bars_for_one_moment_are_refused_in_whatever_order() -> None:
    bars = walk(["SPY"], 10, 3)
    double = replace(bars[4], close=bars[4].close + 1, high=bars[4].high + 1)
    for given in ([*bars, double], [double, *bars]):
        with pytest.raises(BacktestError, match="two bars of `SPY` `1D` that end at"):
            run_backtest(guards(), given, host=host(lambda _: None))


@pytest.mark.parametrize("answer", [10.5, True, None, 2**70])
def test_c50_an_answer_that_is_no_number_of_shares_ends_the_run_with_its_artifacts(
    tmp_path: Path, answer: object
) -> None:
    seen = [0]

    def wrong(context: Context) -> dict[str, int] | None:
        seen[0] += 1
        return {context.symbol: 10 if seen[0] < 12 else answer}  # type: ignore[dict-item]

    ran = run_backtest(guards(), walk(["SPY"], 20, 3), out=tmp_path / "run", host=host(wrong))
    assert ran.failed is not None
    assert ran.fills == 1
    assert verify_audit((tmp_path / "run" / "audit.jsonl").read_bytes()) is None
