"""From the outbox to the broker: every order through the gate, once; after a crash nothing is sent before it is asked.

    PENDING -> CLAIMED, judged by the gate, DISPATCHING | broker called | SENT, ACKED or FAILED

What lives here: the order of claim, gate, call and record. What does not: judging (mqk.engine.gate), or the outbox's
moves (mqk.store.outbox). No transaction is open while the broker is called.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mqk.brokers import Ack, Ambiguous, BrokerError, BrokerUnavailable
from mqk.engine import Cancelled, CancelRejected, EngineError, Permit, Rejected, ReplaceRejected
from mqk.engine.gate import authorise, authorise_replacement
from mqk.engine.linkage import TOO_MUCH, outgrown
from mqk.orders import EventKind, Leg, Order, OrderStatus, OrderType, Side, TimeInForce
from mqk.runtime.desk import tell
from mqk.runtime.errors import RunHalted
from mqk.runtime.probe import Step
from mqk.store import outbox

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mqk.engine import Event
    from mqk.runtime.desk import Desk
    from mqk.store.tables import OutboxMessage


class Dispatcher:
    """Empties one run's outbox. `waiting` says that something may be left in it; `ttl` (micros) is a permit's life.

    `told` says that the last `dispatch` left something for the engine to hear that the broker does not tell.
    """

    def __init__(self, desk: Desk, *, ttl: int) -> None:
        self._desk = desk
        self._ttl = ttl
        # Orders asked back and changes that were sent, each by how many were asked for: one that was refused may be
        # asked for again. Of the changes asked for before this process, nobody knows whether they were sent.
        self._cancelled: set[tuple[str, int]] = set()
        self._changed: set[tuple[str, int]] = set()
        self._before = {_asked(order, EventKind.REPLACE_REQUESTED) for order in desk.state.working.values()}
        self._unsettled = True
        self.waiting = True
        self.told = False

    def settle(self, now: int) -> None:
        """Ask the broker about every order of which it is not known whether it has it.

        What it has is acknowledged, what it lacks waits to be sent again, which then happens exactly once. `now` is the
        market's. Raises BrokerUnavailable; RunHalted when the broker has lost an order it had confirmed.
        """
        desk = self._desk
        with desk.leading(running=False) as conn:
            rows = [row for row in outbox.unresolved(conn, desk.run_id) if row.status != "PENDING"]
        for row in rows:
            key = row.client_order_id
            ack = desk.broker.find(key)
            if ack is None and row.status == "SENT":
                raise RunHalted([f"the broker has lost order `{key}`, which it had confirmed"])
            with desk.leading(running=False) as conn:
                self._resolve(conn, row, ack, now)
                found = "lacking" if ack is None else "rejected" if ack.rejection else "there"
                desk.journal.note("settled", now, {"client_order_id": key, "was": row.status, "found": found})
                desk.journal.seal(conn)
            desk.probe.passed(Step.OUTBOX_SETTLED, key)
        self._unsettled = False

    def dispatch(self, now: int) -> bool:
        """Send cancels, then every waiting order, in the order in which they were placed. `now` is the market's.

        False when the broker is out of reach and something still waits: call again. Raises RunHalted when the broker
        refuses what it must not: a permit of the gate, or an order id that it knows otherwise.
        """
        self.waiting = True
        self.told = False
        try:
            if self._unsettled:
                self.settle(now)
            self._cancel(now)
            self._change(now)
            while (order := self._claim(now)) is not None:
                self._send(*order, now)
        except Ambiguous:
            self._unsettled = True
            return False
        except BrokerUnavailable:
            return False
        self.waiting = False
        return True

    def _cancel(self, now: int) -> None:
        """Cancel what the engine wants cancelled: once, and after a restart once more, which does no harm."""
        desk = self._desk
        for order in list(desk.state.working.values()):
            key = order.client_order_id
            asked = _asked(order, EventKind.CANCEL_REQUESTED)
            if order.status is OrderStatus.PENDING_CANCEL and asked not in self._cancelled:
                change = _asked(order, EventKind.REPLACE_REQUESTED)
                if not desk.broker.cancel(key) and order.replace_qty is not None:
                    # Its last fill is on its way; a change that was asked for before, and never sent, is not.
                    with desk.leading() as conn:
                        rejected = CancelRejected(key, "nothing of it is left to cancel", now)
                        self._tell(conn, f"{key}:cancel-rejected-{len(order.events)}", rejected, now)
                elif order.replace_qty is not None and change not in self._changed | self._before:
                    self._refuse(order, "taken back before it left", now)
                self._cancelled.add(asked)
                desk.probe.passed(Step.CANCEL_SENT, key)

    def _change(self, now: int) -> None:
        """Change what the engine wants changed, each through the gate: once, and after a restart once more."""
        desk = self._desk
        for held in list(desk.state.working.values()):
            asked = _asked(held, EventKind.REPLACE_REQUESTED)
            if held.status is not OrderStatus.PENDING_REPLACE or held.replace_qty is None or asked in self._changed:
                continue
            order = replace(held, qty=held.replace_qty, limit_price=held.replace_limit, stop_price=held.replace_stop)
            leave = authorise_replacement(desk.state, order, epoch=desk.lead.epoch, now=now, ttl=self._ttl)
            if outgrown(desk.state, held, order.qty):
                why: str | None = TOO_MUCH
            elif not isinstance(leave, Permit):
                why = f"kept back by {', '.join(leave.deciding)}"
            elif desk.broker.replace(leave, order):
                why = None
            else:
                why = "nothing of it is left to change"
            if why is not None:
                self._refuse(held, why, now)
            self._changed.add(asked)

    def _refuse(self, order: Order, why: str, now: int) -> None:
        """Have the engine hear that a change will not be made."""
        key = order.client_order_id
        with self._desk.leading() as conn:
            self._tell(conn, f"{key}:replace-rejected-{len(order.events)}", ReplaceRejected(key, why, now), now)

    def _claim(self, now: int) -> tuple[Permit, Order] | None:
        """The next order that may leave, with its permit, DISPATCHING; None when nothing waits."""
        desk = self._desk
        while True:
            with desk.leading() as conn:
                row = outbox.claim_next(conn, desk.run_id, dispatcher=desk.lead.holder, at=now)
                if row is None:
                    return None
                order = order_of(row)
                key = order.client_order_id
                desk.probe.passed(Step.ORDER_CLAIMED, key)
                permit = self._permit(conn, order, now)
                if permit is not None:
                    _moved(outbox.begin_dispatch(conn, key, dispatcher=desk.lead.holder, at=now), key)
                desk.journal.seal(conn)
            if permit is not None:
                desk.probe.passed(Step.ORDER_DISPATCHING, key)
                return permit, order
            desk.probe.passed(Step.ORDER_FAILED, key)

    def _permit(self, conn: Connection, order: Order, now: int) -> Permit | None:
        """Leave from the gate; without it the order is withdrawn, and the engine will hear of it."""
        desk = self._desk
        key = order.client_order_id
        held = desk.state.orders.get(key)
        if held is not None and (held.status is OrderStatus.PENDING_CANCEL or held.status.is_final):
            over = held.status.is_final
            why = "nothing of it was left before it was sent" if over else "cancelled before it was sent"
            self._withdraw(conn, key, why, now)
            return None
        if held is not None and outgrown(desk.state, held, held.qty):
            self._withdraw(conn, key, TOO_MUCH, now)
            return None
        try:
            leave = authorise(desk.state, order, epoch=desk.lead.epoch, now=now, ttl=self._ttl)
        except EngineError as fault:
            raise RunHalted([f"the gate does not know what waits in the outbox: {fault.message}"]) from fault
        if isinstance(leave, Permit):
            return leave
        desk.journal.keep_back(conn, key, leave, at=now)
        self._withdraw(conn, key, f"kept back by {', '.join(leave.deciding)}", now)
        return None

    def _withdraw(self, conn: Connection, key: str, reason: str, now: int) -> None:
        _moved(outbox.mark_failed(conn, key, reason=reason, at=now), key)
        self._tell(conn, f"{key}:withdrawn", Cancelled(key, reason, now), now)

    def _tell(self, conn: Connection, message_id: str, event: Event, now: int) -> None:
        """Leave something for the engine that the broker does not tell it."""
        self.told = True
        tell(conn, self._desk.run_id, message_id, event, now)

    def _send(self, permit: Permit, order: Order, now: int) -> None:
        desk = self._desk
        key = order.client_order_id
        try:
            ack = desk.broker.submit(permit, order)
        except Ambiguous as fault:
            with desk.leading() as conn:
                _moved(outbox.mark_ambiguous(conn, key, reason=fault.message), key)
            raise
        except BrokerUnavailable as fault:
            with desk.leading() as conn:
                _moved(outbox.requeue(conn, key, reason=fault.message), key)
            raise
        except BrokerError as fault:
            raise RunHalted([f"the broker refused `{key}`: {fault.message}"]) from fault
        desk.probe.passed(Step.ORDER_SUBMITTED, key)
        with desk.leading() as conn:
            self._answered(conn, ack, now)
            desk.probe.passed(Step.ORDER_STAGED, key)
        desk.probe.passed(Step.ORDER_ACKED if ack.rejection is None else Step.ORDER_FAILED, key)

    def _resolve(self, conn: Connection, row: OutboxMessage, ack: Ack | None, now: int) -> None:
        """Bring a message whose fate was open to where the broker's answer puts it."""
        key = row.client_order_id
        if ack is None:
            if row.status == "CLAIMED":
                _moved(outbox.release(conn, key), key)
            else:
                _moved(outbox.requeue(conn, key, reason="the broker does not have it"), key)
        elif row.status == "SENT":
            _moved(outbox.mark_acked(conn, key, at=now), key)
        else:
            if row.status == "CLAIMED":
                _moved(outbox.begin_dispatch(conn, key, dispatcher=row.claimed_by or "", at=now), key)
            self._answered(conn, ack, now)

    def _answered(self, conn: Connection, ack: Ack, now: int) -> None:
        """The broker has answered for an order that was DISPATCHING (or AMBIGUOUS)."""
        key = ack.client_order_id
        if ack.rejection is None:
            _moved(outbox.mark_sent(conn, key, broker_order_id=ack.broker_order_id, at=now), key)
            _moved(outbox.mark_acked(conn, key, at=now), key)
        else:
            _moved(outbox.mark_failed(conn, key, reason=f"rejected: {ack.rejection}", at=now), key)
            self._tell(conn, f"{key}:rejected", Rejected(key, ack.rejection, now), now)


def _asked(order: Order, kind: EventKind) -> tuple[str, int]:
    """An order, and how many times something was asked for it."""
    return order.client_order_id, sum(1 for event in order.events.values() if event.kind is kind)


def _moved(moved: bool, key: str) -> None:
    """A move of the outbox that only the leader can make has been made. Raises RunHalted when it has not."""
    if not moved:
        raise RunHalted([f"the outbox does not have `{key}` where its leader left it"])


def order_of(row: OutboxMessage) -> Order:
    """The order that a message of the outbox carries, as it was placed."""
    told = row.payload
    return Order(
        told["client_order_id"],
        told["symbol"],
        Side(told["side"]),
        told["qty"],
        OrderType(told["type"]),
        told["limit_price"],
        told["stop_price"],
        created_at=row.created_at,
        reason=told["reason"],
        tif=TimeInForce(told["tif"]),
        reduce_only=told["reduce_only"],
        parent_id=told["parent_id"],
        leg=None if told["leg"] is None else Leg(told["leg"]),
    )
