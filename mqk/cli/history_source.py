"""What commands over recorded decisions share: their options, and the policies that judge.

What lives here: arguments and compiled guards. What does not: any report.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mqk.cli.output import say
from mqk.cli.sections import Section, html_page, markdown_lines, text_lines
from mqk.guards import GuardSet, compile_bundle
from mqk.policy import PolicyError, effective_bundle, load_policies, revisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqk.policy import PolicySet


class ReportFormat(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


class Reckoner(StrEnum):
    """Who reckons."""

    DUCKDB = "duckdb"
    SPARK = "spark"


BackendOption = Annotated[Reckoner, typer.Option("--engine", help="Who reckons over recorded decisions.")]
ReportOption = Annotated[ReportFormat, typer.Option("--format", help="How to write it.")]
_SOURCE = "A `decisions.parquet`, or a folder that holds some."
DecisionsOption = Annotated[Path, typer.Option("--decisions", metavar="SOURCE", help=_SOURCE)]
MaybeDecisionsOption = Annotated[
    Path | None, typer.Option("--decisions", metavar="SOURCE", help=_SOURCE, show_default="the tests of the policies")
]


def guards_of(where: str, as_of: date | None) -> dict[str, GuardSet]:
    """The compiled guards of every engine of a set of policies: a folder, a file or a revision."""
    with revisions.opened(where) as found:
        return compiled(found.load(), as_of)


def guards_at(paths: Sequence[Path], as_of: date | None) -> dict[str, GuardSet]:
    """The compiled guards of every engine of the policies in some files and folders."""
    return compiled(load_policies(paths), as_of)


def compiled(policies: PolicySet, as_of: date | None) -> dict[str, GuardSet]:
    """The compiled guards of every engine. Raises PolicyError with everything that is wrong."""
    if policies.errors:
        raise PolicyError(policies.errors)
    return {name: compile_bundle(effective_bundle(policies, name, as_of=as_of)) for name in policies.ids("engine")}


def report(sections: Sequence[Section], title: str, format_: ReportFormat) -> None:
    """Write a report for people, in one of three forms."""
    match format_:
        case ReportFormat.MARKDOWN:
            say(*markdown_lines(sections))
        case ReportFormat.HTML:
            say(html_page(title, sections).rstrip("\n"))
        case _:
            say(*text_lines(sections))
