"""Taking a run up where it was left: the engine's state again, from the recorded feed and the inbox, and its proof.

An inbox message was applied at the instant its row says, so playing the same turns again leads to the same state. The
outbox says whether it did.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mqk.engine import EngineError
from mqk.runtime.desk import events_of
from mqk.runtime.dispatch import order_of
from mqk.runtime.errors import ReplayDiffers
from mqk.runtime.journal import Journal
from mqk.runtime.turn import Part, begin_again
from mqk.store import inbox, outbox, runs

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from mqk.engine import EngineState
    from mqk.orders import Order
    from mqk.runtime.feed import Feed, Instant, Playback
    from mqk.store.tables import InboxMessage

_HELP = "resume with the mqk and the strategies that began the run, or begin a new one"


@dataclass(frozen=True, slots=True)
class Recovered:
    """A run as it was left: the engine, its journal, the feed from there on, and how far it was heard and played.

    `heard` is a place in the broker's stream of messages, `position` the number of instants played. `instant` is the
    one that was being played, if one was, and `part` what of it was. `place` is the position and part in which messages
    were taken in last, and `applied` the number of the last of them.
    """

    state: EngineState
    journal: Journal
    instants: Playback
    heard: int
    position: int
    instant: Instant | None
    part: Part | None
    place: tuple[int, Part | None]
    applied: int


def recover(conn: Connection, run_id: UUID, state: EngineState, feed: Feed) -> Recovered:
    """Play what was recorded again, into a fresh `state`, which it changes.

    Raises ReplayDiffers when the orders placed are not those of the outbox, or messages were applied at instants that
    the feed does not have.
    """
    run = runs.get(conn, run_id)
    assert run is not None
    rows = inbox.applied(conn, run_id)
    by_instant: dict[int | None, dict[Part, list[InboxMessage]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        part = Part.TRADING if row.applied_part is None else Part(row.applied_part)
        by_instant[row.applied_at][part].append(row)
    journal, instants = Journal(run_id), feed.play()
    kept = deque(order_of(row) for row in outbox.all_of(conn, run_id))
    borrow = state.guards.bundle.execution.borrow.value
    begun = Part(run.feed_part - 1) if run.feed_part else None
    instant: Instant | None = None
    place: tuple[int, Part | None] = (-1, None)
    applied = 0
    for position in range(run.feed_cursor + (begun is not None)):
        upto = Part.ANSWERED if position < run.feed_cursor or begun is None else begun
        instant = next(instants)
        told = by_instant.pop(instant.at, {})
        for part, messages in told.items():
            place, applied = (position, part), messages[-1].id
        try:
            heard = {part: events_of(messages) for part, messages in told.items()}
            effects = begin_again(state, instant, heard, borrow, upto)
        except EngineError as fault:
            raise ReplayDiffers([f"run `{run_id}`: {fault.message}"], _HELP) from fault
        for again in journal.replay(instant.position, effects):
            _expect(kept.popleft() if kept else None, again)
    if kept:
        _expect(kept[0], None)
    if by_instant:
        raise ReplayDiffers([f"run `{run_id}` heard messages at instants that these bars do not have"], _HELP)
    heard_up_to = max((row.payload["cursor"] for row in (*rows, *inbox.unapplied(conn, run_id))), default=0)
    left = instant if begun is not None else None
    return Recovered(state, journal, instants, heard_up_to, run.feed_cursor, left, begun, place, applied)


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
