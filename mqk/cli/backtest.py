"""`mqk backtest`: an engine over recorded bars, behind its policies.

What lives here: the arguments, the progress bar and the text of the summary. The run itself is mqk.backtest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mqk.backtest import BacktestSummary, Battery, Seat, run_batteries
from mqk.backtest.artifacts import WALK_FORWARD, require_shared, require_writable
from mqk.backtest.sources import Source
from mqk.backtest.walk_forward import Fold, WalkForward, Windows, ordering, walk_forward
from mqk.cli import decision
from mqk.cli.bars import BarsOption, EndOption, Given, MoreBars, StartOption, between, given, load_bars
from mqk.cli.bound import Bound, bind
from mqk.cli.exits import Exit, Failure
from mqk.cli.options import AsOfOption, Format, FormatOption, PoliciesOption
from mqk.cli.output import print_json, progress, say, table
from mqk.engine import decision_json
from mqk.market import Bar
from mqk.policy import Diagnostic, PolicyError
from mqk.quantity import format_instant

if TYPE_CHECKING:
    from mqk.backtest.lookahead import Proof

app = typer.Typer(add_completion=False)


_MOST_STOPS: Final = 5
# Sessions of a walk-forward: two years, half a year, and a week between them.
_TRAIN: Final = 504
_TEST: Final = 126
_EMBARGO: Final = 5


def _names(text: str) -> list[str]:
    return [name for each in text.split(",") if (name := each.strip())]


EnginesOption = Annotated[
    str,
    typer.Option("--engine", metavar="ID,...", help="The engine, or several: each with its own capital, in DIR/ID."),
]
StressOption = Annotated[
    str | None,
    typer.Option("--stress", metavar="NAME,...", parser=_names, help="Stresses to run the same under, one by one."),
]


@app.command()
def backtest(
    engine: EnginesOption,
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
    walk: Annotated[
        bool,
        typer.Option("--walk-forward", help="Also choose among the policy's grid, on and on along the bars."),
    ] = False,
    train: Annotated[
        int | None, typer.Option("--train", min=1, show_default=str(_TRAIN), help="Sessions to choose on.")
    ] = None,
    test: Annotated[
        int | None, typer.Option("--test", min=1, show_default=str(_TEST), help="Sessions to judge the choice on.")
    ] = None,
    embargo: Annotated[
        int | None, typer.Option("--embargo", min=0, show_default=str(_EMBARGO), help="Sessions between the two.")
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Run an engine over recorded bars with every guard on, and keep what happened in DIR.

    Also: `mqk backtest compare A B` says in what two runs differ.
    """
    windows = _windows(walk=walk, train=train, test=test, embargo=embargo)
    layers = tuple(overlay or ()), tuple(stress or ())
    asked = _Asked(policies, as_of, *layers, start, end, prove_no_lookahead, windows, format_)
    names = _names(engine)
    twice = next((name for name in names if names.count(name) > 1), None)
    if not names or twice is not None:
        raise Failure("`--engine` names no engine" if twice is None else f"`--engine` names `{twice}` twice")
    if out is None and not prove_no_lookahead:
        raise Failure("missing option `--out`", "name a folder for the artifacts")
    if out is not None:
        for place in [out] if len(names) == 1 else [out / name for name in names]:
            require_writable(place)
        if len(names) > 1:
            require_shared(out)
    bound = asked.bound(names)
    with given([*bars, *(more or [])]) as found:
        runs = [asked.runnable(each, found, out, alone=len(names) == 1) for each in bound]
    told, well = _run(runs, found.sources, asked)
    if format_ is Format.JSON:
        print_json(next(iter(told.values())) if len(told) == 1 else {"engines": told})
    raise typer.Exit(Exit.DONE if well else Exit.FINDING)


def _windows(*, walk: bool, train: int | None, test: int | None, embargo: int | None) -> Windows | None:
    """The windows of a walk-forward, if one is asked for. Raises Failure for windows that nothing would use."""
    given_ = {"--train": train, "--test": test, "--embargo": embargo}
    idle = next((name for name, value in given_.items() if value is not None), None)
    if not walk and idle is not None:
        raise Failure(f"`{idle}` says nothing without `--walk-forward`")
    return Windows(train or _TRAIN, test or _TEST, _EMBARGO if embargo is None else embargo) if walk else None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks for, whichever engine it is about."""

    policies: Path | None
    as_of: date | None
    overlays: tuple[str, ...]
    stresses: tuple[str, ...]
    start: date | None
    end: date | None
    prove: bool
    windows: Windows | None
    format: Format

    def bound(self, engines: Sequence[str]) -> list[tuple[Bound, dict[str, Bound]]]:
        """Engines as they are and under each stress. Raises PolicyError with everything that is in the way of any."""
        found: list[tuple[Bound, dict[str, Bound]]] = []
        faults: dict[tuple[str, str], Diagnostic] = {}
        for engine in engines:
            under: dict[str, Bound] = {}
            for name in ("", *self.stresses):
                overlays = [*self.overlays, *([name] if name else [])]
                try:
                    under[name] = bind(self.policies, engine, as_of=self.as_of, overlays=overlays)
                except PolicyError as fault:
                    faults |= {(str(each.span), each.message): each for each in fault.diagnostics}
            if not faults:
                found.append((under.pop(""), under))
        if faults:
            raise PolicyError(list(faults.values()))
        return found

    def runnable(
        self, engine: tuple[Bound, dict[str, Bound]], found: Given, out: Path | None, *, alone: bool
    ) -> Runnable:
        """An engine with its bars. Beside other engines, each is given those of its own timeframes."""
        bound, under = engine
        bars, name = between(load_bars(bound, found.paths), self.start, self.end), bound.bundle.engine
        own = bars if alone else [bar for bar in bars if bar.timeframe in bound.bundle.timeframes]
        if not own:
            known = ", ".join(f"`{each}`" for each in bound.bundle.timeframes)
            raise Failure(f"no bar is of a timeframe that `{name}` trades", f"it trades {known}")
        return Runnable(bound, under, own, out if out is None or alone else out / name)


@dataclass(frozen=True, slots=True)
class Runnable:
    """One engine, the same under each stress, the bars of all of them, and the folder for what comes of it."""

    bound: Bound
    stresses: Mapping[str, Bound]
    bars: Sequence[Bar]
    out: Path | None

    @property
    def engine(self) -> str:
        """The engine."""
        return self.bound.bundle.engine


def _run(runs: Sequence[Runnable], sources: Sequence[Source], asked: _Asked) -> tuple[dict[str, dict[str, Any]], bool]:
    """Prove and run engines as asked: what came of each, for programs, and whether all is well; text is said at once.

    A look-ahead that is found ends it before anything is run: what was decided by it is worth nothing to the others.
    """
    text = asked.format is Format.TEXT
    proofs = {run.engine: proven(run.bound, run.bars) for run in runs} if asked.prove else {}
    if text:
        say(*(line for proof in proofs.values() for line in proof_lines(proof)))
    told: dict[str, dict[str, Any]] = {name: proof.to_json() for name, proof in proofs.items()}
    places = [(run, run.out) for run in runs if run.out is not None]
    if not places or not all(proof.holds for proof in proofs.values()):
        return told, all(proof.holds for proof in proofs.values())
    walked = {} if asked.windows is None else _walked(runs, asked.windows)
    ran = backtested(runs, sources, {name: {WALK_FORWARD: found.to_bytes()} for name, found in walked.items()})
    for run, out in places:
        of = ran[run.engine]
        told[run.engine] = {**of.to_json(), **({"lookahead": told[run.engine]} if proofs else {})}
        if text:
            say(*summary_lines(of.base), "", *stop_lines(of.base), *stress_lines(of), *denial_lines(of.base))
        found = walked.get(run.engine)
        if found is not None:
            told[run.engine]["walk_forward"] = found.to_json()
            if text:
                say(*walk_lines(found))
        if text:
            say(f"artifacts in {out}")
    return told, all(of.base.failed is None for of in ran.values())


def _walked(runs: Sequence[Runnable], windows: Windows) -> dict[str, WalkForward]:
    """The walk-forward of each engine, alone; none is begun before it is known that all have something to choose."""
    for run in runs:
        ordering(run.bound.guards)
    found = {}
    for run in runs:
        with progress(f"walk-forward of {run.engine}", "runs") as move:
            found[run.engine] = walk_forward(run.bound.guards, run.bars, windows, on_progress=move)
    return found


def walk_lines(walked: WalkForward) -> list[str]:
    """Each fold: what was chosen, what it came to where it was chosen, and what after."""
    head = ["test", "", "chosen", "in sample", "out of sample", "drawdown", "denied", "halts"]
    rows = [_fold_row(fold) for fold in walked.folds]
    gained = f"{walked.gained} of {len(rows)} tests gained"
    told = f"walk-forward of {walked.strategy}: {walked.growth:+.1%} out of sample, {gained}"
    return [told, *table([head, *rows], right=range(3, 8)), ""]


def _fold_row(fold: Fold) -> list[str]:
    days = [format_instant(at)[:10] for at in fold.test]
    chosen = ", ".join(f"{name} {value}" for name, value in fold.params.items())
    gains = [f"{run.final_equity_micros / run.initial_equity_micros - 1:+.1%}" for run in (fold.trained, fold.tested)]
    tested = fold.tested
    return [*days, chosen, *gains, f"{tested.max_drawdown:.1%}", f"{tested.denied:,}", str(tested.halts)]


def backtested(
    runs: Sequence[Runnable], sources: Sequence[Source] = (), beside: Mapping[str, Mapping[str, bytes]] | None = None
) -> dict[str, Battery]:
    """Run the backtests of engines together, and the same under each stress, under one progress bar.

    `beside` are, by engine, files that are to lie beside those of its run.
    """
    seats = [
        Seat(
            run.bound.guards,
            {name: each.guards for name, each in run.stresses.items()},
            run.bars,
            run.out,
            beside=(beside or {}).get(run.engine, {}),
        )
        for run in runs
    ]
    bars = sum(len(run.bars) * (1 + len(run.stresses)) for run in runs)
    with progress(f"backtest of {', '.join(run.engine for run in runs)}", "bars", bars) as move:
        return run_batteries(seats, on_progress=lambda done, _: move(done), sources=sources)


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


def stop_lines(summary: BacktestSummary) -> list[str]:
    """Why the engine was stopped, the first times; nothing when it never was."""
    told = [
        f"stopped on {format_instant(stop.at)} by {stop.rule} ({stop.outcome})" + (f": {stop.why}" if stop.why else "")
        for stop in summary.stops[:_MOST_STOPS]
    ]
    if summary.halts > len(told):
        told.append(f"… and {summary.halts - len(told):,} more")
    told += [
        f"valued at its price of {format_instant(at)}, for no later bar of it came: {symbol}"
        for symbol, at in summary.stale_positions.items()
    ]
    if summary.failed is not None:
        told.append(f"ended early: {summary.failed}")
    return [*told, ""] if told else []


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
