"""What an engine's effects leave in the database: decisions, outbox, latches and the audit chain, written as one.

What lives here: from effects to rows, and the names of decisions. What does not: carrying orders out (dispatch.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mqk.engine import (
    BarRejected,
    Decided,
    Effect,
    LatchLifted,
    LatchSet,
    Refused,
    Submit,
    decision_json,
    event_to_json,
    instant_of,
)
from mqk.store import audit, decisions, latches, outbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from sqlalchemy import Connection

    from mqk.engine import Event
    from mqk.guards import Decision
    from mqk.orders import Order

ACTOR = "engine"


class Journal:
    """Names and keeps what one run decides. Playing the same events again gives the same names.

    Decisions are named after the position in the feed and a number within it, `<run>.<position>.<number>`; those of the
    gate after the order that they keep back, `<order>.gate`.
    """

    def __init__(self, run_id: UUID) -> None:
        self.run_id = run_id
        self._cited: dict[str, str] = {}
        self._position = -1
        self._number = 0
        self._events: list[audit.Event] = []

    def note(self, kind: str, at: int, payload: Mapping[str, Any], *, actor: str = ACTOR) -> None:
        """Remember something for the audit chain, until `seal`."""
        self._events.append(audit.Event(kind, actor, at, payload))

    def seal(self, conn: Connection) -> None:
        """Append what was noted to the run's audit chain."""
        if self._events:
            audit.append(conn, self.run_id, self._events)
            self._events = []

    def heard(self, events: Iterable[Event]) -> None:
        """Note what the engine was told, apart from bars and the clock."""
        for event in events:
            told = event_to_json(event)
            self.note(f"told.{told.pop('event').lower()}", instant_of(event), told)

    def replay(self, position: int, effects: Iterable[Effect]) -> list[Order]:
        """Name again what was kept before, without keeping it; returns the orders that were placed."""
        placed = []
        for effect in effects:
            decision = _decision_of(effect)
            if decision is not None:
                self._name(position, decision)
            if isinstance(effect, Submit):
                placed.append(effect.order)
        return placed

    def keep(self, conn: Connection, position: int, effects: Iterable[Effect]) -> None:
        """Write what one position of the feed led to; the caller's transaction makes it one with the feed's cursor."""
        for effect in effects:
            record = effect.to_json()
            decision = _decision_of(effect)
            if decision is not None:
                record.pop("decision", None)
                if isinstance(effect, Decided):
                    record = {"point": decision.point.value, "outcome": decision.outcome}
                record["decision_id"] = self._decide(conn, self._name(position, decision), decision, at=effect.at)
            match effect:
                case Submit():
                    self._enqueue(conn, effect, record["decision_id"])
                case LatchSet():
                    self._hold(conn, effect)
                case LatchLifted():
                    latches.release(conn, self.run_id, rule_id=effect.latch.rule, actor=effect.by, at=effect.at)
                case _:
                    pass
            self.note(effect.kind, effect.at, record)

    def keep_back(self, conn: Connection, client_order_id: str, decision: Decision, *, at: int) -> None:
        """Keep the gate's decision against an order that was about to leave."""
        decision_id = self._decide(conn, f"{client_order_id}.gate", decision, at=at)
        self.note("kept_back", at, {"client_order_id": client_order_id, "decision_id": decision_id})

    def _decide(self, conn: Connection, decision_id: str, decision: Decision, *, at: int) -> str:
        record = decision_json(decision)
        decisions.record(
            conn,
            decision_id=decision_id,
            run_id=self.run_id,
            bundle_sha256=decision.bundle,
            point=decision.point.value,
            outcome=decision.outcome,
            facts=dict(decision.moment) or record["facts"],
            findings=record["findings"],
            at=at,
        )
        return decision_id

    def _name(self, position: int, decision: Decision) -> str:
        if position != self._position:
            self._position, self._number = position, 0
        self._number += 1
        decision_id = f"{self.run_id}.{position}.{self._number}"
        for finding in decision.findings:
            self._cited[finding.rule] = decision_id
        return decision_id

    def _enqueue(self, conn: Connection, effect: Submit, decision_id: str) -> None:
        order = effect.order
        payload = {
            "client_order_id": order.client_order_id,
            "symbol": order.symbol,
            "side": order.side.value,
            "qty": order.qty,
            "type": order.type.value,
            "limit_price": order.limit_price,
            "stop_price": order.stop_price,
            "worst_price": effect.worst_price,
            "tif": order.tif.value,
            "reduce_only": order.reduce_only,
            "parent_id": order.parent_id,
            "leg": None if order.leg is None else order.leg.value,
            "reason": order.reason,
        }
        outbox.enqueue(
            conn,
            self.run_id,
            client_order_id=order.client_order_id,
            payload=payload,
            decision_id=decision_id,
            at=effect.at,
        )

    def _hold(self, conn: Connection, effect: LatchSet) -> None:
        # A rule that holds something has been found to be broken before, in a decision that is kept.
        latch = effect.latch
        latches.hold(
            conn,
            self.run_id,
            rule_id=latch.rule,
            outcome=latch.outcome,
            decision_id=self._cited[latch.rule],
            until=latch.until,
            until_at=None,
            at=effect.at,
        )


def _decision_of(effect: Effect) -> Decision | None:
    match effect:
        case Submit() | Refused() | BarRejected() | Decided():
            return effect.decision
        case _:
            return None
