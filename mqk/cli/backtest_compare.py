"""`mqk backtest compare`: two finished backtests side by side.

What lives here: the arguments and the text. The comparison is mqk.backtest's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mqk.backtest.compare import Change, Comparison, compare
from mqk.cli.exits import Exit
from mqk.cli.options import Format, FormatOption
from mqk.cli.output import print_json, say, table

app = typer.Typer(add_completion=False)


@app.command("compare")
def compare_(
    before: Annotated[Path, typer.Argument(metavar="A", help="The folder of a backtest.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The folder of another.")],
    *,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Say in what two backtests differ: what they were given and came to, and where they part. Exit 1 if they do."""
    found = compare(before, after)
    if format_ is Format.JSON:
        print_json(found.to_json())
    else:
        say(*lines(found))
    raise typer.Exit(Exit.DONE if found.same_bytes else Exit.FINDING)


def lines(found: Comparison) -> list[str]:
    """The comparison as text."""
    if found.same_bytes:
        return [f"{found.names[0]} and {found.names[1]} are the same in every byte"]
    told = [f"{found.names[0]} → {found.names[1]}"]
    for head, changes in (("given", found.given), ("came to", found.figures)):
        if changes:
            told += ["", head, *_rows(changes)]
    if found.parts:
        told += ["", "part at"]
        for each in found.parts:
            told += [f"  {each.file} {each.place}", f"    {each.recorded}", f"    {each.replayed}"]
    return told


def _rows(changes: Sequence[Change]) -> list[str]:
    return table([[each.name, _cut(each.before), "→", _cut(each.after)] for each in changes])


def _cut(text: str | None) -> str:
    if text is None:
        return "-"
    return text if len(text) <= 60 else f"{text[:59]}…"
