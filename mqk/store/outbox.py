"""Intents on their way to the broker: written before the broker is called, moved by compare-and-set, never repeated.

    PENDING - claim -> CLAIMED - begin_dispatch -> DISPATCHING - mark_sent -> SENT - mark_acked -> ACKED

A message's key is its client order id. Calling the broker, and deciding what an answer means, happens elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import TextClause, text

from mqk.store.rows import many, one, reading
from mqk.store.tables import OutboxMessage
from mqk.store.values import canonical_json, instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

_ENQUEUE = text(
    "INSERT INTO outbox (run_id, client_order_id, decision_id, payload, status, attempt, created_at)"
    " VALUES (:run_id, :client_order_id, :decision_id, CAST(:payload AS jsonb), 'PENDING', 0, :at)"
    " ON CONFLICT (client_order_id) DO NOTHING"
)
_CLAIM = reading(
    OutboxMessage,
    """
    UPDATE outbox SET status = 'CLAIMED', claimed_by = :dispatcher, claimed_at = :at, attempt = attempt + 1
    WHERE id = (
        SELECT id FROM outbox WHERE run_id = :run_id AND status = 'PENDING' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING {columns}
    """,
)
_BACK = "status = 'PENDING', claimed_by = NULL, claimed_at = NULL, dispatching_at = NULL"


_MOVE = "UPDATE outbox SET {} WHERE {}"


def _move(assignments: str, *, origins: str, condition: str = "") -> TextClause:
    return text(_MOVE.format(assignments, f"client_order_id = :key AND status IN ({origins}) {condition}"))


_DISPATCH = _move(
    "status = 'DISPATCHING', dispatching_at = :at", origins="'CLAIMED'", condition="AND claimed_by = :dispatcher"
)
_SENT = _move(
    "status = 'SENT', sent_at = :at, broker_order_id = :broker_order_id", origins="'DISPATCHING', 'AMBIGUOUS'"
)
_ACKED = _move("status = 'ACKED', acked_at = :at", origins="'SENT', 'DISPATCHING', 'AMBIGUOUS'")
_FAILED = _move("status = 'FAILED', failed_at = :at, reason = :reason", origins="'CLAIMED', 'DISPATCHING', 'AMBIGUOUS'")
_AMBIGUOUS = _move("status = 'AMBIGUOUS', reason = :reason", origins="'DISPATCHING'")
_RELEASE = _move(_BACK, origins="'CLAIMED'")
_REQUEUE = _move(f"{_BACK}, reason = :reason", origins="'DISPATCHING', 'AMBIGUOUS'")
_REAP = text(_MOVE.format(_BACK, "run_id = :run_id AND status = 'CLAIMED' AND claimed_at < :before"))
_GET = reading(OutboxMessage, "SELECT {columns} FROM outbox WHERE client_order_id = :key")
_UNRESOLVED = reading(
    OutboxMessage,
    "SELECT {columns} FROM outbox WHERE run_id = :run_id AND status NOT IN ('ACKED', 'FAILED') ORDER BY id",
)
_ALL = reading(OutboxMessage, "SELECT {columns} FROM outbox WHERE run_id = :run_id ORDER BY id")
_COUNTS = text("SELECT status, count(*) AS messages FROM outbox WHERE run_id = :run_id GROUP BY status ORDER BY status")


def enqueue(
    conn: Connection, run_id: UUID, *, client_order_id: str, payload: Mapping[str, Any], decision_id: str, at: int
) -> bool:
    """Put an intent into the outbox, PENDING. False when its client order id is there already: it is never repeated.

    `decision_id` names the decision of this run that allowed it; `payload` is JSON without floats; `at` in epoch
    microseconds.
    """
    values = {
        "run_id": run_id,
        "client_order_id": client_order_id,
        "decision_id": decision_id,
        "payload": canonical_json(payload),
        "at": instant(at),
    }
    return conn.execute(_ENQUEUE, values).rowcount == 1


def claim_next(conn: Connection, run_id: UUID, *, dispatcher: str, at: int) -> OutboxMessage | None:
    """Claim the oldest PENDING message that nobody else is claiming; None when there is none. PENDING -> CLAIMED."""
    return one(conn, OutboxMessage, _CLAIM, {"run_id": run_id, "dispatcher": dispatcher, "at": instant(at)})


def begin_dispatch(conn: Connection, client_order_id: str, *, dispatcher: str, at: int) -> bool:
    """Say that the broker is about to be called. CLAIMED (by this dispatcher) -> DISPATCHING; commit before calling."""
    values = {"key": client_order_id, "dispatcher": dispatcher, "at": instant(at)}
    return conn.execute(_DISPATCH, values).rowcount == 1


def mark_sent(conn: Connection, client_order_id: str, *, broker_order_id: str | None, at: int) -> bool:
    """The broker took it (or is found to have it). DISPATCHING or AMBIGUOUS -> SENT.

    `broker_order_id` is unique within the run, and None for messages that get none of their own (a cancel).
    """
    values = {"key": client_order_id, "broker_order_id": broker_order_id, "at": instant(at)}
    return conn.execute(_SENT, values).rowcount == 1


def mark_acked(conn: Connection, client_order_id: str, *, at: int) -> bool:
    """The broker confirmed it. SENT, DISPATCHING or AMBIGUOUS -> ACKED."""
    return conn.execute(_ACKED, {"key": client_order_id, "at": instant(at)}).rowcount == 1


def mark_failed(conn: Connection, client_order_id: str, *, reason: str, at: int) -> bool:
    """It will not be sent: refused at dispatch or by the broker. CLAIMED, DISPATCHING or AMBIGUOUS -> FAILED."""
    return conn.execute(_FAILED, {"key": client_order_id, "reason": reason, "at": instant(at)}).rowcount == 1


def mark_ambiguous(conn: Connection, client_order_id: str, *, reason: str) -> bool:
    """Nobody knows whether the broker has it; it is not sent again until that is known. DISPATCHING -> AMBIGUOUS."""
    return conn.execute(_AMBIGUOUS, {"key": client_order_id, "reason": reason}).rowcount == 1


def release(conn: Connection, client_order_id: str) -> bool:
    """Give a claim back, before any call to the broker. CLAIMED -> PENDING."""
    return conn.execute(_RELEASE, {"key": client_order_id}).rowcount == 1


def requeue(conn: Connection, client_order_id: str, *, reason: str) -> bool:
    """Send it again, because the broker is *proven* not to have it. DISPATCHING or AMBIGUOUS -> PENDING."""
    return conn.execute(_REQUEUE, {"key": client_order_id, "reason": reason}).rowcount == 1


def reap(conn: Connection, run_id: UUID, *, claimed_before: int) -> int:
    """Give back the claims of dispatchers that died before calling the broker; returns how many. CLAIMED -> PENDING."""
    return conn.execute(_REAP, {"run_id": run_id, "before": instant(claimed_before)}).rowcount


def get(conn: Connection, client_order_id: str) -> OutboxMessage | None:
    """The message, or None."""
    return one(conn, OutboxMessage, _GET, {"key": client_order_id})


def unresolved(conn: Connection, run_id: UUID) -> list[OutboxMessage]:
    """What a restart must settle: everything neither ACKED nor FAILED, in the order it was enqueued."""
    return many(conn, OutboxMessage, _UNRESOLVED, {"run_id": run_id})


def all_of(conn: Connection, run_id: UUID) -> list[OutboxMessage]:
    """Every message of a run, in the order it was enqueued."""
    return many(conn, OutboxMessage, _ALL, {"run_id": run_id})


def counts(conn: Connection, run_id: UUID) -> dict[str, int]:
    """How many messages of a run are in each status that occurs."""
    return {row.status: row.messages for row in conn.execute(_COUNTS, {"run_id": run_id})}
