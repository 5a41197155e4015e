"""What the parts of one run share: its database, broker, engine, lead and journal; writing as leader; halting.

What lives here: the one way to a transaction of the leader, and the one way to a halt. What does not: the turns.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mqk.brokers import Broker
from mqk.engine import event_from_json, event_to_json
from mqk.runtime import lifecycle
from mqk.runtime.errors import LeadLost, RunHalted, RunStopped
from mqk.store import LeaseLost, inbox, lease, runs
from mqk.venue import Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from sqlalchemy import Connection, Engine

    from mqk.brokers import Message
    from mqk.engine import EngineState, Event
    from mqk.guards import GuardSet
    from mqk.runtime.clock import WallClock
    from mqk.runtime.journal import Journal
    from mqk.runtime.leader import Lead
    from mqk.runtime.probe import Probe
    from mqk.store.tables import InboxMessage
    from mqk.venue import Moment

ACTOR = "runtime"


class MarketBroker(Broker, Protocol):
    """A broker that sees the market only as it is shown to it: the paper broker, and stand-ins for it."""

    def on_market(self, moment: Moment, until: Part = Part.ENDED) -> Part:
        """Show the market up to a part of a moment, or to the first in which something happens; which one it was.

        What was shown before changes nothing, so that it may be repeated; the next part comes with the next showing.
        """

    def shown(self) -> tuple[int, Part]:
        """The instant of the market that was shown last, by its end in epoch microseconds, and up to which part."""

    def close(self) -> None:
        """Let go of the connection; the account stays as it is."""


@dataclass(slots=True)
class Desk:
    """One run under one lead. `conn` is the loop's own connection, used by one thread at a time."""

    database: Engine
    conn: Connection
    broker: MarketBroker
    guards: GuardSet
    run_id: UUID
    state: EngineState
    journal: Journal
    lead: Lead
    wall: WallClock
    probe: Probe

    @contextmanager
    def leading(self, *, running: bool = True) -> Iterator[Connection]:
        """A transaction that only the leader gets, and with `running` only while the run is RUNNING.

        Nobody can take the lead, or move the run, until it ends. Raises LeadLost, RunHalted or RunStopped.
        """
        with self.conn.begin():
            at = self.wall.now()
            if not running:
                try:
                    lease.fence(self.conn, self.lead.engine_id, epoch=self.lead.epoch, at=at)
                except LeaseLost as lost:
                    raise LeadLost([lost.message]) from lost
            elif not runs.heartbeat(self.conn, self.run_id, epoch=self.lead.epoch, at=at):
                self._explain()
            yield self.conn

    def halt(self, reason: str, *, market: int, messages: Sequence[Message] = ()) -> None:
        """Halt the run, and keep what the broker said last. Nothing happens when it is halted already.

        Raises LeadLost when another process leads by now: then it is that one's to halt.
        """
        with self.database.begin() as conn:
            at = self.wall.now()
            run = runs.get(conn, self.run_id)
            assert run is not None
            if run.state == "RUNNING":
                # Takes the row, so that nobody moves the run or takes it over until it is halted.
                runs.heartbeat(conn, self.run_id, epoch=self.lead.epoch, at=at)
                run = runs.get(conn, self.run_id)
                assert run is not None
            if run.fencing_epoch != self.lead.epoch:
                raise LeadLost([f"epoch {run.fencing_epoch} leads run `{self.run_id}` now"])
            receive(conn, self.run_id, messages, market)
            if run.state != "HALTED":
                lifecycle.halt(conn, run, actor=ACTOR, reason=reason, wall=at, market=market)

    def _explain(self) -> None:
        """Raise what it means that the run is not ours to write to."""
        run = runs.get(self.conn, self.run_id)
        if run is None or run.fencing_epoch != self.lead.epoch:
            raise LeadLost([f"another process leads run `{self.run_id}` now"])
        if run.state == "HALTED":
            raise RunHalted([run.halt_reason or f"run `{self.run_id}` was halted"])
        raise RunStopped([f"run `{self.run_id}` is {run.state}"])


def receive(conn: Connection, run_id: UUID, messages: Sequence[Message], at: int) -> None:
    """Keep the broker's messages; those kept before, in whatever envelope, stay as they are."""
    for message in messages:
        inbox.receive(
            conn,
            run_id,
            message_id=message.message_id,
            fill_id=message.fill_id,
            payload={"event": event_to_json(message.event), "cursor": message.cursor},
            at=at,
        )


def tell(conn: Connection, run_id: UUID, message_id: str, event: Event, at: int) -> None:
    """Leave something for the engine that is not from the broker's stream: it is taken in at the next turn."""
    payload = {"event": event_to_json(event), "cursor": 0}
    inbox.receive(conn, run_id, message_id=message_id, fill_id=None, payload=payload, at=at)


def events_of(rows: Sequence[InboxMessage]) -> list[Event]:
    """What kept messages tell the engine."""
    return [event_from_json(row.payload["event"]) for row in rows]
