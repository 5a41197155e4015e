"""`mqk backtest`: an engine over recorded bars, behind its policies.

What lives here: the arguments, the progress bar and the text of the summary. The run itself is mqk.backtest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mqk.backtest import BacktestSummary, run_backtest
from mqk.backtest.sources import Source
from mqk.cli import decision
from mqk.cli.bars import BarsOption, EndOption, MoreBars, StartOption, between, given, load_bars
from mqk.cli.bound import Bound, bind
from mqk.cli.options import AsOfOption, EngineOption, Format, FormatOption, PoliciesOption
from mqk.cli.output import print_json, progress, say, table
from mqk.engine import decision_json
from mqk.market import Bar
from mqk.quantity import format_instant

app = typer.Typer(add_completion=False)


@app.command()
def backtest(
    engine: EngineOption,
    bars: BarsOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the artifacts go.")],
    *,
    more: MoreBars = None,
    policies: PoliciesOption = None,
    as_of: AsOfOption = None,
    start: StartOption = None,
    end: EndOption = None,
    overlay: Annotated[
        list[str] | None, typer.Option("--overlay", metavar="NAME", help="A stress to lay over; may be repeated.")
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Run an engine over recorded bars with every guard on, and keep what happened in DIR."""
    bound = bind(policies, engine, as_of=as_of, overlays=overlay or ())
    with given([*bars, *(more or [])]) as found:
        chosen = between(load_bars(bound, found.paths), start, end)
    summary = backtested(bound, chosen, out, found.sources)
    if format_ is Format.JSON:
        print_json(summary.to_json())
        return
    say(*summary_lines(summary), "", *denial_lines(summary), f"artifacts in {out}")


def backtested(bound: Bound, bars: Sequence[Bar], out: Path, sources: Sequence[Source] = ()) -> BacktestSummary:
    """Run the backtest under a progress bar."""
    with progress(f"backtest of {bound.bundle.engine}", "bars", len(bars)) as move:
        return run_backtest(bound.guards, bars, out=out, on_progress=lambda done, _: move(done), sources=sources)


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
