"""What a person does to a run from outside: stopping it, halting it, letting go of a halt.

What lives here: single moves with who made them and why. What does not: judging them (lifecycle.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.pool import NullPool

from mqk.runtime import lifecycle
from mqk.runtime.clock import SystemClock
from mqk.runtime.errors import LifecycleRefused
from mqk.store import runs
from mqk.store.database import open_engine, require_current

if TYPE_CHECKING:
    from uuid import UUID

    from mqk.guards import GuardSet
    from mqk.runtime.clock import WallClock


def halt_run(url: str, run_id: UUID, *, actor: str, role: str, reason: str, wall: WallClock | None = None) -> None:
    """Halt a run, whatever state the policies are in: the edges it was begun with are in the database.

    Raises LifecycleRefused when there is no such run, or it is halted or moved by somebody else already,
    DatabaseUnavailable.
    """
    require_current(url)
    now = (wall or SystemClock()).now()
    database = open_engine(url, poolclass=NullPool)
    try:
        with database.begin() as conn:
            run = runs.get(conn, run_id)
            if run is None:
                raise LifecycleRefused([f"there is no run `{run_id}`"])
            if not lifecycle.halt(conn, run, actor=actor, role=role, reason=reason, wall=now, market=None):
                raise LifecycleRefused([f"run `{run_id}` was moved at this very moment"], "try again")
    finally:
        database.dispose()


def move_run(
    url: str,
    guards: GuardSet,
    run_id: UUID,
    event: str,
    *,
    actor: str,
    role: str,
    reason: str,
    confirmation: str | None = None,
    wall: WallClock | None = None,
) -> str:
    """Make a move of the run's lifecycle (`stop`, `clear`, ...); returns the state it leads to.

    The policy says who may do it (`role`) and what has to be typed (`confirmation`). Raises LifecycleRefused with every
    reason, DatabaseUnavailable.
    """
    require_current(url)
    now = (wall or SystemClock()).now()
    database = open_engine(url, poolclass=NullPool)
    try:
        with database.begin() as conn:
            run = runs.get(conn, run_id)
            if run is None or run.engine_id != guards.bundle.engine:
                raise LifecycleRefused([f"engine `{guards.bundle.engine}` has no run `{run_id}`"])
            return lifecycle.move(
                conn,
                guards,
                run,
                event,
                judged_by=lifecycle.facts(run, now, None, None),
                actor=actor,
                role=role,
                reason=reason,
                wall=now,
                market=None,
                confirmation=confirmation,
            )
    finally:
        database.dispose()
