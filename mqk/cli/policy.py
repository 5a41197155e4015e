"""`mqk policy`: check policies, ask them for a decision, see what is in force.

What lives here: the three commands' arguments and endings. What they print is laid out in effective.py and decision.py.
"""

from __future__ import annotations

from typing import Annotated

import typer

from mqk.cli import (
    decision,
    effective,
    policy_bundle,
    policy_check,
    policy_control,
    policy_coverage,
    policy_diff,
    policy_fmt,
    policy_graph,
    policy_impact,
    policy_mutate,
    policy_prove,
    policy_review,
    policy_test,
    policy_textconv,
    policy_whatif,
)
from mqk.cli.bound import bind, load, policies_at
from mqk.cli.facts import read_document
from mqk.cli.options import AsOfOption, EngineOption, Format, FormatOption, PoliciesOption
from mqk.cli.output import print_json, say
from mqk.guards import Point, canonical_name, read_facts
from mqk.policy import effective_bundle

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Check policies, ask them for a decision, see what is in force."
)

app.command("check")(policy_check.run)
app.command("fmt")(policy_fmt.run)
app.command("test")(policy_test.run)
app.command("graph")(policy_graph.run)
app.command("prove")(policy_prove.run)
app.command("diff")(policy_diff.run)
app.command("review")(policy_review.run)
app.command("textconv")(policy_textconv.run)
app.command("bundle")(policy_bundle.bundle)
app.command("verify")(policy_bundle.verify)
app.command("keygen")(policy_bundle.keygen)
app.command("impact")(policy_impact.run)
app.command("coverage")(policy_coverage.run)
app.command("mutate")(policy_mutate.run)
app.command("whatif")(policy_whatif.run)
app.command("propose")(policy_control.propose)
app.command("approve")(policy_control.approve)
app.command("reject")(policy_control.reject)
app.command("activate")(policy_control.activate)
app.command("rollback")(policy_control.rollback)
app.command("log")(policy_control.log)
app.command("export")(policy_control.export)


@app.command()
def decide(
    engine: EngineOption,
    at: Annotated[Point, typer.Option("--at", help="The guard point.")],
    facts: Annotated[
        str, typer.Option("--facts", metavar="FILE", help="Facts and their values, in JSON or YAML; `-` is stdin.")
    ],
    *,
    policies: PoliciesOption = None,
    as_of: AsOfOption = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Take facts that are not given from the engine's baseline.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Show the rules that pass as well.")] = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Ask an engine's policies for one decision. Facts that are not given are missing, and missing facts block."""
    bound = bind(policies, engine, as_of=as_of)
    given = read_document(facts)
    moment = read_facts(given, bound.guards, at)
    if baseline:
        said = {canonical_name(name) for name in given}
        texts = bound.bundle.baseline.items()
        usual: dict[str, object] = {name: text.text for name, text in texts if canonical_name(name) not in said}
        moment = read_facts(usual | given, bound.guards, at, lenient=True)
    made = bound.guards.guards[at].decide(moment.views, moment.problems, passes=everything)
    if format_ is Format.JSON:
        print_json(made.to_json())
    else:
        say(*decision.lines(made.to_json()))


@app.command("effective")
def effective_(
    engine: EngineOption,
    *,
    policies: PoliciesOption = None,
    why: Annotated[
        str | None,
        typer.Option("--why", metavar="KEY", help="Every layer behind one key, such as `limits.max_position`."),
    ] = None,
    as_of: AsOfOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Print what is in force for an engine once all layers are laid, with the file and line that set it."""
    bundle = effective_bundle(load(policies_at(policies)), engine, as_of=as_of)
    if why is not None:
        layers = bundle.provenance(why)
        if format_ is Format.JSON:
            print_json(effective.why_mapping(bundle, why, layers))
        else:
            say(*effective.why_lines(bundle, why, layers))
    elif format_ is Format.JSON:
        print_json(bundle.to_mapping())
    else:
        say(*effective.lines(bundle))
