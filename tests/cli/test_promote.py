"""`mqk promote`: a backtest and its stress, judged by the shipped gates; every failing gate is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import Mqk, change


@pytest.mark.usefixtures("policies")
def test_a_run_that_is_not_good_enough_is_told_every_gate_that_it_fails(mqk: Mqk, bars: Path) -> None:
    given = ("backtest", "--engine", "MAIN", "--bars", bars, "--end", "2004-06-30")
    assert mqk(*given, "--out", "base").code == 0
    assert mqk(*given, "--out", "stressed", "--overlay", "slippage_x2").code == 0

    alone = mqk("promote", "base", "--format", "json")
    assert (alone.code, alone.err) == (1, "")
    assert alone.json["stress"] == {"slippage_x2": "there is no run under it"}
    failing = {each["rule"] for each in alone.json["decision"]["findings"] if each["result"] != "PASS"}
    assert {"GATE-04", "GATE-12"} <= failing
    assert not failing & {"GATE-01", "GATE-02"}

    both = mqk("promote", "base", "--stress", "stressed", "--format", "json")
    assert both.json["stress"]["slippage_x2"] != "there is no run under it"
    text = mqk("promote", "base", "--stress", "stressed").out
    for rule in sorted(failing - {"GATE-12"}):
        assert f"  {rule}  " in text
    assert "gates" in text.splitlines()[0]


def test_a_run_under_other_policies_is_not_promoted(mqk: Mqk, policies: Path, bars: Path) -> None:
    assert mqk("backtest", "--engine", "MAIN", "--bars", bars, "--end", "2003-12-31", "--out", "base").code == 0
    change(policies / "profiles" / "tier_a_consistent.yaml", "max_position: 20%", "max_position: 19%")
    ended = mqk("promote", "base")
    assert (ended.code, "GATE-01" in ended.out) == (1, True)


@pytest.mark.usefixtures("policies")
def test_what_is_no_run_is_bad_input(mqk: Mqk, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ended = mqk("promote", "empty")
    assert (ended.code, ended.out) == (2, "")
    assert "has no `manifest.json`" in ended.err
    assert "mqk backtest --out" in ended.err
