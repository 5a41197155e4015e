"""What git is told about policies: to show them by what they mean, in the repository that a folder lies in.

What lives here: one setting of that repository. What does not: which files it is about, which `.gitattributes` says.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

KEY: Final = "diff.mqk.textconv"
COMMAND: Final = "mqk policy textconv"


def told(directory: Path) -> list[str]:
    """Tell git, unless somebody told it otherwise, and say what was done."""
    try:
        inside = _git(directory, "rev-parse", "--is-inside-work-tree").stdout.strip() == "true"
    except FileNotFoundError:
        return ["git is not installed: nothing was set up for it"]
    if not inside:
        return [f"not in a git repository: after `git init`, run `git config {KEY} '{COMMAND}'`, or this once more"]
    known = _git(directory, "config", "--local", "--get", KEY).stdout.strip()
    if known == COMMAND:
        return ["git shows policies by what they mean already"]
    if known:
        return [f"git shows policies by `{known}`, which was left as it is"]
    _git(directory, "config", "--local", KEY, COMMAND)
    return [f"git shows policies by what they mean (`{KEY}` of this repository)"]


def _git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(directory), *arguments],  # noqa: S607 - the git that people use is the one on their path
        capture_output=True,
        text=True,
        check=False,
    )
