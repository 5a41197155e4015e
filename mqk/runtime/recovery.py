"""Taking a run up where it was left: the engine's state again, from the recorded feed and the inbox, and its proof.

An inbox message was applied at the instant its row says, so playing the same turns again leads to the same state. The
outbox says whether it did.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mqk.engine import EngineError
from mqk.runtime.desk import events_of
from mqk.runtime.dispatch import order_of
from mqk.runtime.errors import ReplayDiffers
from mqk.runtime.journal import Journal
from mqk.runtime.turn import turn
from mqk.store import inbox, outbox, runs

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from mqk.engine import EngineState
    from mqk.orders import Order
    from mqk.runtime.feed import Feed, Instant
    from mqk.store.tables import InboxMessage

_HELP = "resume with the mqk and the strategies that began the run, or begin a new one"


@dataclass(frozen=True, slots=True)
class Recovered:
    """A run as it was left: the engine, its journal, the feed from there on, and how far it was heard and played.

    `heard` is a place in the broker's stream of messages, `position` the number of instants played.
    """

    state: EngineState
    journal: Journal
    instants: Iterator[Instant]
    heard: int
    position: int


def recover(conn: Connection, run_id: UUID, state: EngineState, feed: Feed) -> Recovered:
    """Play what was recorded again, into a fresh `state`, which it changes.

    Raises ReplayDiffers when the orders placed are not those of the outbox, or messages were applied at instants that
    the feed does not have.
    """
    run = runs.get(conn, run_id)
    assert run is not None
    rows = inbox.applied(conn, run_id)
    by_instant: dict[int | None, list[InboxMessage]] = defaultdict(list)
    for row in rows:
        by_instant[row.applied_at].append(row)
    journal, instants = Journal(run_id), feed.instants()
    kept = deque(order_of(row) for row in outbox.all_of(conn, run_id))
    for instant in islice(instants, run.feed_cursor):
        try:
            effects = turn(state, instant, events_of(by_instant.pop(instant.at, [])))
        except EngineError as fault:
            raise ReplayDiffers([f"run `{run_id}`: {fault.message}"], _HELP) from fault
        for again in journal.replay(instant.position, effects):
            _expect(kept.popleft() if kept else None, again)
    if kept:
        _expect(kept[0], None)
    if by_instant:
        raise ReplayDiffers([f"run `{run_id}` heard messages at instants that these bars do not have"], _HELP)
    heard = max((row.payload["cursor"] for row in (*rows, *inbox.unapplied(conn, run_id))), default=0)
    return Recovered(state, journal, instants, heard, run.feed_cursor)


def _expect(kept: Order | None, again: Order | None) -> None:
    """Raise ReplayDiffers unless the order that was kept is placed again."""
    if kept is None or again is None or _asked(kept) != _asked(again):
        raise ReplayDiffers([f"where the outbox has {_told(kept)}, {_told(again)} is placed now"], _HELP)


def _asked(order: Order) -> tuple[object, ...]:
    return (
        order.client_order_id,
        order.symbol,
        order.side,
        order.qty,
        order.type,
        order.limit_price,
        order.stop_price,
    )


def _told(order: Order | None) -> str:
    return "no order" if order is None else f"`{order.client_order_id}`, {order.side.value} {order.qty} {order.symbol}"
