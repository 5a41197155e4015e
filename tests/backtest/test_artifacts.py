"""The files of a run: the same bytes everywhere, a chain that breaks when touched, a folder written whole or not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785

from mqk.backtest import AuditTrail, BacktestError, artifacts_sha256, run_backtest, verify_audit, write_artifacts
from mqk.guards import compile_bundle
from mqk.policy import effective_bundle, load_policies, shipped_policies_dir
from tests.backtest.test_run import restless
from tests.backtest.worlds import Run, walk
from tests.engine.worlds import guards, host

NAMES = [
    "audit.jsonl",
    "corporate_actions.csv",
    "decisions.parquet",
    "equity_curve.csv",
    "fills.csv",
    "manifest.json",
    "metrics.json",
    "orders.csv",
    "report.html",
]

SCRIPT = """
import sys
from pathlib import Path
from mqk.backtest import run_backtest
from tests.backtest.worlds import walk
from tests.engine.worlds import shipped
run_backtest(shipped("MAIN"), walk(["AAPL", "MSFT", "QQQ", "SPY"], 400, 11, swing=6), out=Path(sys.argv[1]))
"""


def in_a_process(out: Path, seed: str) -> dict[str, bytes]:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", SCRIPT, str(out)], check=True, env=environment, cwd=root)
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_two_processes_with_other_hash_seeds_write_the_same_bytes(tmp_path: Path) -> None:
    first, second = (in_a_process(tmp_path / seed, seed) for seed in ("0", "1"))
    assert sorted(first) == NAMES
    assert first == second
    assert len(first["fills.csv"].splitlines()) > 10


def test_artifacts_depend_on_what_policies_say_and_not_on_where(tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(shipped_policies_dir(), moved)
    for path in moved.rglob("*.yaml"):
        path.write_text("# moved\n\n" + path.read_text().replace("title: ", "title: Our "))
    bars = walk(["AAPL", "SPY"], 80, 3, swing=6)
    runs = [
        Run(bars, restless, set_=compile_bundle(effective_bundle(load_policies([where]), "MAIN")), lookback=2)
        for where in (shipped_policies_dir(), moved)
    ]
    assert runs[0].summary.denied > 0
    assert runs[0].files == runs[1].files
    assert not any(str(tmp_path).encode() in content for content in runs[1].files.values())


def test_the_manifest_says_what_was_run_and_hashes_the_rest() -> None:
    bars = walk(["SPY"], 40, 3)
    run = Run(bars, restless, lookback=2)
    manifest = json.loads(run.files["manifest.json"])
    assert manifest["bundle"]["sha256"] == run.summary.bundle_sha256 == guards().bundle.sha256
    assert manifest["bundle"]["content"] == json.loads(guards().bundle.canonical_bytes)
    assert manifest["data"]["sha256"] == run.summary.data_sha256
    assert manifest["capital"] == "100_000 USD"
    assert manifest["seed"] is None
    assert sorted(manifest["artifacts"]) == [name for name in NAMES if name not in {"manifest.json", "report.html"}]
    metrics = json.loads(run.files["metrics.json"])
    assert metrics == run.summary.metrics()
    assert run.summary.artifacts_sha256 == artifacts_sha256(run.files)
    again = run_backtest(guards(), bars, host=host(restless, 2))
    assert again == run.summary


def test_the_audit_chain_is_canonical_and_breaks_when_touched() -> None:
    run = Run(walk(["AAPL", "SPY"], 60, 3, swing=6), restless, lookback=2)
    content = run.files["audit.jsonl"]
    assert verify_audit(content) is None
    lines = content.splitlines(keepends=True)
    kinds = [json.loads(line)["kind"] for line in lines]
    assert (kinds[0], kinds[-1]) == ("start", "end")
    for line in lines:
        assert rfc8785.dumps(json.loads(line)) + b"\n" == line
    refused = next(json.loads(line) for line in lines if json.loads(line)["kind"] == "refused")
    assert refused["data"]["decision"]["facts"]["order.symbol"] in {"AAPL", "SPY"}
    assert refused["data"]["decision"]["findings"][0]["message"]
    middle = len(lines) // 2
    broken = {
        "changed": [*lines[:middle], lines[middle].replace(b'"at":"20', b'"at":"19'), *lines[middle + 1 :]],
        "removed": [*lines[:middle], *lines[middle + 1 :]],
        "swapped": [*lines[:middle], lines[middle + 1], lines[middle], *lines[middle + 2 :]],
        "added": [*lines[:middle], lines[middle], *lines[middle:]],
        "torn": [*lines[:-1], lines[-1][:-5]],
        "garbage": [*lines[:middle], b"{\n", *lines[middle + 1 :]],
    }
    for what, tampered in broken.items():
        assert verify_audit(b"".join(tampered)) is not None, what


def test_a_line_of_the_chain_is_bound_to_the_one_before() -> None:
    trails = [AuditTrail(), AuditTrail()]
    for trail, first in zip(trails, ("a", "b"), strict=True):
        trail.append(1, first, {})
        trail.append(2, "same", {"x": ["é", 1, True, None]})
        assert verify_audit(trail.to_bytes()) is None
        assert len(trail) == 2
    assert trails[0].to_bytes().splitlines()[1] != trails[1].to_bytes().splitlines()[1]


def test_an_earlier_run_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    bars = walk(["SPY"], 40, 3)
    first = run_backtest(guards(), bars, out=out, host=host(restless, 2))
    second = run_backtest(guards(), bars[:-5], out=out, host=host(restless, 2))
    assert first.artifacts_sha256 != second.artifacts_sha256
    assert artifacts_sha256({path.name: path.read_bytes() for path in out.iterdir()}) == second.artifacts_sha256
    assert [path.name for path in out.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("what", ["other files", "a run and more", "a file", "a link", "a foreign manifest"])
def test_a_folder_in_use_for_something_else_is_refused_before_the_run(tmp_path: Path, what: str) -> None:
    out = tmp_path / "out"
    if what == "a file":
        out.write_text("mine")
    elif what == "a link":
        (tmp_path / "real").mkdir()
        out.symlink_to(tmp_path / "real")
    else:
        out.mkdir()
        if what == "a run and more":
            run_backtest(guards(), walk(["SPY"], 5, 3), out=out, host=host(restless, 2))
        name = "manifest.json" if what == "a foreign manifest" else "thesis.txt"
        (out / name).write_text("[]")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(BacktestError) as caught:
        run_backtest(guards(), walk(["SPY"], 5, 3), out=out, host=host(restless, 2))
    assert caught.value.code == "out"
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_run_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    write_artifacts(out, {"manifest.json": b'{"kind": "mqk backtest"}'})
    written = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "orders.csv":
            raise OSError("no space left")
        return written(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space"):
        write_artifacts(out, {"manifest.json": b"{}", "orders.csv": b""})
    assert (out / "manifest.json").read_bytes() == b'{"kind": "mqk backtest"}'
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_earlier_run_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    write_artifacts(out, {"manifest.json": b'{"kind": "mqk backtest"}'})
    moved = Path.rename

    def stuck(self: Path, target: Path) -> Path:
        if "writing" in self.name:
            raise OSError("device gone")
        return moved(self, target)

    monkeypatch.setattr(Path, "rename", stuck)
    with pytest.raises(OSError, match="device gone"):
        write_artifacts(out, {"manifest.json": b"{}"})
    assert (out / "manifest.json").read_bytes() == b'{"kind": "mqk backtest"}'
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
