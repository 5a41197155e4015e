"""What came of a paper run, counted from the record, so that an interrupted run is counted whole.

What lives here: counting and the JSON of it. What does not: printing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from mqk.quantity import format_money
from mqk.store import decisions, outbox, runs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

    from mqk.engine import EngineState

_FILLS = text("SELECT count(*) FROM inbox WHERE run_id = :run_id AND fill_id IS NOT NULL AND applied_at IS NOT NULL")
_DENIED = text("SELECT count(*) FROM decisions WHERE run_id = :run_id AND point = 'order' AND outcome = 'deny'")
_RECONCILED = text("""
SELECT count(*) AS times, coalesce(sum((payload ->> 'notes')::int), 0) AS notes,
       coalesce(sum((payload ->> 'halts')::int), 0) AS halts,
       (array_agg(payload ORDER BY seq DESC))[1] AS last
FROM audit WHERE chain = :chain AND kind = 'reconcile'
""")


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How the books compared over the whole run: how often, what was noted, what halted, and the last time in full."""

    clean: bool
    times: int
    notes: int
    halts: int
    last: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class PaperSummary:
    """What came of a run.

    `ticks` are instants of the feed; `final_equity` in micros; `state_sha256` is the digest of the engine's state.
    `orders` were sent to the broker, `withdrawn` never left (kept back by the gate, or cancelled before), `denied`
    never became orders; `denied_by_rule` counts each rule of a denial.
    """

    run_id: UUID
    engine: str
    state: str
    halt_reason: str | None
    resumed: bool
    ticks: int
    orders: int
    withdrawn: int
    fills: int
    denied: int
    denied_by_rule: Mapping[str, int]
    reconcile: Reconciled
    final_equity: int
    posture: str
    bundle: str
    state_sha256: str

    def to_json(self) -> dict[str, Any]:
        """The summary as other tools read it; money as people write it."""
        reconcile = self.reconcile
        return {
            "run_id": str(self.run_id),
            "engine": self.engine,
            "state": self.state,
            "halt_reason": self.halt_reason,
            "resumed": self.resumed,
            "ticks": self.ticks,
            "orders": self.orders,
            "withdrawn": self.withdrawn,
            "fills": self.fills,
            "denied": self.denied,
            "denied_by_rule": dict(self.denied_by_rule),
            "reconcile": {
                "clean": reconcile.clean,
                "times": reconcile.times,
                "notes": reconcile.notes,
                "halts": reconcile.halts,
                "last": None if reconcile.last is None else dict(reconcile.last),
            },
            "final_equity": format_money(self.final_equity),
            "posture": self.posture,
            "bundle": self.bundle,
            "state_sha256": self.state_sha256,
        }


def summarise(conn: Connection, run_id: UUID, state: EngineState, *, resumed: bool) -> PaperSummary:
    """Count what a run has come to. `state` is the engine's at the end of what was recorded."""
    run = runs.get(conn, run_id)
    assert run is not None
    sent = outbox.counts(conn, run_id)
    return PaperSummary(
        run_id=run_id,
        engine=run.engine_id,
        state=run.state,
        halt_reason=run.halt_reason,
        resumed=resumed,
        ticks=run.feed_cursor,
        orders=sum(count for status, count in sent.items() if status not in ("PENDING", "CLAIMED", "FAILED")),
        withdrawn=sent.get("FAILED", 0),
        fills=conn.scalar(_FILLS, {"run_id": run_id}) or 0,
        denied=conn.scalar(_DENIED, {"run_id": run_id}) or 0,
        denied_by_rule=decisions.breaches_by_rule(conn, run_id, outcome="deny"),
        reconcile=reconciled(conn, run_id),
        final_equity=state.account.equity,
        posture=state.run.posture,
        bundle=run.bundle_sha256,
        state_sha256=state.digest(),
    )


def reconciled(conn: Connection, run_id: UUID) -> Reconciled:
    """How the books of a run have compared so far. Never compared is not clean."""
    row = conn.execute(_RECONCILED, {"chain": str(run_id)}).one()
    clean = row.times > 0 and row.halts == 0
    return Reconciled(clean, row.times, row.notes, row.halts, row.last)
