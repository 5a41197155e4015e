"""From what a strategy wants to orders: netted against what is held and works, split at zero, exits first.

What lives here: which orders there should be for targets, for getting out, and for adding nothing. What does not:
judging and placing one (placing.py), and what guards a position (brackets.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqk.engine.brackets import RESTING, guard_entry, guard_held, leave, tend, think_again
from mqk.engine.errors import EngineError
from mqk.engine.linkage import links
from mqk.engine.placing import GUARDING, change, place, pull, pull_priced
from mqk.orders import Intent, OrderError, OrderType, Side, targets_to_orders
from mqk.strategies import Target

if TYPE_CHECKING:
    from mqk.engine.effects import Effect
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.strategies import Targets

_NOTHING: Final = (0, 0)
# The terms of a target that is a plain number.
_PLAIN: Final = (OrderType.MARKET, None, None)


def aim(state: EngineState, targets: Targets, reason: str, effects: list[Effect]) -> None:
    """Bring about target positions: the orders that are missing, with what only reduces first.

    Raises EngineError "strategy" for targets that are no whole numbers of shares.
    """
    lines = state.lines
    known = {symbol: lines[symbol] for symbol in targets if symbol in lines}
    try:
        wanted = targets_to_orders(
            {symbol: want.qty if type(want) is Target else want for symbol, want in targets.items()},  # type: ignore[misc]
            {symbol: line.qty for symbol, line in known.items()},
            {symbol: line.committed() for symbol, line in known.items()},
        )
    except OrderError as fault:
        raise EngineError("strategy", f"the strategy's targets are none: {fault.message}") from fault
    for symbol, theirs in known.items():
        if theirs.brackets:
            think_again(theirs, reason)
        if theirs.committed() != _NOTHING:
            _restate(state, theirs, targets[symbol], reason, effects)
    exits: list[Intent] = []
    entries: list[Intent] = []
    for plain in wanted:
        line = known.get(plain.symbol)
        want = targets[plain.symbol]
        intent = plain
        if type(want) is Target:
            intent = Intent(*plain[:3], want.type, want.limit_price, want.stop_price, want.tif)
        if line is None:
            entries.append(intent)
            continue
        buying = intent.side is Side.BUY
        reducing = min(intent.qty, line.reducible(buying=buying))
        growing = intent.qty - reducing
        if line.committed()[buying]:
            # Orders of the other side are at work: they are taken back rather than traded against.
            if _may_take_back(state, line, buying=buying):
                pull(state, state.working_of(line.symbol, intent.side.opposite), reason, effects)
            growing = 0
        if intent.side in line.brackets and (line.qty < 0 if buying else line.qty > 0) and not links(state):
            # It would trade beside the stop of what is still held: asked for again once that is out.
            growing = 0
        # What crosses zero is two orders: getting out is free, whatever is said about going on to the other side.
        if reducing:
            exits.append(intent._replace(qty=reducing))
        if growing:
            entries.append(intent._replace(qty=growing))
    for symbol, want in targets.items():
        if type(want) is Target and want.guards and symbol in known:
            # Before anything leaves: what takes shares out beside their stop belongs to it.
            guard_held(state, known[symbol], want, reason, effects)
    for intent in exits:
        leave(state, known[intent.symbol], intent, reason, effects)
    sized = [whole for each in entries if (whole := _sized(state, each)) is not None]
    begun = {intent.symbol: place(state, intent, reason, effects) for intent in sized}
    for symbol, want in targets.items():
        if type(want) is Target and want.guards and symbol in known:
            guard_entry(state, known[symbol], want, begun.get(symbol))
            tend(state, known[symbol], effects)


def _restate(state: EngineState, line: Line, want: int | Target, reason: str, effects: list[Effect]) -> None:
    """Bring orders at work for a target to the terms that it has now: changed where that can be, else taken back.

    What is taken back is placed anew, on its new terms, when the target is asked for again.
    """
    if not _is_free(state, line):
        return
    terms = (want.type, want.limit_price, want.stop_price) if type(want) is Target else _PLAIN
    for order in state.working_of(line.symbol):
        if order.leg in GUARDING or (order.type, order.limit_price, order.stop_price) == terms:
            continue
        if order.type is terms[0]:
            if order.status not in RESTING:
                continue  # the broker has not said what it holds: asked again with the next target
            if change(state, order, order.qty, terms[1], terms[2], reason, effects):
                continue
        pull(state, [order], reason, effects)


def _is_free(state: EngineState, line: Line) -> bool:
    """Whether a strategy may change its mind about orders: not where the engine itself is getting out."""
    return state.run.posture == "NORMAL" and not state.run.killed and line.symbol not in state.exposed


def _sized(state: EngineState, intent: Intent) -> Intent | None:
    """What adds to a position in whole lots; None where it is less than one, or worth less than the minimum."""
    execution = state.guards.bundle.execution
    lot, least = execution.lot, execution.minimum.micros
    qty = intent.qty if lot == 1 else intent.qty // lot * lot
    line = state.lines.get(intent.symbol)
    if least and line is not None and line.price is not None and qty * line.price < least:
        return None
    if qty == intent.qty:
        return intent
    return intent._replace(qty=qty) if qty else None


def _may_take_back(state: EngineState, line: Line, *, buying: bool) -> bool:
    """Whether the orders against which a new one would trade may be cancelled: exits only while the engine is free."""
    if line.symbol in state.exposed:
        return False
    if _is_free(state, line):
        return True
    buys, sells = line.committed()
    return line.qty - sells < 0 if buying else line.qty + buys > 0


def exit_all(state: EngineState, reason: str, effects: list[Effect]) -> None:
    """An order out of every position that is not on its way out already, by symbol.

    An order that waits for a price is on its way nowhere: it is taken back, and once it is, the way out is ordered.
    """
    for symbol in sorted(state.ledger.positions):
        line = state.lines[symbol]
        side = Side.SELL if line.qty > 0 else Side.BUY
        if line.committed() != _NOTHING:
            pull_priced(state, symbol, side, reason, effects)
        qty = line.reducible(buying=side is Side.BUY)
        if qty:
            leave(state, line, Intent(symbol, side, qty), reason, effects)


def pull_entries(state: EngineState, reason: str, effects: list[Effect]) -> None:
    """Cancel every order that could make a position larger; orders that only reduce stay."""
    for line in list(state.lines.values()):
        if line.working_buy and line.qty + line.working_buy > 0:
            pull(state, state.working_of(line.symbol, Side.BUY), reason, effects)
        if line.working_sell and line.qty - line.working_sell < 0:
            pull(state, state.working_of(line.symbol, Side.SELL), reason, effects)
