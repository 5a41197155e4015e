"""`mqk reference`: the reference pages of facts, expressions, kinds of document, diagnostics and artifacts.

What lives here: the arguments, and which page is which file. What the pages say is in reference_*.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import typer

from mqk.cli import reference_artifacts, reference_facts, reference_language
from mqk.cli.output import say

app = typer.Typer(add_completion=False)


class Page(StrEnum):
    """Which page."""

    FACTS = "facts"
    FUNCTIONS = "functions"
    KINDS = "kinds"
    DIAGNOSTICS = "diagnostics"
    ARTIFACTS = "artifacts"
    ALL = "all"


PAGES: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        Page.FACTS: reference_facts.page,
        Page.FUNCTIONS: reference_language.functions,
        Page.KINDS: reference_language.kinds,
        Page.DIAGNOSTICS: reference_language.diagnostics,
        Page.ARTIFACTS: reference_artifacts.page,
    }
)


@app.command()
def reference(
    page: Annotated[Page, typer.Argument(help="Which page.")] = Page.ALL,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write each page to a file of its name.", show_default="stdout"),
    ] = None,
) -> None:
    """Print the reference: every fact, form of expression, key of a document, diagnostic and artifact of this mqk."""
    chosen = {name: write() for name, write in PAGES.items() if page in (name, Page.ALL)}
    if out is None:
        say("\n".join(chosen.values()).rstrip("\n"))
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, text in chosen.items():
        (out / f"{name}.md").write_text(text, encoding="utf-8")
        say(f"{(out / f'{name}.md').as_posix()}")
