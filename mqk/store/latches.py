"""Latched outcomes: a halt that stands until its time has come or somebody lets go of it, also across a restart.

When a latch ends, and who may end it, is the policy's to say; here it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from mqk.store.rows import many, reading
from mqk.store.tables import Latch
from mqk.store.values import instant

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

_SET = text(
    "INSERT INTO latches (run_id, rule_id, outcome, decision_id, until, until_at, since)"
    " VALUES (:run_id, :rule_id, :outcome, :decision_id, :until, :until_at, :at)"
    " ON CONFLICT (run_id, rule_id) WHERE released_at IS NULL DO NOTHING"
)
_RELEASE = text(
    "UPDATE latches SET released_at = :at, released_by = :actor"
    " WHERE run_id = :run_id AND rule_id = :rule_id AND released_at IS NULL"
)
_EXPIRE = text(
    "UPDATE latches SET released_at = :at, released_by = until"
    " WHERE run_id = :run_id AND released_at IS NULL AND until_at <= :at RETURNING rule_id"
)
_OPEN = reading(Latch, "SELECT {columns} FROM latches WHERE run_id = :run_id AND released_at IS NULL ORDER BY id")


def hold(
    conn: Connection,
    run_id: UUID,
    *,
    rule_id: str,
    outcome: str,
    decision_id: str,
    until: str,
    until_at: int | None,
    at: int,
) -> bool:
    """Latch the outcome of a rule. False when that rule holds one already, which then stays as it is.

    `until` is as the policy says it (`session_end`, `released`), `until_at` the instant it comes to, if any; both
    instants in epoch microseconds of the run's own clock.
    """
    values = {
        "run_id": run_id,
        "rule_id": rule_id,
        "outcome": outcome,
        "decision_id": decision_id,
        "until": until,
        "until_at": None if until_at is None else instant(until_at),
        "at": instant(at),
    }
    return conn.execute(_SET, values).rowcount == 1


def release(conn: Connection, run_id: UUID, *, rule_id: str, actor: str, at: int) -> bool:
    """Let go of what a rule holds. False when it holds nothing."""
    values = {"run_id": run_id, "rule_id": rule_id, "actor": actor, "at": instant(at)}
    return conn.execute(_RELEASE, values).rowcount == 1


def expire(conn: Connection, run_id: UUID, *, at: int) -> list[str]:
    """Let go of every latch whose time has come, and return their rules, sorted."""
    return sorted(conn.scalars(_EXPIRE, {"run_id": run_id, "at": instant(at)}))


def held(conn: Connection, run_id: UUID) -> list[Latch]:
    """What the run's rules hold at present, the oldest first."""
    return many(conn, Latch, _OPEN, {"run_id": run_id})
