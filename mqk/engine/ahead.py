"""Many instants in one go: what `step` does about plain bars while nothing else happens, without saying it bar by bar.

What lives here: the loop over instants whose bars are known to pass every rule (whoever records them has looked), on
an account that is known to pass every rule for some way around the present prices (leeway.py). The strategy is asked
bar by bar as ever. The loop ends at the first instant at which anything is to be carried out, and wherever the account
has to be judged in full. What does not: anything out of the ordinary; that is `step`'s, one event at a time.

The state after so many instants, and every decision, are those that `step` would have come to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.engine.aiming import aim
from mqk.engine.judging import judge_account
from mqk.engine.leeway import Leeway, compiled
from mqk.engine.step import follow
from mqk.strategies import StrategyError, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mqk.engine.effects import Effect
    from mqk.engine.state import EngineState
    from mqk.market import Bar

    Point = tuple[int, int, int]


def prepare(state: EngineState) -> None:
    """Let an engine that plays recorded bars look ahead, where its account rules and strategies allow it."""
    judge = compiled(state.guards)
    if judge is not None and state.host.strategy is not None and not state.host.shadows:
        state.leeway = Leeway(state, judge)


def can_play(state: EngineState) -> bool:
    """Whether plain bars may be played in one go from here: nothing holds, is counted or is in doubt."""
    leeway = state.leeway
    return leeway is not None and is_plain(state) and (leeway.open or leeway.settle(state))


def is_plain(state: EngineState) -> bool:
    """Whether nothing holds the engine back, is counted against it or is in doubt."""
    return (
        not state.account_mask
        and state.account_settled
        and not state.bad_bars
        and not state.guarded
        and not state.run.killed
        and state.run.posture == "NORMAL"
        and state.latches.quiet
    )


def pass_over(state: EngineState, instants: int, now: int, highest: int) -> None:
    """Bring up to date an engine whose windows have taken in plain bars, up to `now`, of so many instants.

    Whoever calls knows that every rule passed at each of them, that nothing was asked for, and the `highest` equity.
    """
    catch_up(state, now)
    for line in state.lines.values():
        if line.busy:
            state.expose(line)
    state.ticks += instants
    state.account.peak_equity = max(state.account.peak_equity, highest)
    state.value()
    leeway = state.leeway
    if leeway is not None and leeway.open:
        inside = leeway.low <= state.account.equity <= leeway.high and now <= leeway.until
        for here in leeway.busy.values():
            price = here.line.price
            inside = inside and price is not None and here.floor <= price <= here.ceiling
        leeway.open = inside


def play(
    state: EngineState,
    bars: Sequence[Bar],
    starts: Sequence[int],
    instant: int,
    stop: int,
    add_point: Callable[[Point], None],
) -> tuple[int, list[Effect]]:
    """Play instants from this one on, up to `stop` at most: the next one to play, and the effects of the last.

    `starts` says where in `bars` each instant begins; all bars before `stop` are plain, of one session, and of symbols
    that have had a bar in it. `add_point` is given (instant, equity, cash) after every instant but one with effects,
    which the caller adds once they are carried out. Ask `can_play` before.
    """
    leeway, account, ledger = state.leeway, state.account, state.ledger
    assert leeway is not None
    assert state.host.strategy is not None
    context, on_bar, windows = state.context, state.host.strategy.on_bar, state.histories
    busy, low, high, until = leeway.busy, leeway.low, leeway.high, leeway.until
    cash, equity, peak = account.cash, account.equity, account.peak_equity
    gross = account.gross_exposure
    effects: list[Effect] = []
    context.equity = equity
    begin, now = starts[instant], state.now
    while instant < stop:
        instant += 1
        end = starts[instant]
        group, begin = bars[begin:end], end
        outside = moved = False
        for bar in group:
            symbol = bar.symbol
            windows[symbol].push(bar)
            if symbol in busy:
                price = bar.close
                here = busy[symbol]
                line = here.line
                if price != line.price:
                    moved = True
                    line.price = price
                    exposure = line.exposure_at(price)
                    gross += exposure - line.exposure
                    line.exposure = exposure
                    if here.position is not None:
                        ledger.revalue(here.position, price)
                    if not here.floor <= price <= here.ceiling:
                        outside = True
        now = bar.end
        state.ticks += 1
        if moved:
            account.gross_exposure = gross
            context.equity = equity = account.equity = ledger.equity()
            outside = outside or not low <= equity <= high
            if equity > peak:
                account.peak_equity = peak = equity
        if outside or now > until:
            if not _goes_on(state, group, effects):
                if not effects:
                    add_point((now, account.equity, cash))
                return instant, effects
            busy, low, high, until = leeway.busy, leeway.low, leeway.high, leeway.until
        context.now = now
        for bar in group:
            context.symbol = symbol = bar.symbol
            context.bar, context.bars = bar, windows[symbol]
            try:
                targets = on_bar(context)
            except Exception as fault:
                raise _failed(state, now, fault) from fault
            if targets:
                # Whatever the clock says: what rested at the market may have brought it as far, without the bars.
                catch_up(state, now)
                aim(state, targets, "target", effects)
        if effects:
            leeway.open = False
            return instant, effects
        add_point((now, equity, cash))
    catch_up(state, now)
    return instant, effects


def _failed(state: EngineState, now: int, fault: Exception) -> StrategyError:
    """What is said of the strategy that raised something, in an engine whose figures are up to date."""
    catch_up(state, now)
    assert state.host.strategy is not None
    return failure(fault, state.host.strategy, state.context.symbol)


def _goes_on(state: EngineState, group: Sequence[Bar], effects: list[Effect]) -> bool:
    """Judge the account in full; unless all is plain as before, do what follows from it, and say so."""
    catch_up(state, group[-1].end)
    judge_account(state, effects)
    if not effects and state.leeway is not None and state.leeway.open:
        return True
    follow(state, [(state.lines[bar.symbol], bar) for bar in group], effects)
    return False


def catch_up(state: EngineState, now: int) -> None:
    """Bring up to date what only those look at who do more than play plain bars."""
    state.now = state.clock.now = now
    state.windows.advance(now)
    ledger = state.ledger
    for line in state.lines.values():
        last = line.catch_up()
        if last is not None:
            line.price = last.close
            ledger.mark(line.symbol, last.close)
