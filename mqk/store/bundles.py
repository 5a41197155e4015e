"""Policy bundles in the database: their content under its hash, and the moves their state machines allow.

Written once per hash and never changed; runs refer to them, and transitions to their edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from mqk.store.errors import StoreError
from mqk.store.values import instant, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

CREATE_EVENT: Final = "create"  # the event that leads from nowhere to a machine's initial state

_BUNDLE = text(
    "INSERT INTO policy_bundles (sha256, engine_id, canonical, created_at)"
    " VALUES (:sha256, :engine_id, CAST(:canonical AS jsonb), :at) ON CONFLICT (sha256) DO NOTHING"
)
_EDGE = text(
    "INSERT INTO lifecycle_edges (bundle_sha256, machine, from_state, event, to_state)"
    " VALUES (:bundle_sha256, :machine, :from_state, :event, :to_state)"
)
_GET = text("SELECT canonical FROM policy_bundles WHERE sha256 = :sha256")


@dataclass(frozen=True, slots=True)
class Machine:
    """A state machine of a bundle: the state things begin in, and every move as (from, event, to)."""

    initial: str
    edges: frozenset[tuple[str, str, str]]


def save(
    conn: Connection, *, sha256_: str, engine_id: str, canonical: bytes, machines: Mapping[str, Machine], at: int
) -> bool:
    """Keep a bundle and the edges of its machines (by machine id). False when it is kept already.

    `at` in epoch microseconds. Raises StoreError `bundle_hash` when the hash is not that of the canonical bytes.
    """
    content = canonical.decode()
    if sha256(content) != sha256_:
        raise StoreError("bundle_hash", f"the content of bundle `{sha256_}` does not have that hash")
    values = {"sha256": sha256_, "engine_id": engine_id, "canonical": content, "at": instant(at)}
    if conn.execute(_BUNDLE, values).rowcount == 0:
        return False
    edges = [
        {"bundle_sha256": sha256_, "machine": name, "from_state": origin, "event": event, "to_state": target}
        for name, machine in machines.items()
        for origin, event, target in sorted({("", CREATE_EVENT, machine.initial), *machine.edges})
    ]
    if edges:
        conn.execute(_EDGE, edges)
    return True


def get(conn: Connection, sha256_: str) -> dict[str, Any] | None:
    """The canonical content of a bundle, parsed; None when it is not kept."""
    content: dict[str, Any] | None = conn.scalar(_GET, {"sha256": sha256_})
    return content
