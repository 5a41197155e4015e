"""The bars a command runs on: the options that name them, reading them as an engine's policy wants, cutting by day.

What a file of bars looks like is mqk.market's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from mqk.cli.bound import Bound
from mqk.cli.exits import Failure
from mqk.cli.options import day
from mqk.market import Bar, CorporateActions, read_bars
from mqk.quantity import format_instant

BarsOption = Annotated[
    list[str],
    typer.Option("--bars", metavar="PATH...", help="Files and folders of bars, or SYMBOL=PATH; may be repeated."),
]
# What follows the first path of `--bars`: options take one value each.
MoreBars = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="More bars.")]
StartOption = Annotated[date | None, typer.Option("--start", metavar="DATE", parser=day, help="The first day (UTC).")]
EndOption = Annotated[date | None, typer.Option("--end", metavar="DATE", parser=day, help="The last day (UTC).")]


def load_bars(bound: Bound, paths: Sequence[str | Path]) -> list[Bar]:
    """The bars of these files, by the engine's calendar and its policy on corporate actions."""
    # The schema has seen to it that it is one of the two.
    actions: CorporateActions = "forbid" if bound.bundle.execution.corporate_actions == "forbid" else "adjust"
    return read_bars(paths, calendar=bound.bundle.calendar, corporate_actions=actions)


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
