"""`mqk policy diff`: what one set of policies lets pass that another does not, and the reverse.

What lives here: the arguments, and how the command ends. What does not: what a change means (mqk.analysis.diff), how it
is told (diff_report.py).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

import typer

from mqk.cli.exits import Exit, Failure
from mqk.cli.options import day, today
from mqk.cli.output import print_json, say
from mqk.policy import PolicyError, did_you_mean, quoted
from mqk.policy.revisions import USUAL, opened


class Format(StrEnum):
    """How a comparison is written."""

    TEXT = "text"
    JSON = "json"


class FailOn(StrEnum):
    """What makes the command end as with a finding."""

    LOOSER = "looser"


def _days(text: str) -> tuple[date, date]:
    """One day for both sides, or one for each: `A..B`."""
    before, both, after = text.partition("..")
    return day(before), day(after if both else before)


def run(
    base: Annotated[
        str, typer.Argument(metavar="BASE", help="What was: a folder, a bundle file, or a git revision `REV[:PATH]`.")
    ],
    head: Annotated[
        str, typer.Argument(metavar="[HEAD]", help="What is to be, told in the same ways.", show_default="./policies")
    ] = str(USUAL),
    *,
    engine: Annotated[str | None, typer.Option("--engine", metavar="ID", help="Compare this engine alone.")] = None,
    as_of: Annotated[
        tuple[date, date] | None,
        typer.Option(
            "--as-of",
            metavar="DATE[..DATE]",
            parser=_days,
            help="The day whose rules count, in UTC; `A..B` for one in BASE and another in HEAD.",
            show_default="today",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option("--fail-on", help="Exit 1 when anything may pass that was stopped, or that is not decided."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="For people, programs or pull requests.")] = Format.TEXT,
) -> None:
    """Say what a change of policies means: what may pass that was stopped, and the reverse, proven for all inputs."""
    from mqk.analysis.diff import compare  # noqa: PLC0415 - the comparison loads what no other command needs
    from mqk.cli.diff_report import lines  # noqa: PLC0415

    before, after = as_of or (today(), today())
    with opened(base) as old, opened(head) as new:
        policies = old.load(), new.load()
        for each in policies:
            if each.errors:
                raise PolicyError(each.errors)
        known = sorted({name for each in policies for name in each.ids("engine")})
        if engine is not None and engine not in known:
            raise Failure(f"there is no engine {quoted(engine)} on either side", did_you_mean(engine, known))
        found = compare(
            *policies, as_of=after, as_of_base=before, engines=None if engine is None else frozenset({engine})
        )
    if format_ is Format.JSON:
        print_json(found.to_json())
    else:
        say(*lines(found))
    raise typer.Exit(Exit.FINDING if fail_on is not None and found.verdict.loosens else Exit.DONE)
