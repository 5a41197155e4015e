"""What store tests set up again and again: a bundle with the run's lifecycle, runs, decisions, orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from mqk.store import bundles, decisions, outbox, runs
from mqk.store.values import canonical_json, sha256

if TYPE_CHECKING:
    from sqlalchemy import Connection

T0 = 1_708_041_600_000_000  # Friday 2024-02-16 00:00 UTC, in epoch microseconds
SECOND = 1_000_000
MINUTE = 60 * SECOND

STATES = ("CREATED", "ARMED", "RUNNING", "STOPPED", "HALTED")
EDGES = frozenset(
    {
        ("CREATED", "arm", "ARMED"),
        ("STOPPED", "arm", "ARMED"),
        ("ARMED", "start", "RUNNING"),
        ("ARMED", "stop", "STOPPED"),
        ("RUNNING", "stop", "STOPPED"),
        ("HALTED", "clear", "STOPPED"),
        *((state, "halt", "HALTED") for state in STATES if state != "HALTED"),
    }
)


class World:
    """One bundle, and what happens under it, written over one connection; the caller commits."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.content = canonical_json({"engine": "MAIN", "limits": {"max_position": "20%"}})
        self.bundle_sha256 = sha256(self.content)
        self.run_id = UUID(int=1)

    def bundle(self) -> bool:
        return bundles.save(
            self.conn,
            sha256_=self.bundle_sha256,
            engine_id="MAIN",
            canonical=self.content.encode(),
            machines={"run": bundles.Machine("CREATED", EDGES)},
            at=T0,
        )

    def run(self, number: int = 1, *, engine_id: str = "MAIN", mode: str = "PAPER", at: int = T0) -> UUID:
        run_id = UUID(int=number)
        runs.create(
            self.conn,
            run_id=run_id,
            engine_id=engine_id,
            mode=mode,
            bundle_sha256=self.bundle_sha256,
            config={"seed": 7},
            actor="ana",
            role="operator",
            reason="a new session",
            at=at,
        )
        return run_id

    def move(self, event: str, origin: str, target: str, *, run_id: UUID | None = None, at: int = T0) -> bool:
        return runs.transition(
            self.conn,
            run_id or self.run_id,
            expected_state=origin,
            event=event,
            to_state=target,
            actor="ana",
            role="operator",
            reason=f"to {event}",
            at=at,
        )

    def start(self, run_id: UUID | None = None, *, at: int = T0) -> None:
        self.move("arm", "CREATED", "ARMED", run_id=run_id, at=at)
        self.move("start", "ARMED", "RUNNING", run_id=run_id, at=at)

    def decide(self, decision_id: str, *, run_id: UUID | None = None, **given: Any) -> bool:
        values: dict[str, Any] = {
            "decision_id": decision_id,
            "run_id": run_id or self.run_id,
            "bundle_sha256": self.bundle_sha256,
            "point": "order",
            "outcome": "allow",
            "facts": {"order.symbol": "SPY"},
            "findings": [],
            "at": T0,
        }
        return decisions.record(self.conn, **values | given)

    def order(self, key: str, *, run_id: UUID | None = None, at: int = T0) -> bool:
        self.decide(f"decision-{key}", run_id=run_id)
        return outbox.enqueue(
            self.conn,
            run_id or self.run_id,
            client_order_id=key,
            payload={"symbol": "SPY", "side": "BUY", "qty": 10},
            decision_id=f"decision-{key}",
            at=at,
        )


def sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's code of a refusal."""
    return getattr(error.orig, "sqlstate", None)
