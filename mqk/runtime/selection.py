"""Which run is meant: the one asked for, the one that was left before its end, or a new one.

What lives here: finding, binding and making runs. What does not: playing them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from mqk.runtime import lifecycle
from mqk.runtime.change_control import require_active
from mqk.runtime.errors import LifecycleRefused
from mqk.store import runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mqk.guards import GuardSet
    from mqk.runtime.feed import Feed
    from mqk.store.tables import Run

MODE: Final = "PAPER"
ACTIVE: Final = ("ARMED", "RUNNING")


def choose(
    conn: Connection, guards: GuardSet, feed: Feed, *, run_id: UUID | None, fresh: bool, actor: str, wall: int
) -> tuple[Run, bool]:
    """The run to play, and whether it was there before. The caller leads the engine.

    Raises LifecycleRefused when the run, or the engine's latest, was halted and not cleared, and when the run asked for
    is bound to something else than this policy and these bars; Refused when the policy is not the active one.
    """
    require_active(conn, guards, wall=wall)
    bundle = guards.bundle
    latest = runs.latest(conn, bundle.engine)
    asked = None if run_id is None else runs.get(conn, run_id)
    for run in (asked, latest):
        if run is not None and run.state == "HALTED":
            raise LifecycleRefused(
                [f"run `{run.run_id}` of `{run.engine_id}` was halted: {run.halt_reason}"],
                "find out why, and have it cleared before anything is started",
            )
    if asked is not None:
        reasons = _bound_otherwise(asked, guards, feed)
        if reasons:
            raise LifecycleRefused(reasons, "resume it with what it began with, or begin a new run")
        return asked, True
    if run_id is None and not fresh and latest is not None and _goes_on(latest, guards, feed):
        return latest, True
    if latest is not None and latest.mode == MODE and latest.state in ACTIVE:
        # Nobody leads it any more, and nobody will take it up: it makes way for the one that begins.
        lifecycle.move(
            conn,
            guards,
            latest,
            "stop",
            judged_by=lifecycle.facts(latest, wall, None, None),
            actor=actor,
            role=lifecycle.OPERATOR,
            reason="another run takes its place",
            wall=wall,
            market=None,
        )
    made = run_id or uuid4()
    lifecycle.create(conn, guards, made, mode=MODE, config=config(guards, feed), actor=actor, at=wall)
    run = runs.get(conn, made)
    assert run is not None
    return run, False


def config(guards: GuardSet, feed: Feed) -> dict[str, Any]:
    """What a run must be continued with, as it is kept with the run."""
    return {
        "data_sha256": feed.sha256,
        "instants": len(feed),
        "bars": feed.bars,
        "deadman_micros": guards.bundle.schedule.deadman.micros,
    }


def _goes_on(run: Run, guards: GuardSet, feed: Feed) -> bool:
    """Whether a run was left before its end, under this policy, on these bars."""
    return not _bound_otherwise(run, guards, feed) and (run.state in ACTIVE or run.feed_cursor < len(feed))


def _bound_otherwise(run: Run, guards: GuardSet, feed: Feed) -> list[str]:
    """Everything in which a run is bound to something else."""
    bundle = guards.bundle
    pairs: list[tuple[str, object, object]] = [
        ("the engine", run.engine_id, bundle.engine),
        ("the mode", run.mode, MODE),
        ("the policy bundle", run.bundle_sha256, bundle.sha256),
        *((f"`{name}`", run.config.get(name), value) for name, value in config(guards, feed).items()),
    ]
    return [
        f"run `{run.run_id}` has {name} `{found}`, not `{wanted}`" for name, found, wanted in pairs if found != wanted
    ]
