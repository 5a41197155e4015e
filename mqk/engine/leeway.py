"""How far prices and time may move before the rules of the account need judging again.

What lives here: one call that settles, for a whole box of values, that every account rule passes. The rules are
rewritten to their worst case within the box (mqk.dsl.bounds), so that a clean answer holds for whatever equity, prices
and moments lie inside. What does not: judging when the answer is not clean, or outside the box: judging.py does that,
as if this module did not exist.

Only what prices and the clock change may move. Everything else an account rule reads must stand still between two
events of the engine, or there is no leeway at all and the account is judged at every instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqk.dsl import syntax
from mqk.dsl.bounds import Bounds, Unbounded
from mqk.dsl.emit_python import Rule, emit_point
from mqk.dsl.environment import ElementRef, FactRef
from mqk.dsl.reading import opened
from mqk.guards import Guard, Point
from mqk.quantity import DAY_MICROS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.guards import GuardSet
    from mqk.portfolio import Position

# Facts that change with prices or with time alone.
MOVING: Final = frozenset(
    {"account.equity", "account.peak_equity", "account.gross_exposure", "run.ticks", "run.armed_for", "clock.now"}
)
MOVING_FIELDS: Final = frozenset({"price", "value", "exposure", "unrealised"})
STILL_FIELDS: Final = frozenset({"symbol", "qty", "working_buy", "working_sell", "cost"})
# Facts that nothing but an event changes, while nobody compares books or clocks.
STILL: Final = frozenset(
    {
        "account.cash",
        "account.day_start_equity",
        "account.losing_streak",
        "account.open_positions",
        "account.realised_today",
        "account.working_buy_value",
        "account.working_orders",
        "account.working_sell_value",
        "clock.skew",
        "positions",
        "reconcile.age",
        "reconcile.clean",
        "reconcile.differences",
        "run.errors",
        "run.killed",
        "run.mode",
        "run.posture",
        "run.state",
    }
)
_CORNERS: Final = ("account_low", "account_high", "run_low", "run_high", "clock_low", "clock_high")
# How far the box reaches: so many parts of a price and of equity, first; then so many times less.
PRICE_PARTS: Final = 64
EQUITY_PARTS: Final = 4 * PRICE_PARTS
CLOSER: Final = 16
HORIZON: Final = 2 * DAY_MICROS
TICKS: Final = 1 << 32
# No price that is looked at here is above this, in micros: what cannot overflow needs no looking at.
HIGHEST: Final = 1 << (32 + 8)


class _Corner:
    """One end of everything that moves."""

    __slots__ = ("armed_for", "equity", "gross_exposure", "now", "peak_equity", "ticks")

    armed_for: int
    equity: int
    gross_exposure: int
    now: int
    peak_equity: int
    ticks: int


class Busy:
    """A symbol that is held, or in which orders work, while its price stays between `floor` and `ceiling`."""

    __slots__ = (
        "ceiling",
        "cost",
        "dearest",
        "exposure_high",
        "exposure_low",
        "floor",
        "line",
        "parts",
        "position",
        "price_high",
        "price_low",
        "qty",
        "symbol",
        "unrealised_high",
        "unrealised_low",
        "value_high",
        "value_low",
        "working_buy",
        "working_sell",
        "worst",
    )

    symbol: str
    line: Line
    position: Position | None
    qty: int
    working_buy: int
    working_sell: int
    cost: int
    worst: int
    dearest: tuple[int, int]
    floor: int
    ceiling: int
    parts: int
    price_low: int
    price_high: int
    exposure_low: int
    exposure_high: int
    value_low: int
    value_high: int
    unrealised_low: int
    unrealised_high: int

    def is_of(self, line: Line, position: Position | None, parts: int) -> bool:
        """Whether it still says what is so, its line at its present price."""
        return (
            line.price is not None
            and self.parts == parts
            and self.floor <= line.price <= self.ceiling
            and self.qty == line.qty
            and self.working_buy == line.working_buy
            and self.working_sell == line.working_sell
            and self.dearest == (line.buy_price, line.sell_price)
            and self.position is position
            and (position is None or self.cost == abs(position.cost))
        )


def worst_case(guards: GuardSet) -> list[Rule] | None:
    """The account rules of an engine, each as it is where it is hardest to pass; None where one does not allow it."""
    guard = guards.account
    slots = {spec.slot: spec for spec in guards.windows}
    timed: set[str] = set()
    names: set[str] = set()
    for expr in _expressions(guard):
        for node in opened(expr):
            if isinstance(node, syntax.Name) and isinstance(node.ref, ElementRef):
                if node.ref.field not in MOVING_FIELDS | STILL_FIELDS:
                    return None
            elif isinstance(node, syntax.Window) and node.slot is not None and slots[node.slot].micros is not None:
                if slots[node.slot].total:
                    return None
                timed.add(node.slot)
            elif isinstance(node, syntax.Quantified):
                names.add(node.collection)
            elif isinstance(node, syntax.Name) and isinstance(node.ref, FactRef):
                names.add(node.ref.name)
    if not names <= MOVING | STILL:
        return None
    bounds = Bounds(MOVING | timed, MOVING_FIELDS)
    try:
        return [
            Rule(
                bounds.certain(rule.require),
                None if rule.when is None else bounds.possible(rule.when),
                rule.gated,
                None if rule.waived is None else bounds.certain(rule.waived),
            )
            for rule in guard.rules
        ]
    except Unbounded:
        return None


def compiled(guards: GuardSet) -> Callable[..., int] | None:
    """What settles a box for the account guard of an engine; None where one of its rules does not allow it."""
    rules = worst_case(guards)
    return None if rules is None else emit_point(rules, [*guards.account.parameters, *_CORNERS], None, _fails).judge


def _fails(*_: object) -> int:
    return 1


def _expressions(guard: Guard) -> list[syntax.Expr]:
    return [expr for rule in guard.rules for expr in rule.expressions]


class Leeway:
    """The box that was settled last, for one engine. While `open`, nothing has happened but what it allows for.

    `low` and `high` bound equity, `until` the clock, `busy` every symbol whose price matters, with the bounds of that.
    """

    __slots__ = ("_args", "_elements", "_high", "_judge", "_low", "busy", "high", "low", "open", "until")

    def __init__(self, state: EngineState, judge: Callable[..., int]) -> None:
        self._judge = judge
        self._low, self._high = _Corner(), _Corner()
        self._elements: list[Busy] = []
        views = state.shown(Point.ACCOUNT, state.windows.view)
        views["positions"] = self._elements
        self._args = (*views.values(), *(self._low, self._high) * 3)
        self.busy: dict[str, Busy] = {}
        self.open = False
        self.low = self.high = self.until = 0

    def settle(self, state: EngineState) -> bool:
        """Open the box around the state as it is; False when it is not certain that every rule passes within it."""
        self.open = False
        if state.reconciled_at is not None or state.skew_at is not None:
            return False
        return self._try(state, 1) or self._try(state, CLOSER)

    def _try(self, state: EngineState, closer: int) -> bool:
        account, low, high = state.account, self._low, self._high
        gross = self._gather(state, PRICE_PARTS * closer)
        if gross is None:
            return False
        low.gross_exposure, high.gross_exposure = gross
        equity = account.equity
        slack = abs(equity) // (EQUITY_PARTS * closer)
        low.equity, high.equity = equity - slack, equity + slack
        low.peak_equity, high.peak_equity = account.peak_equity, max(account.peak_equity, high.equity)
        now = state.clock.now
        low.now, high.now = now, now + HORIZON
        low.ticks, high.ticks = state.ticks, state.ticks + TICKS
        since = state.armed_at
        armed = max(now - since, 0) if since else 0
        low.armed_for, high.armed_for = armed, armed + HORIZON
        if self._judge(*self._args):
            return False
        self.low, self.high, self.until = low.equity, high.equity, high.now
        self.open = True
        return True

    def _gather(self, state: EngineState, parts: int) -> tuple[int, int] | None:
        """Every symbol that is busy, and the least and the most of their exposures; None where one has no price."""
        lines, positions, known = state.lines, state.ledger.positions, self.busy
        busy: dict[str, Busy] = {}
        elements = self._elements
        elements.clear()
        least = most = shares = 0
        symbols = list(positions)
        if state.working:
            symbols += [order.symbol for order in state.working.values() if order.symbol not in positions]
        for symbol in symbols:
            line, position = lines[symbol], positions.get(symbol)
            found = known.get(symbol)
            if found is None or not found.is_of(line, position, parts):
                if line.price is None or max(line.price, line.buy_price, line.sell_price) > HIGHEST:
                    return None
                found = _busy(line, position, parts)
            busy[symbol] = found
            elements.append(found)
            least += found.exposure_low
            most += found.exposure_high
            shares += found.worst
        self.busy = busy
        return (least, most) if shares * HIGHEST <= state.ledger.room else None


def _busy(line: Line, position: Position | None, parts: int) -> Busy:
    """A symbol with the box of its price around where it is."""
    price = line.price
    assert price is not None
    found = Busy()
    found.line, found.position, found.parts = line, position, parts
    found.symbol, found.qty = line.symbol, line.qty
    found.working_buy, found.working_sell = line.working_buy, line.working_sell
    found.worst, found.dearest = line.worst_qty(), (line.buy_price, line.sell_price)
    cost = 0 if position is None else position.cost
    found.cost = abs(cost)
    found.floor = found.price_low = price - price // parts
    found.ceiling = found.price_high = min(price + price // parts, HIGHEST)
    found.exposure_low, found.exposure_high = line.exposure_at(found.floor), line.exposure_at(found.ceiling)
    held = 0 if position is None else position.qty
    ends = (held * found.floor, held * found.ceiling)
    found.value_low, found.value_high = min(ends), max(ends)
    found.unrealised_low, found.unrealised_high = found.value_low - cost, found.value_high - cost
    return found
