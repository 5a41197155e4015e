"""`mqk explain`: the page of a diagnostic code, or the list of all codes.

What lives here: the argument and the endings. The pages are mqk/explanations, reading them is mqk.policy.explanations.
"""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from mqk.cli.exits import Exit, Failure
from mqk.cli.options import Format, FormatOption
from mqk.cli.output import print_json, say
from mqk.policy import CODES, closest
from mqk.policy.explanations import explain, full_code

app = typer.Typer(add_completion=False)


@app.command()
def explain_(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="Such as MQK-1101, or 1101.", show_default="list all codes")
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Explain a diagnostic: what it means, an example that has the fault, and how to mend it."""
    if code is None:
        _list(format_)
        return
    wanted = full_code(code)
    if wanted not in CODES:
        near = closest(wanted, CODES)
        help_ = f"did you mean `{near}`?" if near is not None else "`mqk explain` lists all codes"
        raise Failure(f"there is no diagnostic `{code}`", help_, code=Exit.BAD_INPUT)
    page = explain(wanted)
    if format_ is Format.JSON:
        print_json({"code": page.code, "title": page.title, "meaning": page.meaning, "page": page.text})
    else:
        say(page.text.rstrip("\n"))


def _list(format_: Format) -> None:
    if format_ is Format.JSON:
        print_json([{"code": code, "title": title} for code, title in CODES.items()])
        return
    indent = " " * 10
    for code, title in CODES.items():
        say(textwrap.fill(f"{code}  {title}", 100, subsequent_indent=indent))
