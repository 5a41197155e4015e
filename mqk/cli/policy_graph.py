"""`mqk policy graph`: a state machine, or the documents that bind an engine, as Mermaid or SVG.

What lives here: the arguments and what is meant by the name given. What does not: drawing (mqk.analysis.graph).
"""

from __future__ import annotations

import sys
from datetime import date
from enum import StrEnum
from typing import Annotated

import typer

from mqk.analysis.graph import Picture, mermaid, of_engine, of_lifecycle
from mqk.cli.bound import policies_at
from mqk.cli.exits import Failure
from mqk.cli.options import AsOfOption, PoliciesOption
from mqk.policy import PolicyError, PolicySet, did_you_mean, effective_bundle, load_policies, quoted
from mqk.policy.machines import read_lifecycle


class Drawn(StrEnum):
    """How a graph is written."""

    MERMAID = "mermaid"
    SVG = "svg"


def run(
    name: Annotated[str, typer.Argument(metavar="LIFECYCLE|ENGINE", help="What to draw, by its id.")],
    *,
    policies: PoliciesOption = None,
    as_of: AsOfOption = None,
    format_: Annotated[
        Drawn, typer.Option("--format", help="Text for Mermaid, which many sites draw, or a picture.")
    ] = Drawn.MERMAID,
) -> None:
    """Draw a state machine, or the documents that bind an engine, on stdout."""
    loaded = load_policies([policies_at(policies)])
    if loaded.errors:
        raise PolicyError(loaded.errors)
    picture = _picture(loaded, name, as_of)
    if format_ is Drawn.SVG:
        from mqk.analysis.drawing import svg  # noqa: PLC0415 - only pictures pay for the layout

        sys.stdout.write(svg(picture))
    else:
        sys.stdout.write(mermaid(picture))


def _picture(policies: PolicySet, name: str, as_of: date | None) -> Picture:
    if ("lifecycle", name) in policies.documents:
        return of_lifecycle(read_lifecycle(policies.documents["lifecycle", name]))
    if name in policies.ids("engine"):
        return of_engine(policies, effective_bundle(policies, name, as_of=as_of))
    known = [*policies.ids("lifecycle"), *policies.ids("engine")]
    help_ = did_you_mean(name, known) or f"there are {', '.join(f'`{each}`' for each in known)}"
    raise Failure(f"there is no lifecycle and no engine {quoted(name)}", help_)
