"""The demonstration pull request: its policies hold together, and its comment is what the command it names makes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mqk.analysis.diff import Change, Direction, PolicyDiff
from mqk.cli.main import main
from mqk.cli.review_comment import MARKER, comment

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "pull_request"


@pytest.mark.parametrize("side", ["base", "head"])
def test_both_sides_hold_together_and_pass_their_tests(side: str) -> None:
    policies = str(FOLDER / side)
    assert main(["policy", "fmt", "--check", policies]) == 0
    assert main(["policy", "check", policies, "--as-of", "2026-06-01"]) == 0
    assert main(["policy", "test", policies]) == 0


def test_text_of_a_pull_request_is_text_in_the_comment() -> None:
    change = Change(
        path="tests.caps.`a | b` <img>", kind="test", before="@everybody", after=None, direction=Direction.LOOSER,
        why="@risk-office said so <script>",
    )  # fmt: skip
    written = comment(PolicyDiff(Direction.LOOSER, {}, (change,)), None, "main")
    (row,) = [line for line in written.splitlines() if line.startswith("|") and "img" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 7
    outside = re.sub(r"`[^`]*`", "", written.removeprefix(MARKER))
    assert not re.findall(r"@\w|<(?!/?(?:sub|details|summary)>)", outside.replace("\\<", ""))


def test_the_comment_is_what_the_command_in_the_readme_makes(tmp_path: Path) -> None:
    assert "python examples/pull_request/remake.py" in (FOLDER / "README.md").read_text("utf-8")
    made = tmp_path / "comment.md"
    command = [sys.executable, str(FOLDER / "remake.py"), str(made)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert made.read_text("utf-8") == (FOLDER / "comment.md").read_text("utf-8")
