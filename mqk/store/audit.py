"""The audit trail: per run, and one more for what happens outside any run, each event bound to the one before by hash.

The database refuses to change or remove an event; `verify` finds out if somebody did so all the same. What is worth an
event is decided by those who act.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from mqk.store.rows import many, reading
from mqk.store.tables import AuditEvent
from mqk.store.values import canonical_json, instant, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Connection

SYSTEM: Final = "system"  # the chain of what belongs to no run
GENESIS: Final = "0" * 64
AT_ONCE: Final = 1000  # rows held in memory while verifying

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:chain, 0))")
_TAIL = text("SELECT seq, hash FROM audit WHERE chain = :chain ORDER BY seq DESC LIMIT 1")
_APPEND = text(
    "INSERT INTO audit (chain, seq, run_id, at, actor, kind, payload, prev_hash, hash)"
    " VALUES (:chain, :seq, :run_id, :at, :actor, :kind, CAST(:payload AS jsonb), :prev_hash, :hash)"
)
_EVENTS = reading(AuditEvent, "SELECT {columns} FROM audit WHERE chain = :chain AND seq > :after ORDER BY seq")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: what kind, who caused it, when (epoch microseconds), and its particulars as JSON."""

    kind: str
    actor: str
    at: int
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a chain: how many events it has, and the hash of the last. Kept elsewhere, it is an anchor."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What checking a chain found: how far it is sound, and the first event that is not (None: all are)."""

    tail: Tail
    first_broken: int | None

    @property
    def sound(self) -> bool:
        """Whether every event is as it was written."""
        return self.first_broken is None


def append(conn: Connection, run_id: UUID | None, events: Sequence[Event]) -> Tail:
    """Add events to a run's chain, or with None to the system's; returns its new end.

    Others who append to the same chain wait until the caller's transaction ends.
    """
    chain = _chain(run_id)
    conn.execute(_LOCK, {"chain": chain})
    end = tail(conn, run_id)
    rows = []
    for event in events:
        payload = canonical_json(event.payload)
        digest = _digest(chain, end.seq + 1, event, end.hash)
        rows.append(
            {
                "chain": chain,
                "seq": end.seq + 1,
                "run_id": run_id,
                "at": instant(event.at),
                "actor": event.actor,
                "kind": event.kind,
                "payload": payload,
                "prev_hash": end.hash,
                "hash": digest,
            }
        )
        end = Tail(end.seq + 1, digest)
    if rows:
        conn.execute(_APPEND, rows)
    return end


def tail(conn: Connection, run_id: UUID | None) -> Tail:
    """The end of a chain; of an empty one, number 0 and the hash that the first event builds on."""
    row = conn.execute(_TAIL, {"chain": _chain(run_id)}).one_or_none()
    return Tail(0, GENESIS) if row is None else Tail(row.seq, row.hash)


def events(conn: Connection, run_id: UUID | None, *, after: int = 0) -> list[AuditEvent]:
    """The events of a chain that follow number `after`, in order."""
    return many(conn, AuditEvent, _EVENTS, {"chain": _chain(run_id), "after": after})


def verify(conn: Connection, run_id: UUID | None, *, anchor: Tail | None = None) -> Verification:
    """Check a chain from its first event: numbers without a gap, each hash right and built on the one before.

    An `anchor` noted earlier also finds a chain that was cut short or written anew.
    """
    chain = _chain(run_id)
    end = Tail(0, GENESIS)
    statement = _EVENTS.execution_options(yield_per=AT_ONCE)
    with conn.execute(statement, {"chain": chain, "after": 0}) as result:
        for row in result:
            expected = _digest(chain, end.seq + 1, Event(row.kind, row.actor, row.at, row.payload), end.hash)
            anchored = anchor is None or anchor.seq != end.seq + 1 or anchor.hash == expected
            if row.seq != end.seq + 1 or row.prev_hash != end.hash or row.hash != expected or not anchored:
                return Verification(end, end.seq + 1)
            end = Tail(row.seq, row.hash)
    if anchor is not None and end.seq < anchor.seq:
        return Verification(end, end.seq + 1)
    return Verification(end, None)


def _digest(chain: str, seq: int, event: Event, previous: str) -> str:
    return sha256(
        canonical_json(
            {
                "chain": chain,
                "seq": seq,
                "at": event.at,
                "actor": event.actor,
                "kind": event.kind,
                "payload": event.payload,
                "prev_hash": previous,
            }
        )
    )


def _chain(run_id: UUID | None) -> str:
    return SYSTEM if run_id is None else str(run_id)
