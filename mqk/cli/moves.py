"""A run moved by hand: stopped, halted, cleared. Whether it may be is for its lifecycle and the database to say.

What lives here: the transaction in which a person's move is judged and made. What does not: judging (mqk.runtime).
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from mqk.cli.bound import Bound
from mqk.cli.exits import Failure
from mqk.runtime import SystemClock, lifecycle
from mqk.store import runs
from mqk.store.database import open_engine, require_current

HALT: Final = "halt"


def move_run(
    url: str,
    bound: Bound,
    run_id: UUID,
    event: str,
    *,
    actor: str,
    role: str,
    reason: str,
    confirmation: str | None = None,
) -> str:
    """Make a move of a run's lifecycle, and return the state it leads to.

    Raises Failure when there is no such run or it is bound to other policies, LifecycleRefused with every reason.
    """
    require_current(url)
    now = SystemClock().now()
    database = open_engine(url)
    try:
        with database.begin() as connection:
            run = runs.get(connection, run_id)
            if run is None:
                raise Failure(f"there is no run `{run_id}`", "`mqk run status` lists them")
            # Halting is for when something is wrong, which may be the policies; the database knows the run's own edges.
            if event != HALT and run.bundle_sha256 != bound.bundle.sha256:
                found = f"run `{run_id}` is bound to policies {run.bundle_sha256[:12]}, not {bound.bundle.sha256[:12]}"
                raise Failure(found, "give the policies it was begun with by `--policies`")
            return lifecycle.move(
                connection,
                bound.guards,
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
