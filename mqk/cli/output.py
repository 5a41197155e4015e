"""Writing results: JSON and plain text to stdout, tables that read well without colour, progress bars to stderr.

No wording of any command is here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn

# A report in a file or a log is as wide as one on a roomy terminal.
_WIDTH: Final = 120
_GAP: Final = "  "


def print_json(value: object) -> None:
    """A JSON document on stdout, and nothing else."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def say(*lines: str) -> None:
    """Lines of the result, on stdout."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def note(*lines: str) -> None:
    """Remarks that are not part of the result, on stderr."""
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def in_color() -> bool:
    """Whether stdout is a terminal that shows colours."""
    return console(stderr=False).color_system is not None


def console(*, stderr: bool) -> Console:
    """A console on one of the two streams, as wide as the terminal or as `_WIDTH`."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _WIDTH, highlight=False)


def table(rows: Iterable[Sequence[str]], *, indent: str = _GAP, right: Sequence[int] = ()) -> list[str]:
    """Rows as aligned lines, a column as wide as its widest cell, those numbered in `right` flush right."""
    cells = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in cells if i < len(row)) for i in range(max(map(len, cells), default=0))]
    lines = []
    for row in cells:
        padded = [
            cell.rjust(widths[i]) if i in right else cell.ljust(widths[i]) if i < len(row) - 1 else cell
            for i, cell in enumerate(row)
        ]
        lines.append((indent + _GAP.join(padded)).rstrip())
    return lines


class Move(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, total: int | None = None, detail: str = "", *, before: int = 0) -> None:
        """Show how many are done, of how many, and a word on how it goes. May be called from any thread.

        `before` were done when this began, and do not count in the rate.
        """


@contextmanager
def progress(what: str, unit: str, total: int | None = None) -> Iterator[Move]:
    """A progress bar on stderr with a rate in `unit` per second. Where stderr is no terminal, one line at the end."""
    screen = console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[detail]}"),
        console=screen,
        auto_refresh=screen.is_terminal,
        disable=not screen.is_terminal,
    )
    with bar:
        task = bar.add_task(what, total=total, detail="")
        begun = monotonic()
        here = 0

        def move(done: int, total: int | None = None, detail: str = "", *, before: int = 0) -> None:
            nonlocal here
            here = done - before
            rate = f"{here / max(monotonic() - begun, 0.001):,.0f} {unit}/s"
            bar.update(task, completed=done, total=total, detail=f"{rate}  {detail}")

        yield move
        elapsed = max(monotonic() - begun, 0.001)
    if not screen.is_terminal:
        note(f"{what}: {here:,} {unit} in {elapsed:.1f} s ({here / elapsed:,.0f} {unit}/s)")
