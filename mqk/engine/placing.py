"""From what a strategy wants to orders: netted, split at zero, judged one by one against the projected state.

What lives here: the order guard's views, submitting, refusing, exits and pulling orders. What does not: the guards'
rules, and what the broker answers (answers.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mqk.dsl.missing import MISSING
from mqk.engine.effects import Cancel, Effect, Refused, Submit
from mqk.engine.errors import EngineError
from mqk.engine.recording import explained
from mqk.guards import Decision, Enforcement, Finding, Point, Result
from mqk.guards.catalogue import VIEWS
from mqk.guards.points import ALLOW
from mqk.orders import (
    EventKind,
    Intent,
    Order,
    OrderError,
    OrderEvent,
    OrderStatus,
    Side,
    client_order_id,
    targets_to_orders,
)
from mqk.strategies import Target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mqk.engine.figures import Figure
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.guards.views import Windows
    from mqk.strategies import Targets

# Which of the order guard's views are the windows.
_WINDOWS: Final = tuple(VIEWS[Point.ORDER]).index("windows")


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
            {symbol: (line.working_buy, line.working_sell) for symbol, line in known.items()},
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
        if line.working_sell if buying else line.working_buy:
            # Orders of the other side are at work: they are taken back rather than traded against.
            if _may_take_back(state, line, buying=buying):
                _pull(state, state.working_of(line.symbol, intent.side.opposite), reason, effects)
            growing = 0
        # What crosses zero is two orders: getting out is free, whatever is said about going on to the other side.
        if reducing:
            exits.append(intent._replace(qty=reducing))
        if growing:
            entries.append(intent._replace(qty=growing))
    for intent in exits:
        place(state, intent, reason, effects, reduce_only=True)
    for intent in entries:
        place(state, intent, reason, effects)


def _may_take_back(state: EngineState, line: Line, *, buying: bool) -> bool:
    """Whether the orders against which a new one would trade may be cancelled: exits only while the engine is free."""
    if state.run.posture == "NORMAL" and not state.run.killed:
        return True
    return line.qty - line.working_sell < 0 if buying else line.qty + line.working_buy > 0


def place(state: EngineState, intent: Intent, reason: str, effects: list[Effect], *, reduce_only: bool = False) -> None:
    """Judge one intent on the projected state; allowed, it is at work before the next one is judged."""
    symbol, side, qty, kind, limit, stop, tif = intent
    state.fresh = None
    order = Order(
        client_order_id(state.engine, state.run_id, state.sequence),
        symbol,
        side,
        qty,
        kind,
        limit,
        stop,
        created_at=state.now,
        reason=reason,
        tif=tif,
        reduce_only=reduce_only,
    )
    worst = _show(state, order, state.order_figures)
    mask = _judge(state, state.windows.view)
    decision = None
    denied = mask & state.deny_bits
    if state.recording is not None:
        placed = None if denied or not worst else order.client_order_id
        state.recording.order(state, state.windows.view, mask, placed)
    if denied or not worst:
        _refuse(state, intent, denied, effects)
        return
    # An order that passes by a waiver is on the record, whatever else it is.
    if mask or state.explain or state.guards.order.waives:
        decision = _decide(state, state.windows.view)
    state.refused.pop(symbol, None)
    state.sequence += 1
    state.worst_prices[order.client_order_id] = worst
    state.put(order)
    state.windows.record("orders", state.now, qty * worst)
    if state.remembers_orders:
        state.placed.setdefault(_alike(order), []).append((state.now, order.client_order_id))
    effects.append(Submit(order, worst, state.now, decision))
    if decision is None and state.leeway is not None:
        state.fresh = order


def _refuse(state: EngineState, intent: Intent, denied: int, effects: list[Effect]) -> None:
    """Report an intent that may not become an order; in full, unless the same was said when it was last asked for."""
    again = (intent.side, denied)
    if denied and not state.explain and state.refused.get(intent.symbol) == again:
        rules = tuple(rule.id for bit, rule in enumerate(state.guards.order.rules) if denied >> bit & 1)
        effects.append(Refused(intent, state.now, rules, None))
        return
    decision = _decide(state, state.windows.view)
    if decision.allowed:
        decision = _without_market(decision, intent.symbol)
    state.refused[intent.symbol] = again
    effects.append(Refused(intent, state.now, decision.deciding, decision))


def exit_all(state: EngineState, reason: str, effects: list[Effect]) -> None:
    """An order out of every position that is not on its way out already, by symbol."""
    for symbol in sorted(state.ledger.positions):
        line = state.lines[symbol]
        side = Side.SELL if line.qty > 0 else Side.BUY
        qty = line.reducible(buying=side is Side.BUY)
        if qty:
            place(state, Intent(symbol, side, qty), reason, effects, reduce_only=True)


def pull_entries(state: EngineState, reason: str, effects: list[Effect]) -> None:
    """Cancel every order that could make a position larger; orders that only reduce stay."""
    for line in list(state.lines.values()):
        if line.working_buy and line.qty + line.working_buy > 0:
            _pull(state, state.working_of(line.symbol, Side.BUY), reason, effects)
        if line.working_sell and line.qty - line.working_sell < 0:
            _pull(state, state.working_of(line.symbol, Side.SELL), reason, effects)


def _pull(state: EngineState, orders: Iterable[Order], reason: str, effects: list[Effect]) -> None:
    for order in orders:
        if order.status is OrderStatus.PENDING_CANCEL or state.cancel_asked.get(order.client_order_id) == state.now:
            # Asked already, or refused at this very instant: asking again would only be refused again, without end.
            continue
        state.cancel_asked[order.client_order_id] = state.now
        state.fresh = None
        # A cancel may be refused and asked for again, so that the request is named by what the order has been through.
        state.put(state.machine.apply(order, OrderEvent(f"cancel-{len(order.events)}", EventKind.CANCEL_REQUESTED)))
        state.windows.record("cancels", state.now)
        effects.append(Cancel(order.client_order_id, order.symbol, reason, state.now))


def judge_working(state: EngineState, held: Order, now: int, order: Order | None = None) -> Decision:
    """What the order guard says at `now` about an order at work, as if it were not: the state is left as it was.

    With `order`, about what is to become of it.
    """
    asked = held if order is None else order
    if state.fresh is asked and now == state.clock.now:
        # Judged at this very instant, with nothing having happened since: it would be judged on the same figures.
        return Decision(Point.ORDER, state.engine, ALLOW, (), state.bundle_sha256)
    order = held
    line, clock = state.lines[order.symbol], state.clock
    leaves = order.leaves
    buying = order.side is Side.BUY
    worst = state.worst_prices[order.client_order_id]
    before = clock.now
    _take_out(state, line, leaves if buying else 0, 0 if buying else leaves, worst, 1)
    state.aside = order
    clock.now = max(before, now)
    try:
        windows = state.windows.without("orders", order.created_at, clock.now, order.qty * worst)
        _show(state, asked, state.gate_figures)
        mask = _judge(state, windows)
        if mask or state.explain:
            # Whoever keeps the moment keeps all of it.
            _show(state, asked, state.order_figures)
        if mask & state.deny_bits and state.recording is not None:
            state.recording.order(state, windows, mask, None, kept_back=order.client_order_id)
        if mask or state.explain:
            return _decide(state, windows)
        return Decision(Point.ORDER, state.engine, ALLOW, (), state.bundle_sha256)
    finally:
        clock.now = before
        state.aside = None
        _take_out(state, line, -leaves if buying else 0, 0 if buying else -leaves, worst, -1)


def _take_out(state: EngineState, line: Line, buy: int, sell: int, worst: int, orders: int) -> None:
    line.working_buy -= buy
    line.working_sell -= sell
    state.account.working_buy_value -= buy * worst
    state.account.working_sell_value -= sell * worst
    state.account.working_orders -= orders
    state.expose(line)


def _alike(order: Order) -> tuple[str, str, int, str, int | None, int | None]:
    """What orders that are the same have in common."""
    return (order.symbol, order.side.value, order.qty, order.type.value, order.limit_price, order.stop_price)


def _show(state: EngineState, asked: Order, figures: tuple[Figure, ...]) -> int:
    """Fill the views that the order guard takes; returns the worst price, zero when nobody knows one."""
    worst = _show_order(state, asked)
    for figure in figures:
        figure(state)
    return worst


def _show_order(state: EngineState, asked: Order) -> int:
    """Fill the views of an order, its position and its market; returns the worst price, zero when nobody knows one."""
    order, position, market = state.order, state.position, state.market
    side, limit, stop = asked.side, asked.limit_price, asked.stop_price
    line = state.lines.get(asked.symbol)
    price = None if line is None else line.price
    order.symbol = asked.symbol
    order.side = side.value
    order.qty = asked.qty
    order.type = asked.type.value
    order.tif = asked.tif.value
    order.reduce_only = asked.reduce_only
    order.limit_price = MISSING if limit is None else limit
    order.stop_price = MISSING if stop is None else stop
    position.qty = 0 if line is None else line.qty
    position.working_buy = 0 if line is None else line.working_buy
    position.working_sell = 0 if line is None else line.working_sell
    position.exposure = 0 if line is None else line.exposure
    if price is None or price < 0:
        # No bar has ever come, or none with a price: every rule that needs a price errs, and so the order is denied.
        order.worst_price = market.price = MISSING
        return 0
    market.price = price
    if limit is not None:
        worst = limit
    else:
        trigger = price if stop is None else max(stop, price) if side is Side.BUY else min(stop, price)
        try:
            worst = state.costs.worst_price(side, trigger)
        except OrderError:
            # Beyond 64 bits: as good as no price.
            order.worst_price = MISSING
            return 0
    order.worst_price = worst
    return worst


def _without_market(decision: Decision, symbol: str) -> Decision:
    """What the engine itself says where no rule asked: nothing is ordered at a price that nobody knows."""
    message = f"`{symbol}` has no price: no bar of it has come, or none that an order could be judged at"
    finding = Finding(
        rule="market",
        title="An order has a market",
        result=Result.ERROR,
        outcome="deny",
        enforcement=Enforcement.BLOCK,
        observed=None,
        limit=None,
        headroom=None,
        message=message,
        file="",
        line=0,
        layer="",
        fault="missing",
    )
    return replace(decision, outcome="deny", findings=(*decision.findings, finding))


def _judge(state: EngineState, windows: Windows) -> int:
    if windows is state.windows.view:
        return state.judge_order(*state.order_views)
    views = list(state.order_views)
    views[_WINDOWS] = windows
    return state.judge_order(*views)


def _decide(state: EngineState, windows: Windows) -> Decision:
    views = state.shown(Point.ORDER, windows)
    return explained(state, state.guards.order.decide(views), views)
