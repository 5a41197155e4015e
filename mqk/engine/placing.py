"""Placing, changing and pulling single orders: each judged against the projected state before it is at work.

What lives here: the order guard's views, submitting, changing, refusing and pulling. What does not: which orders there
should be (aiming.py, brackets.py), the guards' rules, and what the broker answers (answers.py).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mqk.dsl.missing import MISSING
from mqk.engine import linkage
from mqk.engine.effects import Cancel, Effect, Refused, Replace, Submit
from mqk.engine.recording import explained
from mqk.engine.worst import loss, rank, reprice, way_out
from mqk.guards import Decision, Enforcement, Finding, Point, Result
from mqk.guards.catalogue import VIEWS
from mqk.guards.points import ALLOW
from mqk.orders import (
    EventKind,
    Intent,
    Leg,
    Order,
    OrderError,
    OrderEvent,
    OrderStatus,
    OrderType,
    Side,
    client_order_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mqk.engine.figures import Figure
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.guards.views import Windows

# Which of the order guard's views are the windows.
_WINDOWS: Final = tuple(VIEWS[Point.ORDER]).index("windows")


GUARDING: Final = (Leg.STOP, Leg.TARGET)
# Among the masks of rules that refused, what no rule said.
_BESIDE_STOP: Final = -1


def place(
    state: EngineState,
    intent: Intent,
    reason: str,
    effects: list[Effect],
    *,
    reduce_only: bool = False,
    leg: tuple[str, Leg, str] | None = None,
) -> Order | None:
    """Judge one intent on the projected state; allowed, it is at work before the next one is judged.

    `leg` says to which parent the order belongs, as what, and under which id (empty: the next number). The order, or
    None where it was refused.
    """
    symbol, side, qty, kind, limit, stop, tif = intent
    state.fresh = None
    parent, role, name = leg or ("", None, "")
    order = Order(
        name or client_order_id(state.engine, state.run_id, state.sequence),
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
        parent_id=parent,
        leg=role,
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
        return None
    # An order that passes by a waiver is on the record, whatever else it is.
    if mask or state.explain or state.guards.order.waives:
        decision = _decide(state, state.windows.view)
    state.refused.pop(symbol, None)
    if not name:
        state.sequence += 1
    state.worst_prices[order.client_order_id] = worst
    state.put(order)
    state.windows.record("orders", state.now, qty * worst)
    if state.remembers_orders:
        state.placed.setdefault(_alike(order), []).append((state.now, order.client_order_id))
    effects.append(Submit(order, worst, state.now, decision))
    if decision is None and state.leeway is not None:
        state.fresh = order
    return order


def change(
    state: EngineState, order: Order, qty: int, limit: int | None, stop: int | None, reason: str, effects: list[Effect]
) -> bool:
    """Ask for another total and other prices of an order with a parent; False when the guards are against it.

    Until the broker has answered, and from then on, it counts at the worse of what it was and is judged at.
    """
    state.fresh = None
    asked = replace(order, qty=qty, limit_price=limit, stop_price=stop)
    decision = judge_working(state, order, state.now, asked)
    if not decision.allowed:
        return False
    reprice(state, order, _show(state, asked, state.order_figures))
    event = OrderEvent(
        f"replace-{len(order.events)}", EventKind.REPLACE_REQUESTED, qty, limit_price=limit, stop_price=stop
    )
    state.put(state.machine.apply(order, event))
    effects.append(Replace(asked, reason, state.now))
    return True


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


def pull(
    state: EngineState, orders: Iterable[Order], reason: str, effects: list[Effect], *, legs: bool = False
) -> None:
    """Ask for orders to be cancelled, each once at an instant. What guards a position stays, unless `legs`."""
    for order in orders:
        if order.leg in GUARDING and not legs:
            continue
        if order.status is OrderStatus.PENDING_CANCEL or state.cancel_asked.get(order.client_order_id) == state.now:
            # Asked already, or refused at this very instant: asking again would only be refused again, without end.
            continue
        state.cancel_asked[order.client_order_id] = state.now
        state.fresh = None
        # A cancel may be refused and asked for again, so that the request is named by what the order has been through.
        state.put(state.machine.apply(order, OrderEvent(f"cancel-{len(order.events)}", EventKind.CANCEL_REQUESTED)))
        state.windows.record("cancels", state.now)
        effects.append(Cancel(order.client_order_id, order.symbol, reason, state.now))


def pull_priced(state: EngineState, symbol: str, side: Side, reason: str, effects: list[Effect]) -> None:
    """Take back the orders of one side that wait for a price: they are no way out until the market comes to them."""
    waiting = [order for order in state.working_of(symbol, side) if order.type is not OrderType.MARKET]
    pull(state, waiting, reason, effects)


def judge_working(state: EngineState, held: Order, now: int, order: Order | None = None) -> Decision:
    """What the order guard says at `now` about an order at work, as if it were not: the state is left as it was.

    With `order`, about what is to become of it.
    """
    asked = held if order is None else order
    if state.fresh is asked and now == state.clock.now:
        # Judged at this very instant, with nothing having happened since: it would be judged on the same figures.
        return Decision(Point.ORDER, state.engine, ALLOW, (), state.bundle_sha256)
    clock = state.clock
    before = clock.now
    state.aside, line = held, state.lines[held.symbol]
    dearest = line.buy_price, line.sell_price
    with _at_rest(state, held) if held.leg is None else linkage.aside(state, held):
        rank(state, line, held.side)
        state.expose(line)
        state.account.working_orders -= 1
        clock.now = max(before, now)
        try:
            worst = state.worst_prices[held.client_order_id]
            windows = state.windows.without("orders", held.created_at, clock.now, held.qty * worst)
            _show(state, asked, state.gate_figures, worst if order is not None else 0)
            mask = _judge(state, windows)
            if mask or state.explain:
                # Whoever keeps the moment keeps all of it.
                _show(state, asked, state.order_figures, worst if order is not None else 0)
            if mask & state.deny_bits and state.recording is not None:
                state.recording.order(state, windows, mask, None, kept_back=held.client_order_id)
            if mask or state.explain:
                return _decide(state, windows)
            return Decision(Point.ORDER, state.engine, ALLOW, (), state.bundle_sha256)
        finally:
            clock.now = before
            state.aside = None
            line.buy_price, line.sell_price = dearest
            state.account.working_orders += 1


@contextmanager
def _at_rest(state: EngineState, order: Order) -> Iterator[None]:
    """Count an order as if it were not at work, for a while."""
    leaves, worst = order.leaves, state.worst_prices[order.client_order_id]
    line, buying = state.lines[order.symbol], order.side is Side.BUY
    _move(state, line, -leaves, worst, buying=buying)
    try:
        yield
    finally:
        _move(state, line, leaves, worst, buying=buying)


def _move(state: EngineState, line: Line, shares: int, worst: int, *, buying: bool) -> None:
    if buying:
        line.working_buy += shares
        state.account.working_buy_value += shares * worst
    else:
        line.working_sell += shares
        state.account.working_sell_value += shares * worst
    state.expose(line)


def _alike(order: Order) -> tuple[str, str, int, str, int | None, int | None]:
    """What orders that are the same have in common."""
    return (order.symbol, order.side.value, order.qty, order.type.value, order.limit_price, order.stop_price)


def _show(state: EngineState, asked: Order, figures: tuple[Figure, ...], least: int = 0) -> int:
    """Fill the views that the order guard takes; returns the worst price, zero when nobody knows one.

    `least` is what the worst price is never below: an order that is being changed may still fill as it was.
    """
    worst = _show_order(state, asked, least)
    for figure in figures:
        figure(state)
    return worst


def _show_order(state: EngineState, asked: Order, least: int) -> int:
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
    position.working_buy_price = 0 if line is None else line.buy_price
    position.working_sell_price = 0 if line is None else line.sell_price
    if asked.leg is not None:
        # It would trade in the place of others of its parent, never beside them.
        if side is Side.BUY:
            position.working_buy -= linkage.besides(state, asked)
        else:
            position.working_sell -= linkage.besides(state, asked)
    position.exposure = 0 if line is None else line.exposure
    if price is None or price < 0:
        # No bar has ever come, or none with a price: every rule that needs a price errs, and so the order is denied.
        order.worst_price = order.fees = order.costs = market.price = MISSING
        return 0
    market.price = price
    costs, qty = state.costs, asked.qty
    try:
        if limit is not None:
            worst = limit
        else:
            trigger = price if stop is None else max(stop, price) if side is Side.BUY else min(stop, price)
            worst = costs.worst_price(side, trigger)
        worst = max(worst, least)
        order.fees = costs.fees.of(qty, qty * worst)
        order.costs = order.fees + qty * loss(asked, worst, price) + way_out(costs, qty, price)
    except OrderError:
        # Beyond 64 bits: as good as no price.
        order.worst_price = order.fees = order.costs = MISSING
        return 0
    order.worst_price = worst
    return worst


def _without_market(decision: Decision, symbol: str) -> Decision:
    """What the engine itself says where no rule asked: nothing is ordered at a price that nobody knows."""
    message = f"`{symbol}` has no price: no bar of it has come, or none that an order could be judged at"
    finding = _own("market", "An order has a market", message, Result.ERROR, "missing")
    return replace(decision, outcome="deny", findings=(*decision.findings, finding))


def refuse_beside_stop(state: EngineState, intent: Intent, effects: list[Effect]) -> None:
    """Refuse an order out that would wait for a price, where it would have to take the place of its stop."""
    message = (
        f"the stop of `{intent.symbol}` guards its shares, and the broker would not take off it what a"
        f" {intent.type.value} order trades: a position is left at the market, or by its `take_profit`"
    )
    finding = _own("linking", "An order out does not stand beside its stop", message, Result.BREACH, None)
    decision = Decision(Point.ORDER, state.engine, "deny", (finding,), state.bundle_sha256)
    again = (intent.side, _BESIDE_STOP)
    told = None if state.refused.get(intent.symbol) == again else decision
    state.refused[intent.symbol] = again
    effects.append(Refused(intent, state.now, decision.deciding, told))


def _own(rule: str, title: str, message: str, result: Result, fault: str | None) -> Finding:
    """What the engine says by itself, and no rule."""
    return Finding(
        rule=rule,
        title=title,
        result=result,
        outcome="deny",
        enforcement=Enforcement.BLOCK,
        observed=None,
        limit=None,
        headroom=None,
        message=message,
        file="",
        line=0,
        layer="",
        fault=fault,
    )


def _judge(state: EngineState, windows: Windows) -> int:
    if windows is state.windows.view:
        return state.judge_order(*state.order_views)
    views = list(state.order_views)
    views[_WINDOWS] = windows
    return state.judge_order(*views)


def _decide(state: EngineState, windows: Windows) -> Decision:
    views = state.shown(Point.ORDER, windows)
    return explained(state, state.guards.order.decide(views), views)
