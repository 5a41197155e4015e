"""The examples: what their README says of them is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import Mqk

EXAMPLES = Path(__file__).parents[2] / "examples"
ROW = re.compile(r"\| `(?P<file>\w+\.yaml)` \| `(?P<at>\w+)` \| `(?P<outcome>\w+)`(?:: `(?P<rule>[A-Z]+-\w+)`)?")
ROWS = [match.groupdict() for match in ROW.finditer((EXAMPLES / "README.md").read_text("utf-8"))]


@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_each_moment_comes_to_what_the_readme_says(mqk: Mqk, row: dict[str, str | None]) -> None:
    facts = EXAMPLES / "facts" / str(row["file"])
    options = ("--engine", "MAIN", "--at", row["at"], "--facts", facts, "--baseline", "--format", "json")
    decided = mqk("policy", "decide", *options).json
    assert decided["outcome"] == row["outcome"]
    if row["rule"] is not None:
        assert [finding["rule"] for finding in decided["findings"]] == [row["rule"]]


def test_the_readme_names_every_moment() -> None:
    assert {row["file"] for row in ROWS} == {path.name for path in (EXAMPLES / "facts").iterdir()}


@pytest.mark.parametrize("script", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_each_script_runs(script: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / script)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "CAP-01" in done.stdout
    assert done.stderr == ""
