"""`mqk policy prove`: the claims of policies and the invariants of state machines, for all inputs.

What lives here: the arguments, the report and how it ends. What does not: what a claim means (mqk.analysis.claims).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated

import typer

from mqk.analysis.claims import Proof, prove_all
from mqk.analysis.verdicts import Verdict
from mqk.cli.bound import policies_at
from mqk.cli.exits import Exit
from mqk.cli.options import AsOfOption, Format, FormatOption, PathsArgument
from mqk.cli.output import print_json, say, table
from mqk.policy import Bundle, PolicyError, PolicySet, effective_bundle, load_policies

_WORDS = {Verdict.PROVED: "proven", Verdict.REFUTED: "WRONG", Verdict.UNDECIDED: "UNDECIDED"}


def run(
    paths: PathsArgument = None,
    *,
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="ID", help="Prove the claims about this engine alone.")
    ] = None,
    as_of: AsOfOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Prove what policies claim, for all inputs. Exit 1 when a claim is wrong, or not decided."""
    policies = load_policies(paths or [policies_at(None)])
    if policies.errors:
        raise PolicyError(policies.errors)
    proofs = prove_set(policies, policies.ids("engine") if engine is None else [engine], as_of)
    if format_ is Format.JSON:
        print_json([each.to_json() for each in proofs])
    else:
        say(*_lines(proofs))
    raise typer.Exit(Exit.DONE if all(each.holds for each in proofs) else Exit.FINDING)


def prove_set(policies: PolicySet, engines: Iterable[str], as_of: date | None) -> list[Proof]:
    """How every claim about the engines ends, by engine."""
    known = set(policies.ids("engine"))
    bundles: dict[str, Bundle] = {}

    def bundle_of(name: str) -> Bundle:
        if name not in bundles:
            bundles[name] = effective_bundle(policies, name, as_of=as_of)
        return bundles[name]

    def other(name: str) -> Bundle | None:
        return bundle_of(name) if name in known else None

    return [proof for name in engines for proof in prove_all(bundle_of(name), other)]


def _lines(proofs: list[Proof]) -> Iterable[str]:
    rows = [(_WORDS[each.answer.verdict], each.engine, each.id, each.title) for each in proofs]
    for each, line in zip(proofs, table(rows), strict=True):
        yield line
        if each.answer.verdict is Verdict.UNDECIDED:
            yield f"      {each.answer.why}"
        witness = each.answer.witness
        if witness is not None:
            yield from table(witness.written().items(), indent=" " * 6)
        yield from (f"      {shown}" for shown in each.shows)
        if not each.holds:
            yield f"      claimed at {each.span}"
    wrong = sum(not each.holds for each in proofs)
    yield f"{len(proofs)} claims, {wrong} not proven" if wrong else f"{len(proofs)} claims, all proven"
