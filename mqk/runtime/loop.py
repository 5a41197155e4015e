"""The authoritative loop: one instant of the feed at a time, all that it leads to in one transaction, then dispatch.

    show the market | hear the broker, take its book | inbox, engine, journal, reconciliation, cursor: commit | dispatch

What lives here: the order of these, and what stops them. What does not: when they happen (jobs.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.brokers import BrokerUnavailable
from mqk.engine import Cancel, Cancelled, EngineError, Filled, Refused, Rejected, Replace, Submit
from mqk.runtime import lifecycle
from mqk.runtime.books import broker_book, reconcile, standing_of
from mqk.runtime.desk import ACTOR, events_of, receive
from mqk.runtime.desk_facts import DeskFacts
from mqk.runtime.errors import LeadLost, RunHalted
from mqk.runtime.probe import Step
from mqk.runtime.progress import Progress
from mqk.runtime.summary import reconciled
from mqk.runtime.turn import turn
from mqk.store import inbox, outbox, runs
from mqk.strategies import StrategyError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from mqk.brokers import Message
    from mqk.engine import Effect, Event
    from mqk.reconcile import Book, BookError
    from mqk.runtime.books import Reconciliation
    from mqk.runtime.desk import Desk
    from mqk.runtime.dispatch import Dispatcher
    from mqk.runtime.feed import Feed, Instant
    from mqk.runtime.recovery import Recovered


class Loop:
    """Plays a feed to its end, from where it was left. `position` is how many instants are done."""

    def __init__(self, desk: Desk, dispatcher: Dispatcher, feed: Feed, left: Recovered) -> None:
        self._desk = desk
        self._dispatcher = dispatcher
        self._feed = feed
        self._instants = left.instants
        self._next: Instant | None = None
        self._heard = left.heard
        self._every = desk.guards.bundle.schedule.reconcile.micros
        self._patience = desk.guards.bundle.schedule.deadman.micros
        self._away_since: int | None = None
        self._facts = DeskFacts(desk)
        self._reconciled_at: int | None = None
        # Since when what differed last has differed; not known before the record was asked.
        self._standing: Mapping[tuple[str, str], int] | None = None
        self.position = left.position
        self.progress = Progress(total=len(feed), done=left.position)

    @property
    def now(self) -> int:
        """The market's time: the instant that was played last, or before the first, that one."""
        return self._feed.ends[max(self.position - 1, 0)]

    @property
    def over(self) -> bool:
        """Whether the feed has been played to its end, and everything sent that waited."""
        return self.position == len(self._feed) and not self._dispatcher.waiting

    @property
    def waits(self) -> bool:
        """Whether the broker is out of reach, and trying again at once is of no use."""
        return self._away_since is not None

    def tick(self) -> bool:
        """Play one instant; False when nothing is left to play. Waits for the broker when it is out of reach.

        Raises RunHalted when the run had to be halted, or was; LeadLost when another process leads. Nothing of a turn
        that raises is kept, but that it halted.
        """
        messages: list[Message] = []
        try:
            if self.over:
                return False
            self._turn(messages)
        except BrokerUnavailable as fault:
            self._wait(f"the broker has been out of reach for too long: {fault.message}")
        except EngineError as fault:
            self._halt(f"what the broker said cannot be true of the books: {fault.message}", messages)
        except StrategyError as fault:
            self._halt(str(fault), messages)
        except RunHalted as halted:
            self._halt(str(halted), messages)
        return True

    def reconcile(self) -> Reconciliation:
        """Compare the books now, outside a turn, and audit what was found. Raises BrokerUnavailable."""
        desk = self._desk
        shown = self._feed.ends[self.position - 1] if self.position else 0
        now = self._feed.ends[min(self.position, len(self._feed) - 1)]
        theirs = broker_book(desk.broker, desk.state)
        with desk.leading(running=False) as conn:
            unsent = {row.client_order_id for row in outbox.unresolved(conn, desk.run_id) if row.status == "PENDING"}
            # Nor need the broker have what it has rejected, or never got, and the engine has not heard of yet.
            told = events_of(inbox.unapplied(conn, desk.run_id))
            unsent |= {event.client_order_id for event in told if isinstance(event, Rejected | Cancelled)}
            found = reconcile(desk.state, theirs, unsent, now=now, shown=shown, lag=True, standing=self._stood(conn))
            self._standing = found.standing
            self._facts.reconciled(conn, found)
            desk.journal.note("reconcile", now, found.to_json(), actor=ACTOR)
            desk.journal.seal(conn)
        desk.probe.passed(Step.RECONCILED, "clean" if found.clean else found.reason)
        return found

    def dispatch(self) -> None:
        """Send what waits in the outbox. Waits when the broker is out of reach; raises RunHalted as `tick` does."""
        try:
            if self._dispatcher.dispatch(self.now):
                self._away_since = None
            else:
                self._wait("the broker has been out of reach for too long")
        except RunHalted as halted:
            self._halt(str(halted), [])

    def _turn(self, messages: list[Message]) -> None:
        desk = self._desk
        if self._dispatcher.waiting:
            # What was placed before has to be there before the market moves on.
            self.dispatch()
            return
        instant = self._next = self._next or next(self._instants)
        desk.probe.passed(Step.TICK_BEGUN, str(instant.position))
        desk.broker.on_market(instant.at, instant.tradable())
        desk.probe.passed(Step.MARKET_SHOWN, str(instant.position))
        messages += desk.broker.events_after(self._heard)
        theirs = broker_book(desk.broker, desk.state) if self._due(instant.at) else None
        desk.probe.passed(Step.MESSAGES_FETCHED, str(len(messages)))
        self._away_since = None
        with desk.leading() as conn:
            told, effects = self._take_in(conn, instant, messages)
            placed = {effect.order.client_order_id for effect in effects if isinstance(effect, Submit)}
            found = None if theirs is None else self._compare(conn, theirs, placed, instant.at)
            desk.journal.seal(conn)
            position = instant.position
            if not runs.advance_feed(conn, desk.run_id, epoch=desk.lead.epoch, expected=position, to=position + 1):
                raise LeadLost([f"run `{desk.run_id}` is not at position {position} any more"])
            desk.probe.passed(Step.TICK_STAGED, str(position))
        self._next = None
        self.position = position + 1
        self._heard = max([self._heard, *(message.cursor for message in messages)])
        self._count(told, effects)
        desk.probe.passed(Step.TICK_COMMITTED, str(position))
        if found is not None and not found.clean:
            raise RunHalted([found.reason])
        if any(isinstance(effect, Submit | Cancel | Replace) for effect in effects):
            self.dispatch()
        desk.probe.passed(Step.TICK_DONE, str(position))

    def _take_in(
        self, conn: Connection, instant: Instant, messages: Sequence[Message]
    ) -> tuple[list[Event], list[Effect]]:
        """Keep what the broker said, play the turn, and keep what came of it."""
        desk = self._desk
        receive(conn, desk.run_id, messages, instant.at)
        self._facts.tell(conn, instant)
        desk.probe.passed(Step.MESSAGES_RECEIVED, str(len(messages)))
        rows = inbox.unapplied(conn, desk.run_id)
        told = events_of(rows)
        effects = turn(desk.state, instant, told)
        desk.probe.passed(Step.EVENTS_APPLIED, str(len(told)))
        for row in rows:
            inbox.mark_applied(conn, desk.run_id, message_id=row.message_id, at=instant.at)
        desk.journal.heard(told)
        desk.journal.keep(conn, instant.position, effects)
        self._facts.keep(conn, instant)
        return told, effects

    def _compare(self, conn: Connection, theirs: Book | BookError, unsent: Collection[str], now: int) -> Reconciliation:
        """Compare the books within the turn; what must stop the run stops it in the same transaction."""
        desk = self._desk
        standing = self._stood(conn)
        found = reconcile(desk.state, theirs, unsent, now=now, shown=now, lag=False, standing=standing)
        self._reconciled_at, self._standing = now, found.standing
        self._facts.reconciled(conn, found)
        desk.journal.note("reconcile", now, found.to_json(), actor=ACTOR)
        if not found.clean:
            run = runs.get(conn, desk.run_id)
            assert run is not None
            desk.journal.seal(conn)
            lifecycle.halt(conn, run, actor=ACTOR, reason=found.reason, wall=desk.wall.now(), market=now)
        desk.probe.passed(Step.RECONCILED, "clean" if found.clean else found.reason)
        return found

    def _stood(self, conn: Connection) -> Mapping[tuple[str, str], int]:
        """What differed at the last comparison, also when that was before a restart."""
        if self._standing is None:
            self._standing = standing_of(reconciled(conn, self._desk.run_id).last)
        return self._standing

    def _due(self, now: int) -> bool:
        return self._reconciled_at is None or now - self._reconciled_at >= self._every

    def _wait(self, reason: str) -> None:
        """Try again at the next turn, but not for ever: an engine whose broker is away for too long is halted."""
        desk = self._desk
        desk.probe.passed(Step.BROKER_AWAITED, reason)
        at = desk.wall.now()
        if self._away_since is None:
            self._away_since = at
        elif at - self._away_since > self._patience:
            self._halt(reason, [])

    def _halt(self, reason: str, messages: Sequence[Message]) -> None:
        self._desk.halt(reason, market=self.now, messages=messages)
        raise RunHalted([reason])

    def _count(self, told: Sequence[Event], effects: Sequence[Effect]) -> None:
        progress = self.progress
        progress.done = self.position
        progress.at = self.now
        progress.fills += sum(1 for event in told if isinstance(event, Filled))
        progress.orders += sum(1 for effect in effects if isinstance(effect, Submit))
        progress.denied += sum(1 for effect in effects if isinstance(effect, Refused))
        progress.equity = self._desk.state.account.equity
