"""`mqk why`: one recorded decision in full, from the database or from a backtest's audit file.

What lives here: finding the record. What it says is laid out in decision.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mqk.cli import decision
from mqk.cli.bound import bind
from mqk.cli.exits import Exit, Failure
from mqk.cli.options import DATA_DIR, DataDirOption, Format, FormatOption, PoliciesOption
from mqk.cli.output import note, print_json, say
from mqk.guards import Point, read_facts
from mqk.policy import PolicyError
from mqk.quantity import format_instant, parse_date

app = typer.Typer(add_completion=False)

_AUDIT: Final = "audit.jsonl"
_MANIFEST: Final = "manifest.json"


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
    """Explain one recorded decision in full: what was observed, what the limit was, and the line that set it."""
    if run_dir is None:
        found = _in_database(decision_id, data_dir)
    else:
        found = _in_audit(decision_id, run_dir)
        found["findings"] = _placed(found, run_dir, policies)
    if format_ is Format.JSON:
        print_json(found)
        return
    say(f"decision {found['decision_id']}, {found['at']}{_about(found)}", *decision.lines(found))
    if found["facts"]:
        say("", "  the facts it was made on", *decision.facts_lines(found["facts"]))


def _about(found: dict[str, Any]) -> str:
    facts, symbol = found["facts"], found["symbol"]
    if "order.side" in facts and "order.qty" in facts:
        return f", {facts['order.side']} {facts['order.qty']} {symbol or ''}".rstrip()
    return "" if symbol is None else f", {symbol}"


def _in_database(decision_id: str, data_dir: Path) -> dict[str, Any]:
    # A backtest's decisions are explained without a database, and without the time it takes to import one.
    from mqk.cli.database import reading  # noqa: PLC0415
    from mqk.store import decisions, runs  # noqa: PLC0415

    with reading(data_dir) as connection:
        record = decisions.get(connection, decision_id)
        if record is None:
            help_ = "`mqk run status RUN_ID` names some; `--run-dir` looks into a backtest"
            raise Failure(f"there is no decision `{decision_id}`", help_)
        run = runs.get(connection, record.run_id)
        return {
            "decision_id": record.decision_id,
            "at": format_instant(record.at),
            "run_id": str(record.run_id),
            "engine": "" if run is None else run.engine_id,
            "point": record.point,
            "outcome": record.outcome,
            "symbol": record.facts.get("order.symbol"),
            "findings": record.findings,
            "bundle": record.bundle_sha256,
            "facts": record.facts,
        }


def _in_audit(wanted: str, run_dir: Path) -> dict[str, Any]:
    """The decision on a line of the audit file, or the first one that a rule brought about."""
    for line in _lines(run_dir / _AUDIT):
        data = line["data"]
        made = data.get("decision") or (data if "findings" in data else None)
        if made is None:
            if wanted == str(line["seq"]):
                raise Failure(f"line {wanted} of the audit is `{line['kind']}`, and carries no decision")
            continue
        if wanted in (str(line["seq"]), *_deciding(made)):
            return {"decision_id": str(line["seq"]), "at": line["at"], "symbol": data.get("symbol"), **made}
    raise Failure(f"no decision `{wanted}` in `{run_dir / _AUDIT}`", "give a line's number, or the id of a rule")


def _placed(found: dict[str, Any], run_dir: Path, policies: Path | None) -> list[dict[str, Any]]:
    """The findings with the lines of the policies that they follow from.

    Artifacts name no files, so that they are the same wherever they are made. The record reproduces its decision: made
    again under the same bundle, it says where everything is written.
    """
    try:
        manifest = json.loads((run_dir / _MANIFEST).read_bytes())["bundle"]
        as_of = None if manifest["as_of"] is None else parse_date(manifest["as_of"])
        bound = bind(policies, found["engine"], as_of=as_of, overlays=manifest["overlays"])
    except (OSError, ValueError, KeyError, PolicyError):
        bound = None
    if bound is None or bound.bundle.sha256 != found["bundle"]:
        note("the policies of this decision are not the ones here: name them by `--policies` to see its lines")
        return list(found["findings"])
    point = Point(found["point"])
    moment = read_facts(found["facts"], bound.guards, point)
    made = bound.guards.guards[point].decide(moment.views, moment.problems)
    return [finding.to_json() for finding in made.findings]


def _deciding(made: dict[str, Any]) -> list[str]:
    return [finding["rule"] for finding in made["findings"] if finding["outcome"] == made["outcome"]]


def _lines(audit: Path) -> Iterator[dict[str, Any]]:
    try:
        with audit.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as fault:
                    raise Failure(f"line {number} of `{audit}` is not JSON: {fault.msg.lower()}") from fault
    except OSError as fault:
        message = f"`{audit}` cannot be read: {(fault.strerror or 'unknown reason').lower()}"
        raise Failure(message, "`--run-dir` is the `--out` of a backtest", code=Exit.BAD_INPUT) from fault
