"""`mqk assess`: the periodic self-assessment, from policies, their tests and proofs, and recorded decisions.

What lives here: the arguments, gathering the inputs, and the ending. What does not: what is found
(mqk.analysis.assess), the reading of records (assess_evidence.py), the pages (assess_pages.py).
"""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from mqk.analysis.assess import Evidence, assess, to_json
from mqk.cli import assess_pages
from mqk.cli.assess_control import with_log
from mqk.cli.assess_evidence import Between, read_database, read_records
from mqk.cli.assess_review import review_day, review_since
from mqk.cli.bound import policies_at
from mqk.cli.exits import Exit, Failure
from mqk.cli.options import DATA_DIR, AsOfOption, DataDirOption
from mqk.cli.output import say
from mqk.policy import PolicyError, PolicySet, did_you_mean, effective_bundle, load_policies
from mqk.quantity import DAY_MICROS

app = typer.Typer(add_completion=False)


class Page(StrEnum):
    """How the report is written."""

    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


_EPOCH: Final = date(1970, 1, 1)
_SUFFIXES: Final = {Page.MARKDOWN: ".md", Page.HTML: ".html", Page.JSON: ".json"}


@app.command("assess")
def run(
    policies: Annotated[
        Path | None,
        typer.Argument(metavar="[POLICIES]", help="The policies.", show_default="./policies, else the shipped ones"),
    ] = None,
    *,
    engine: Annotated[
        list[str] | None,
        typer.Option("--engine", metavar="ID", help="Assess this engine; may be repeated.", show_default="all"),
    ] = None,
    decisions: Annotated[
        list[Path] | None,
        typer.Option(
            "--decisions",
            metavar="SOURCE",
            help="Evidence: artifacts of a backtest, a folder of them, `decisions.parquet`; may be repeated.",
        ),
    ] = None,
    database: Annotated[
        bool, typer.Option("--database", help="Evidence: the runs of the database, and its log of policies.")
    ] = False,
    data_dir: DataDirOption = DATA_DIR,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE|REV", help="The last review: evidence and changes count from there."),
    ] = None,
    as_of: AsOfOption = None,
    format_: Annotated[Page, typer.Option("--format", help="For reading, for printing, for programs.")] = Page.MARKDOWN,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR|FILE", help="Where it goes; in a folder as `assessment`.", show_default="stdout"
        ),
    ] = None,
    fail_on_gap: Annotated[bool, typer.Option("--fail-on-gap", help="Exit 1 when there is a gap.")] = False,
) -> None:
    """Report on every obligation: what answers it, how that was tested and proven, what it did, and what is missing."""
    assert as_of is not None
    where = policies_at(policies)
    loaded = load_policies([where])
    if loaded.errors:
        raise PolicyError(loaded.errors)
    if not loaded.ids("obligation"):
        help_ = "`policies/obligations` of a starter set has some; a desk adds its own as `kind: obligation`"
        raise Failure("there are no obligations to assess", help_)
    began = None if since is None else review_day(since, where)
    between = Between(None if began is None else _midnight(began), _midnight(as_of + timedelta(days=1)))
    evidence = Evidence()
    for source in decisions or ():
        read_records(source, between, evidence)
    if database:
        read_database(data_dir, between, evidence)
    names = _engines(loaded, engine)
    review = review_since(since, began, where, loaded, names, as_of)
    if database:
        bundles = {name: effective_bundle(loaded, name, as_of=as_of).sha256 for name in names}
        review = with_log(review, data_dir, between, bundles, as_of)
    made = assess(loaded, names, as_of=as_of, evidence=evidence, review=review, since=since)
    document = to_json(made)
    text = {
        Page.MARKDOWN: assess_pages.markdown,
        Page.HTML: assess_pages.html,
        Page.JSON: assess_pages.json_text,
    }[format_](document)
    if out is None:
        say(text.rstrip("\n"))
    else:
        path = out / f"assessment{_SUFFIXES[format_]}" if out.is_dir() or not out.suffix else out
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        say(assess_pages.one_line(document), f"written to {path}")
    raise typer.Exit(Exit.FINDING if fail_on_gap and not made.holds else Exit.DONE)


def _engines(policies: PolicySet, wanted: list[str] | None) -> tuple[str, ...]:
    known = policies.ids("engine")
    for name in wanted or ():
        if name not in known:
            raise Failure(f"there is no engine `{name}`", did_you_mean(name, known))
    return tuple(each for each in known if wanted is None or each in wanted)


def _midnight(day: date) -> int:
    """The beginning of a day in UTC, in epoch micros."""
    return (day - _EPOCH).days * DAY_MICROS
