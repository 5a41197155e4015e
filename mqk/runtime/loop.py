"""The authoritative loop: one instant of the feed at a time, part by part, each with all that it leads to.

    show the market | hear the broker | inbox, engine, journal, cursor: commit | dispatch | hear its answers | ...

What is asked for because of one part of an instant is at the market in the next: so an order that an entry's fill asks
for is there for the rest of the very bar, as it is in a backtest. What lives here: the order of these, and what stops
them. What does not: when they happen (jobs.py).
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING

from mqk.brokers import BrokerUnavailable
from mqk.engine import (
    Cancel,
    Cancelled,
    EngineError,
    Filled,
    Informing,
    KillSwitch,
    LatchReleased,
    Refused,
    Rejected,
    Replace,
    RunMoved,
    Submit,
)
from mqk.runtime import lifecycle
from mqk.runtime.books import broker_book, reconcile, standing_of
from mqk.runtime.desk import ACTOR, events_of, receive
from mqk.runtime.desk_facts import DeskFacts
from mqk.runtime.errors import LeadLost, RunHalted
from mqk.runtime.probe import Step
from mqk.runtime.progress import Progress
from mqk.runtime.summary import reconciled
from mqk.runtime.turn import Part, turn
from mqk.store import inbox, outbox, runs
from mqk.strategies import StrategyError
from mqk.venue import Part as Shown

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
        # The instant that is being played, what of it was kept, and whether it has come to its opens.
        self._instant, self._part, self._opened = left.instant, left.part, False
        # In which part of which instant messages were taken in last, and the last of them.
        self._place, self._applied = left.place, left.applied
        self._heard = left.heard
        # What the broker said last. It may have said more, and others may have told something, before this process.
        self._messages: list[Message] = []
        self._unheard = self._untold = True
        # What the broker had been shown before this process; None once that is of no more interest.
        self._left: tuple[int, Shown] | None = None
        self._facts_at = -1
        self._borrow = desk.guards.bundle.execution.borrow.value
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
        """Whether the feed has been played to its end, everything sent that waited, and every answer heard."""
        return self.position == len(self._feed) and not self._dispatcher.waiting and not self._unheard

    @property
    def waits(self) -> bool:
        """Whether the broker is out of reach, and trying again at once is of no use."""
        return self._away_since is not None

    def tick(self) -> bool:
        """Play one instant, or go on with it; False when nothing is left. Waits for a broker that is out of reach.

        Raises RunHalted when the run had to be halted, or was; LeadLost when another process leads. Nothing of a turn
        that raises is kept, but that it halted.
        """
        try:
            if self.over:
                return False
            self._play()
        except BrokerUnavailable as fault:
            self._wait(f"the broker has been out of reach for too long: {fault.message}")
        except EngineError as fault:
            self._halt(f"what the broker said cannot be true of the books: {fault.message}", self._messages)
        except StrategyError as fault:
            self._halt(str(fault), self._messages)
        except RunHalted as halted:
            self._halt(str(halted), self._messages)
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
            if self._dispatcher.dispatch(self._desk.state.now):
                self._away_since = None
                self._unheard = True
                self._untold = self._untold or self._dispatcher.told
            else:
                self._wait("the broker has been out of reach for too long")
        except RunHalted as halted:
            self._halt(str(halted), [])

    def _play(self) -> None:
        """Play one instant, from where it was left. Whatever is still to be sent goes first."""
        desk, broker = self._desk, self._desk.broker
        ahead = self._shown_ahead()
        if self._dispatcher.waiting and ahead is None:
            # What was placed before has to be there before the market moves on.
            self.dispatch()
            return
        if self._instant is None:
            if ahead is None and self.position and not self._hear_out(None, Part.ANSWERED):
                return
            if self.position == len(self._feed):
                return
            self._instant = next(self._instants)
        instant, reached = self._instant, None
        desk.probe.passed(Step.TICK_BEGUN, str(instant.position))
        if not self._opened and not self._open(instant, ahead):
            return
        begins = [] if self._part is Part.TRADING else instant.trading(desk.state)
        moment = instant.moment()
        while self._hear_out(instant, Part.TRADING, begins):
            begins = []
            if reached is Shown.ENDED:
                self._close(instant)
                desk.probe.passed(Step.TICK_DONE, str(instant.position))
                return
            self._unheard = True
            reached = broker.on_market(moment)
            desk.probe.passed(Step.MARKET_SHOWN, str(instant.position))

    def _shown_ahead(self) -> Shown | None:
        """The part of the next instant that the broker was shown before this process, where it tells of that one."""
        if self._left is None:
            self._left = self._desk.broker.shown()
        at, part = self._left
        coming = self.position < len(self._feed) and at == self._feed.ends[self.position]
        return part if coming and part is not Shown.CLOSED and self._unheard else None

    def _open(self, instant: Instant, ahead: Shown | None) -> bool:
        """What comes before the first bars of a session; False when something is still to be sent because of it."""
        broker, state = self._desk.broker, self._desk.state
        if instant.begins and self._part is None:
            if self.position and broker.on_market(instant.moment(), Shown.CLOSED) is Shown.CLOSED:
                # The session before is over, and with it the orders of its day: that is not this session's.
                self._unheard = True
                if not self._hear_out(None, Part.ANSWERED):
                    return False
            instant.look(state)
            opening = instant.opening(state, self._borrow)
            broker.on_market(instant.moment(opening), Shown.BEGUN)
            self._unheard = True
            if not self._hear_out(instant, Part.OPENING, opening):
                return False
        elif instant.begins and (ahead is None or ahead is Shown.BEGUN) and not self._hear_out(instant, Part.OPENING):
            return False
        instant.look(state)
        self._opened = True
        return True

    def _close(self, instant: Instant) -> None:
        """The bars are over: the engine hears of them, the books are compared when they are due, and orders leave."""
        desk = self._desk
        theirs = broker_book(desk.broker, desk.state) if self._due(instant.at) else None
        with desk.leading() as conn:
            told, effects = self._take_in(conn, instant, Part.TRADING, (), closing=True)
            placed = {effect.order.client_order_id for effect in effects if isinstance(effect, Submit)}
            found = None if theirs is None else self._compare(conn, theirs, placed, instant.at)
            desk.journal.seal(conn)
            self._advance(conn, instant.position + 1, 0)
            desk.probe.passed(Step.TICK_STAGED, str(instant.position))
        self._instant, self._part, self._opened = None, None, False
        self.position = instant.position + 1
        self._count(told, effects)
        desk.probe.passed(Step.TICK_COMMITTED, str(instant.position))
        if found is not None and not found.clean:
            raise RunHalted([found.reason])
        if _asks(effects):
            self.dispatch()
            if not self._dispatcher.waiting:
                self._hear_out(None, Part.ANSWERED)

    def _hear_out(self, instant: Instant | None, part: Part, says: Sequence[Event] = ()) -> bool:
        """Hear the broker, do what the engine asks for because of it, and hear that answered, until nothing is left.

        `instant` is the one that is being played, None after the last one that was; `says` what the feed says first.
        False when the broker was out of reach for what is to be sent: the next tick goes on.
        """
        desk = self._desk
        while self._unheard or says:
            self._messages = list(desk.broker.events_after(self._heard))
            desk.probe.passed(Step.MESSAGES_FETCHED, str(len(self._messages)))
            self._away_since = None
            effects: list[Effect] = []
            if self._messages or says or self._untold:
                with desk.leading() as conn:
                    told, effects = self._take_in(conn, instant, part, says)
                    desk.journal.seal(conn)
                    if instant is not None:
                        self._advance(conn, instant.position, part + 1)
                    desk.probe.passed(Step.TICK_STAGED, str(self.position))
                if instant is not None:
                    self._part = part
                self._heard = max([self._heard, *(message.cursor for message in self._messages)])
                self._count(told, effects)
                desk.probe.passed(Step.TICK_COMMITTED, str(self.position))
            self._unheard, self._untold, says = False, False, ()
            if _asks(effects) or self._dispatcher.waiting:
                self.dispatch()
                if self._dispatcher.waiting:
                    return False
        return True

    def _take_in(
        self, conn: Connection, instant: Instant | None, part: Part, says: Sequence[Event], *, closing: bool = False
    ) -> tuple[list[Event], list[Effect]]:
        """Keep what the broker said, play a turn, and keep what came of it; `closing`: with the end of the bars."""
        desk, state = self._desk, self._desk.state
        at = self.now if instant is None else instant.at
        position = self.position - 1 if instant is None else instant.position
        if self._place != (position, part):
            self._place, self._applied = (position, part), 0
        receive(conn, desk.run_id, self._messages, at)
        if instant is not None and self._facts_at != position:
            self._facts.tell(conn, instant)
            self._facts_at = position
        desk.probe.passed(Step.MESSAGES_RECEIVED, str(len(self._messages)))
        # Those that were numbered before the last one and came to light after it wait for the next part, so that they
        # are always taken in, again too, in the order of their numbers.
        rows = [row for row in inbox.unapplied(conn, desk.run_id) if row.id > self._applied]
        told = events_of(rows)
        if instant is None:
            # What people do, and what informs, counts from the next instant on: nobody else waits for an answer.
            answers = [not isinstance(event, Informing | KillSwitch | LatchReleased | RunMoved) for event in told]
            rows, told = list(compress(rows, answers)), list(compress(told, answers))
        if instant is not None:
            says = [*says, *instant.switched(state, told)]
        effects = turn(state, says, told)
        if instant is not None and closing:
            effects += turn(state, instant.closing(), ())
        desk.probe.passed(Step.EVENTS_APPLIED, str(len(told)))
        for row in rows:
            inbox.mark_applied(conn, desk.run_id, message_id=row.message_id, at=at, part=part)
            self._applied = row.id
        desk.journal.heard(told)
        desk.journal.keep(conn, position, effects)
        if instant is not None and closing:
            self._facts.keep(conn, instant)
        return told, effects

    def _advance(self, conn: Connection, to: int, part: int) -> None:
        """Record how far the feed has been played, in the transaction of what was played."""
        desk = self._desk
        if not runs.advance_feed(conn, desk.run_id, epoch=desk.lead.epoch, expected=self.position, to=to, part=part):
            raise LeadLost([f"run `{desk.run_id}` is not at position {self.position} any more"])

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


def _asks(effects: Sequence[Effect]) -> bool:
    """Whether anything is to be sent because of these."""
    return any(isinstance(effect, Submit | Cancel | Replace) for effect in effects)
