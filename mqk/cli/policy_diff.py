"""`mqk policy diff`: what one set of policies lets pass that another does not, and the reverse.

What lives here: the arguments, and how the command ends. What does not: what a change means (mqk.analysis.diff), how it
is told (diff_report.py, diff_pages.py, diff_findings.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mqk.cli.exits import Exit, Failure
from mqk.cli.options import BaseArgument, HeadArgument, day, today
from mqk.cli.output import print_json, say
from mqk.policy import PolicyError, Severity, did_you_mean, in_order, quoted, render_github, render_sarif
from mqk.policy.revisions import USUAL, opened
from mqk.quantity import format_date

if TYPE_CHECKING:
    from mqk.analysis.diff import PolicyDiff


class Format(StrEnum):
    """How a comparison is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"
    HTML = "html"


class FailOn(StrEnum):
    """What makes the command end as with a finding."""

    LOOSER = "looser"


@dataclass(frozen=True, slots=True)
class Days:
    """The days whose rules count in BASE and in HEAD."""

    before: date
    after: date


def _days(text: str) -> Days:
    """One day for both sides, or one for each: `A..B`."""
    before, both, after = text.partition("..")
    return Days(day(before), day(after if both else before))


def run(
    base: BaseArgument,
    head: HeadArgument = str(USUAL),
    *,
    engine: Annotated[str | None, typer.Option("--engine", metavar="ID", help="Compare this engine alone.")] = None,
    as_of: Annotated[
        Days | None,
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

    days = as_of or Days(today(), today())
    folder = Path(head) if Path(head).is_dir() else USUAL
    with opened(base, folder=folder) as old, opened(head, folder=folder) as new:
        policies = old.load(), new.load()
        for each in policies:
            if each.errors:
                raise PolicyError(each.errors)
        known = sorted({name for each in policies for name in each.ids("engine")})
        if engine is not None and engine not in known:
            raise Failure(f"there is no engine {quoted(engine)} on either side", did_you_mean(engine, known))
        found = compare(
            *policies, as_of=days.after, as_of_base=days.before, engines=None if engine is None else frozenset({engine})
        )
    told = dict.fromkeys((format_date(days.before), format_date(days.after)))
    title = f"{old.label} and {new.label}, as of {' and '.join(told)}"
    severity = Severity.WARNING if fail_on is None else Severity.ERROR
    if format_ in (Format.GITHUB, Format.SARIF):
        folders = old.shown(old.path), new.shown(new.path)
        _annotate(found, format_, policies[1].sources, folders, severity)
    else:
        _print(found, format_, title)
    raise typer.Exit(Exit.FINDING if fail_on is not None and found.verdict.loosens else Exit.DONE)


def _print(found: PolicyDiff, format_: Format, title: str) -> None:
    from mqk.cli import diff_pages, diff_report  # noqa: PLC0415

    match format_:
        case Format.JSON:
            print_json(found.to_json())
        case Format.MARKDOWN:
            say(diff_pages.markdown(found, title).removesuffix("\n"))
        case Format.HTML:
            say(diff_pages.html(found, title).removesuffix("\n"))
        case _:
            say(*diff_report.lines(found))


def _annotate(
    found: PolicyDiff, format_: Format, sources: Mapping[str, str], folders: tuple[str, str], severity: Severity
) -> None:
    """One result for each loosening, at the changed lines."""
    from mqk.cli import diff_findings, diff_report  # noqa: PLC0415

    told = in_order(diff_findings.findings(found.changes, sources, folders, severity))
    if format_ is Format.SARIF:
        say(render_sarif(told, sources))
    else:
        say(*([render_github(told, sources)] if told else []), *diff_report.head(found))
