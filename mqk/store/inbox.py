"""Messages from the broker: kept once, applied once, in the order they came.

Applying one to the ledger and marking it applied belong into one transaction; the applied messages, in order, are what
a restart rebuilds the ledger from. What a message means is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from mqk.store.rows import many, reading
from mqk.store.tables import InboxMessage
from mqk.store.values import canonical_json, instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

_RECEIVE = text(
    "INSERT INTO inbox (run_id, message_id, fill_id, payload, received_at)"
    " VALUES (:run_id, :message_id, :fill_id, CAST(:payload AS jsonb), :at) ON CONFLICT DO NOTHING"
)
_APPLIED = text(
    "UPDATE inbox SET applied_at = :at, applied_part = :part"
    " WHERE run_id = :run_id AND message_id = :message_id AND applied_at IS NULL"
)
_LIST = "SELECT {{columns}} FROM inbox WHERE run_id = :run_id AND applied_at {} ORDER BY id"
_LIST_UNAPPLIED = reading(InboxMessage, _LIST.format("IS NULL"))
_LIST_APPLIED = reading(InboxMessage, _LIST.format("IS NOT NULL"))


def receive(
    conn: Connection, run_id: UUID, *, message_id: str, fill_id: str | None, payload: Mapping[str, Any], at: int
) -> bool:
    """Keep a message. False when the run has its message id, or its fill id (told again in another envelope), already.

    `payload` is JSON without floats; `at` in epoch microseconds.
    """
    values = {
        "run_id": run_id,
        "message_id": message_id,
        "fill_id": fill_id,
        "payload": canonical_json(payload),
        "at": instant(at),
    }
    return conn.execute(_RECEIVE, values).rowcount == 1


def mark_applied(conn: Connection, run_id: UUID, *, message_id: str, at: int, part: int | None = None) -> bool:
    """Say that a message has been applied, in a part of the instant `at`.

    False when it had been already, or was never received.
    """
    values = {"run_id": run_id, "message_id": message_id, "at": instant(at), "part": part}
    return conn.execute(_APPLIED, values).rowcount == 1


def unapplied(conn: Connection, run_id: UUID) -> list[InboxMessage]:
    """The messages of a run that are still to be applied, in the order they came."""
    return many(conn, InboxMessage, _LIST_UNAPPLIED, {"run_id": run_id})


def applied(conn: Connection, run_id: UUID) -> list[InboxMessage]:
    """The messages of a run that have been applied, in the order they came."""
    return many(conn, InboxMessage, _LIST_APPLIED, {"run_id": run_id})
