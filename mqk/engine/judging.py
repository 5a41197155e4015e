"""Asking the guards of bars, feeds and the account, and holding what follows: latches, posture, and the news of it.

What lives here: from a mask to effects. What does not: orders (placing.py) and the order of things (step.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.dsl.missing import MISSING
from mqk.engine.effects import Decided, Effect, LatchLifted, LatchSet, PostureChanged
from mqk.engine.figures import traded_since_bar
from mqk.engine.recording import decided
from mqk.guards import Decision, Guard, Latch, LatchBook
from mqk.guards.points import POSTURE_OF, Point

if TYPE_CHECKING:
    from mqk.engine.events import BarArrived
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState


def judge_bar(state: EngineState, event: BarArrived, line: Line | None) -> int:
    """Show a bar to its guard: 0, or a bit per rule that did not pass. Changes nothing but the views."""
    bar = event.bar
    view = state.bar
    view.symbol = bar.symbol
    view.timeframe = bar.timeframe
    view.open = bar.open
    view.high = bar.high
    view.low = bar.low
    view.close = bar.close
    view.volume = bar.volume
    view.complete = bar.complete
    view.end = bar.end
    view.missing = event.missing
    view.other_close = MISSING if event.other_close is None else event.other_close
    view.received = MISSING if event.received is None else event.received
    if line is None or line.previous_end is None:
        view.previous_end = view.previous_close = MISSING
    else:
        view.previous_end = line.previous_end
        view.previous_close = line.previous_close if line.previous_close is not None else MISSING
    for figure in state.bar_figures:
        figure(state)
    return state.judge_bar(view, state.run, state.clock)


def bar_decision(state: EngineState) -> Decision:
    """The full decision on the bar that `judge_bar` has just shown."""
    views = {"bar": state.bar, "run": state.run, "clock": state.clock}
    return decided(state, state.guards.bar, views, state.bar.symbol)


def hold_bar(state: EngineState, symbol: str, mask: int, effects: list[Effect]) -> None:
    """Hold what bar rules lead to beyond rejecting the bar.

    The rules are about one symbol at a time: while another symbol's last bar breaks them, a good bar of this one lifts
    nothing.
    """
    holding = state.hold_bits & mask
    if not holding and symbol not in state.bad_bars:
        return
    if holding:
        state.bad_bars[symbol] = holding
    else:
        del state.bad_bars[symbol]
    combined = 0
    for bits in state.bad_bars.values():
        combined |= bits
    hold(state, state.guards.bar, combined, effects)


def judge_feeds(state: EngineState, late: tuple[tuple[str, int], ...], effects: list[Effect]) -> None:
    """Judge every feed that is late. One silent feed is enough; all of them on time lift what `tick` latches hold."""
    guard = state.guards.feed
    view = state.feed
    combined = 0
    for figure in state.feed_figures:
        figure(state)
    for symbol, micros in late:
        line = state.lines.get(symbol)
        silent = None if line is None else traded_since_bar(state, line)
        view.symbol = symbol
        view.late = micros
        view.silent = MISSING if silent is None else silent
        mask = guard.judge(view, state.run, state.clock)
        if mask & ~state.feed_mask & ~combined:
            views = {"feed": view, "run": state.run, "clock": state.clock}
            effects.append(Decided(decided(state, guard, views, symbol), state.now))
        combined |= mask
    state.feed_mask = combined
    if combined or not state.latches.quiet:
        hold(state, guard, combined, effects)


def judge_account(state: EngineState, effects: list[Effect]) -> None:
    """Judge the account, and hold what follows.

    Once all that a mask leads to holds, the same mask again is no news, and is not looked into. Where it is certain
    that all rules pass for some way around the present prices, they are not asked one by one.
    """
    leeway = state.leeway
    if leeway is not None and not state.account_mask and state.account_settled and leeway.settle(state):
        return
    for figure in state.account_figures:
        figure(state)
    mask = state.judge_account(*state.account_views)
    if mask == state.account_mask and state.account_settled:
        return
    if mask & ~state.account_mask:
        effects.append(Decided(account_decision(state), state.now))
    state.account_mask = mask
    guard = state.guards.account
    hold(state, guard, mask, effects)
    held = {latch.rule for latch in state.latches.held()}
    state.account_settled = all(
        rule.id in held for bit, rule in enumerate(guard.rules) if mask & state.account_bits & 1 << bit
    )


def account_decision(state: EngineState) -> Decision:
    """The full decision on the account as it stands."""
    return decided(state, state.guards.account, state.shown(Point.ACCOUNT, state.windows.view))


def hold(state: EngineState, guard: Guard, mask: int, effects: list[Effect]) -> None:
    """Let the latches take in one judgement, and report what changed."""
    latches = state.latches
    before = latches.held()
    new = latches.observe(guard.rules, mask, state.now)
    effects.extend(LatchSet(latch, state.now) for latch in new)
    if before:
        held = latches.held()
        effects.extend(LatchLifted(latch, "tick", state.now) for latch in before if latch not in held)
    settle(state, effects)


def lifted(state: EngineState, latches: list[Latch], by: str, effects: list[Effect]) -> None:
    """Report latches that were let go, and what the engine may do now."""
    # What was let go may hold again at this very instant, when its reason still stands.
    state.account_settled = False
    effects.extend(LatchLifted(latch, by, state.now) for latch in latches)
    settle(state, effects)


def settle(state: EngineState, effects: list[Effect]) -> None:
    """Bring the posture up to date, and report it when it changed."""
    state.flattening = any(latch.outcome == "flatten" for latch in state.latches.held())
    posture = state.latches.posture
    previous = state.run.posture
    if posture != previous:
        state.run.posture = posture
        effects.append(PostureChanged(previous, posture, rules_behind(state.latches), state.now))


def rules_behind(latches: LatchBook) -> tuple[str, ...]:
    """The rules that hold the engine in its posture, by name."""
    return tuple(latch.rule for latch in latches.held() if POSTURE_OF[latch.outcome] == latches.posture)
