"""What tests of the command line share: calling it in this process as a shell would, policies to spoil, real bars."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest

from mqk.cli.main import main
from mqk.market import demo_bars
from mqk.policy import shipped_policies_dir
from tests.cli.shell import Ended, Mqk

_SYMBOLS = ("AAPL", "IBM")


@pytest.fixture
def mqk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mqk:
    """Runs a command line in a folder of its own; `stdin` is what it may read there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")

    def call(*arguments: object, stdin: str | bytes = "") -> Ended:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return call


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A copy of the shipped policies, under the current folder, to change."""
    return Path(shutil.copytree(shipped_policies_dir(), tmp_path / "policies"))


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the daily bars of two stocks over two years."""
    folder = tmp_path_factory.mktemp("bars")
    for path in demo_bars(tmp_path_factory.mktemp("all")):
        if path.name.partition("_")[0] in _SYMBOLS:
            header, *rows = path.read_text("ascii").splitlines()
            kept = [row for row in rows if "2003-06-01" <= row[:10] < "2005-06-01"]
            (folder / path.name).write_text("\n".join([header, *kept, ""]), "ascii")
    return folder
