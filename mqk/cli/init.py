"""`mqk init DIR`: a repository of policies to start from, or what a repository that has policies needs around them.

What lives here: the command and what it tells. Which files there are is starter.py, what git is told is git_setup.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mqk.cli import git_setup, starter
from mqk.cli.exits import Failure
from mqk.cli.output import say, table

app = typer.Typer(add_completion=False)


@app.command()
def init(directory: Annotated[Path, typer.Argument(metavar="DIR", help="Made if need be.")]) -> None:
    """Copy a starter set into DIR: policies, schemas, a sample strategy, CI with a review of changes, hooks, editors.

    Where there are policies already, only what stands around them is set up: the review action and its workflow, the
    pre-commit hooks, and how git shows policies. Never overwrites a file, and may be run again.
    """
    wanted = starter.files()
    if starter.has_policies(directory):
        _around(directory, starter.around(wanted))
        return
    in_the_way = starter.taken(directory, wanted)
    if in_the_way:
        listed = "".join(f"\n  {path}" for path in in_the_way)
        raise Failure(f"nothing is written, because there is already{listed}", "move it away, or choose another folder")
    starter.put(directory, wanted)
    say(
        f"{len(wanted)} files in {directory}",
        *git_setup.told(directory),
        "",
        f"  cd {directory}",
        "  mqk policy check",
        "  mqk policy effective --engine MAIN",
        "",
        f"{directory / 'README.md'} says what is what.",
    )


def _around(directory: Path, wanted: dict[Path, bytes]) -> None:
    """Put what is missing around policies that are there, and tell of each file what was done."""
    blocked = [path for path in starter.taken(directory, wanted) if not path.is_file()]
    if blocked:
        listed = "".join(f"\n  {path}" for path in blocked)
        raise Failure(f"nothing is written, because there is already{listed}", "a folder has to be there: move it away")
    missing = {path: content for path, content in wanted.items() if not (directory / path).exists()}
    starter.put(directory, missing)
    rows = []
    for path, content in wanted.items():
        if path in missing:
            done = "written"
        elif (directory / path).read_bytes() == content:
            done = "is there already"
        else:
            done = "is your own, and was left as it is"
        rows.append((path.as_posix(), done))
    say(f"{directory} has policies, which are left as they are; around them:", *table(rows), *git_setup.told(directory))
