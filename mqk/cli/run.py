"""`mqk run`: start or resume paper runs, see where runs stand, and move them by hand through their lifecycle.

What lives here: arguments and text. Whether a run may start or move is for its policies and the database to say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer

from mqk.cli import paper as paper_run
from mqk.cli.bars import BarsOption, EndOption, MoreBars, StartOption, between, load_bars
from mqk.cli.bound import Bound, bind
from mqk.cli.database import existing_url, reading, ready_url
from mqk.cli.exits import Exit, Failure
from mqk.cli.options import (
    DATA_DIR,
    AsOfOption,
    DataDirOption,
    EngineOption,
    Format,
    FormatOption,
    PoliciesOption,
    day,
)
from mqk.cli.output import print_json, say, table
from mqk.quantity import QuantityError, format_duration, format_instant, parse_duration
from mqk.runtime import RunStatus, halt_run, move_run, release_latch, run_status
from mqk.store import decisions

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Start, resume, watch and move runs on the database."
)


def _micros(text: str) -> int:
    try:
        return parse_duration(text).micros
    except QuantityError as fault:
        raise typer.BadParameter(fault.message if fault.help is None else f"{fault.message}: {fault.help}") from fault


_SHOWN: Final = 3

RunArgument = Annotated[UUID, typer.Argument(metavar="RUN_ID", help="The run.", parser=UUID)]
ActorOption = Annotated[
    str | None, typer.Option("--actor", metavar="NAME", help="Who asks, for the record.", show_default="this user")
]
RoleOption = Annotated[str, typer.Option("--role", metavar="ROLE", help="In which role.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]
ConfirmOption = Annotated[
    str | None, typer.Option("--confirm", metavar="SENTENCE", help="The sentence that the lifecycle asks for.")
]


@app.command()
def paper(
    engine: EngineOption,
    bars: BarsOption,
    *,
    more: MoreBars = None,
    policies: PoliciesOption = None,
    as_of: AsOfOption = None,
    start: StartOption = None,
    end: EndOption = None,
    run_id: Annotated[
        UUID | None, typer.Option("--run-id", metavar="ID", parser=UUID, help="The run to resume, or a new run's id.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin a new run even when one could be resumed.")] = False,
    pace: Annotated[
        int | None,
        typer.Option(
            metavar="DURATION",
            parser=_micros,
            help="Between two instants; `0s` is as fast as it goes.",
            show_default="the policy's",
        ),
    ] = None,
    actor: ActorOption = None,
    data_dir: DataDirOption = DATA_DIR,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Play recorded bars through an engine as a paper run: a real outbox, a broker of its own, restart at any instant.

    The engine's latest run goes on where it was left, under the same policies on the same bars. Exit 1 when it halts.
    """
    bound = bind(policies, engine, as_of=as_of)
    chosen = between(load_bars(bound, [*bars, *(more or [])]), start, end)
    url = ready_url(data_dir)
    summary = paper_run.played(url, bound, chosen, run_id=run_id, fresh=fresh, pace=pace, actor=actor)
    if format_ is Format.JSON:
        print_json(summary.to_json())
    else:
        say(*paper_run.summary_lines(summary))
    raise typer.Exit(Exit.FINDING if summary.state == "HALTED" else Exit.DONE)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="A folder, made if there is none.")],
    *,
    run_id: Annotated[
        UUID | None, typer.Option("--run-id", metavar="ID", parser=UUID, help="One run.", show_default="all runs")
    ] = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Write the decisions of paper runs as Parquet files, one for each bundle, as backtests leave them."""
    from mqk.cli.exporting import export as exported  # noqa: PLC0415 - loads Arrow

    with reading(data_dir) as connection:
        out.mkdir(parents=True, exist_ok=True)
        written = exported(connection, out, run_id)
    say(*(f"{path}: {count:,} decisions" for path, count in written.items()))


@app.command()
def status(
    run_id: Annotated[
        UUID | None, typer.Argument(metavar="[RUN_ID]", parser=UUID, help="The run.", show_default="the newest runs")
    ] = None,
    *,
    engine: Annotated[str | None, typer.Option("--engine", metavar="ID", help="Only this engine's runs.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many runs at most.")] = 10,
    data_dir: DataDirOption = DATA_DIR,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Say where runs stand, from the database alone."""
    found = run_status(existing_url(data_dir), run_id=run_id, engine=engine, limit=limit)
    if format_ is Format.JSON:
        print_json([each.to_json() for each in found])
    elif run_id is not None:
        for each in found:
            say(*_in_full(each), *_denials(data_dir, run_id))
    elif found:
        say(*table([["run", "engine", "mode", "state", "at", "created"], *map(_row, found)], indent=""))
    else:
        say("no runs")


@app.command()
def stop(
    run_id: RunArgument,
    reason: ReasonOption,
    *,
    role: RoleOption = "operator",
    actor: ActorOption = None,
    policies: PoliciesOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Stop a run; it can be resumed. Exit 3 when its lifecycle refuses."""
    _move(run_id, "stop", reason, role, actor, None, policies, data_dir)


@app.command()
def halt(
    run_id: RunArgument,
    reason: ReasonOption,
    *,
    role: RoleOption = "operator",
    actor: ActorOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Halt a run, whatever state the policies are in; nothing of its engine starts before it is cleared."""
    url = existing_url(data_dir)
    run_status(url, run_id=run_id)
    halt_run(url, run_id, actor=actor or paper_run.whoami(), role=role, reason=reason)
    say(f"run {run_id} is HALTED")


@app.command()
def clear(
    run_id: RunArgument,
    reason: ReasonOption,
    *,
    confirm: ConfirmOption = None,
    role: RoleOption = "operator",
    actor: ActorOption = None,
    policies: PoliciesOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Let go of a halt once its reason is understood. Exit 3 when its lifecycle refuses."""
    _move(run_id, "clear", reason, role, actor, confirm, policies, data_dir)


@app.command()
def release(
    run_id: RunArgument,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule that holds something.")],
    *,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="In which role; the rule says which may.")],
    new_peak: Annotated[
        bool, typer.Option("--new-peak", help="Let drawdown count from the equity of that moment.")
    ] = False,
    actor: ActorOption = None,
    policies: PoliciesOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Let go of what a rule holds; the running engine does so at its next turn. Exit 3 when it may not be."""
    url, bound = _bound(run_id, policies, data_dir)
    who = actor or paper_run.whoami()
    release_latch(url, bound.guards, run_id, rule, actor=who, role=role, new_peak=new_peak)
    say(f"run {run_id} lets go of {rule} at its next turn")


def _move(
    run_id: UUID,
    event: str,
    reason: str,
    role: str,
    actor: str | None,
    confirm: str | None,
    policies: Path | None,
    data_dir: Path,
) -> None:
    url, bound = _bound(run_id, policies, data_dir)
    who = actor or paper_run.whoami()
    state = move_run(url, bound.guards, run_id, event, actor=who, role=role, reason=reason, confirmation=confirm)
    say(f"run {run_id} is {state}")


def _bound(run_id: UUID, policies: Path | None, data_dir: Path) -> tuple[str, Bound]:
    """The database, and the policies that a run of it was begun with."""
    url = existing_url(data_dir)
    (run,) = run_status(url, run_id=run_id)
    # What was in force when it began still binds it, whatever the day is now.
    bound = bind(policies, run.engine, as_of=day(format_instant(run.created_at)[:10]))
    if run.bundle != bound.bundle.sha256:
        found = f"run `{run_id}` is bound to policies {run.bundle[:12]}, not {bound.bundle.sha256[:12]}"
        raise Failure(found, "give the policies it was begun with by `--policies`")
    return url, bound


def _row(status: RunStatus) -> list[str]:
    life = " (overdue)" if status.sign_of_life == "overdue" else ""
    at = f"{status.position}/{status.instants}"
    created = format_instant(status.created_at)[:19]
    return [str(status.run_id), status.engine, status.mode, status.state + life, at, created]


def _denials(data_dir: Path, run_id: UUID) -> list[str]:
    """How to have the run's first denials explained."""
    with reading(data_dir) as connection:
        denied = decisions.of_run(connection, run_id, outcome="deny", limit=_SHOWN)
    return ["", "denied", *(f"  mqk why {each.decision_id}" for each in denied)] if denied else []


def _in_full(status: RunStatus) -> list[str]:
    books = status.reconcile
    silence = "" if status.silence is None else f", last heard {format_duration(status.silence)} ago"
    held = ", ".join(f"{rule} ({outcome})" for rule, outcome in status.held)
    waiting = ", ".join(f"{name} {count}" for name, count in sorted(status.outbox.items()))
    leader = "nobody" if status.leader is None else f"{status.leader}{'' if status.leads else ' (ended)'}"
    rows = [
        ["engine", f"{status.engine} ({status.mode})"],
        ["state", status.state + (f": {status.halt_reason}" if status.halt_reason else "")],
        ["sign of life", status.sign_of_life + silence],
        ["feed", f"{status.position} of {status.instants} instants"],
        ["outbox", waiting or "empty"],
        ["inbox", f"{status.unapplied} to take in"],
        ["held", held or "nothing"],
        ["ledger against broker", f"{'clean' if books.clean else 'not clean'}, compared {books.times} times"],
        ["led by", f"{leader}, epoch {status.epoch}"],
        ["created", format_instant(status.created_at)],
        ["bundle", status.bundle],
    ]
    return [f"run {status.run_id}", *table(rows)]
