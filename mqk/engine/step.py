"""`step`: what an engine does about one event. The only place where trading is decided, in backtests and live alike.

What lives here: the order of things. What does not: how each of them is done (judging, placing, answers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqk.engine import answers, brackets, corporate
from mqk.engine.aiming import aim, exit_all, pull_entries
from mqk.engine.effects import BarRejected, Decided, Effect, Shadowed
from mqk.engine.errors import EngineError
from mqk.engine.events import (
    Accepted,
    BarArrived,
    BorrowCharged,
    Cancelled,
    CancelRejected,
    ClockTicked,
    CorporateAction,
    Event,
    Expired,
    Filled,
    FirmSeen,
    KillSwitch,
    LatchReleased,
    Reconciled,
    Rejected,
    Replaced,
    ReplaceRejected,
    RunMoved,
    SessionPlanned,
    SkewMeasured,
)
from mqk.engine.judging import (
    bar_decision,
    hold_bar,
    judge_account,
    judge_bar,
    judge_feeds,
    lifted,
    rules_behind,
)
from mqk.engine.state import ARMED
from mqk.portfolio import LedgerError
from mqk.quantity import INT64_MAX
from mqk.strategies import StrategyError

if TYPE_CHECKING:
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.market import Bar

_HIGHEST: Final = INT64_MAX


def step(state: EngineState, event: Event) -> list[Effect]:
    """Take in one event; the effects are to be carried out in order. Changes `state` and nothing else.

    The clock never runs backwards: an event from before the last one counts as happening now.
    Raises EngineError, with nothing changed but the time, for an event that cannot be true of the books.
    """
    effects: list[Effect] = []
    kind = type(event)
    if state.leeway is not None:
        state.leeway.open, state.fresh = False, None
    if kind is BarArrived:
        _on_bar(state, event, effects)  # type: ignore[arg-type] # the type has just been looked at
        return effects
    match event:
        case ClockTicked(now=now, late=late, session=session):
            _tell_time(state, now)
            if session is not None:
                _enter(state, session, effects)
            judge_feeds(state, late, effects)
        case (
            Accepted() | Rejected() | Filled() | Cancelled() | CancelRejected()
            | Replaced() | ReplaceRejected() | Expired()
        ):  # fmt: skip
            _tell_time(state, event.fill.at if isinstance(event, Filled) else event.at)
            told = answers.take(state, event)
            if told is None:
                return effects
            if told.brackets:
                brackets.tend(state, told, effects)
        case CorporateAction(at=at, ex_session=ex_session):
            _tell_time(state, at)
            _enter(state, ex_session, effects)
            if not corporate.take(state, event, effects):
                return effects
            if (line := state.lines[event.symbol]).brackets:
                brackets.tend(state, line, effects)
        case BorrowCharged(at=at, session=charged):
            _tell_time(state, at)
            _enter(state, charged, effects)
            if not corporate.charge(state, event, effects):
                return effects
        case KillSwitch(on=on, at=at):
            _tell_time(state, at)
            state.run.killed = on
        case LatchReleased(at=at):
            _tell_time(state, at)
            _release(state, event, effects)
        case RunMoved(state=run_state, at=at):
            _tell_time(state, at)
            state.run.state = run_state
            if run_state not in ARMED:
                state.armed_at = None
            elif state.armed_at is None:
                state.armed_at = state.now
        case SessionPlanned(plan=plan):
            state.plan_session(plan)
            return effects
        case FirmSeen(equity=equity, gross_exposure=gross):
            state.other_engines = (equity, gross)
            return effects
        case Reconciled(clean=clean, differences=differences, at=at):
            state.reconciled_at = at
            state.reconcile.clean, state.reconcile.differences = clean, differences
            return effects
        case SkewMeasured(skew=skew, at=at):
            state.clock.skew, state.skew_at = skew, at
            return effects
        case _:
            raise EngineError("unknown_event", f"`{kind.__name__}` is not an event")
    judge_account(state, effects)
    _restrain(state, effects)
    if state.exposed:
        brackets.late(state, effects)
    return effects


def _on_bar(state: EngineState, event: BarArrived, effects: list[Effect]) -> None:
    """A bar: judged, its session begun, its price taken in; with the last bar of an instant, what follows from all."""
    if event.now > state.now:
        _tell_time(state, event.now)
    _take_in(state, event, effects)
    if not event.more:
        _conclude(state, effects)
        if state.exposed:
            brackets.late(state, effects)


def _take_in(state: EngineState, event: BarArrived, effects: list[Effect]) -> None:
    bar = event.bar
    line = state.lines.get(bar.symbol)
    mask = judge_bar(state, event, line)
    if (
        mask
        or line is None
        or not bar.complete
        or not (line.previous_end or 0) < bar.end <= state.now
        or not 0 < bar.close <= _HIGHEST
        or bar.timeframe != line.timeframe
    ):
        line = _doubtful(state, event, mask, effects)
    elif state.bad_bars:
        hold_bar(state, bar.symbol, 0, effects)
    if line is None:
        return
    if event.session != state.session:
        _enter(state, event.session, effects)
    line.previous_end = bar.end
    line.previous_close = bar.close
    try:
        state.mark(line, bar.close)
    except LedgerError as fault:
        state.run.errors += 1
        effects.append(BarRejected(bar, state.now, fault.message))
        return
    line.use(bar, event.session, state.plan)
    window = line.window
    window.push(bar)
    window.trim()
    line.taken = window.held
    state.arrived.append((line, bar))


def _conclude(state: EngineState, effects: list[Effect]) -> None:
    """The instant's prices are all in: the account is judged on them, once, and then the strategies are asked.

    Judged in between, an account would be valued half at new prices and half at old ones, in the order of names.
    """
    arrived = state.arrived
    if not arrived:
        _restrain(state, effects)
        return
    state.arrived = []
    state.ticks += 1
    state.value()
    if state.guarded:
        for line, _ in arrived:
            if line.brackets:
                brackets.tend(state, line, effects)
    judge_account(state, effects)
    follow(state, arrived, effects)


def follow(state: EngineState, arrived: list[tuple[Line, Bar]], effects: list[Effect]) -> None:
    """What follows once the account has been judged on the bars of an instant: orders in line, strategies asked."""
    if state.run.posture != "NORMAL" or state.run.killed:
        _restrain(state, effects)
        if state.flattening:
            return
    for line, bar in arrived:
        _ask(state, line, bar, effects)


def _flaw(line: Line, bar: Bar, now: int) -> str | None:
    """Why a bar is none that anybody could use, whatever the policy says of bars; None when it is one."""
    if line.previous_end is not None and bar.end <= line.previous_end:
        return "the bar does not come after the one before"
    if not bar.complete or bar.end > now:
        return "the bar is not complete"
    if not 0 < bar.close <= _HIGHEST:
        return "the bar closes at no price"
    if bar.timeframe != line.timeframe:
        return f"the bar is of `{bar.timeframe}`, and those of `{line.symbol}` are of `{line.timeframe}`"
    return None


def _doubtful(state: EngineState, event: BarArrived, mask: int, effects: list[Effect]) -> Line | None:
    """A bar that breaks a rule, or the first of its symbol: its line, or None when the bar may not be used."""
    bar = event.bar
    decision = bar_decision(state) if mask else None
    flaw = None
    line = None
    try:
        line = state.line(bar.symbol, bar.timeframe)
        flaw = _flaw(line, bar, state.now)
    except StrategyError as fault:
        flaw = str(fault)
    if decision is not None and mask & state.reject_bits:
        flaw = "rejected by " + ", ".join(f.rule for f in decision.findings if f.effect == "reject")
    if flaw is not None:
        state.run.errors += 1
        effects.append(BarRejected(bar, state.now, flaw, decision))
    elif decision is not None:
        effects.append(Decided(decision, state.now))
    hold_bar(state, bar.symbol, mask, effects)
    if flaw is None or line is None:
        return line
    if bar.complete and bar.end <= state.now and (line.previous_end is None or bar.end > line.previous_end):
        # It came, and it was not used: the next one is measured against it, or a jump that is real would never end.
        line.previous_end = bar.end
        line.previous_close = bar.close if bar.close > 0 else line.previous_close
    return None


def _tell_time(state: EngineState, now: int) -> None:
    if now > state.now:
        state.now = state.clock.now = now
        if state.armed_at == 0:
            # Armed before the clock had begun: the run is armed from its first instant on.
            state.armed_at = now
        state.windows.advance(now)


def _enter(state: EngineState, session: int, effects: list[Effect]) -> None:
    """Begin a session, once: losses of the day count from here, and what lasted until its end is over."""
    if state.session is not None and session <= state.session:
        return
    state.session = session
    state.begin_session()
    let_go = state.latches.end_session()
    if let_go:
        lifted(state, let_go, "session_end", effects)


def _restrain(state: EngineState, effects: list[Effect]) -> None:
    """Bring orders in line with what the engine may do: nothing at work that adds, and out of everything if it must."""
    if state.run.posture == "NORMAL" and not state.run.killed:
        return
    if state.working:
        pull_entries(state, _why(state), effects)
    if state.flattening and state.ledger.positions:
        exit_all(state, _why(state), effects)


def _why(state: EngineState) -> str:
    rules = ", ".join(rules_behind(state.latches))
    return f"{state.run.posture.lower()} by {rules}" if rules else "killed"


def _release(state: EngineState, event: LatchReleased, effects: list[Effect]) -> None:
    try:
        latch = state.latches.release(event.rule, event.role)
    except KeyError:
        # It was let go of between the asking and now, by the end of the session or by somebody else.
        return
    except PermissionError as fault:
        raise EngineError("latch", str(fault)) from None
    if event.new_peak:
        state.account.peak_equity = state.account.equity
    lifted(state, [latch], event.role, effects)


def _ask(state: EngineState, line: Line, bar: Bar, effects: list[Effect]) -> None:
    """Ask the strategies about the symbol whose bar has just completed."""
    context = state.context
    context.symbol = line.symbol
    context.now = state.now
    context.equity = state.account.equity
    context.bar, context.bars = bar, line.window
    targets = state.host.targets(context)
    if targets:
        aim(state, targets, "target", effects)
    if line.shadow_windows:
        for window in line.shadow_windows:
            window.push(bar)
            window.trim()
        wants = []
        for name, wanted in state.host.shadow_targets(context, line.shadow_windows):
            want = (name, tuple(sorted(wanted.items())))
            wants.append(want)
            if want not in line.shadow_wants:
                effects.append(Shadowed(*want, at=state.now))
        line.shadow_wants = tuple(wants)
