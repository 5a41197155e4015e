"""Who leads an engine: one holder at a time, under an epoch that only ever grows.

The epoch fences: a leader that slept through its lease finds a greater epoch and can no longer write. Times are the
wall clock's, in epoch microseconds, never those of a recorded market.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from mqk.store.errors import LeaseLost
from mqk.store.rows import one, reading
from mqk.store.tables import Lease
from mqk.store.values import instant

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ACQUIRE = text("""
INSERT INTO leases (engine_id, epoch, holder, expires_at, updated_at) VALUES (:engine_id, 1, :holder, :expires, :at)
ON CONFLICT (engine_id) DO UPDATE
    SET epoch = leases.epoch + 1, holder = :holder, expires_at = :expires, updated_at = :at
    WHERE leases.holder IS NULL OR leases.expires_at <= :at OR leases.holder = CAST(:dead_holder AS text)
RETURNING epoch
""")
_RENEW = text(
    "UPDATE leases SET expires_at = :expires, updated_at = :at"
    " WHERE engine_id = :engine_id AND holder = :holder AND epoch = :epoch AND expires_at > :at"
)
_RELEASE = text(
    "UPDATE leases SET holder = NULL, expires_at = NULL, updated_at = :at"
    " WHERE engine_id = :engine_id AND holder = :holder AND epoch = :epoch"
)
_FENCE = text("SELECT epoch = :epoch AND expires_at > :at FROM leases WHERE engine_id = :engine_id FOR SHARE")
_CURRENT = reading(Lease, "SELECT {columns} FROM leases WHERE engine_id = :engine_id")


def acquire(
    conn: Connection, engine_id: str, *, holder: str, ttl: int, at: int, dead_holder: str | None = None
) -> int | None:
    """Take the lead of an engine for `ttl` microseconds: the new epoch, or None while somebody holds it.

    `dead_holder` is a holder whom the caller knows to have ended (a killed process on this machine); its lease need not
    be waited for.
    """
    values = {
        "engine_id": engine_id,
        "holder": holder,
        "at": instant(at),
        "expires": instant(at + ttl),
        "dead_holder": dead_holder,
    }
    epoch: int | None = conn.scalar(_ACQUIRE, values)
    return epoch


def renew(conn: Connection, engine_id: str, *, holder: str, epoch: int, ttl: int, at: int) -> bool:
    """Hold the lead for `ttl` microseconds from now. False when it has expired or passed to another epoch."""
    values = {
        "engine_id": engine_id,
        "holder": holder,
        "epoch": epoch,
        "at": instant(at),
        "expires": instant(at + ttl),
    }
    return conn.execute(_RENEW, values).rowcount == 1


def release(conn: Connection, engine_id: str, *, holder: str, epoch: int, at: int) -> bool:
    """Give the lead up. The epoch stays, so that the next one is greater. False when it was no longer the caller's."""
    values = {"engine_id": engine_id, "holder": holder, "epoch": epoch, "at": instant(at)}
    return conn.execute(_RELEASE, values).rowcount == 1


def fence(conn: Connection, engine_id: str, *, epoch: int, at: int) -> None:
    """Make sure the caller leads, and keep it so until its transaction ends. Raises LeaseLost otherwise."""
    if not conn.scalar(_FENCE, {"engine_id": engine_id, "epoch": epoch, "at": instant(at)}):
        raise LeaseLost("lease_lost", f"epoch {epoch} no longer leads engine `{engine_id}`")


def current(conn: Connection, engine_id: str) -> Lease | None:
    """The engine's lease as it is, held or not; None when the engine was never led."""
    return one(conn, Lease, _CURRENT, {"engine_id": engine_id})
