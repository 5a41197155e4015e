"""Strategies from other people's packages: really built, really installed, found by name, and bound by every rule."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from mqk.cli.main import main
from mqk.policy import shipped_policies_dir
from tests.backtest.worlds import walk
from tests.cli.shell import Ended

COMMAND = ["backtest", "--engine", "MAIN", "--bars", "bars"]

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "acme-signals"
version = "1.0"

[project.entry-points."mqk.strategies"]
acme_cross = "acme_signals:Cross"
acme_greedy = "acme_signals:Greedy"
acme_peeking = "acme_signals:Peeking"

[tool.hatch.build.targets.wheel]
packages = ["acme_signals"]
"""
CODE = """
from pathlib import Path

from mqk.strategies import Param


class Cross:
    PARAMS = {"fast": Param("count", "3", "closes in the fast mean", least=1)}

    def __init__(self, *, fast):
        self._fast = fast
        self.lookback = 10

    def on_bar(self, context):
        closes = context.bars.closes(10)
        if len(closes) < 10:
            return None
        above = sum(closes[-self._fast:]) * 10 > sum(closes) * self._fast
        return {context.symbol: 20 if above else 0}


class Greedy:
    PARAMS = {}
    lookback = 1

    def on_bar(self, context):
        return {context.symbol: 1_000_000}


class Peeking:
    PARAMS = {}
    lookback = 1

    def on_bar(self, context):
        rows = [line.split(",") for line in Path("bars/SPY_1D.csv").read_text().split()[1:]]
        later = [float(row[6]) for row in rows if int(row[2]) * 1_000_000 > context.now]
        return {context.symbol: 10 if later and later[0] > context.bars[-1].close / 1e6 else 0}
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped policies, bars, and a package of strategies installed beside them."""
    folder = tmp_path_factory.mktemp("desk")
    source = folder / "acme"
    (source / "acme_signals").mkdir(parents=True)
    (source / "pyproject.toml").write_text(PROJECT, "utf-8")
    (source / "acme_signals" / "__init__.py").write_text(CODE, "utf-8")
    install = ["install", "--quiet", "--no-index", "--no-build-isolation", "--no-deps", "--no-compile", "--target"]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *install, str(folder / "site"), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.copytree(shipped_policies_dir(), folder / "policies")
    (folder / "bars").mkdir()
    lines = ["symbol,timeframe,end_ts,open,high,low,close,volume,is_complete"]
    lines += [
        f"SPY,1D,{b.end // 10**6},{b.open / 1e6},{b.high / 1e6},{b.low / 1e6},{b.close / 1e6},5000000,true"
        for b in walk(["SPY"], 90, 3, swing=4)
    ]
    (folder / "bars" / "SPY_1D.csv").write_text("\n".join([*lines, ""]), "ascii")
    return folder


@pytest.fixture
def here(desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs a command line in this process with the package installed, and in whatever processes it starts."""
    monkeypatch.syspath_prepend(desk / "site")
    monkeypatch.setenv("PYTHONPATH", str(desk / "site"))
    monkeypatch.chdir(desk)

    def call(strategies: str, *arguments: str) -> Ended:
        capsys.readouterr()
        trade(desk, strategies)
        return Ended(main([*COMMAND, *arguments]), *capsys.readouterr())

    return call


def trade(desk: Path, strategies: str) -> None:
    """Have MAIN trade by these strategies."""
    engine = desk / "policies" / "engines" / "main.yaml"
    shipped = (shipped_policies_dir() / "engines" / "main.yaml").read_text("utf-8")
    head, _, rest = shipped.partition("strategies:\n")
    _, mark, tail = rest.partition("\n# An ordinary moment.")
    engine.write_text(f"{head}strategies:\n{textwrap.indent(strategies, '  ')}\n{mark}{tail}", "utf-8")


def test_an_installed_package_brings_a_strategy_that_trades_behind_every_rule(
    desk: Path, here: Callable[..., Ended]
) -> None:
    trade(desk, "- id: acme_cross\n  params: {fast: 4}\n- id: acme_greedy\n  shadow: true\n")
    command = [sys.executable, "-c", "from mqk.cli.main import run; run()", *COMMAND, "--out", "out"]
    environment = {**os.environ, "PYTHONPATH": str(desk / "site")}
    ended = subprocess.run(
        [*command, "--format", "json"], cwd=desk, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)
    assert figures["orders"] > 0
    with (desk / "out" / "orders.csv").open(encoding="utf-8") as file:
        assert {int(row["qty"]) for row in csv.DictReader(file)} == {20}
    lines = [json.loads(line) for line in (desk / "out" / "audit.jsonl").read_text("utf-8").splitlines()]
    assert {line["data"]["strategy"] for line in lines if line["kind"] == "shadowed"} == {"acme_greedy"}
    greedy = json.loads(here("- id: acme_greedy\n", "--out", "out", "--format", "json").out)
    assert (greedy["orders"], greedy["denied"] > 0) == (0, True)


def test_what_is_wrong_with_a_plug_in_is_said_all_at_once(here: Callable[..., Ended]) -> None:
    ended = here("- id: acme_cros\n- id: acme_greedy\n  params: {fast: 4}\n", "--out", "out")
    assert ended.code == 2
    assert "did you mean `acme_cross`?" in ended.err
    assert "`acme_greedy` has no parameter `fast`" in ended.err
    assert "would order for one engine" in ended.err


def test_a_plug_in_that_peeks_is_caught(here: Callable[..., Ended]) -> None:
    ended = here("- id: acme_peeking\n", "--prove-no-lookahead")
    assert ended.code == 1, ended.err
    assert "`acme_peeking` decides by something outside its context (reads `bars/SPY_1D.csv`)" in ended.out
    honest = here("- id: acme_cross\n", "--prove-no-lookahead")
    assert (honest.code, honest.out.startswith("no look-ahead in `acme_cross`")) == (0, True)


def test_bars_of_a_timeframe_that_the_engine_does_not_trade_are_refused(desk: Path, here: Callable[..., Ended]) -> None:
    bars = (desk / "bars" / "SPY_1D.csv").read_text("ascii").replace(",1D,", ",5m,")
    (desk / "five.csv").write_text(bars, "ascii")
    ended = here("- id: acme_cross\n", "--bars", "five.csv", "--out", "out")
    assert ended.code == 2
    assert "`5m`" in ended.err
