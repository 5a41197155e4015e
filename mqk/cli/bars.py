"""The bars a command runs on: the options that name them, reading them as an engine's policy wants, cutting by day.

What a file of bars looks like is mqk.market's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from mqk.backtest.sources import SAMPLE, Source, sources_of
from mqk.cli.bound import Bound
from mqk.cli.exits import Failure
from mqk.cli.options import day
from mqk.market import Bar, CorporateActions, demo_bars, read_bars
from mqk.policy import Bundle
from mqk.quantity import format_instant

BarsOption = Annotated[
    list[str],
    typer.Option(
        "--bars", metavar="PATH...", help="Files and folders of bars, SYMBOL=PATH, or `sample`; may be repeated."
    ),
]
# What follows the first path of `--bars`: options take one value each.
MoreBars = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="More bars.")]
StartOption = Annotated[date | None, typer.Option("--start", metavar="DATE", parser=day, help="The first day (UTC).")]
EndOption = Annotated[date | None, typer.Option("--end", metavar="DATE", parser=day, help="The last day (UTC).")]


@dataclass(frozen=True, slots=True)
class Given:
    """Paths of bars, and what a manifest says of them."""

    paths: tuple[str | Path, ...]
    sources: tuple[Source, ...]


def load_bars(bound: Bound, paths: Sequence[str | Path]) -> list[Bar]:
    """The bars of these files, by the engine's calendar and its policy on corporate actions."""
    return read_for(bound.bundle, paths)


def read_for(bundle: Bundle, paths: Sequence[str | Path]) -> list[Bar]:
    """As `load_bars`, for a bundle that need not be bound to files."""
    # The schema has seen to it that it is one of the two.
    actions: CorporateActions = "forbid" if bundle.execution.corporate_actions == "forbid" else "adjust"
    return read_bars(paths, calendar=bundle.calendar, corporate_actions=actions)


@contextmanager
def given(paths: Sequence[str | Path]) -> Iterator[Given]:
    """What `--bars` names, with where it comes from; `sample` are the bars that come with the extra `mqk[demo]`."""
    with tempfile.TemporaryDirectory() as folder:
        if SAMPLE not in map(str, paths) or Path(SAMPLE).exists():
            yield Given(tuple(paths), sources_of(paths))
            return
        made = demo_bars(Path(folder))
        full = [*(path for path in paths if str(path) != SAMPLE), *made]
        yield Given(tuple(full), sources_of(full, sample=made))


def between(bars: list[Bar], start: date | None, end: date | None) -> list[Bar]:
    """The bars that end on these days, both included. Raises Failure when none do."""
    if start is not None and end is not None and end < start:
        raise Failure(f"`--end {end}` is before `--start {start}`")
    first = None if start is None else _midnight(start)
    last = None if end is None else _midnight(end + timedelta(days=1))
    kept = [bar for bar in bars if (first is None or bar.end >= first) and (last is None or bar.end < last)]
    if bars and not kept:
        known = f"the bars reach from {format_instant(bars[0].end)} to {format_instant(bars[-1].end)}"
        raise Failure("no bar ends between `--start` and `--end`", known)
    return kept


def _midnight(of: date) -> int:
    moment = datetime(of.year, of.month, of.day, tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
