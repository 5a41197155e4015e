"""Where runs stand, read from the database alone: also of runs whose process is busy, hangs or has died.

What lives here: reading and the JSON of it. What does not: changing anything, or printing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.pool import NullPool

from mqk.quantity import format_duration, format_instant
from mqk.runtime.clock import SystemClock
from mqk.runtime.leader import lives
from mqk.runtime.summary import Reconciled, reconciled
from mqk.store import StoreError, latches, lease, outbox, runs
from mqk.store.database import open_engine, require_current

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

    from mqk.runtime.clock import WallClock
    from mqk.store.tables import Run

_NEWEST = text("""
SELECT run_id FROM runs WHERE CAST(:engine_id AS text) IS NULL OR engine_id = :engine_id
ORDER BY created_at DESC, run_id DESC LIMIT :limit
""")
_INBOX = text("SELECT count(*) FROM inbox WHERE run_id = :run_id AND applied_at IS NULL")


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where one run stands. Instants in epoch microseconds, durations in micros.

    `sign_of_life` is `alive`, `overdue` (RUNNING without a heartbeat for longer than its deadman allows: it hangs, or
    its process has died and the run waits to be taken up) or `none` (it is not RUNNING). `leader` is who leads the
    engine in this run's epoch, with `leads` whether that process still lives, as far as can be told from here.
    """

    run_id: UUID
    engine: str
    mode: str
    state: str
    halt_reason: str | None
    bundle: str
    created_at: int
    position: int
    instants: int
    sign_of_life: str
    silence: int | None
    epoch: int
    leader: str | None
    leads: bool
    outbox: Mapping[str, int]
    unapplied: int
    held: tuple[tuple[str, str], ...]
    reconcile: Reconciled

    def to_json(self) -> dict[str, Any]:
        """The status as other tools read it."""
        return {
            "run_id": str(self.run_id),
            "engine": self.engine,
            "mode": self.mode,
            "state": self.state,
            "halt_reason": self.halt_reason,
            "bundle": self.bundle,
            "created_at": format_instant(self.created_at),
            "position": self.position,
            "instants": self.instants,
            "sign_of_life": self.sign_of_life,
            "silence": None if self.silence is None else format_duration(self.silence),
            "epoch": self.epoch,
            "leader": self.leader,
            "leads": self.leads,
            "outbox": dict(self.outbox),
            "unapplied": self.unapplied,
            "held": [{"rule": rule, "outcome": outcome} for rule, outcome in self.held],
            "reconcile": {
                "clean": self.reconcile.clean,
                "times": self.reconcile.times,
                "notes": self.reconcile.notes,
                "halts": self.reconcile.halts,
                "last": None if self.reconcile.last is None else dict(self.reconcile.last),
            },
        }


def run_status(
    url: str,
    *,
    run_id: UUID | None = None,
    engine: str | None = None,
    limit: int = 10,
    wall: WallClock | None = None,
) -> list[RunStatus]:
    """One run, or the newest runs of one engine or of all, newest first. Changes nothing.

    Raises DatabaseUnavailable; StoreError `no_run` when the run asked for is not there.
    """
    require_current(url)
    now = (wall or SystemClock()).now()
    database = open_engine(url, poolclass=NullPool)
    try:
        with database.connect() as conn:
            wanted = [run_id]
            if run_id is None:
                wanted = list(conn.scalars(_NEWEST, {"engine_id": engine, "limit": limit}))
            return [_status(conn, each, now) for each in wanted if each is not None]
    finally:
        database.dispose()


def _status(conn: Connection, run_id: UUID, now: int) -> RunStatus:
    run = runs.get(conn, run_id)
    if run is None:
        raise StoreError("no_run", f"there is no run `{run_id}`", "`mqk run status` lists them")
    held = lease.current(conn, run.engine_id)
    leader = None if held is None or held.epoch != run.fencing_epoch else held.holder
    return RunStatus(
        run_id=run.run_id,
        engine=run.engine_id,
        mode=run.mode,
        state=run.state,
        halt_reason=run.halt_reason,
        bundle=run.bundle_sha256,
        created_at=run.created_at,
        position=run.feed_cursor,
        instants=run.config.get("instants", 0),
        sign_of_life=_sign_of_life(run, now),
        silence=None if run.heartbeat_at is None or run.state != "RUNNING" else max(now - run.heartbeat_at, 0),
        epoch=run.fencing_epoch,
        leader=leader,
        leads=leader is not None and lives(leader),
        outbox=outbox.counts(conn, run_id),
        unapplied=conn.scalar(_INBOX, {"run_id": run_id}) or 0,
        held=tuple((latch.rule_id, latch.outcome) for latch in latches.held(conn, run_id)),
        reconcile=reconciled(conn, run_id),
    )


def _sign_of_life(run: Run, now: int) -> str:
    if run.state != "RUNNING":
        return "none"
    allowed: int = run.config.get("deadman_micros", 0)
    return "alive" if run.heartbeat_at is not None and now - run.heartbeat_at <= allowed else "overdue"
