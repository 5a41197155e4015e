"""`mqk policy check`: everything that is wrong with policies, for people, programs, pull requests and code scanning.

What lives here: the arguments and the ending. What is wrong is found by checking.py, and rendered by mqk.policy.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mqk.cli import checking
from mqk.cli.bound import policies_at
from mqk.cli.exits import Exit
from mqk.cli.options import AsOfOption, PathsArgument
from mqk.cli.output import in_color, say
from mqk.cli.policy_costs import costs
from mqk.policy import Severity, load_policies, render_github, render_json, render_sarif, render_text


class CheckFormat(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def run(
    paths: PathsArgument = None,
    *,
    as_of: AsOfOption = None,
    format_: Annotated[
        CheckFormat, typer.Option("--format", help="For people, programs, a pull request on GitHub, code scanning.")
    ] = CheckFormat.TEXT,
    show_costs: Annotated[
        bool, typer.Option("--costs", help="Also print what judging each rule costs at worst.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what is wrong, and no summary.")] = False,
) -> None:
    """Find everything wrong with policies: syntax, values, references, expressions. Exit 1 when there is an error."""
    checked = checking.check(load_policies(paths or [policies_at(None)]), as_of)
    errors = any(each.severity is Severity.ERROR for each in checked.diagnostics)
    found, sources = checked.diagnostics, checked.policies.sources
    match format_:
        case CheckFormat.JSON:
            say(render_json(found, sources))
        case CheckFormat.SARIF:
            say(render_sarif(found, sources))
        case CheckFormat.GITHUB:
            said = [render_github(found, sources)] if found else []
            say(*said, *([] if quiet else [checking.summary(checked)]))
        case CheckFormat.TEXT:
            if found:
                say(render_text(found, sources, color=in_color()).removesuffix("\n" if quiet else ""))
            if not quiet:
                pages = checking.pages(checked)
                say(checking.summary(checked), *([pages] if pages is not None else []))
            if show_costs and not errors:
                say(costs(checked.policies, as_of))
    raise typer.Exit(Exit.FINDING if errors else Exit.DONE)
