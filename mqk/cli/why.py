"""`mqk why`: one recorded decision in full, from the database or from a backtest's audit file, and what would flip it.

What lives here: the command. Finding the record is recorded.py, what it says is laid out in decision.py, how far it is
from another one in distances.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mqk.analysis.distance import distance
from mqk.cli import decision, distances
from mqk.cli.options import DATA_DIR, DataDirOption, Format, FormatOption, PoliciesOption
from mqk.cli.output import note, print_json, say
from mqk.cli.recorded import recorded

app = typer.Typer(add_completion=False)


@app.command()
def why(
    decision_id: Annotated[
        str,
        typer.Argument(
            metavar="DECISION_ID", help="Its id; of a backtest its line number in audit.jsonl, or a rule that refused."
        ),
    ],
    *,
    data_dir: DataDirOption = DATA_DIR,
    run_dir: Annotated[
        Path | None, typer.Option("--run-dir", metavar="DIR", help="The artifacts of a backtest to look in.")
    ] = None,
    policies: PoliciesOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Explain one recorded decision: what was observed, what the limit was, its line, and what would change it."""
    record = recorded(decision_id, data_dir, run_dir)
    found, apart = record.found, None
    # The record reproduces its decision: made again under the same bundle, it says where everything is written, which
    # artifacts leave out so that they are the same wherever they are made.
    bound = record.same(policies)
    if bound is None:
        note(
            "the policies of this decision are not the ones here: name them by `--policies` to see its lines,"
            " and what would change it"
        )
    else:
        moment = record.moment(bound)
        made = bound.guards.guards[record.point].decide(moment.views, moment.problems)
        if run_dir is not None:
            found["findings"] = [finding.to_json() for finding in made.findings]
        apart = distance(bound.bundle, bound.guards, made, moment)
    if format_ is Format.JSON:
        print_json({**found, "distance": None if apart is None else apart.to_json()})
        return
    say(f"decision {found['decision_id']}, {found['at']}{_about(found)}", *decision.lines(found))
    if apart is not None and apart.rules:
        say("", *distances.lines(apart))
    if found["facts"]:
        say("", "  the facts it was made on", *decision.facts_lines(found["facts"]))


def _about(found: dict[str, Any]) -> str:
    facts, symbol = found["facts"], found["symbol"]
    if "order.side" in facts and "order.qty" in facts:
        return f", {facts['order.side']} {facts['order.qty']} {symbol or ''}".rstrip()
    return "" if symbol is None else f", {symbol}"
