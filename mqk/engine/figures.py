"""The facts that are worked out when a guard is about to be asked, and only those that one of its rules reads.

What lives here: from the engine's state to the views. What does not: facts that are kept up to date by whatever changes
them (state.py, trades.py), and judging.
"""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from mqk.dsl import FactRef, syntax
from mqk.dsl.environment import DerivedRef
from mqk.dsl.missing import MISSING
from mqk.engine import worst
from mqk.guards.views import BAR_AGE, HeldPosition, WorkingOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.guards import Guard, GuardSet
    from mqk.orders import Order

    Figure = Callable[[EngineState], None]


def names_read(guard: Guard) -> frozenset[str]:
    """The facts and collections that the rules of a guard read, definitions opened."""
    found: set[str] = set()
    for rule in guard.rules:
        for expr in (rule.require, rule.when):
            if expr is not None:
                found |= set(_names(expr))
    return frozenset(found)


def _names(expr: syntax.Expr) -> Iterator[str]:
    for node in syntax.walk(expr):
        if isinstance(node, syntax.Quantified):
            yield node.collection
        elif isinstance(node, syntax.Name) and isinstance(node.ref, FactRef):
            yield node.ref.name
        elif isinstance(node, syntax.Name) and isinstance(node.ref, DerivedRef):
            yield from _names(node.ref.definition)


def reads_firm(guards: GuardSet) -> bool:
    """Whether any rule reads what all engines of the desk come to together."""
    return any(names_read(guard) & FIGURES[firm] for guard in guards.guards.values())


def figures(names: frozenset[str]) -> tuple[Figure, ...]:
    """What has to be worked out for a guard that reads these facts."""
    return tuple(figure for figure, supplied in FIGURES.items() if names & supplied)


# -- the account ---------------------------------------------------------------------------------------------------


def exposures(state: EngineState) -> None:
    """Longs, shorts and their net, as far as working orders can take them, at the dearer of prices and their worst."""
    highest = lowest = longs = shorts = opening = 0
    for line in busy(state):
        price = line.price
        if price is None:
            continue
        most, least = line.qty + line.working_buy, line.qty - line.working_sell
        # What is left of a position on its other side is no larger for what would take it there.
        up = most * (max(price, line.buy_price) if most > 0 else price)
        down = least * (max(price, line.sell_price) if least < 0 else price)
        highest += up
        lowest += down
        if up > 0:
            longs += up
        if down < 0:
            shorts -= down
        opening += not line.qty
    account = state.account
    account.highest_net_exposure, account.lowest_net_exposure = highest, lowest
    account.net_exposure = max(abs(highest), abs(lowest))
    account.long_exposure, account.short_exposure = longs, shorts
    account.opening_positions = opening


def close_out(state: EngineState) -> None:
    """What filling all that works, and getting out of all that is then held, costs at worst; stale as a price is."""
    worst.show(state, busy(state), _working(state))
    oldest, now = 0, state.clock.now
    for symbol in state.ledger.positions:
        line = state.lines[symbol]
        # Trading takes no longer than time does, so that nearly always nobody has to look at the calendar.
        if line.bar is not None and now - line.bar.end > BAR_AGE:
            oldest = max(oldest, traded_since_bar(state, line) or 0)
    state.account.grow_old({"close_out_costs": oldest} if oldest > BAR_AGE else _AGELESS)


def busy(state: EngineState) -> list[Line]:
    """The symbols that are held or in which orders work; how many others there are costs nothing."""
    lines, positions = state.lines, state.ledger.positions
    found = [lines[symbol] for symbol in positions]
    if state.working:
        others = dict.fromkeys(order.symbol for order in state.working.values() if order.symbol not in positions)
        found += [lines[symbol] for symbol in others if lines[symbol].busy]
    return found


def margin(state: EngineState) -> None:
    """What is held, long and short, at the last prices."""
    longs = shorts = 0
    for position in state.ledger.positions.values():
        if position.value > 0:
            longs += position.value
        else:
            shorts -= position.value
    state.margin.equity = state.account.equity
    state.margin.long_value, state.margin.short_value = longs, shorts


def firm(state: EngineState) -> None:
    """All engines of the desk: this one as it is, the others as they were last told of."""
    view, others = state.firm, state.other_engines
    if others is None:
        view.equity = view.gross_exposure = MISSING
    else:
        view.equity = others[0] + state.account.equity
        view.gross_exposure = others[1] + state.account.gross_exposure


def stands(state: EngineState) -> tuple[int, int]:
    """What the desk's other engines are told of this one, in micros: equity, and gross exposure.

    Of equity it is what is left once all that works has filled and all that is then held has been got out of, at worst:
    nothing that this engine still does, but for the market, takes from the others what they were allowed on it. Where
    nobody can say what that costs, it has none.
    """
    account, costs = state.account, worst.of(state, busy(state), _working(state))
    return 0 if costs is None else account.equity - costs[1], account.gross_exposure


def held_positions(state: EngineState) -> None:
    """Every symbol that is held, or in which orders work, by symbol."""
    found = state.held_positions
    found.clear()
    for line in sorted(busy(state), key=_BY_SYMBOL):
        symbol = line.symbol
        view = HeldPosition()
        view.symbol, view.qty = symbol, line.qty
        view.working_buy, view.working_sell = line.working_buy, line.working_sell
        view.exposure = line.exposure
        if line.price is not None:
            view.price = line.price
        position = state.ledger.positions.get(symbol)
        view.value = 0 if position is None else position.value
        view.cost = 0 if position is None else abs(position.cost)
        view.unrealised = 0 if position is None else position.value - position.cost
        view.average_price = _average(state, symbol)
        found.append(view)


def working_orders(state: EngineState) -> None:
    """Every order that may still fill, oldest first."""
    found = state.working_orders
    found.clear()
    for order in _working(state):
        view = WorkingOrder()
        view.symbol, view.side, view.type = order.symbol, order.side.value, order.type.value
        view.qty, view.filled = order.leaves, order.filled
        view.limit_price = MISSING if order.limit_price is None else order.limit_price
        view.stop_price = MISSING if order.stop_price is None else order.stop_price
        view.worst_price = state.worst_prices[order.client_order_id]
        view.age = state.clock.now - order.created_at
        found.append(view)


# -- the clock, the session, the run, the books --------------------------------------------------------------------


def session(state: EngineState) -> None:
    """The session that began last, as the calendar has it."""
    view, plan, now = state.trading_day, state.plan, state.clock.now
    if plan is None:
        # Nobody has said which session this is: rules that ask err.
        view.open = view.date = view.since_open = view.until_close = MISSING
        return
    view.open = plan.is_open(now)
    view.date = plan.day
    trading = plan.trading
    opens, closes = trading[0][0], trading[-1][1]
    if opens <= now <= closes:
        view.since_open, view.until_close = now - opens, closes - now
    else:
        view.since_open = view.until_close = MISSING


def time_of_day(state: EngineState) -> None:
    """The time at the exchange."""
    state.clock.time = MISSING if state.plan is None else state.plan.time_of_day(state.clock.now)


def skew(state: EngineState) -> None:
    """How long ago the clocks were compared: what is too old is stale."""
    if state.skew_at is not None:
        state.clock.grow_old({"skew": max(state.clock.now - state.skew_at, 0)})


def run(state: EngineState) -> None:
    """How long the run has been at it."""
    view = state.run
    view.ticks = state.ticks
    since = state.armed_at
    view.armed_for = MISSING if since is None else max(state.clock.now - since, 0) if since else 0


def reconcile(state: EngineState) -> None:
    """How long ago the books were compared."""
    if state.reconciled_at is not None:
        state.reconcile.was(max(state.clock.now - state.reconciled_at, 0))


# -- the order that is being judged, its position and its market ---------------------------------------------------


def order(state: EngineState) -> None:
    """What other orders say about this one."""
    view, line = state.order, _line(state)
    buying = view.side == "BUY"
    if line is None:
        view.is_day_trade = False
    else:
        view.is_day_trade = line.day_trades.completes(
            buying=buying, held=line.qty, working_buy=line.working_buy, working_sell=line.working_sell
        )
    key = (view.symbol, view.side, view.qty, view.type, _given(view.limit_price), _given(view.stop_price))
    placed = state.placed.get(key, ())
    last = len(placed) - 1
    if state.aside is not None:
        # Judged as if it were not there: what counts is what was placed before it, and nearly always it came last.
        aside = state.aside.client_order_id
        place = next((i for i in range(last, -1, -1) if placed[i][1] == aside), None)
        last = last if place is None else place - 1
    view.same_age = max(state.clock.now - placed[last][0], 0) if last >= 0 else MISSING


def position(state: EngineState) -> None:
    """What is held of the order's symbol, and since when."""
    view, line = state.position, _line(state)
    held = state.ledger.positions.get(state.order.symbol)
    view.average_price = _average(state, state.order.symbol)
    view.unrealised = 0 if held is None else held.value - held.cost
    working = _working_of(state, line)
    view.working_orders = len(working)
    if line is None:
        view.opened_today = view.adds = 0
        view.since_exit = MISSING
        return
    view.opened_today = line.opened_today
    view.since_exit = MISSING if line.closed_at is None else max(state.clock.now - line.closed_at, 0)
    entries = len(line.entries)
    if working:
        buys = {each.client_order_id for each in working if each.side == "BUY"} if line.qty >= 0 else set()
        sells = {each.client_order_id for each in working if each.side == "SELL"} if line.qty <= 0 else set()
        entries = max(len(line.entries | buys), len(line.entries | sells))
    view.adds = max(entries - 1, 0)


def market(state: EngineState) -> None:
    """The bars of the order's symbol."""
    view, line = state.market, _line(state)
    bar = None if line is None else line.bar
    if line is None or bar is None:
        view.volume = view.range = view.age = view.previous_session_close = view.session_low = MISSING
        view.bars_seen = 0
        return
    view.volume = bar.volume
    view.range = bar.high - bar.low
    view.bars_seen = line.bars_seen
    current = line.bar_session == state.session
    previous = line.previous_session_close if current else bar.close
    view.previous_session_close = MISSING if previous is None else previous
    view.session_low = line.session_low if current else MISSING
    age = traded_since_bar(state, line)
    view.age = MISSING if age is None else age


def bar_age(state: EngineState) -> None:
    """How old what the last bar said is, in hours of trading: what is too old is stale."""
    line = _line(state)
    age = None if line is None else traded_since_bar(state, line)
    state.market.grow_old(_AGELESS if age is None else {"price": age, "volume": age, "range": age})


def traded_since_bar(state: EngineState, line: Line) -> int | None:
    """How long the exchange has traded since the last bar of a symbol that was used; None when nobody knows."""
    if state.plan is None or line.plan is None or line.bar is None:
        return None
    return max(state.plan.traded(state.clock.now) - line.plan.traded(line.bar.end), 0)


def _line(state: EngineState) -> Line | None:
    return state.lines.get(state.order.symbol)


def _working(state: EngineState) -> list[Order]:
    """The orders at work, without the one that is judged as if it were not."""
    return [each for each in state.working.values() if each is not state.aside]


def _working_of(state: EngineState, line: Line | None) -> list[Order]:
    """The orders at work in the order's symbol, without the one that is judged as if it were not."""
    if line is None or (not line.working_buy and not line.working_sell):
        return []
    return [each for each in _working(state) if each.symbol == line.symbol]


def _average(state: EngineState, symbol: str) -> int:
    """What a share cost on average, in micros, rounded against the trader: up what was bought, down what was sold."""
    held = state.ledger.positions.get(symbol)
    if held is None:
        return MISSING  # type: ignore[no-any-return] # stands wherever a value may
    return -(-held.cost // held.qty) if held.qty > 0 else held.cost // held.qty


def _given(price: int) -> int | None:
    return None if price is MISSING else price


_BY_SYMBOL: Final = attrgetter("symbol")
_AGELESS: Final[Mapping[str, int]] = MappingProxyType({})
# What a symbol's last bar says, and what is stale once that bar is.
_OF_THE_BAR: Final = frozenset({"market.price", "market.volume", "market.range"})

FIGURES: Final[dict[Figure, frozenset[str]]] = {
    exposures: frozenset(
        f"account.{name}"
        for name in (
            "net_exposure",
            "highest_net_exposure",
            "lowest_net_exposure",
            "long_exposure",
            "short_exposure",
            "opening_positions",
        )
    ),
    close_out: frozenset({"account.working_fees", "account.close_out_costs"}),
    margin: frozenset({"margin.equity", "margin.long_value", "margin.short_value"}),
    firm: frozenset({"firm.equity", "firm.gross_exposure"}),
    held_positions: frozenset({"positions"}),
    working_orders: frozenset({"working"}),
    session: frozenset({"session.open", "session.date", "session.since_open", "session.until_close"}),
    time_of_day: frozenset({"clock.time"}),
    skew: frozenset({"clock.skew"}),
    run: frozenset({"run.ticks", "run.armed_for"}),
    reconcile: frozenset({"reconcile.age", "reconcile.clean", "reconcile.differences"}),
    order: frozenset({"order.is_day_trade", "order.same_age"}),
    position: frozenset(
        f"position.{name}"
        for name in ("average_price", "unrealised", "working_orders", "opened_today", "since_exit", "adds")
    ),
    bar_age: _OF_THE_BAR,
    market: frozenset(
        f"market.{name}" for name in ("volume", "range", "bars_seen", "previous_session_close", "session_low", "age")
    ),
}

# What can only be known when the calendar's plan of the session has been told.
PLANNED: Final = _OF_THE_BAR | {
    "session.open",
    "session.date",
    "session.since_open",
    "session.until_close",
    "clock.time",
    "market.age",
    "feed.silent",
    "account.close_out_costs",
}

# What a guard that is asked from outside the engine may read of it.
ALWAYS: Final = frozenset().union(
    *(FIGURES[figure] for figure in (exposures, close_out, margin, firm, session, time_of_day, skew, run, reconcile))
)
