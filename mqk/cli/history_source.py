"""What commands over recorded decisions share: their options, and the policies that judge.

What lives here: arguments and compiled guards. What does not: any report.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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

    from mqk.analysis.history.backends import Backend
    from mqk.analysis.history.records import Part
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
SOURCE = "A `decisions.parquet`, a folder that holds some, `database`, or a database's URL."
DecisionsOption = Annotated[str, typer.Option("--decisions", metavar="SOURCE", help=SOURCE)]
MaybeDecisionsOption = Annotated[
    str | None, typer.Option("--decisions", metavar="SOURCE", help=SOURCE, show_default="the tests of the policies")
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


@contextmanager
def history(decisions: str, data_dir: Path, engine: Reckoner) -> Iterator[tuple[Backend, tuple[Part, ...]]]:
    """Recorded decisions, and who reckons over them."""
    from mqk.analysis.history.backends import Engine, opened  # noqa: PLC0415 - loads Ibis
    from mqk.analysis.history.records import read_parts  # noqa: PLC0415 - loads Arrow
    from mqk.cli.exporting import source  # noqa: PLC0415

    with source(decisions, data_dir) as where:
        parts = read_parts(where)
        with opened(Engine(engine.value)) as backend:
            yield backend, parts
