"""Positions that are guarded: a protective stop and a target, one cancelling the other, as large as what is held.

What lives here: what a guarded position needs at this moment, and asking for it. What does not: how orders of one
parent count (linkage.py), judging and placing (placing.py), or filling.

Nothing here waits for a certain event: whatever has happened, `tend` looks at what is held and at what the broker has
accepted, and asks for what is missing. A stop is only ever moved nearer to the market.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqk.engine.linkage import links
from mqk.engine.placing import change, place, pull, pull_priced, refuse_beside_stop
from mqk.orders import Intent, Leg, Order, OrderStatus, OrderType, Side, TimeInForce, client_order_id
from mqk.orders.splits import split_limit
from mqk.quantity import Rounding

if TYPE_CHECKING:
    from fractions import Fraction

    from mqk.engine.effects import Effect
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.strategies import Target

RESTING: Final = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)


class Bracket:
    """What guards one position, from its first order on.

    `parent` is the order that began it, `side` the side of what takes it out; `protect`, `take_profit` and `best` (the
    best price since it is held) are in micros, `trail` is the distance at which `protect` follows `best`. `stop` and
    `target` are the ids of the orders that guard it now, `exposed_since` is since when shares of it are held that no
    accepted stop covers.
    """

    __slots__ = (
        "asked", "best", "changes", "exposed_since", "leaving", "legs", "opened_at", "parent", "protect",
        "side", "stop", "symbol", "take_profit", "target", "trail", "tried",
    )  # fmt: skip

    def __init__(self, parent: str, symbol: str, side: Side, asked: Target) -> None:
        self.parent = parent
        self.symbol = symbol
        self.side = side
        self.legs = {Leg.STOP: 0, Leg.TARGET: 0}
        self.stop = self.target = ""
        # For how many shares each was last placed, and what was last asked of each, and when: what is refused is not
        # asked again at that instant, or it would be asked and refused without end.
        self.tried: dict[Leg, tuple[int, int]] = {}
        self.changes: dict[Leg, tuple[int, int, int | None, int | None]] = {}
        self.exposed_since: int | None = None
        self.begin(asked)

    def begin(self, asked: Target) -> None:
        """Guard a position that is still to be held, by what is asked for it and nothing else."""
        self.asked = asked
        self.protect, self.take_profit, self.trail = asked.protect, asked.take_profit, asked.trail
        self.best: int | None = None
        self.opened_at: int | None = None
        # How many shares are to be taken out, and why, once the stop leaves room for it.
        self.leaving: tuple[int, str] | None = None

    def ask(self, asked: Target) -> None:
        """Guard a position that is held: of two stops, and of two distances, the nearer one stands."""
        self.asked = asked
        if asked.protect is not None:
            self.tighten(asked.protect)
        if asked.take_profit is not None:
            self.take_profit = asked.take_profit
        if asked.trail is not None:
            self.trail = asked.trail if self.trail is None else min(asked.trail, self.trail)

    def tighten(self, level: int) -> None:
        """Move the stop to a level that is nearer to the market than the one it has; never away from it."""
        nearer = max if self.side is Side.SELL else min
        self.protect = level if self.protect is None else nearer(self.protect, level)

    def follow(self, price: int) -> None:
        """Let the stop follow the market by the distance that is asked for."""
        best = max if self.side is Side.SELL else min
        self.best = price if self.best is None else best(self.best, price)
        if self.trail is not None:
            level = self.best - self.trail if self.side is Side.SELL else self.best + self.trail
            self.tighten(max(level, 1))

    def split(self, ratio: Fraction) -> None:
        """Its prices after a split, stops towards the market and targets away from it; rounding alone tightens none."""
        rounding = Rounding.CEILING if self.side is Side.SELL else Rounding.FLOOR
        self.protect = split_limit(self.protect, ratio, rounding)
        self.take_profit = split_limit(self.take_profit, ratio, rounding)
        self.best = split_limit(self.best, ratio, rounding)
        self.trail = split_limit(self.trail, ratio, Rounding.CEILING)
        if self.trail is not None and self.best is not None and self.protect is not None:
            self.trail = max(self.trail, abs(self.best - self.protect))

    def contents(self) -> list[object]:
        """All that later decisions depend on, for a digest."""
        return [
            self.parent, self.symbol, self.side, self.protect, self.take_profit, self.trail, self.best, self.opened_at,
            self.stop, self.target, self.exposed_since, sorted(self.legs.items()), sorted(self.tried.items()),
            sorted(self.changes.items()), self.leaving,
        ]  # fmt: skip


def guard_held(state: EngineState, line: Line, want: Target, reason: str, effects: list[Effect]) -> None:
    """Remember how a position that is held is to be guarded; nothing where none is held on the side that is wanted.

    Orders that take shares of it out and do not belong to its guard are taken back: they would trade beside its stop.
    """
    side = Side.SELL if want.qty > 0 else Side.BUY
    if _held(line, side) <= 0:
        return
    bracket = line.brackets.get(side)
    if bracket is not None:
        bracket.ask(want)
        return
    _begin(state, line, side, client_order_id(state.engine, state.run_id, state.sequence), want)
    state.sequence += 1
    pull(state, [order for order in state.working_of(line.symbol, side) if order.reduce_only], reason, effects)


def guard_entry(state: EngineState, line: Line, want: Target, entry: Order | None) -> None:
    """Remember how a position is to be guarded that `entry` begins, or whose entry is at work already."""
    side = Side.SELL if want.qty > 0 else Side.BUY
    if _held(line, side) > 0:
        return
    bracket = line.brackets.get(side)
    if bracket is not None:
        bracket.begin(want)
    elif entry is not None:
        _begin(state, line, side, entry.client_order_id, want)


def _begin(state: EngineState, line: Line, side: Side, parent: str, want: Target) -> None:
    line.brackets[side] = Bracket(parent, line.symbol, side, want)
    state.guarded[line.symbol] = line


def tend(state: EngineState, line: Line, effects: list[Effect]) -> None:
    """Bring what guards the symbol's position in line with what is held."""
    for bracket in tuple(line.brackets.values()):
        if line.brackets.get(bracket.side) is not bracket:
            continue  # what the one before it asked for has ended it
        held = _held(line, bracket.side)
        if held <= 0:
            _close(state, line, bracket, effects)
            continue
        if bracket.opened_at is None:
            bracket.opened_at = state.now
            if line.price is not None:
                bracket.follow(line.price)
        elif line.bar is not None and line.bar.end > bracket.opened_at:
            bracket.follow(line.bar.high if bracket.side is Side.SELL else line.bar.low)
        # What other orders take out is not to be sold a second time.
        left = held - sum(each.leaves for each in state.working_of(line.symbol, bracket.side) if _is_apart(each))
        linked = links(state)
        if not linked:
            left = _out_of(state, line, bracket, left, effects)
        if bracket.protect is not None:
            if left > 0:
                bracket.stop = _keep(state, bracket, Leg.STOP, bracket.stop, left, effects)
            elif bracket.stop in state.working and not linked:
                pull(state, [state.working[bracket.stop]], "the position is on its way out", effects, legs=True)
            _watch(state, line, bracket, held, effects)
        if bracket.take_profit is not None and left > 0 and linked:
            bracket.target = _keep(state, bracket, Leg.TARGET, bracket.target, left, effects)


def late(state: EngineState, effects: list[Effect]) -> None:
    """Look after the positions that wait for a stop to be accepted: the deadline may have passed."""
    for symbol in tuple(state.exposed):
        tend(state, state.lines[symbol], effects)


def _is_apart(order: Order) -> bool:
    """Whether an order takes shares out without belonging to what guards them."""
    return order.reduce_only and order.leg is None


def _held(line: Line, side: Side) -> int:
    """Shares held that orders of this side take out."""
    return line.qty if side is Side.SELL else -line.qty


def _keep(state: EngineState, bracket: Bracket, leg: Leg, name: str, held: int, effects: list[Effect]) -> str:
    """One leg as large as what is held and at its price: asked for when it is missing; its id."""
    price = bracket.protect if leg is Leg.STOP else bracket.take_profit
    limit, stop = (None, price) if leg is Leg.STOP else (price, None)
    order = state.working.get(name)
    if order is None:
        if bracket.tried.get(leg) == (state.now, held):
            return name
        bracket.tried[leg] = state.now, held
        number = bracket.legs[leg] + 1
        wanted = f"{bracket.parent}-{leg.value.lower()}" + (f"-{number}" if number > 1 else "")
        kind = OrderType.STOP if leg is Leg.STOP else OrderType.LIMIT
        intent = Intent(bracket.symbol, bracket.side, held, kind, limit, stop, TimeInForce.GTC)
        placed = place(state, intent, leg.value.lower(), effects, reduce_only=True, leg=(bracket.parent, leg, wanted))
        if placed is None:
            return name
        bracket.legs[leg] = number
        return wanted
    asked = (state.now, held, limit, stop)
    if (
        order.status in RESTING
        and (order.leaves != held or (order.limit_price, order.stop_price) != (limit, stop))
        and bracket.changes.get(leg) != asked
    ):
        bracket.changes[leg] = asked
        total, reason = order.filled + order.reduced + held, leg.value.lower()
        if not change(state, order, total, limit, stop, reason, effects) and held < order.leaves and not links(state):
            pull(state, [order], reason, effects, legs=True)
    return name


def _out_of(state: EngineState, line: Line, bracket: Bracket, held: int, effects: list[Effect]) -> int:
    """Have shares leave that are to be taken out, where no broker links orders; those that their stop is to be for.

    An order out is at work only once the stop has made room for it, so that the two together are for no more than is
    held, whatever fills before the other is cancelled. Until then the stop guards all of it.
    """
    working = state.working_of(line.symbol, bracket.side)
    stays = held - sum(each.leaves for each in working if each.leg is Leg.EXIT)
    profit, price = bracket.take_profit, line.price
    if profit is not None and price is not None and bracket.leaving is None and stays > 0:
        nearer = price - profit if bracket.side is Side.SELL else profit - price
        if nearer >= 0 and bracket.changes.get(Leg.EXIT) != (state.now, stays, None, None):
            bracket.leaving = stays, "take profit"
    if bracket.leaving is None:
        return stays
    wanted, reason = bracket.leaving
    out = min(wanted, stays)
    asked = (state.now, out, None, None)
    if out > 0 and _held(line, bracket.side) - sum(each.leaves for each in working) < out:
        return stays - out
    bracket.leaving = None
    if out > 0:
        bracket.changes[Leg.EXIT] = asked
        intent = Intent(line.symbol, bracket.side, out)
        if place(state, intent, reason, effects, reduce_only=True, leg=(bracket.parent, Leg.EXIT, "")) is not None:
            stays -= out
    return stays


def _watch(state: EngineState, line: Line, bracket: Bracket, held: int, effects: list[Effect]) -> None:
    """Flatten a position for which no stop was accepted in time."""
    stop = state.working.get(bracket.stop)
    needed = held if links(state) else held - sum(map(_on_its_way, state.working_of(line.symbol, bracket.side)))
    if needed <= 0 or (
        stop is not None
        and stop.acknowledged
        and stop.status is not OrderStatus.PENDING_CANCEL
        and stop.qty - stop.filled - stop.reduced >= needed
    ):
        bracket.exposed_since = None
        _covered(state, line, bracket)
        return
    if bracket.exposed_since is None:
        bracket.exposed_since = state.now
    state.exposed[line.symbol] = bracket
    if state.now - bracket.exposed_since < state.deadline or bracket.tried.get(Leg.EXIT) == (state.now, held):
        return
    bracket.tried[Leg.EXIT] = state.now, held
    reason = "unprotected: no stop was accepted in time"
    pull(state, state.working_of(line.symbol, bracket.side.opposite), reason, effects)
    pull_priced(state, line.symbol, bracket.side, reason, effects)
    qty = line.reducible(buying=bracket.side is Side.BUY)
    if qty:
        state.run.errors += 1
        leave(state, line, Intent(line.symbol, bracket.side, qty), reason, effects)


def _on_its_way(order: Order) -> int:
    """Shares that an order takes out at the next price there is, as far as the broker has confirmed it."""
    counts = order.leg is Leg.EXIT and order.type is OrderType.MARKET and order.status in RESTING
    return order.leaves if counts else 0


def _covered(state: EngineState, line: Line, bracket: Bracket) -> None:
    """A bracket waits for no stop any more; one for the other side of its symbol may."""
    if state.exposed.get(line.symbol) is bracket:
        del state.exposed[line.symbol]


def _close(state: EngineState, line: Line, bracket: Bracket, effects: list[Effect]) -> None:
    """The position is gone: so is what guarded it, unless an order that will begin another is at work."""
    _covered(state, line, bracket)
    bracket.exposed_since = None
    if bracket.opened_at is not None:
        bracket.begin(bracket.asked)
    group = state.groups.get(bracket.parent)
    if group is not None:
        pull(state, tuple(group.orders.values()), "nothing is left to guard", effects, legs=True)
        return
    if not any(not order.reduce_only for order in state.working_of(line.symbol, bracket.side.opposite)):
        del line.brackets[bracket.side]
        if not line.brackets:
            del state.guarded[line.symbol]


def leave(state: EngineState, line: Line, intent: Intent, reason: str, effects: list[Effect]) -> None:
    """Place an order that takes shares of a position out, beside what guards it, or once that has made room for it."""
    bracket = line.brackets.get(intent.side)
    if bracket is None or _held(line, intent.side) <= 0:
        place(state, intent, reason, effects, reduce_only=True)
    elif bracket.protect is None or links(state):
        place(state, intent, reason, effects, reduce_only=True, leg=(bracket.parent, Leg.EXIT, ""))
    elif intent.type is not OrderType.MARKET:
        refuse_beside_stop(state, intent, effects)
    elif bracket.changes.get(Leg.EXIT) != (state.now, intent.qty, None, None):
        bracket.leaving = intent.qty, reason
        tend(state, line, effects)


def think_again(line: Line, reason: str) -> None:
    """Forget what was to leave for this reason, and has not: who wants it still says so again."""
    for bracket in line.brackets.values():
        if bracket.leaving is not None and bracket.leaving[1] == reason:
            bracket.leaving = None
