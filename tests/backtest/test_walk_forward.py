"""Walk-forward: windows that never overlap, a choice made on the past alone, and one file that says all of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mqk.backtest import BacktestError
from mqk.backtest.walk_forward import Windows, _folds, walk_forward
from mqk.cli.reference_artifacts import load
from mqk.guards import GuardSet, compile_bundle
from mqk.policy import effective_bundle, load_policies
from mqk.strategies import StrategyError
from tests.backtest.worlds import walk
from tests.cli.conftest import *  # noqa: F403 - the fixtures of the command line
from tests.cli.shell import Mqk, change
from tests.engine.worlds import shipped

GRID = {"lookback": ("10", "20"), "risk": ("0.5%", "0.75%")}


def with_grid(grid: dict[str, tuple[str, ...]]) -> GuardSet:
    bundle = shipped().bundle
    (spec,) = bundle.strategies
    return compile_bundle(replace(bundle, strategies=(replace(spec, grid=grid),)))


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 20), st.integers(0, 10))
def test_windows_follow_each_other_and_never_overlap(days: int, train: int, test: int, embargo: int) -> None:
    folds = list(_folds(list(range(days)), Windows(train, test, embargo)))
    assert len(folds) == max((days - train - embargo) // test, 0)
    for (first, last), (begins, ends) in folds:
        assert last - first + 1 == train
        assert ends - begins + 1 == test
        assert begins - last - 1 == embargo
    tested = [day for _, (begins, ends) in folds for day in range(begins, ends + 1)]
    assert tested == sorted(set(tested))


def test_each_choice_is_the_best_of_its_training_and_ignores_what_follows() -> None:
    bars, windows = walk(["AAPL", "SPY"], 130, 3, swing=4), Windows(60, 30, 3)
    found = walk_forward(with_grid(GRID), bars, windows)
    assert len(found.folds) == 2
    first = found.folds[0]
    assert set(first.params) >= {"lookback", "risk"}
    assert first.train[1] < first.test[0]
    # The same bars with another future give the same first choice.
    cut = sorted({bar.end for bar in bars})[62]
    other = [bar if bar.end <= cut else replace(bar, volume=bar.volume + 1, close=bar.low) for bar in bars]
    again = walk_forward(with_grid(GRID), other, windows).folds[0]
    assert (again.params, again.trained) == (first.params, first.trained)
    assert walk_forward(with_grid(GRID), bars[::-1], windows).to_bytes() == found.to_bytes()
    grown = 1.0
    for fold in found.folds:
        grown *= fold.tested.final_equity_micros / fold.tested.initial_equity_micros
    assert found.growth == grown - 1
    schema = Draft202012Validator(load("walk_forward"))
    assert list(schema.iter_errors(json.loads(found.to_bytes()))) == []


def test_a_test_trades_from_its_first_session_on_and_not_before() -> None:
    bars, windows = walk(["AAPL", "SPY"], 130, 3, swing=4), Windows(60, 30, 3)
    fold = walk_forward(with_grid({"lookback": ("10",)}), bars, windows).folds[0]
    inside = [bar for bar in bars if fold.test[0] <= bar.end <= fold.test[1]]
    assert len(inside) == 60
    assert fold.tested.bars == 2 * (60 + 3 + 30)
    assert fold.tested.orders > 0


def test_what_cannot_be_chosen_among_is_said() -> None:
    bars, windows = walk(["SPY"], 30, 3), Windows(10, 5, 0)
    with pytest.raises(StrategyError, match="nothing to choose among"):
        walk_forward(shipped(), bars, windows)
    many = tuple(str(number) for number in range(2, 50))
    with pytest.raises(StrategyError, match="at most 1,000"):
        walk_forward(with_grid({"lookback": many, "rise": many[1:]}), bars, windows)
    with pytest.raises(StrategyError, match=r"did you mean `lookback`.*`risk: 5` of") as refused:
        walk_forward(with_grid({"lokback": ("10",), "risk": ("5",)}), bars, windows)
    assert len(refused.value.problems) == 2
    with pytest.raises(BacktestError, match="take 40 sessions, and the bars have 30"):
        walk_forward(with_grid(GRID), bars, Windows(30, 10, 0))


def test_a_grid_changes_nothing_that_is_enforced(policies: Path) -> None:
    before = effective_bundle(load_policies([policies]), "MAIN")
    main = policies / "engines" / "main.yaml"
    change(main, "risk: 0.75%}", "risk: 0.75%}\n    grid: {lookback: [20, 50], risk: [0.5%, 1%]}")
    after = effective_bundle(load_policies([policies]), "MAIN")
    assert after.sha256 == before.sha256
    assert after.strategies[0].grid == {"lookback": ("20", "50"), "risk": ("0.5%", "1%")}


def test_the_command_walks_and_leaves_a_file_beside_the_run(
    mqk: Mqk, tmp_path: Path, policies: Path, bars: Path
) -> None:
    main = policies / "engines" / "main.yaml"
    change(main, "risk: 0.75%}", "risk: 0.75%}\n    grid: {lookback: [20, 50]}")
    options = ("--engine", "MAIN", "--bars", bars / "IBM_1D.csv", "--out", "out", "--walk-forward")
    windows = ("--train", 120, "--test", 60, "--embargo", 3)
    ended = mqk("backtest", *options, *windows, "--end", "2004-06-30")
    assert ended.code == 0, ended.err
    assert "walk-forward of swing_trend_v1: " in ended.out
    told = json.loads((tmp_path / "out" / "walk_forward.json").read_text())
    assert told["windows"] == {"train": 120, "test": 60, "embargo": 3}
    assert len(told["folds"]) == 2
    again = mqk("backtest", *options, *windows, "--end", "2004-06-30", "--format", "json")
    assert again.json["walk_forward"] == told
    assert mqk("backtest", *options, "--end", "2004-06-30").code == 2
