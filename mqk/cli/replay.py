"""`mqk replay`: a finished backtest made again from its manifest, and compared byte for byte.

What lives here: the arguments, finding the bars, and text. Running and comparing are mqk.backtest's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mqk.backtest.replay import Recorded, Replay, read_run, replay
from mqk.backtest.sources import SAMPLE, find
from mqk.cli.bars import read_for
from mqk.cli.exits import Exit
from mqk.cli.options import Format, FormatOption
from mqk.cli.output import print_json, progress, say, table
from mqk.market import demo_bars

app = typer.Typer(add_completion=False)


@app.command("replay")
def replay_(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The folder that `mqk backtest --out` wrote.")],
    *,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Where the bars are: files or folders, searched by content; may be repeated.",
            show_default="the names in the manifest, from here",
        ),
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Run a backtest again from its manifest and compare every byte. Exit 1, naming the first difference, if any is."""
    run = read_run(run_dir)
    with tempfile.TemporaryDirectory() as folder:
        paths = _paths(run, data or [], Path(folder))
        bars = read_for(run.bundle, paths)
        # Where a day ends is for the calendar to say, and each engine has its own.
        elsewhere = [other.bundle for other in run.others if other.bundle.calendar != run.bundle.calendar]
        others = {bundle.engine: read_for(bundle, paths) for bundle in elsewhere}
    with progress(f"replay of {run.bundle.engine}", "bars", run.bars) as move:
        found = replay(run, bars, others=others, on_progress=lambda done, _: move(done))
    if format_ is Format.JSON:
        print_json(found.to_json())
    else:
        say(*_lines(found))
    raise typer.Exit(Exit.DONE if found.same else Exit.FINDING)


def _paths(run: Recorded, data: Sequence[Path], scratch: Path) -> list[str]:
    """The files of the run: by their bytes, sample data by its name."""
    places = list(data) or [Path(source.name) for source in run.sources if not source.name.startswith(f"{SAMPLE}:")]
    if any(source.name.startswith(f"{SAMPLE}:") for source in run.sources):
        demo_bars(scratch)
        places.append(scratch)
    return find(run.sources, places) if run.sources else [str(path) for path in places]


def _lines(found: Replay) -> list[str]:
    verdict = "is the same in every byte" if found.same else f"differs in {len(found.differences)} of its files"
    lines = [f"replay of {found.engine} {found.run_id} {verdict}"]
    lines += table([["bars", f"{found.bars:,}"], ["files", ", ".join(found.files)]])
    for each in found.differences:
        lines += ["", f"{each.file}: {each.place}", f"  recorded  {each.recorded}", f"  replayed  {each.replayed}"]
    return lines + [f"note: {note}" for note in found.notes]
