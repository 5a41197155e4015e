"""What the broker says, taken into the books: acknowledgements, fills, rejects, cancels.

What lives here: one event to one change of orders, ledger and counts, or an error that changes nothing. What does not:
what the account rules make of it (judging.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.engine import linkage
from mqk.engine.errors import EngineError
from mqk.engine.events import Accepted, Cancelled, CancelRejected, Expired, Filled, Rejected, Replaced, ReplaceRejected
from mqk.orders import EventKind, Order, OrderEvent, OrderEventError
from mqk.portfolio import LedgerError

if TYPE_CHECKING:
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState

Word = Accepted | Rejected | Cancelled | CancelRejected | Replaced | ReplaceRejected | Expired
Answer = Word | Filled


def take(state: EngineState, answer: Answer) -> Line | None:
    """Take in an answer of the broker: the line of its order, or None when it was taken in before and changes nothing.

    Raises EngineError "unknown_order" for an order nobody placed, "book" for what cannot have happened to it.
    """
    order = state.orders.get(answer.client_order_id)
    if order is None:
        what = "a fill" if isinstance(answer, Filled) else "an answer"
        raise EngineError(
            "unknown_order",
            f"{what} came for order `{answer.client_order_id}`, which this engine did not place",
            "halt, and reconcile with the broker",
        )
    if isinstance(answer, Filled):
        return state.lines[order.symbol] if _fill(state, order, answer) else None
    after = _moved(state, order, _event(order, answer))
    if after is order:
        return None
    state.put(after)
    if after.status.is_final:
        state.trades.end(state, after)
    if isinstance(answer, Rejected):
        state.windows.record("rejects", state.now)
    if isinstance(answer, Rejected | CancelRejected | ReplaceRejected):
        state.run.errors += 1
    return state.lines[order.symbol]


def _event(order: Order, answer: Word) -> OrderEvent:
    match answer:
        case Accepted():
            return OrderEvent("accepted", EventKind.ACCEPTED)
        case Rejected(reason=reason):
            return OrderEvent("rejected", EventKind.REJECTED, reason=reason)
        case Cancelled(reason=reason):
            return OrderEvent("cancelled", EventKind.CANCELLED, reason=reason)
        case CancelRejected(reason=reason):
            # One per request: the order may be asked to go again.
            return OrderEvent(f"cancel-rejected-{len(order.events)}", EventKind.CANCEL_REJECTED, reason=reason)
        case Replaced(qty=qty, limit_price=limit, stop_price=stop):
            name = f"replaced-{len(order.events)}"
            return OrderEvent(name, EventKind.REPLACED, qty, limit_price=limit, stop_price=stop)
        case ReplaceRejected(reason=reason):
            return OrderEvent(f"replace-rejected-{len(order.events)}", EventKind.REPLACE_REJECTED, reason=reason)
        case Expired(reason=reason):
            return OrderEvent("expired", EventKind.EXPIRED, reason=reason)


def _fill(state: EngineState, order: Order, answer: Filled) -> bool:
    fill = answer.fill
    if fill.order_id != order.client_order_id or fill.symbol != order.symbol or fill.side != order.side:
        raise EngineError(
            "book",
            f"fill `{fill.fill_id}` is a {fill.side} of `{fill.symbol}` for `{fill.order_id}`, and order"
            f" `{order.client_order_id}` a {order.side} of `{order.symbol}`",
            "halt, and reconcile with the broker",
        )
    after = _moved(state, order, OrderEvent(f"fill:{fill.fill_id}", EventKind.PARTIAL_FILL, fill.qty))
    if after is order:
        return False
    smaller = _smaller(state, order, answer) if answer.taken_off else []
    line = state.lines[order.symbol]
    ledger = state.ledger
    # A fill is a print: shares just bought are not worth what they cost yesterday.
    realised = ledger.realised
    mark = answer.mark if answer.mark is not None else fill.price
    if line.price is not None and line.previous_end is not None and fill.at < line.previous_end:
        # Told late: the market has moved on, and the last bar knows better.
        mark = line.price
    try:
        ledger.mark(line.symbol, mark)
        ledger.apply_fill(fill)
    except LedgerError as fault:
        if line.price is not None:
            ledger.mark(line.symbol, line.price)
        raise EngineError("book", f"fill `{fill.fill_id}`: {fault.message}", fault.help) from fault
    line.price = mark
    held = line.qty
    # Position and order change together: between them the shares would count twice, or not at all.
    line.qty = ledger.qty(line.symbol)
    state.put(after)
    for each in smaller:
        state.put(each)
    state.book(line)
    state.trades.fill(state, line, fill, held, ledger.realised - realised)
    for each in (after, *smaller):
        if each.status.is_final:
            state.trades.end(state, each)
    return True


def _smaller(state: EngineState, order: Order, told: Filled) -> list[Order]:
    try:
        return linkage.taken_off(state, order, told)
    except OrderEventError as fault:
        raise EngineError("book", fault.message, fault.help) from fault


def _moved(state: EngineState, order: Order, event: OrderEvent) -> Order:
    try:
        return state.machine.apply(order, event)
    except OrderEventError as fault:
        raise EngineError("book", fault.message, fault.help) from fault
