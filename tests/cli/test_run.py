"""`mqk run`, `mqk why`: a paper run on a real database, where it stands, its decisions, and moving it by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from mqk.store import decisions
from mqk.store.database import open_engine
from tests.cli.shell import Ended, Mqk, change

PROMISED = {"run_id", "state", "ticks", "orders", "fills", "denied", "denied_by_rule", "reconcile", "final_equity"}


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated database that the commands find in the environment."""
    monkeypatch.setenv("MQK_DATABASE_URL", database_url)
    return database_url


@pytest.fixture
def tight(policies: Path) -> Path:
    """Policies that some orders of the test's bars break."""
    change(policies / "profiles" / "tier_a_consistent.yaml", "max_position: 20%", "max_position: 12%")
    return policies


def paper(mqk: Mqk, bars: Path, *options: object) -> Ended:
    days = ("--start", "2003-06-01", "--end", "2003-11-30")
    return mqk("run", "paper", "--engine", "MAIN", "--bars", bars, *days, "--pace", "0s", "--format", "json", *options)


def status(mqk: Mqk, run_id: str) -> Any:
    return mqk("run", "status", run_id, "--format", "json").json[0]


@pytest.mark.usefixtures("database", "tight")
def test_a_paper_run_is_played_shown_and_explained(mqk: Mqk, bars: Path) -> None:
    ended = paper(mqk, bars)
    assert ended.code == 0
    summary = ended.json
    assert set(summary) >= PROMISED
    assert summary["state"] == "STOPPED"
    assert summary["orders"] == summary["fills"] > 0
    assert summary["denied_by_rule"]["CAP-01"] == summary["denied"] > 0
    assert summary["reconcile"]["clean"]
    assert "ticks/s" in ended.err

    shown = status(mqk, summary["run_id"])
    assert (shown["state"], shown["position"], shown["instants"]) == ("STOPPED", summary["ticks"], summary["ticks"])
    assert summary["run_id"] in mqk("run", "status").out
    in_full = mqk("run", "status", summary["run_id"]).out
    assert "ledger against broker  clean" in in_full

    denied = first_denial(summary["run_id"])
    assert f"mqk why {denied}" in in_full
    told = mqk("why", denied, "--format", "json").json
    assert (told["decision_id"], told["outcome"], told["engine"]) == (denied, "deny", "MAIN")
    assert told["findings"][0]["rule"] == "CAP-01"
    assert told["facts"]["order.side"] == "BUY"
    assert told["distance"]["rules"][0]["flips"]
    text = mqk("why", denied).out
    assert told["findings"][0]["message"] in text
    assert "order.side" in text


def first_denial(run_id: str) -> str:
    engine = open_engine(os.environ["MQK_DATABASE_URL"])
    with engine.connect() as connection:
        (found,) = decisions.of_run(connection, UUID(run_id), outcome="deny", limit=1)
    engine.dispose()
    return found.decision_id


@pytest.mark.usefixtures("database", "policies")
def test_a_run_goes_on_or_begins_anew_as_asked(mqk: Mqk, bars: Path) -> None:
    first = paper(mqk, bars).json
    over = paper(mqk, bars, "--run-id", first["run_id"]).json
    assert over == {**first, "resumed": True}
    fresh = paper(mqk, bars, "--fresh").json
    assert fresh["run_id"] != first["run_id"]
    for field in ("ticks", "orders", "fills", "denied", "final_equity", "bundle"):
        assert fresh[field] == first[field]
    assert len(mqk("run", "status", "--format", "json").json) == 2


@pytest.mark.usefixtures("database")
def test_moves_by_hand_ask_the_lifecycle(mqk: Mqk, policies: Path, bars: Path) -> None:
    run_id = paper(mqk, bars).json["run_id"]
    refused = mqk("run", "stop", run_id, "--reason", "lunch")
    assert (refused.code, refused.out) == (3, "")
    assert "`stop` is not possible from STOPPED" in refused.err

    # Whatever state the policies are in.
    broken = policies / "half_written.yaml"
    broken.write_text("kind: [", encoding="utf-8")
    assert mqk("run", "halt", run_id, "--reason", "smoke").out == f"run {run_id} is HALTED\n"
    broken.unlink()
    assert status(mqk, run_id)["halt_reason"] == "smoke"
    again = paper(mqk, bars)
    assert (again.code, again.out) == (3, "")
    assert "was halted: smoke" in again.err

    wrong_role = mqk("run", "clear", run_id, "--reason", "all well", "--confirm", f"CLEAR {run_id}")
    assert (wrong_role.code, "`risk_officer`" in wrong_role.err) == (3, True)
    unsaid = mqk("run", "clear", run_id, "--reason", "all well", "--role", "risk_officer")
    assert (unsaid.code, f"type `CLEAR {run_id}` to confirm" in unsaid.err) == (3, True)
    asked = ("--reason", "all well", "--role", "risk_officer", "--confirm", f"CLEAR {run_id}")
    change(policies / "profiles" / "tier_a_consistent.yaml", "max_position: 20%", "max_position: 19%")
    other = mqk("run", "clear", run_id, *asked)
    assert (other.code, "is bound to policies" in other.err) == (2, True)
    change(policies / "profiles" / "tier_a_consistent.yaml", "max_position: 19%", "max_position: 20%")
    assert mqk("run", "clear", run_id, *asked).out == f"run {run_id} is STOPPED\n"


@pytest.mark.usefixtures("database", "policies")
def test_what_cannot_be_played_is_bad_input(mqk: Mqk, bars: Path) -> None:
    for options, words in (
        (("--pace", "90"), "90s"),
        (("--run-id", "seven"), "UUID"),
        (("--end", "1999-01-01"), "is before"),
    ):
        ended = paper(mqk, bars, *options)
        assert (ended.code, ended.out) == (2, "")
        assert words in ended.err


@pytest.mark.usefixtures("database")
def test_what_is_not_there_is_said(mqk: Mqk) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    for command in (
        ("run", "status", nobody),
        ("run", "halt", nobody, "--reason", "x"),
        ("why", f"{nobody}.1.1"),
    ):
        ended = mqk(*command)
        assert (ended.code, ended.out) == (2, "")
        assert "there is no" in ended.err
    assert mqk("run", "status").out == "no runs\n"


@pytest.mark.usefixtures("database", "policies")
def test_a_killed_run_is_taken_up_and_ends_like_one_that_was_not(mqk: Mqk, tmp_path: Path, bars: Path) -> None:
    whole = paper(mqk, bars).json
    command = [sys.executable, "-c", "from mqk.cli.main import run; run()", "run", "paper", "--engine", "MAIN"]
    command += ["--bars", str(bars), "--start", "2003-06-01", "--end", "2003-11-30", "--pace", "20ms", "--fresh"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        (newest,) = mqk("run", "status", "--limit", "1", "--format", "json").json
        if newest["run_id"] != whole["run_id"] and newest["position"] > whole["ticks"] // 2:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert status(mqk, newest["run_id"])["state"] == "RUNNING"
    resumed = paper(mqk, bars).json
    assert (resumed["run_id"], resumed["resumed"]) == (newest["run_id"], True)
    for field in ("state", "ticks", "orders", "fills", "denied", "final_equity"):
        assert resumed[field] == whole[field], field


@pytest.mark.usefixtures("database")
def test_what_a_rule_holds_is_released_by_its_role(mqk: Mqk, policies: Path, tmp_path: Path, bars: Path) -> None:
    latch = "{until: released, by: risk_officer}"
    rule = (
        "rules:\n  - id: ONE-01\n    title: One thing at a time\n    at: account\n"
        f"    require: account.open_positions < 1\n    otherwise: reduce_only\n    latch: {latch}\n\n"
    )
    change(policies / "engines" / "main.yaml", "# An ordinary moment.", f"{rule}# An ordinary moment.")
    command = [sys.executable, "-c", "from mqk.cli.main import run; run()", "run", "paper", "--engine", "MAIN"]
    command += ["--bars", str(bars), "--start", "2003-06-01", "--end", "2003-11-30", "--pace", "20ms"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    held: list[Any] = []
    while time.monotonic() < deadline and not held:
        time.sleep(0.1)
        held = [each for each in mqk("run", "status", "--format", "json").json if each["held"]]
    process.send_signal(signal.SIGKILL)
    process.wait()
    run_id = held[0]["run_id"]
    wrong = mqk("run", "release", run_id, "ONE-01", "--role", "operator")
    assert (wrong.code, wrong.out) == (3, "")
    assert "released by the role `risk_officer`, not `operator`" in wrong.err
    unknown = mqk("run", "release", run_id, "ONE-1", "--role", "risk_officer")
    assert (unknown.code, "did you mean `ONE-01`?" in unknown.err) == (3, True)
    right = mqk("run", "release", run_id, "ONE-01", "--role", "risk_officer", "--new-peak", "--actor", "ada")
    assert (right.code, right.err) == (0, "")
    assert right.out == f"run {run_id} lets go of ONE-01 at its next turn\n"
    assert status(mqk, run_id)["unapplied"] >= 1
