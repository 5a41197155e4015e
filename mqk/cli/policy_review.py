"""`mqk policy review`: what a pull request does to policies, as one comment and as annotations of the changed lines.

What lives here: the arguments and the ending. What does not: the comment (review_comment.py), the comparison
(mqk.analysis.diff), posting (the action that `mqk init` copies).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mqk.cli.exits import Exit
from mqk.cli.options import AsOfOption, BaseArgument, HeadArgument
from mqk.cli.output import say
from mqk.cli.policy_diff import FailOn
from mqk.policy import PolicyError, Severity, in_order, render_github
from mqk.policy.revisions import USUAL, opened

if TYPE_CHECKING:
    from datetime import date


def run(
    base: BaseArgument,
    head: HeadArgument = str(USUAL),
    *,
    comment: Annotated[
        Path | None, typer.Option("--comment", metavar="FILE", help="Write the comment there instead of to stdout.")
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option("--decisions", metavar="SOURCE", help="Recorded decisions, to be judged again on both sides."),
    ] = None,
    as_of: AsOfOption = None,
    annotate: Annotated[
        bool, typer.Option("--annotate", help="Also print annotations of the changed lines, as GitHub reads them.")
    ] = False,
    fail_on: Annotated[
        FailOn | None,
        typer.Option("--fail-on", help="Exit 1 when anything may pass that was stopped, or that is not decided."),
    ] = None,
) -> None:
    """Write the comment on a change of policies: verdict, changes, orders that flip, and what history would say."""
    from mqk.analysis.diff import compare  # noqa: PLC0415 - the comparison loads what no other command needs
    from mqk.cli import diff_findings, review_comment  # noqa: PLC0415

    folder = Path(head) if Path(head).is_dir() else USUAL
    with opened(base, folder=folder) as old, opened(head, folder=folder) as new:
        sides = old.load(), new.load()
        for each in sides:
            if each.errors:
                raise PolicyError(each.errors)
        found = compare(*sides, as_of=as_of)
        folders = old.shown(old.path), new.shown(new.path)
    history = None if decisions is None else _history(base, head, decisions, as_of)
    text = review_comment.comment(found, history, f"Compared: {base} and {head}.")
    if annotate:
        severity = Severity.WARNING if fail_on is None else Severity.ERROR
        marks = in_order(diff_findings.findings(found.changes, sides[1].sources, folders, severity))
        say(*([render_github(marks, sides[1].sources)] if marks else []))
    if comment is None:
        say(text.rstrip("\n"))
    else:
        comment.parent.mkdir(parents=True, exist_ok=True)
        comment.write_text(text, "utf-8")
        say(f"{found.verdict}, the comment is in {comment}")
    raise typer.Exit(Exit.FINDING if fail_on is not None and found.verdict.loosens else Exit.DONE)


def _history(base: str, head: str, decisions: Path, as_of: date | None) -> dict[str, Any]:
    """The impact on recorded decisions, as `mqk policy impact` has it in JSON."""
    from mqk.analysis.history.backends import Engine  # noqa: PLC0415 - loads Ibis
    from mqk.analysis.history.backends import opened as reckoning  # noqa: PLC0415
    from mqk.analysis.history.impact import measure_impact  # noqa: PLC0415
    from mqk.analysis.history.records import read_parts  # noqa: PLC0415 - loads Arrow
    from mqk.cli.history_source import guards_of  # noqa: PLC0415
    from mqk.cli.policy_impact import to_json  # noqa: PLC0415

    parts = read_parts(decisions)
    before, after = guards_of(base, as_of), guards_of(head, as_of)
    with reckoning(Engine("duckdb")) as backend:
        return to_json(measure_impact(backend, parts, before, after, limit=10))
