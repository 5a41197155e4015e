"""A run's moves through its lifecycle: judged by its policy, made by compare-and-set, told to the engine, audited.

What lives here: one move at a time. What does not: when to make which (paper.py, loop.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from mqk.engine import RunMoved, event_to_json
from mqk.guards import outside, views
from mqk.runtime.errors import LifecycleRefused
from mqk.store import Refused, audit, bundles, inbox, runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from mqk.engine import EngineState
    from mqk.guards import GuardSet, Machine
    from mqk.runtime.books import Reconciliation
    from mqk.store.tables import Run

MACHINE: Final = "run"
OPERATOR: Final = "operator"


def machine_of(guards: GuardSet) -> Machine:
    """The lifecycle of runs. Raises LifecycleRefused when the policy has none."""
    machine = guards.machines.get(MACHINE)
    if machine is None:
        raise LifecycleRefused(
            [f"the policy of `{guards.bundle.engine}` has no lifecycle `{MACHINE}`"], "add one under `uses.lifecycle`"
        )
    return machine


def keep_bundle(conn: Connection, guards: GuardSet, *, at: int) -> None:
    """Keep the bundle with the edges of its machines, so that the database refuses every other move."""
    bundle = guards.bundle
    bundles.save(
        conn,
        sha256_=bundle.sha256,
        engine_id=bundle.engine,
        canonical=bundle.canonical_bytes,
        machines={
            name: bundles.Machine(
                machine.initial, frozenset((edge.from_state, edge.event, edge.to_state) for edge in machine.edges)
            )
            for name, machine in guards.machines.items()
        },
        at=at,
    )


def create(
    conn: Connection, guards: GuardSet, run_id: UUID, *, mode: str, config: Mapping[str, Any], actor: str, at: int
) -> None:
    """Create a run under the bundle. `at` is the wall clock's."""
    keep_bundle(conn, guards, at=at)
    runs.create(
        conn,
        run_id=run_id,
        engine_id=guards.bundle.engine,
        mode=mode,
        bundle_sha256=guards.bundle.sha256,
        config=config,
        actor=actor,
        role=OPERATOR,
        reason="a run was asked for",
        at=at,
        machine=MACHINE,
    )


def facts(run: Run, now: int, state: EngineState | None, reconciled: Reconciliation | None) -> dict[str, object]:
    """The views that the guard of transitions reads, with the run in the state that the database says it is in.

    Without the engine's state what is known of the account is missing, and conditions that read it refuse.
    """
    run_view = views.Run()
    run_view.mode, run_view.state = run.mode, run.state
    clock = views.Clock()
    clock.now = now
    session = views.Session()
    if state is not None:
        state.show_all()
        told, session = state.run, state.trading_day
        run_view.posture, run_view.killed = told.posture, told.killed
        run_view.ticks, run_view.armed_for, run_view.errors = told.ticks, told.armed_for, told.errors
        clock.time, clock.skew = state.clock.time, state.clock.skew
        clock.grow_old(state.clock.ages)
    return {
        "run": run_view,
        "account": views.Account() if state is None else state.account,
        "reconcile": outside.Reconcile() if reconciled is None else reconciled.view(now),
        "clock": clock,
        "session": session,
    }


def move(
    conn: Connection,
    guards: GuardSet,
    run: Run,
    event: str,
    *,
    judged_by: Mapping[str, object],
    actor: str,
    role: str,
    reason: str,
    wall: int,
    market: int | None,
    confirmation: str | None = None,
) -> str:
    """Make a move that the policy allows now, in the caller's transaction; returns the new state.

    `judged_by` are the views of `facts`; `wall` and `market` are the instants on the two clocks, None for a market that
    does not move. Raises LifecycleRefused with every reason: the policy's, the database's, or that the run is in
    another state by now.
    """
    names = {"run.id": str(run.run_id), "run.engine": run.engine_id}
    verdict = machine_of(guards).attempt(
        run.state, event, role=role, views=judged_by, names=names, confirmation=confirmation
    )
    if verdict.to_state is None:
        raise LifecycleRefused([f"run `{run.run_id}`: {reason}" for reason in verdict.reasons])
    _transit(conn, run, event, verdict.to_state, actor=actor, role=role, reason=reason, wall=wall, market=market)
    return verdict.to_state


def halt(
    conn: Connection, run: Run, *, actor: str, reason: str, wall: int, market: int | None, role: str = "runtime"
) -> bool:
    """Halt a run because it must stop: a halt is not weighed, only recorded. False when it had moved on by itself.

    Raises LifecycleRefused when the policy that binds the run declares no way to halt from where it is.
    """
    try:
        _transit(conn, run, "halt", "HALTED", actor=actor, role=role, reason=reason, wall=wall, market=market)
    except _MovedOn:
        return False
    return True


class _MovedOn(LifecycleRefused):
    """The run is not where the caller believes it to be."""


def _transit(
    conn: Connection,
    run: Run,
    event: str,
    to_state: str,
    *,
    actor: str,
    role: str,
    reason: str,
    wall: int,
    market: int | None,
) -> None:
    try:
        moved = runs.transition(
            conn,
            run.run_id,
            expected_state=run.state,
            event=event,
            to_state=to_state,
            actor=actor,
            role=role,
            reason=reason,
            at=wall,
        )
    except Refused as refusal:
        raise LifecycleRefused([f"run `{run.run_id}`: {refusal.message}"], refusal.help) from refusal
    if not moved:
        raise _MovedOn([f"run `{run.run_id}` is no longer {run.state}"])
    # The engine learns of it as of everything else that is no bar: through the inbox, at its next turn.
    # Its clock is the market's: a move made while the market stands still happens, for the engine, at no time.
    told = {"event": event_to_json(RunMoved(to_state, market or 0)), "cursor": 0}
    message_id = f"run:{run.transition_seq + 1}"
    at = wall if market is None else market
    inbox.receive(conn, run.run_id, message_id=message_id, fill_id=None, payload=told, at=at)
    payload = {"event": event, "from": run.state, "to": to_state, "reason": reason, "role": role}
    audit.append(conn, run.run_id, [audit.Event("run.moved", actor, at, payload)])
