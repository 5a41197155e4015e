"""From what a strategy wants to orders: netted against what is held and works, split at zero, exits first.

What lives here: which orders there should be for targets, for getting out, and for adding nothing. What does not:
judging and placing one (placing.py), and what guards a position (brackets.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.engine.brackets import guard, leave, tend
from mqk.engine.errors import EngineError
from mqk.engine.placing import place, pull
from mqk.orders import Intent, OrderError, Side, targets_to_orders
from mqk.strategies import Target

if TYPE_CHECKING:
    from mqk.engine.effects import Effect
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.strategies import Targets


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
        # What crosses zero is two orders: getting out is free, whatever is said about going on to the other side.
        if reducing:
            exits.append(intent._replace(qty=reducing))
        if growing:
            entries.append(intent._replace(qty=growing))
    for intent in exits:
        leave(state, known[intent.symbol], intent, reason, effects)
    sized = [whole for each in entries if (whole := _sized(state, each)) is not None]
    begun = {intent.symbol: place(state, intent, reason, effects) for intent in sized}
    for symbol, want in targets.items():
        if type(want) is Target and want.guards and symbol in known:
            guard(state, known[symbol], want, begun.get(symbol))
            tend(state, known[symbol], effects)


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
    if state.run.posture == "NORMAL" and not state.run.killed:
        return True
    buys, sells = line.committed()
    return line.qty - sells < 0 if buying else line.qty + buys > 0


def exit_all(state: EngineState, reason: str, effects: list[Effect]) -> None:
    """An order out of every position that is not on its way out already, by symbol."""
    for symbol in sorted(state.ledger.positions):
        line = state.lines[symbol]
        side = Side.SELL if line.qty > 0 else Side.BUY
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
