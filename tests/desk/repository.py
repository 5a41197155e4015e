"""A desk's repository in git, as `mqk init` sets it up, with a small desk's policies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mqk.cli import git_setup, starter
from tests.analysis.assess.desk import desk

WHO = ("-c", "user.name=desk", "-c", "user.email=desk@example.invalid", "-c", "commit.gpgsign=false")


def environment(folder: Path) -> dict[str, str]:
    """Nobody's own git settings, and this mqk first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "TERM": "dumb"}


def git(folder: Path, *arguments: str) -> str:
    """What git says."""
    done = subprocess.run(
        ["git", "-C", str(folder), *WHO, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment(folder),
    )
    return done.stdout


def repository(folder: Path) -> Path:
    """The repository, with everything committed."""
    desk(folder)
    git(folder, "init", "-q", "-b", "main")
    starter.put(folder, starter.around(starter.files()))
    assert git_setup.told(folder) == ["git shows policies by what they mean (`diff.mqk.textconv` of this repository)"]
    commit(folder, "as it was")
    return folder


def commit(folder: Path, message: str) -> str:
    """Commit everything; the commit."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD").strip()
