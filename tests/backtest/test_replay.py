"""Replays: a run is what its manifest says, byte for byte, wherever its bars have gone; and two runs side by side."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mqk.backtest import BacktestError, artifacts_sha256, run_backtest
from mqk.backtest.compare import compare
from mqk.backtest.host import host_fingerprint
from mqk.backtest.replay import first_difference, read_run, replay
from mqk.backtest.sources import Source, find, sources_of
from mqk.guards import compile_bundle
from mqk.market import read_bars
from mqk.policy import PolicyError, effective_bundle, load_policies, shipped_policies_dir
from mqk.policy.restored import restored_bundle
from tests.backtest.worlds import walk
from tests.engine.worlds import USD, shipped

NAMES = ("MAIN", "EXP")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of MAIN, and the file of its bars beside it."""
    folder = tmp_path_factory.mktemp("ran")
    bars = folder / "bars" / "SPY_1D.csv"
    bars.parent.mkdir()
    rows = [
        f"{b.symbol},1D,{b.end // USD},{b.open / 1e6},{b.high / 1e6},{b.low / 1e6},{b.close / 1e6},{b.volume},true"
        for b in walk(["SPY"], 160, 3, swing=4)
    ]
    header = "symbol,timeframe,end_ts,open,high,low,close,volume,is_complete"
    bars.write_text("\n".join([header, *rows, ""]), "ascii")
    run_backtest(shipped(), read_bars([bars]), out=folder / "run", sources=sources_of([bars]))
    return folder


@pytest.mark.parametrize("engine", NAMES)
@pytest.mark.parametrize("overlays", [(), ("slippage_x2", "latency_high")])
def test_every_shipped_policy_comes_back_from_its_canonical_form(engine: str, overlays: tuple[str, ...]) -> None:
    bundle = effective_bundle(load_policies([shipped_policies_dir()]), engine, overlays=overlays)
    again = restored_bundle(json.loads(bundle.canonical_bytes))
    assert again.canonical_bytes == bundle.canonical_bytes
    before, after = compile_bundle(bundle), compile_bundle(again)
    assert [rule.id for rule in before.order.rules] == [rule.id for rule in after.order.rules]


def test_a_form_that_is_not_canonical_is_refused() -> None:
    bundle = effective_bundle(load_policies([shipped_policies_dir()]), "MAIN")
    content = json.loads(bundle.canonical_bytes)
    for spoilt in ({**content, "extra": 1}, {key: content[key] for key in content if key != "rules"}):
        with pytest.raises(PolicyError) as refused:
            restored_bundle(spoilt)
        assert [each.code for each in refused.value.diagnostics] == ["MQK-1700"]


def test_a_run_comes_out_the_same_from_its_manifest_alone(ran: Path) -> None:
    run = read_run(ran / "run")
    found = replay(run, read_bars(find(run.sources, [ran])))
    assert found.same
    assert found.notes == ()
    assert set(found.files) == {path.name for path in (ran / "run").iterdir()}


def test_bars_are_found_by_their_bytes_whatever_they_are_called(ran: Path, tmp_path: Path) -> None:
    moved = tmp_path / "deep" / "other.csv"
    moved.parent.mkdir()
    shutil.copy(ran / "bars" / "SPY_1D.csv", moved)
    (tmp_path / "SPY_1D.csv").write_text("something else")
    assert find(read_run(ran / "run").sources, [tmp_path]) == [str(moved)]


def test_every_file_that_is_nowhere_is_named() -> None:
    missing = [Source("a.csv", None, "1" * 64), Source("b.csv", "SPY", "2" * 64)]
    with pytest.raises(BacktestError, match=r"`a\.csv`.*`b\.csv`") as refused:
        find(missing, [])
    assert refused.value.code == "data"


def test_other_bars_are_refused_before_anything_runs(ran: Path) -> None:
    run = read_run(ran / "run")
    bars = read_bars(find(run.sources, [ran]))
    with pytest.raises(BacktestError, match="they are 159, and it had 160"):
        replay(run, bars[1:])
    with pytest.raises(BacktestError, match="not those of the run"):
        replay(run, [replace(bars[0], volume=1), *bars[1:]])
    assert replay(run, [*bars, *walk(["QQQ"], 3, 1)]).same


@pytest.mark.parametrize("name", ["orders.csv", "metrics.json", "audit.jsonl", "decisions.parquet", "fills.csv"])
def test_the_first_difference_is_named(ran: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(ran / "run", tmp_path / "run"))
    content = (folder / name).read_bytes()
    at = len(content) // 2
    (folder / name).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    run = read_run(folder)
    found = replay(run, read_bars(find(run.sources, [ran])))
    (told,) = found.differences
    assert told.file == name
    line = content[:at].count(b"\n") + 1
    assert told.place == (f"byte {at}" if name.endswith(".parquet") else f"line {line}")
    assert told.recorded != told.replayed


def test_a_file_that_is_gone_or_cut_off_is_a_difference(ran: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ran / "run", tmp_path / "run"))
    (folder / "fills.csv").unlink()
    run = read_run(folder)
    found = replay(run, read_bars(find(run.sources, [ran])))
    assert [each.file for each in found.differences] == ["fills.csv"]
    told = first_difference("x.csv", b"a\nb\n", b"a\n")
    assert told is not None
    assert (told.place, told.recorded, told.replayed) == ("line 2", "`b`", "nothing")
    assert first_difference("x.csv", b"a\n", b"a\n") is None
    torn = first_difference("x.csv", b"a\n", b"a")
    assert torn is not None
    assert torn.place == "the end"


def test_a_replay_says_what_has_changed_since(ran: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ran / "run", tmp_path / "run"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["provenance"]["host"]["pyarrow"] = "1.0"
    manifest["code"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    run = read_run(folder)
    found = replay(run, read_bars(find(run.sources, [ran])))
    assert [each.file for each in found.differences] == ["manifest.json"]
    assert "the code is not the one" in found.notes[0]
    assert "pyarrow `1.0`" in found.notes[1]


def test_the_manifest_knows_nobody_and_no_place(ran: Path) -> None:
    manifest = json.loads((ran / "run" / "manifest.json").read_text())
    assert manifest["provenance"]["host"] == host_fingerprint()
    assert [each["name"] for each in manifest["provenance"]["sources"]] == ["SPY_1D.csv"]
    text = (ran / "run" / "manifest.json").read_text()
    assert str(ran) not in text
    assert not {"hostname", "user", "home", "path"} & set(manifest["provenance"]["host"])


def test_where_a_run_was_made_is_no_part_of_what_it_came_to(ran: Path) -> None:
    files = {path.name: path.read_bytes() for path in (ran / "run").iterdir()}
    manifest = json.loads(files["manifest.json"])
    manifest["provenance"] = {"host": {}, "sources": []}
    moved = {**files, "manifest.json": json.dumps(manifest, indent=1).encode()}
    assert artifacts_sha256(moved) == artifacts_sha256(files)
    manifest["seed"] = 1
    assert artifacts_sha256({**moved, "manifest.json": json.dumps(manifest).encode()}) != artifacts_sha256(files)


@pytest.mark.parametrize("content", ["", "[]", '{"kind": "mqk backtest"}', '{"kind": "other"}'])
def test_what_is_no_run_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(BacktestError, match="manifest"):
        read_run(tmp_path)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(BacktestError, match="manifest"):
        read_run(tmp_path)


def test_two_runs_are_told_apart_by_what_they_were_given_and_came_to(ran: Path, tmp_path: Path) -> None:
    same = compare(ran / "run", ran / "run")
    assert same.same_bytes
    assert (same.given, same.figures, same.parts) == ((), (), ())
    bars = read_bars([ran / "bars" / "SPY_1D.csv"])
    run_backtest(shipped(overlays=("slippage_x2",)), bars, out=tmp_path / "other")
    found = compare(ran / "run", tmp_path / "other")
    assert not found.same_bytes
    given = {each.name: (each.before, each.after) for each in found.given}
    assert given["bundle.content.execution.costs.slippage"] == ("0.05%", "0.1%")
    assert "final_equity" in {each.name for each in found.figures}
    assert "orders.csv" in {each.file for each in found.parts}
    assert json.dumps(found.to_json())
