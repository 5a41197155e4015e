"""The backtest: recorded bars as one chronological stream through the engine, against a simulated market.

What lives here: the loop, and carrying out the engine's effects. What does not: any decision, and any fill price.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.beside import Beside
from mqk.backtest.between import held_by, in_progress, in_sending_order, overnight
from mqk.backtest.errors import BacktestError
from mqk.backtest.feed import RecordedFeed
from mqk.backtest.plain import Instants
from mqk.backtest.playback import playback
from mqk.backtest.recorder import Recorder
from mqk.backtest.stream import one_by_one
from mqk.engine import (
    BarArrived,
    Cancel,
    Cancelled,
    ClockTicked,
    Effect,
    EngineState,
    Event,
    Filled,
    Permit,
    Replace,
    ReplaceRejected,
    SessionPlanned,
    Submit,
    ahead,
    step,
)
from mqk.engine.gate import authorise, authorise_replacement
from mqk.engine.linkage import TOO_MUCH, outgrown
from mqk.market import Bar, CalendarError, calendar_of, without_garbage_collection
from mqk.orders import OrderStatus
from mqk.quantity import INT64_MAX
from mqk.venue import FillRules, SimulatedMarket, met

if TYPE_CHECKING:
    from mqk.guards import GuardSet

Progress = Callable[[int, int], None]
Turn = tuple[int, EngineState]
"""When an engine of a desk plays next, and the engine."""
OVER: Final = INT64_MAX
"""When it has played all its bars: after all that is."""
Columns = tuple[list[tuple[str, str]], Any]

_PROGRESS_EVERY: Final = 4_096
# There is one run and nobody to take its lease away; a permit is used at once.
_EPOCH: Final = 0
_TTL: Final = 1_000_000


def played(
    state: EngineState,
    record: Recorder,
    stream: Sequence[Bar],
    columns: Columns,
    *,
    beside: Sequence[Bar],
    on_progress: Progress | None = None,
    ends: Mapping[str, int] | None = None,
    native: bool = False,
    in_turns: bool = False,
) -> Generator[Turn, None, None]:
    """Play bars in order to their end. `beside` are the coarser ones; `ends` say when recordings end that go on.

    `native` has the compiled kernel play what it can, first. `in_turns` with other engines, it stops before each
    instant and yields it, with the engine, to be told what the others have come to; and at `OVER`, when all are played.
    """
    guards = state.guards
    calendar = calendar_of(guards.bundle.calendar)
    ahead.prepare(state)
    run = _Run(guards, state, record, [*beside, *stream], ends or {})
    if beside:
        run.beside = Beside(state, beside)
    first = stream[0].end if beside else run.feed.first_end
    alike = first >= stream[-1].end
    # The kernel judges bars itself: what the rules say of them is looked at where it did not play all of them.
    instants = Instants.of(stream, columns, calendar, None if native and alike else guards)
    try:
        with without_garbage_collection():
            begun = run.play_back(stream, columns, instants, on_progress) if native and alike else 0
            if native and alike and begun < len(instants.until):
                instants = Instants.of(stream, columns, calendar, guards)
            if not alike:
                instants.until = one_by_one(instants, stream, first)
            yield from run.play(stream, instants, on_progress, first=begun, in_turns=in_turns)
    except CalendarError as fault:
        help_ = "cut the bars, or let the engine's policy name another calendar"
        raise BacktestError("calendar", str(fault), help_) from fault
    run.finish()


class _Run:
    """One run: the engine, the market it trades on, and the record of both."""

    def __init__(
        self,
        guards: GuardSet,
        state: EngineState,
        record: Recorder,
        stream: Sequence[Bar],
        ends: Mapping[str, int],
    ) -> None:
        bundle = guards.bundle
        self._state = state
        self._record = record
        self.feed = RecordedFeed(calendar_of(bundle.calendar), stream)
        self.feed.expect(ends)
        self._needs_plans = state.needs_plans
        self._borrow = bundle.execution.borrow.value
        self._planned: int | None = None
        self._was_late = False
        # Whether bars came of which the feed was not asked.
        self._passed = False
        self.beside: Beside | None = None
        self._held, self._in_progress = held_by(state), in_progress(state, self.feed)
        latency, rules = bundle.execution.latency_bars, FillRules.of_policy(bundle.execution)
        self._market = SimulatedMarket(state.costs, latency, epoch=_EPOCH, bundle=bundle.sha256, rules=rules)

    def play(
        self, stream: Sequence[Bar], instants: Instants, on_progress: Progress | None, *, first: int, in_turns: bool
    ) -> Iterator[Turn]:
        """Play bars from an instant on: at each the fills at the open, then silent feeds, then the bars themselves."""
        state, market = self._state, self._market
        account = state.account
        add_point = self._record.curve.add
        starts, until = instants.starts, instants.until
        total, told = len(stream), 0
        instant, last = first, len(until)
        while instant < last:
            stop = until[instant]
            if in_turns:
                yield stream[starts[instant]].end, state
                stop = min(stop, instant + 1)
            if stop > instant and not self._was_late and ahead.can_play(state):
                opened = market.busy
                if opened:
                    self._open(stream[starts[instant] : starts[instant + 1]], self.feed.session)
                if not opened or ahead.can_play(state):
                    # While orders rest, the market is asked at every instant.
                    stop = instant + 1 if market.busy else stop
                    instant, effects = ahead.play(state, stream, starts, instant, stop, add_point)
                    self._passed = True
                    if effects:
                        self._carry_out(effects)
                        add_point((state.now, account.equity, account.cash))
                else:
                    self._play_one(stream[starts[instant] : starts[instant + 1]], opened=True)
                    instant += 1
            else:
                self._play_one(stream[starts[instant] : starts[instant + 1]])
                instant += 1
            if on_progress is not None and starts[instant] - told >= _PROGRESS_EVERY:
                told = starts[instant]
                on_progress(told, total)
        if on_progress is not None and told != total:
            on_progress(total, total)
        if in_turns:
            yield OVER, state

    def play_back(
        self, stream: Sequence[Bar], columns: Columns, instants: Instants, on_progress: Progress | None
    ) -> int:
        """Have the kernel play what it can, and take over from it; returns the instant to go on with.

        Raises StrategyError "contrary" there for a strategy in arrays that says something else bar by bar.
        """

        def tell(done: int) -> None:
            if on_progress is not None:
                on_progress(done, len(stream))

        played = playback(self._state, stream, columns, instants, tell)
        if played is None:
            return 0
        played.record(self._record)
        played.hand_over(self.feed, self._market)
        self._planned = self.feed.session
        if played.differing is not None:
            raise played.differing
        return played.count

    def _play_one(self, group: Sequence[Bar], *, opened: bool = False) -> None:
        """Play the bars of one instant, one event at a time; the market has been `opened` already, or not."""
        state, feed = self._state, self.feed
        end = group[0].end
        if self._passed:
            self._passed = False
            feed.passed((line.symbol, line.previous_end or 0, line.timeframe) for line in state.lines.values())
        if self.beside is not None:
            self.beside.complete(end, self._record)
        entered = end > feed.until
        session = feed.enter(end) if entered else feed.session
        if entered and self._market.busy:
            # Whoever's bar it is, the session before is over: it may have ended without a bar.
            self._tell(self._market.expire(feed.closed, max(feed.closed, state.now)))
        if self._needs_plans and session != self._planned:
            step(state, SessionPlanned(feed.plan()))
            self._planned = session
        if entered:
            for events_before in overnight(state, feed, self._market, self.beside, self._borrow, session):
                self._tell(events_before)
        late = feed.late(end, self._held)
        last = len(group) - 1
        events = [BarArrived(bar, feed.arrive(bar), session, end, None, i < last) for i, bar in enumerate(group)]
        if self._market.busy and not opened:
            self._open(group, session)
        effects: list[Effect] = []
        if late or self._was_late:
            # Also once after all are back in time, so that the engine knows.
            effects += self._hear(ClockTicked(end, late, session))
            self._was_late = bool(late)
        for event in events:
            effects += step(state, event)
        # The bars of one instant are one: nothing leaves because of one before the next is known.
        self._carry_out(effects)
        self._record.curve.add((end, state.account.equity, state.account.cash))

    def finish(self) -> None:
        """The data is over: nothing more can fill, and what the engine would ask for now has no market to go to."""
        for event in self._market.close("the data ended", self._state.now):
            step(self._state, event)
            self._record.answer(event, self._state.now)
        self._record.close(self._state.now)

    def _open(self, bars: Sequence[Bar], session: int) -> None:
        """What rests at the market when these bars open, whatever the policy will make of the whole bar later.

        All fills of the instant are made before any is told, so that an order born of one cannot fill at the same open.
        """
        state, feed, market = self._state, self.feed, self._market
        answers: list[Event] = []
        for bar in bars:
            if market.rests(bar.symbol) and bar.tradable:
                began = feed.start(bar)
                at = max(began, state.now)
                if session != state.session:
                    # The session begins before its first fill: what happened overnight is the new day's.
                    self._step(ClockTicked(at, feed.late(at, self._held), session))
                answers += market.open(bar, at, began)
        self._tell(answers)
        if market.special or (market.busy and bars[0].end == feed.closes):
            for met_within in met(market, bars, feed.closes):
                self._tell(met_within)

    def _tell(self, answers: Sequence[Event]) -> None:
        """Tell the engine all that happened at once, and only then do what it asks for because of any of it."""
        asked: list[Effect] = []
        for answer in answers:
            asked += self._hear(answer)
        self._carry_out(asked)

    def _step(self, event: Event) -> None:
        """Tell the engine something that the market or the clock says, and do what it asks for."""
        self._carry_out(self._hear(event))

    def _hear(self, event: Event) -> list[Effect]:
        """Tell the engine something that the market or the clock says, and write it down."""
        state, record = self._state, self._record
        if isinstance(event, Filled):
            fill = event.fill
            held = state.ledger.qty(fill.symbol)
            before = state.ledger.realised
            effects = step(state, event)
            record.answer(event, state.now)
            if held and (held > 0) == (fill.side == "SELL"):
                record.trade(state.ledger.realised - before)
        else:
            effects = step(state, event)
            record.answer(event, state.now)
        return effects

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        """Do what the engine asks for at once, hear all answers, and do what it asks for because of them.

        What is asked for leaves as a live run's does: what is taken back first, then changes, then new orders, and no
        answer is known before all of it has left.
        """
        state, record = self._state, self._record
        asked = effects
        while asked:
            for effect in asked:
                record.effect(effect)
            sent = asked if len(asked) == 1 else in_sending_order(state, asked)
            answers = [answer for effect in sent if (answer := self._leave(effect)) is not None]
            asked = []
            for answer in answers:
                asked += step(state, answer)
                record.answer(answer, state.now)

    def _leave(self, effect: Effect) -> Event | None:
        """What is sent because of an effect, and its answer."""
        state = self._state
        match effect:
            case Submit():
                return self._send(effect)
            case Replace():
                return self._change(effect)
            case Cancel(client_order_id=name, symbol=symbol, reason=reason):
                order = state.orders[name]
                if order.status.is_final or not order.acknowledged:
                    # What has not left yet need not be taken back: it never leaves.
                    return None
                return self._market.cancel(name, symbol, reason, state.now, self._in_progress(symbol))
            case _:
                return None

    def _send(self, submit: Submit) -> Event | None:
        """Through the gate to the market, like any other order; None where nothing of it is left to send."""
        state = self._state
        # As it is by now: it may have been taken back, or off by what its bracket traded, before it could leave.
        order = state.orders[submit.order.client_order_id]
        if order.status.is_final:
            return None
        if order.status is OrderStatus.PENDING_CANCEL:
            return Cancelled(order.client_order_id, "taken back before it left", state.now)
        if outgrown(state, order, order.qty):
            return Cancelled(order.client_order_id, TOO_MUCH, state.now)
        leave = authorise(state, order, epoch=_EPOCH, now=state.now, ttl=_TTL)
        if isinstance(leave, Permit):
            return self._market.submit(leave, order, state.now)
        self._record.withheld(order, state.now, leave)
        return Cancelled(order.client_order_id, "refused by the gate", state.now)

    def _change(self, change: Replace) -> Event | None:
        """Through the gate to the market: a change is judged as what it makes of the order."""
        state, order = self._state, change.order
        held = state.orders[order.client_order_id]
        if held.status.is_final or held.replace_qty is None:
            return None
        if held.status is not OrderStatus.PENDING_REPLACE:
            return ReplaceRejected(order.client_order_id, "taken back before it left", state.now)
        if outgrown(state, held, order.qty):
            return ReplaceRejected(order.client_order_id, TOO_MUCH, state.now)
        leave = authorise_replacement(state, order, epoch=_EPOCH, now=state.now, ttl=_TTL)
        if isinstance(leave, Permit):
            return self._market.replace(leave, order, state.now, self._in_progress(order.symbol))
        self._record.withheld(order, state.now, leave)
        return ReplaceRejected(order.client_order_id, "refused by the gate", state.now)
