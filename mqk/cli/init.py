"""`mqk init DIR`: a repository of policies to start from. What is in it is starter.py's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mqk.cli import starter
from mqk.cli.exits import Failure
from mqk.cli.output import say

app = typer.Typer(add_completion=False)


@app.command()
def init(directory: Annotated[Path, typer.Argument(metavar="DIR", help="Made if need be.")]) -> None:
    """Copy a starter set into DIR: policies, schemas, a sample strategy, a CI workflow, editor settings.

    Never overwrites: when a file of the set exists already, nothing is written.
    """
    wanted = starter.files()
    in_the_way = starter.taken(directory, wanted)
    if in_the_way:
        listed = "".join(f"\n  {path}" for path in in_the_way)
        raise Failure(f"nothing is written, because there is already{listed}", "move it away, or choose another folder")
    starter.put(directory, wanted)
    say(
        f"{len(wanted)} files in {directory}",
        "",
        f"  cd {directory}",
        "  mqk policy check",
        "  mqk policy effective --engine MAIN",
        "",
        f"{directory / 'README.md'} says what is what.",
    )
