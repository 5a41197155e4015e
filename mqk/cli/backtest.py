"""`mqk backtest`: an engine over recorded bars, behind its policies.

What lives here: the arguments, the progress bar and the text of the summary. The run itself is mqk.backtest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mqk.backtest import BacktestSummary, Battery, run_battery
from mqk.backtest.sources import Source
from mqk.cli import decision
from mqk.cli.bars import BarsOption, EndOption, MoreBars, StartOption, between, given, load_bars
from mqk.cli.bound import Bound, bind
from mqk.cli.exits import Exit, Failure
from mqk.cli.options import AsOfOption, EngineOption, Format, FormatOption, PoliciesOption
from mqk.cli.output import print_json, progress, say, table
from mqk.engine import decision_json
from mqk.market import Bar
from mqk.quantity import format_instant

if TYPE_CHECKING:
    from mqk.backtest.lookahead import Proof

app = typer.Typer(add_completion=False)


def _names(text: str) -> list[str]:
    return [name for each in text.split(",") if (name := each.strip())]


StressOption = Annotated[
    str | None,
    typer.Option("--stress", metavar="NAME,...", parser=_names, help="Stresses to run the same under, one by one."),
]


@app.command()
def backtest(
    engine: EngineOption,
    bars: BarsOption,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where the artifacts go.")] = None,
    *,
    more: MoreBars = None,
    policies: PoliciesOption = None,
    as_of: AsOfOption = None,
    start: StartOption = None,
    end: EndOption = None,
    overlay: Annotated[
        list[str] | None, typer.Option("--overlay", metavar="NAME", help="A stress to lay over; may be repeated.")
    ] = None,
    stress: StressOption = None,
    prove_no_lookahead: Annotated[
        bool,
        typer.Option(
            "--prove-no-lookahead",
            help="First run again on bars that are cut short, and compare every decision. Exit 1 where one differs.",
        ),
    ] = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Run an engine over recorded bars with every guard on, and keep what happened in DIR.

    Also: `mqk backtest compare A B` says in what two runs differ.
    """
    bound = bind(policies, engine, as_of=as_of, overlays=overlay or ())
    stresses = {name: bind(policies, engine, as_of=as_of, overlays=[*(overlay or ()), name]) for name in stress or ()}
    with given([*bars, *(more or [])]) as found:
        chosen = between(load_bars(bound, found.paths), start, end)
    if prove_no_lookahead:
        proof = proven(bound, chosen)
        if out is None and format_ is Format.JSON:
            print_json(proof.to_json())
        elif format_ is Format.TEXT or not proof.holds:
            say(*proof_lines(proof))
        if out is None or not proof.holds:
            raise typer.Exit(Exit.DONE if proof.holds else Exit.FINDING)
    if out is None:
        raise Failure("missing option `--out`", "name a folder for the artifacts")
    ran = backtested(bound, chosen, out, found.sources, stresses)
    if format_ is Format.JSON:
        print_json(ran.to_json())
        return
    say(*summary_lines(ran.base), "", *stress_lines(ran), *denial_lines(ran.base), f"artifacts in {out}")


def backtested(
    bound: Bound,
    bars: Sequence[Bar],
    out: Path,
    sources: Sequence[Source] = (),
    stresses: Mapping[str, Bound] | None = None,
) -> Battery:
    """Run the backtest, and the same under each stress, under one progress bar."""
    under = {name: each.guards for name, each in (stresses or {}).items()}
    with progress(f"backtest of {bound.bundle.engine}", "bars", len(bars) * (1 + len(under))) as move:
        return run_battery(bound.guards, under, bars, out=out, on_progress=lambda done, _: move(done), sources=sources)


def summary_lines(summary: BacktestSummary) -> list[str]:
    """What the backtest came to, in a few lines."""
    figures = summary.to_json()
    denied = ", ".join(f"{rule} {count}" for rule, count in summary.denied_by_rule.items())
    grown = "" if summary.total_return is None else f" ({summary.total_return:+.1%})"
    rows = [
        ["bars", f"{summary.bars:,}" + (f" ({summary.bars_rejected} rejected)" if summary.bars_rejected else "")],
        ["orders", f"{summary.orders:,}, fills {summary.fills:,}, closing trades {summary.trades:,}"],
        ["denied", f"{summary.denied:,}" + (f" ({denied})" if denied else "")],
        ["halts", str(summary.halts) + _end(summary)],
        ["equity", f"{figures['initial_equity']} → {figures['final_equity']}{grown}"],
        ["max drawdown", f"{summary.max_drawdown:.1%}"],
        ["sharpe", "-" if summary.sharpe is None else f"{summary.sharpe:.2f}"],
        ["bundle", summary.bundle_sha256],
        ["artifacts", summary.artifacts_sha256],
    ]
    return [f"backtest of {summary.engine}", *table(rows)]


def proven(bound: Bound, bars: Sequence[Bar]) -> Proof:
    """Look for decisions of the engine's strategies that depend on later bars, under a progress bar."""
    from mqk.backtest.lookahead import prove  # noqa: PLC0415 - only who proves pays for it

    with progress(f"look-ahead of {bound.bundle.engine}", "bars") as move:
        return prove(bound.bundle, bars, on_progress=move)


def proof_lines(proof: Proof) -> list[str]:
    """What came of a proof."""
    names = ", ".join(f"`{name}`" for name in proof.strategies)
    if proof.holds:
        return [
            f"no look-ahead in {names}: {proof.compared:,} decisions are the same without later bars",
            f"  {proof.bars:,} bars, cut short {proof.prefixes:,} times",
            "",
        ]
    return [f"look-ahead in {len(proof.leaks)} of {len(proof.strategies)}", *(f"  {leak}" for leak in proof.leaks), ""]


def stress_lines(ran: Battery) -> list[str]:
    """The run and the same under each stress, side by side; nothing without stresses."""
    if not ran.stressed:
        return []
    head = ["under stress", "final equity", "return", "drawdown", "denied", "halts", "at the end"]
    rows = [_stress_row("as it is", ran.base), *(_stress_row(name, each) for name, each in ran.stressed.items())]
    return [*table([head, *rows], indent="", right=range(1, 6)), ""]


def _stress_row(name: str, summary: BacktestSummary) -> list[str]:
    gained = "-" if summary.total_return is None else f"{summary.total_return:+.1%}"
    counts = [f"{summary.max_drawdown:.1%}", f"{summary.denied:,}", str(summary.halts)]
    return [name, summary.final_equity, gained, *counts, summary.posture]


def _end(summary: BacktestSummary) -> str:
    """How the engine ended, when it was not free to trade: a run that stopped early must not look like a quiet one."""
    if summary.posture == "NORMAL":
        return ""
    rules = ", ".join(latch.rule for latch in summary.held)
    return f"; {summary.posture} at the end, held by {rules}"


def denial_lines(summary: BacktestSummary) -> list[str]:
    """One refused order of the rule that refused most, in full; nothing when none was refused."""
    refused = summary.sample
    if refused is None or refused.decision is None:
        return []
    intent = refused.intent
    head = f"denied on {format_instant(refused.at)}: {intent.side} {intent.qty} {intent.symbol}"
    return [head, *decision.lines(decision_json(refused.decision)), ""]
