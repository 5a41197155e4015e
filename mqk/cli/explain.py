"""`mqk explain`: the page of a diagnostic code, or the list of all codes.

What lives here: the argument and the endings. The pages are mqk/explanations, reading them is mqk.policy.explanations.
"""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from mqk.cli.exits import Failure
from mqk.cli.options import Format, FormatOption
from mqk.cli.output import print_json, say
from mqk.policy import CODES, closest
from mqk.policy.explanations import explain, full_code

app = typer.Typer(add_completion=False)


@app.command()
def explain_(
    codes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CODE]...", help="Such as MQK-1101, or 1101.", show_default="list all codes"),
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Explain a diagnostic: what it means, an example that has the fault, and how to mend it."""
    if not codes:
        _list(format_)
        return
    pages = [explain(_known(code)) for code in codes]
    if format_ is Format.JSON:
        names = ("code", "title", "meaning", "text")
        print_json([{name: getattr(page, name) for name in names} for page in pages])
    else:
        say("\n\n".join(page.text.rstrip("\n") for page in pages))


def _known(code: str) -> str:
    wanted = full_code(code)
    if wanted in CODES:
        return wanted
    near = closest(wanted, CODES)
    help_ = f"did you mean `{near}`?" if near is not None else "`mqk explain` lists all codes"
    raise Failure(f"there is no diagnostic `{code}`", help_)


def _list(format_: Format) -> None:
    if format_ is Format.JSON:
        print_json([{"code": code, "title": title} for code, title in CODES.items()])
        return
    indent = " " * 10
    for code, title in CODES.items():
        say(textwrap.fill(f"{code}  {title}", 100, subsequent_indent=indent))
