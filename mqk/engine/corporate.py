"""Splits and dividends on the day they go ex, and what borrowed shares cost: all that is held or works follows them.

What lives here: one corporate action to one change of books, orders, windows and figures, with nothing but what was
known that morning. What does not: the arithmetic of lots (mqk.portfolio), of orders (mqk.orders), of bars (mqk.market).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from mqk.engine import linkage
from mqk.engine.effects import Adjusted, Effect
from mqk.engine.errors import EngineError
from mqk.engine.worst import rank
from mqk.market import split_bar, split_price
from mqk.orders import Side, split_order
from mqk.orders.splits import split_limit
from mqk.portfolio import Dividend, LedgerError, Split
from mqk.quantity import Rounding, divide

if TYPE_CHECKING:
    from mqk.engine.events import BorrowCharged, CorporateAction
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState


def take(state: EngineState, action: CorporateAction, effects: list[Effect]) -> bool:
    """Take in what went ex; False when it was taken in before, or concerns a symbol that the engine never saw.

    A split comes before a dividend of the same day, which is per share of after it. The last price follows both at
    once, so that equity changes by the rounding and by nothing else: what a share loses by going ex is no loss of its
    holder. Raises EngineError "book", with nothing changed, for an action that the books refuse.
    """
    line = state.lines.get(action.symbol)
    if line is None or (line.ex_session is not None and action.ex_session <= line.ex_session):
        return False
    price = _ex_price(line, action)
    ledger = state.ledger
    held, cash, realised = line.qty, ledger.cash, ledger.realised
    name = f"{action.symbol}:{action.ex_session}"
    try:
        if action.split != 1 and line.price is not None:
            ledger.apply_split(Split(f"{name}:split", action.symbol, action.split, line.price, action.at))
        # The price falls before the dividend is paid, so that the two together never leave 64 bits.
        if price is not None:
            ledger.mark(action.symbol, price)
        if action.dividend:
            ledger.apply_dividend(Dividend(f"{name}:dividend", action.symbol, action.dividend, action.at))
    except LedgerError as fault:
        raise EngineError("book", f"what went ex of `{action.symbol}`: {fault.message}", fault.help) from fault
    before = line.price
    line.ex_session = action.ex_session
    line.price = price
    line.qty = ledger.qty(action.symbol)
    if action.split != 1:
        _split(state, line, action.split)
    if action.dividend and line.previous_close is not None:
        line.previous_close = max(line.previous_close - divide(*_parts(action.dividend), Rounding.FLOOR), 1)
    if held and not line.qty:
        line.entries, line.opened_today, line.closed_at = set(), 0, state.now
    state.book(line)
    if held:
        state.trades.count(state)
        effects.append(
            Adjusted(
                name,
                action.symbol,
                action.split,
                action.dividend,
                price_before=before or 0,
                held=held,
                holds=line.qty,
                cash=ledger.cash - cash,
                realised=ledger.realised - realised,
                at=state.now,
            )
        )
    return True


def charge(state: EngineState, event: BorrowCharged, effects: list[Effect]) -> bool:
    """Take in what borrowed shares cost; False where none are, or when it was taken in before.

    It is booked as a dividend that nobody receives, rounded up to a micro. Raises EngineError "book", with nothing
    changed, for a charge that the books refuse.
    """
    line = state.lines.get(event.symbol)
    if line is None or line.qty >= 0 or line.price is None:
        return False
    if event.per_share <= 0:
        raise EngineError("book", f"borrowing `{event.symbol}` costs something, and not {event.per_share} a share")
    ledger = state.ledger
    cash, name = ledger.cash, f"{event.symbol}:{event.session}:borrow"
    try:
        if not ledger.apply_dividend(Dividend(f"{name}:dividend", event.symbol, event.per_share, event.at)):
            return False
    except LedgerError as fault:
        raise EngineError("book", f"the borrowing of `{event.symbol}`: {fault.message}", fault.help) from fault
    state.book(line)
    state.trades.count(state)
    held, paid, at = line.qty, ledger.cash - cash, state.now
    effects.append(Adjusted(name, event.symbol, Fraction(1), event.per_share, line.price, held, held, paid, 0, at))
    return True


def _ex_price(line: Line, action: CorporateAction) -> int | None:
    """The last price as the action leaves it, rounded down where shares are held or nothing is, up where they are owed.

    Raises EngineError "book" for what leaves no price.
    """
    if action.split <= 0 or action.dividend < 0:
        raise EngineError("book", f"nothing goes ex of `{action.symbol}` by {action.split} and {action.dividend}")
    if line.price is None:
        return None
    rounding = Rounding.CEILING if line.qty < 0 else Rounding.FLOOR
    price = divide(*_parts(line.price / action.split - action.dividend), rounding)
    if price <= 0:
        what = f"what went ex of `{action.symbol}` is not below its last price"
        raise EngineError("book", what, "look whether the action is right, or the price")
    return price


def _split(state: EngineState, line: Line, ratio: Fraction) -> None:
    """Everything counted in shares, and every price a share, as it is after the split."""
    _split_orders(state, line, ratio)
    _split_placed(state, line.symbol, ratio)
    for window in (line.window, *line.shadow_windows):
        window.split(ratio)
    if line.bar is not None:
        line.bar = split_bar(line.bar, ratio)
    line.session_low = split_price(line.session_low, ratio) if line.session_low else 0
    if line.previous_close is not None:
        line.previous_close = split_price(line.previous_close, ratio)
    if line.previous_session_close is not None:
        line.previous_session_close = split_price(line.previous_session_close, ratio)
    line.opened_today = line.opened_today * ratio.numerator // ratio.denominator


def _split_placed(state: EngineState, symbol: str, ratio: Fraction) -> None:
    """What was placed before, in the shares of after the split: the same order as one that is placed for them now."""
    placed = {key: found for key, found in state.placed.items() if key[0] == symbol}
    for key in placed:
        del state.placed[key]
    for (_, side, qty, kind, limit, stop), found in placed.items():
        shares = qty * ratio.numerator // ratio.denominator
        if not shares:
            continue
        rounding = Rounding.FLOOR if side == Side.BUY else Rounding.CEILING
        after = (symbol, side, shares, kind, split_limit(limit, ratio, rounding), split_limit(stop, ratio, rounding))
        state.placed[after] = sorted([*state.placed.get(after, ()), *found])


def _split_orders(state: EngineState, line: Line, ratio: Fraction) -> None:
    """The orders at work. One of which no whole share is left stays until the broker says that it is gone."""
    account = state.account
    for order in state.working_of(line.symbol):
        name = order.client_order_id
        buying = order.side is Side.BUY
        worst = state.worst_prices[name]
        after = split_order(order, ratio) or order
        # What it was judged at, and never less: a buy is worst dear, a sell cheap.
        price = split_price(worst, ratio, Rounding.CEILING if buying else Rounding.FLOOR)
        change, value = after.leaves - order.leaves, after.leaves * price - order.leaves * worst
        state.worst_prices[name] = price
        state.orders[name] = state.working[name] = after
        if order.leg is not None:
            continue
        if buying:
            line.working_buy += change
            account.working_buy_value += value
        else:
            line.working_sell += change
            account.working_sell_value += value
    for side in Side:
        rank(state, line, side)
    for bracket in line.brackets.values():
        bracket.split(ratio)
    linkage.recount(state, line)


def _parts(value: Fraction) -> tuple[int, int]:
    return value.numerator, value.denominator
