"""Runs: created under a bundle, moved along the edges that the bundle declares, kept alive by their leader.

Every change is compare-and-set and belongs to the caller's transaction. Whether a move is *allowed now* is the guards'
business; the database only knows which moves exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from mqk.store.bundles import CREATE_EVENT
from mqk.store.errors import Refused, StoreError
from mqk.store.rows import many, one, reading
from mqk.store.tables import Run, RunTransition
from mqk.store.values import canonical_json, instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

ONE_LIVE_RUN: Final = "uq_runs_one_active_live_run_per_engine"
EDGE: Final = "fk_run_transitions_edge"

_CREATE = text("""
WITH entry AS (
    SELECT to_state FROM lifecycle_edges
    WHERE bundle_sha256 = :bundle AND machine = :machine AND from_state = '' AND event = :event
), run AS (
    INSERT INTO runs (run_id, engine_id, mode, bundle_sha256, machine, state, transition_seq, config, fencing_epoch,
                      feed_cursor, feed_part, created_at)
    SELECT :run_id, :engine_id, :mode, :bundle, :machine, to_state, 0, CAST(:config AS jsonb), 0, 0, 0, :at FROM entry
    RETURNING run_id, state
)
INSERT INTO run_transitions (run_id, seq, bundle_sha256, machine, from_state, event, to_state, actor, role, reason, at)
SELECT run_id, 0, :bundle, :machine, '', :event, state, :actor, :role, :reason, :at FROM run
""")

_TRANSITION = text("""
WITH run AS (
    UPDATE runs SET state = :to_state, transition_seq = transition_seq + 1,
        armed_at = CASE WHEN :to_state = 'ARMED' THEN :at ELSE armed_at END,
        running_at = CASE WHEN :to_state = 'RUNNING' THEN :at ELSE running_at END,
        stopped_at = CASE WHEN :to_state = 'STOPPED' THEN :at ELSE stopped_at END,
        halted_at = CASE WHEN :to_state = 'HALTED' THEN :at ELSE halted_at END,
        heartbeat_at = CASE WHEN :to_state = 'RUNNING' THEN :at ELSE heartbeat_at END,
        halt_reason = CASE WHEN :to_state = 'HALTED' THEN :reason END
    WHERE run_id = :run_id AND state = :from_state
    RETURNING run_id, transition_seq, bundle_sha256, machine
)
INSERT INTO run_transitions (run_id, seq, previous_seq, bundle_sha256, machine, from_state, event, to_state, actor,
                             role, reason, at)
SELECT run_id, transition_seq, transition_seq - 1, bundle_sha256, machine, :from_state, :event, :to_state, :actor,
       :role, :reason, :at
FROM run
""")

_ADOPT = text("UPDATE runs SET fencing_epoch = :epoch WHERE run_id = :run_id AND fencing_epoch < :epoch")
_HEARTBEAT = text(
    "UPDATE runs SET heartbeat_at = :at WHERE run_id = :run_id AND fencing_epoch = :epoch AND state = 'RUNNING'"
)
_ADVANCE = text(
    "UPDATE runs SET feed_cursor = :to, feed_part = :part"
    " WHERE run_id = :run_id AND fencing_epoch = :epoch AND feed_cursor = :expected"
)
_GET = reading(Run, "SELECT {columns} FROM runs WHERE run_id = :run_id")
_LATEST = reading(
    Run, "SELECT {columns} FROM runs WHERE engine_id = :engine_id ORDER BY created_at DESC, run_id DESC LIMIT 1"
)
_ACTIVE = reading(
    Run,
    "SELECT {columns} FROM runs WHERE state IN ('ARMED', 'RUNNING')"
    " AND (CAST(:engine_id AS text) IS NULL OR engine_id = :engine_id) ORDER BY created_at, run_id",
)
_OVERDUE = reading(
    Run,
    "SELECT {columns} FROM runs WHERE state = 'RUNNING' AND (heartbeat_at IS NULL OR heartbeat_at < :since)"
    " ORDER BY created_at, run_id",
)
_HISTORY = reading(RunTransition, "SELECT {columns} FROM run_transitions WHERE run_id = :run_id ORDER BY seq")


def create(
    conn: Connection,
    *,
    run_id: UUID,
    engine_id: str,
    mode: str,
    bundle_sha256: str,
    config: Mapping[str, Any],
    actor: str,
    role: str,
    reason: str,
    at: int,
    machine: str = "run",
) -> None:
    """Create a run in the initial state of its bundle's machine, with its first transition.

    `config` is what the run must be continued with (data, seed, ...): JSON without floats. `mode` is PAPER or LIVE;
    `at` in epoch microseconds. Raises StoreError `no_lifecycle` when the bundle is not kept or declares no such
    machine.
    """
    values = {
        "run_id": run_id,
        "engine_id": engine_id,
        "mode": mode,
        "bundle": bundle_sha256,
        "machine": machine,
        "event": CREATE_EVENT,
        "config": canonical_json(config),
        "actor": actor,
        "role": role,
        "reason": reason,
        "at": instant(at),
    }
    if conn.execute(_CREATE, values).rowcount == 0:
        raise StoreError("no_lifecycle", f"the bundle `{bundle_sha256}` declares no lifecycle `{machine}`")


def transition(
    conn: Connection,
    run_id: UUID,
    *,
    expected_state: str,
    event: str,
    to_state: str,
    actor: str,
    role: str,
    reason: str,
    at: int,
) -> bool:
    """Move a run from `expected_state`, recording who moved it and why. False when it is in another state by now.

    Moving to RUNNING also counts as its first heartbeat; `reason` becomes the halt reason when it moves to HALTED.
    Raises Refused `edge` when the run's bundle declares no such move, `live_exclusive` when another LIVE run of the
    engine is armed or running. After either the caller's transaction is as it was before, and usable.
    """
    values = {
        "run_id": run_id,
        "from_state": expected_state,
        "event": event,
        "to_state": to_state,
        "actor": actor,
        "role": role,
        "reason": reason,
        "at": instant(at),
    }
    try:
        with conn.begin_nested():
            return conn.execute(_TRANSITION, values).rowcount == 1
    except IntegrityError as error:
        match violated(error):
            case name if name == EDGE:
                raise Refused(
                    "edge",
                    f"the run's lifecycle declares no move `{event}` from `{expected_state}` to `{to_state}`",
                    "`mqk policy effective` prints the lifecycle it is bound to",
                ) from error
            case name if name == ONE_LIVE_RUN:
                raise Refused(
                    "live_exclusive",
                    "another LIVE run of this engine is armed or running",
                    "stop that one first: an engine trades live once",
                ) from error
            case _:
                raise


def bind(conn: Connection, run_id: UUID, *, engine_id: str, mode: str, bundle_sha256: str) -> Run:
    """The run, provided that it is what the caller takes it for.

    Raises StoreError `no_run` when there is none, `binding` naming the first field that differs.
    """
    run = get(conn, run_id)
    if run is None:
        raise StoreError("no_run", f"there is no run `{run_id}`", "`mqk run status` lists them")
    wanted = {"engine_id": engine_id, "mode": mode, "bundle_sha256": bundle_sha256}
    for field, value in wanted.items():
        if (found := getattr(run, field)) != value:
            raise StoreError("binding", f"run `{run_id}` has {field} `{found}`, not `{value}`")
    return run


def adopt(conn: Connection, run_id: UUID, *, epoch: int) -> bool:
    """Take a run over under a newer fencing epoch (see lease.py): whoever held it before can no longer write to it.

    False when the run already knows this epoch or a newer one.
    """
    return conn.execute(_ADOPT, {"run_id": run_id, "epoch": epoch}).rowcount == 1


def heartbeat(conn: Connection, run_id: UUID, *, epoch: int, at: int) -> bool:
    """Say that the run is alive. False when it is not RUNNING, or led under another epoch: the caller must stop."""
    return conn.execute(_HEARTBEAT, {"run_id": run_id, "epoch": epoch, "at": instant(at)}).rowcount == 1


def advance_feed(conn: Connection, run_id: UUID, *, epoch: int, expected: int, to: int, part: int = 0) -> bool:
    """Record that the feed has been consumed up to `to` items, and of the next one up to a part.

    False when it was not at `expected`, or led otherwise. The cursor only grows; it is committed together with what
    those items caused.
    """
    values = {"run_id": run_id, "epoch": epoch, "expected": expected, "to": to, "part": part}
    return conn.execute(_ADVANCE, values).rowcount == 1


def get(conn: Connection, run_id: UUID) -> Run | None:
    """The run, or None."""
    return one(conn, Run, _GET, {"run_id": run_id})


def latest(conn: Connection, engine_id: str) -> Run | None:
    """The newest run of an engine, in whatever state, or None."""
    return one(conn, Run, _LATEST, {"engine_id": engine_id})


def active(conn: Connection, engine_id: str | None = None) -> list[Run]:
    """The runs that are armed or running, of one engine or of all, oldest first."""
    return many(conn, Run, _ACTIVE, {"engine_id": engine_id})


def overdue(conn: Connection, *, ttl: int, at: int) -> list[Run]:
    """The running runs without a heartbeat for longer than `ttl` microseconds, or with none at all."""
    return many(conn, Run, _OVERDUE, {"since": instant(at - ttl)})


def history(conn: Connection, run_id: UUID) -> list[RunTransition]:
    """Every move of a run, the first being its creation."""
    return many(conn, RunTransition, _HISTORY, {"run_id": run_id})


def violated(error: IntegrityError) -> str | None:
    """The name of the constraint that an error is about, or None."""
    diagnostics = getattr(error.orig, "diag", None)
    name: str | None = getattr(diagnostics, "constraint_name", None)
    return name
