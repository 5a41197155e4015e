"""The backtest: recorded bars as one chronological stream through the engine, against a simulated market.

What lives here: the loop, and carrying out the engine's effects. What does not: any decision, and any fill price.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.artifacts import (
    MANIFEST,
    REPORT,
    artifacts_of,
    artifacts_sha256,
    json_bytes,
    require_writable,
    write_artifacts,
)
from mqk.backtest.beside import Beside, parted
from mqk.backtest.between import held_by, in_progress, met, overnight
from mqk.backtest.errors import BacktestError
from mqk.backtest.feed import RecordedFeed
from mqk.backtest.plain import Instants
from mqk.backtest.quiet import Quiet, pays
from mqk.backtest.recorder import Recorder
from mqk.backtest.report import report_html
from mqk.backtest.stream import in_order, one_by_one
from mqk.backtest.summary import BacktestSummary, manifest, summarise
from mqk.engine import (
    BarArrived,
    Cancel,
    Cancelled,
    ClockTicked,
    Effect,
    EngineError,
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
from mqk.market import Bar, CalendarError, calendar_of, columns_of, data_sha256, without_garbage_collection
from mqk.orders import OrderStatus
from mqk.strategies import StrategyError
from mqk.venue import FillRules, SimulatedMarket

if TYPE_CHECKING:
    from pathlib import Path

    from mqk.backtest.sources import Source
    from mqk.guards import GuardSet
    from mqk.strategies import StrategyHost

Progress = Callable[[int, int], None]
Columns = tuple[list[tuple[str, str]], Any]

_PROGRESS_EVERY: Final = 4_096
# There is one run and nobody to take its lease away; a permit is used at once.
_EPOCH: Final = 0
_TTL: Final = 1_000_000


def run_backtest(
    guards: GuardSet,
    bars: Sequence[Bar],
    *,
    out: Path | None = None,
    on_progress: Progress | None = None,
    host: StrategyHost | None = None,
    sources: Sequence[Source] = (),
) -> BacktestSummary:
    """Run an engine over bars, with every guard on, to the end of the data.

    The order of `bars` does not matter: they are taken by end, then symbol. A halt stops new positions, never the run.
    Artifacts go into the folder `out`, when given, whole or not at all. `on_progress` is told (bars done, bars in all)
    now and then. `host` stands in for the strategies of the policy; `sources` say where the bars came from. A strategy
    that fails ends the run, which leaves its artifacts up to there; the summary says why.

    Raises BacktestError for bars that no engine could run on and for a folder that may not be written, and
    StrategyError for strategies that cannot be set up.
    """
    if out is not None:
        require_writable(out)
    summary, files = run_files(guards, bars, on_progress=on_progress, host=host, sources=sources)
    if out is not None:
        write_artifacts(out, {**files, REPORT: report_html(files, bars)})
    return summary


def run_files(
    guards: GuardSet,
    bars: Sequence[Bar],
    *,
    on_progress: Progress | None = None,
    host: StrategyHost | None = None,
    sources: Sequence[Source] = (),
    machine: Mapping[str, str] | None = None,
    native: bool | None = None,
) -> tuple[BacktestSummary, dict[str, bytes]]:
    """As `run_backtest`, with the artifacts in memory. `machine` is the fingerprint to tell instead of this host's.

    `native` has strategies in arrays played by the compiled kernel first, to pass over what is quiet; None: if it pays.
    """
    stream = in_order(bars, guards)
    traded, beside = parted(stream)
    columns = columns_of(traded)
    data = data_sha256(stream, columns_of(stream) if beside else columns)
    run_id = "bt" + hashlib.sha256(f"{guards.bundle.sha256}\n{data}".encode()).hexdigest()[:14]
    state = EngineState(guards, run_id=run_id, mode="BACKTEST", record=True, host=host)
    record = Recorder()
    record.audit.append(stream[0].end, "start", {"run_id": run_id, "bundle": guards.bundle.sha256, "data_sha256": data})
    native = pays(traded) if native is None else native
    try:
        _play(state, record, traded, columns, beside=beside, on_progress=on_progress, native=native)
    except (StrategyError, EngineError) as fault:
        if isinstance(fault, StrategyError) and fault.code not in {"failed", "target"}:
            raise
        record.abort(state, str(fault))
    summary = summarise(state, record, bars=len(stream), data=data)
    record.audit.append(state.now, "end", {"bars": len(stream), "final_equity": summary.final_equity})
    files = artifacts_of(state, record, summary.metrics())
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    told = manifest(guards.bundle, run_id, data, stream, sources=sources, host=machine)
    files[MANIFEST] = json_bytes({**told, "artifacts": hashes})
    return replace(summary, artifacts_sha256=artifacts_sha256(files)), files


def play(
    guards: GuardSet,
    bars: Sequence[Bar],
    *,
    host: StrategyHost,
    ends: Mapping[str, int],
    timeframes: Mapping[str, str],
) -> None:
    """Play bars for what the strategies of `host` say to them, and keep nothing.

    They are only the first of a recording: `ends` says by symbol when it ends, `timeframes` on which it is traded.
    """
    traded, beside = parted(in_order(bars, guards), timeframes)
    state = EngineState(guards, run_id="played", mode="BACKTEST", host=host)
    if traded:
        _play(state, Recorder(), traded, columns_of(traded), beside=beside, ends=ends)


def _play(
    state: EngineState,
    record: Recorder,
    stream: Sequence[Bar],
    columns: Columns,
    *,
    beside: Sequence[Bar],
    on_progress: Progress | None = None,
    ends: Mapping[str, int] | None = None,
    native: bool = False,
) -> None:
    guards = state.guards
    calendar = calendar_of(guards.bundle.calendar)
    instants = Instants.of(stream, columns, calendar, guards)
    ahead.prepare(state)
    run = _Run(guards, state, record, [*beside, *stream], ends or {})
    if beside:
        run.beside = Beside(state, beside)
    first = stream[0].end if beside else run.feed.first_end
    if first < stream[-1].end:
        native, instants.until = False, one_by_one(instants, stream, first)
    try:
        with without_garbage_collection():
            run.quiet = Quiet.of(guards, state.host, stream, columns, instants, calendar) if native else None
            run.play(stream, instants, on_progress)
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
        self.quiet: Quiet | None = None
        self.beside: Beside | None = None
        self._held, self._in_progress = held_by(state), in_progress(state, self.feed)
        latency, rules = bundle.execution.latency_bars, FillRules.of_policy(bundle.execution)
        self._market = SimulatedMarket(state.costs, latency, epoch=_EPOCH, bundle=bundle.sha256, rules=rules)

    def play(self, stream: Sequence[Bar], instants: Instants, on_progress: Progress | None) -> None:
        """Play all bars: at each instant the fills at the open, then silent feeds, then the bars themselves."""
        state, market = self._state, self._market
        account = state.account
        add_point = self._record.curve.append
        starts, until = instants.starts, instants.until
        total, told = len(stream), 0
        instant, last = 0, len(until)
        while instant < last:
            stop = until[instant]
            passed = self._pass_over(stream, instant)
            if passed > instant:
                instant = passed
            elif stop > instant and not self._was_late and ahead.can_play(state):
                opened = market.busy
                if opened:
                    self._open(stream[starts[instant] : starts[instant + 1]], self.feed.session)
                if not opened or ahead.can_play(state):
                    # While orders rest, the market is asked at every instant; and what is quiet is passed over.
                    stop = instant + 1 if market.busy or self.quiet is not None else stop
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

    def _pass_over(self, stream: Sequence[Bar], instant: int) -> int:
        """Pass over what the kernel found quiet from an instant on; the one to go on with."""
        quiet = self.quiet
        if quiet is None or self._was_late or self._market.busy or not ahead.is_plain(self._state):
            return instant
        stop = quiet.stop(instant)
        if stop > instant:
            quiet.pass_over(self._state, stream, instant, stop, self._record.curve.extend)
            self._passed = True
        elif instant >= quiet.played:
            self.quiet = None
        return stop

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
        if entered and self._market.special:
            # Whoever's bar it is, the session before is over: it may have ended without a bar.
            self._tell(self._market.expire(max(feed.closes, state.now)))
        session = feed.enter(end) if entered else feed.session
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
        if late or self._was_late:
            # Also once after all are back in time, so that the engine knows.
            self._step(ClockTicked(end, late, session))
            self._was_late = bool(late)
        for event in events:
            effects = step(state, event)
            if effects:
                self._carry_out(effects)
        self._record.curve.append((end, state.account.equity, state.account.cash))

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
        if market.special:
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
        """Do what the engine asks for, and what it asks for because of that."""
        state, market, record = self._state, self._market, self._record
        waiting = deque(effects)
        while waiting:
            effect = waiting.popleft()
            record.effect(effect)
            answer: Event | None = None
            if isinstance(effect, Submit):
                answer = self._send(effect)
            elif isinstance(effect, Cancel) and not state.orders[effect.client_order_id].status.is_final:
                began = self._in_progress(effect.symbol)
                answer = market.cancel(effect.client_order_id, effect.symbol, effect.reason, state.now, began)
            elif isinstance(effect, Replace):
                answer = self._change(effect)
            if answer is not None:
                waiting.extend(step(state, answer))
                record.answer(answer, state.now)

    def _send(self, submit: Submit) -> Event | None:
        """Through the gate to the market, like any other order; None where nothing of it is left to send."""
        state = self._state
        # As it is by now: it may have been taken back, or off by what its bracket traded, before it could leave.
        order = state.orders[submit.order.client_order_id]
        if order.status.is_final:
            return None
        if order.status is OrderStatus.PENDING_CANCEL:
            return Cancelled(order.client_order_id, "taken back before it left", state.now)
        leave = authorise(state, order, epoch=_EPOCH, now=state.now, ttl=_TTL)
        if isinstance(leave, Permit):
            return self._market.submit(leave, order, state.now)
        self._record.withheld(order, state.now, leave)
        return Cancelled(order.client_order_id, "refused by the gate", state.now)

    def _change(self, change: Replace) -> Event | None:
        """Through the gate to the market: a change is judged as what it makes of the order."""
        state, order = self._state, change.order
        held = state.orders[order.client_order_id]
        if held.status is not OrderStatus.PENDING_REPLACE:
            return None
        leave = authorise_replacement(state, order, epoch=_EPOCH, now=state.now, ttl=_TTL)
        if isinstance(leave, Permit):
            return self._market.replace(leave, order, state.now, self._in_progress(order.symbol))
        self._record.withheld(order, state.now, leave)
        return ReplaceRejected(order.client_order_id, "refused by the gate", state.now)
