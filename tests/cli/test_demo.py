"""`mqk demo`: one short summary with everything in it, on a database of its own, as often as one likes."""

from __future__ import annotations

from pathlib import Path

from mqk.store.embedded import stop_database
from tests.cli.shell import Mqk


def test_a_folder_with_anything_else_in_it_is_left_alone(mqk: Mqk, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work", "utf-8")
    ended = mqk("demo", "--data-dir", "mine")
    assert (ended.code, ended.out) == (2, "")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_the_demo_shows_everything_and_clears_away_what_an_earlier_one_left(mqk: Mqk, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.parent.chmod(0o711)
    folder.mkdir()
    (folder / "made-by-mqk-demo").touch()
    (folder / "left.over").touch()
    try:
        ended = mqk("demo", "--data-dir", folder)
    finally:
        assert not stop_database(folder), "the demo leaves its database running"
    assert ended.code == 0, ended.err
    for words in (
        "limits in force for MAIN",
        "max_position",
        "backtest of MAIN",
        "max drawdown",
        "BREACH → deny  CAP-01",
        "headroom",
        "profiles/tier_a_consistent.yaml:10 by risk:tier_a_consistent",
        "paper run of MAIN",
        "ticks                  250",
        "ledger against broker  clean",
        str(folder / "backtest"),
    ):
        assert words in ended.out, words
    assert "bars/s" in ended.err
    assert "ticks/s" in ended.err
    assert (folder / "backtest" / "manifest.json").is_file()
    assert not (folder / "left.over").exists()
