"""`mqk promote`: whether a finished backtest is good enough, by its engine's own gates.

What lives here: arguments, the runs under stress that the policy asks for, and text. Judging is mqk.promotion.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mqk.cli import decision
from mqk.cli.bound import bind
from mqk.cli.exits import Exit
from mqk.cli.options import AsOfOption, Format, FormatOption, PoliciesOption
from mqk.cli.output import print_json, say, table
from mqk.policy import effective_bundle
from mqk.promotion import Promotion, promote, read_evidence
from mqk.promotion.candidate import written
from mqk.promotion.stresses import required_stresses

if TYPE_CHECKING:
    from datetime import date

    from mqk.cli.bound import Bound

app = typer.Typer(add_completion=False)


@app.command("promote")
def promote_(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The folder that `mqk backtest --out` wrote.")],
    *,
    stress: Annotated[
        list[Path] | None,
        typer.Option("--stress", metavar="RUN_DIR", help="The same under an overlay; may be repeated."),
    ] = None,
    policies: PoliciesOption = None,
    as_of: AsOfOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Judge a backtest by the gates of its engine. Exit 1, naming every gate it fails, when it is not good enough."""
    evidence = read_evidence(run_dir)
    stressed = [read_evidence(folder) for folder in stress or ()]
    bound = bind(policies, evidence.engine, as_of=as_of)
    found = promote(bound.guards, evidence, stressed, stresses=_stresses(bound, as_of))
    if format_ is Format.JSON:
        print_json(found.to_json())
    else:
        say(*_lines(found))
    raise typer.Exit(Exit.DONE if found.passed else Exit.FINDING)


def _stresses(bound: Bound, as_of: date | None) -> dict[str, str]:
    """The stresses that the policy asks for, each with the hash of the policies under it."""
    return {
        name: effective_bundle(bound.policies, bound.bundle.engine, as_of=as_of, overlays=[name]).sha256
        for name in required_stresses(bound.policies, bound.bundle.engine, as_of)
    }


def _lines(found: Promotion) -> list[str]:
    gates = found.decision.findings
    failing = [gate for gate in gates if gate.effect == "fail"]
    verdict = "passes every gate" if found.passed else f"fails {len(failing)} of {len(gates)} gates"
    figures = written(found.figures).items()
    rows = [[name.replace("_", " "), "-" if value is None else str(value)] for name, value in figures]
    rows += [[f"stress {name}", fault or "passed"] for name, fault in found.stress.items()]
    lines = [f"{found.evidence.engine} {found.evidence.run_id} {verdict}", *table(rows)]
    for gate in gates:
        if gate.result != "PASS":
            lines += decision.finding_lines(gate.to_json())
    return lines
