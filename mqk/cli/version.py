"""`mqk version`. Only that."""

from __future__ import annotations

import typer

import mqk

app = typer.Typer(add_completion=False)


@app.command()
def version() -> None:
    """Print the version of mqk."""
    typer.echo(f"mqk {mqk.__version__}")
