"""Arguments and options that several commands share, with the reading of their values.

Options of one command alone are in that command's module.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from mqk.quantity import QuantityError, parse_date


class Format(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"


def day(text: str) -> date:
    """A day as an option gives it."""
    try:
        return parse_date(text)
    except QuantityError as fault:
        raise typer.BadParameter(fault.message if fault.help is None else f"{fault.message}: {fault.help}") from fault


def today() -> date:
    """The day that counts where none is given: the one place where policies and a clock meet."""
    return datetime.now(tz=UTC).date()


def _or_today(given: date | None) -> date:
    return today() if given is None else given


PathsArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[PATH]...", help="Files and folders.", show_default="./policies, else the shipped ones"),
]
BaseArgument = Annotated[
    str, typer.Argument(metavar="BASE", help="What was: a folder, a bundle file, or a git revision `REV[:PATH]`.")
]
HeadArgument = Annotated[
    str, typer.Argument(metavar="[HEAD]", help="What is to be, told in the same ways.", show_default="./policies")
]
FormatOption = Annotated[Format, typer.Option("--format", help="For people or for programs.")]
PoliciesOption = Annotated[
    Path | None,
    typer.Option(
        "--policies",
        metavar="PATH",
        help="The policies: a folder, or a bundle file.",
        show_default="./policies, else those that come with mqk",
    ),
]
EngineOption = Annotated[str, typer.Option("--engine", metavar="ID", help="The engine, as its document names it.")]
AsOfOption = Annotated[
    date | None,
    typer.Option(
        "--as-of",
        metavar="DATE",
        parser=day,
        callback=_or_today,
        help="The day whose rules count, in UTC.",
        show_default="today",
    ),
]
# For commands that must know whether a day was given: tests may name days of their own.
MaybeAsOfOption = Annotated[
    date | None,
    typer.Option("--as-of", metavar="DATE", parser=day, help="The day whose rules count.", show_default="today"),
]
DataDirOption = Annotated[
    Path,
    typer.Option("--data-dir", metavar="DIR", help="Where mqk keeps its database and what it writes."),
]
DATA_DIR: Final = Path(".mqk")
