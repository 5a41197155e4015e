"""An engine that goes on where the kernel stands: from the kernel's memory to the state that `step` would have left.

What lives here: reading the memory of a run that stands between two instants, all of it plain. What does not: the
market and the feed beside the engine (mqk.backtest), and what is written down of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mqk.engine.kernel import places as p
from mqk.orders import OrderType, Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ctypes import Array, c_int64

    from mqk.engine.kernel.rows import Rows
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.market import Bar, SessionPlan


@dataclass(frozen=True, slots=True)
class Past:
    """What the kernel has played: its memory, and what the numbers in it stand for.

    `names` are the symbols by number and `plans` the sessions; `seen` are the symbols in the order of their first bars,
    each with its last bars, as many as the strategy is shown and one at the least.
    """

    block: Array[c_int64]
    names: Sequence[str]
    plans: Sequence[SessionPlan]
    timeframe: str
    seen: Mapping[str, Sequence[Bar]]
    rows: Rows


def adopt(state: EngineState, past: Past) -> None:
    """Bring an engine that has not begun to where the kernel stands. It must have been asked to keep moments."""
    block = past.block
    plan = past.plans[block[p.SESSION]]
    state.now = state.clock.now = block[p.NOW]
    state.armed_at = block[p.ARMED_AT]
    state.ticks = block[p.TICKS]
    state.session, state.plan, state.next_plan = plan.day, plan, plan
    for symbol, bars in past.seen.items():
        _line(state.line(symbol, past.timeframe), bars, past)
    _orders(state, past)
    _trades(state, past, plan)
    _account(state, block)
    _books(state, past)
    state.windows.resume(_events(past), plan)


def _line(line: Line, bars: Sequence[Bar], past: Past) -> None:
    """A symbol as the kernel has it; what orders and fills made of it comes later."""
    block, last = past.block, bars[-1]
    at = block[p.AT_LINES] + past.names.index(line.symbol) * p.LINE
    plan = past.plans[block[at + p.BAR_SESSION]]
    line.window.extend(bars)
    line.taken = line.window.held
    line.bar, line.plan, line.bar_session = last, plan, plan.day
    line.bars_seen = block[at + p.SEEN]
    line.previous_end, line.previous_close = block[at + p.PREVIOUS_END], block[at + p.PREVIOUS_CLOSE]
    line.session_low = block[at + p.SESSION_LOW]
    line.previous_session_close = block[at + p.SESSION_CLOSE_BEFORE] or None
    line.price = block[at + p.PRICE]
    line.qty, line.exposure = block[at + p.QTY], block[at + p.LINE_EXPOSURE]
    line.working_buy, line.working_sell = block[at + p.WORKING_BUY], block[at + p.WORKING_SELL]
    line.buy_price, line.sell_price = block[at + p.BUY_PRICE], block[at + p.SELL_PRICE]
    line.opened_today = block[at + p.OPENED_TODAY]
    closed = block[at + p.CLOSED_AT]
    line.closed_at = None if closed < 0 else closed


def _orders(state: EngineState, past: Past) -> None:
    """Every order of the run, those at work, and what was refused last."""
    rows = past.rows
    orders = rows.orders
    state.sequence = len(orders)
    state.orders.update(zip(rows.ids, orders, strict=True))
    state.worst_prices.update(zip(rows.ids, rows.column(p.ROW_WORST, rows.placed), strict=True))
    state.working.update((order.client_order_id, order) for order in orders if not order.status.is_final)
    if state.remembers_orders:
        at = rows.placed
        terms = zip(rows.symbols(at), rows.buys(at), rows.column(p.ROW_QTY, at), strict=True)
        placed: dict[tuple[str, bool, int], list[tuple[int, str]]] = {}
        for term, when, name in zip(terms, rows.column(p.ROW_AT, at), rows.ids, strict=True):
            placed.setdefault(term, []).append((when, name))
        for (symbol, buys, qty), when_and_name in placed.items():
            side = Side.BUY if buys else Side.SELL
            state.placed[symbol, side.value, qty, OrderType.MARKET.value, None, None] = when_and_name
    # By symbol the last of its rows.
    last = dict(zip(rows.column(p.ROW_SYMBOL), range(len(rows.table)), strict=True))
    for number in last.values():
        if rows.table[number, p.ROW_STATE] == p.DENIED:
            symbol, side = rows.symbols([number])[0], rows.sides([number])[0]
            state.refused[symbol] = (side, rows.failing[number] & state.deny_bits)


def _trades(state: EngineState, past: Past, plan: SessionPlan) -> None:
    """The ledger, and what its fills came to for each symbol: entries since it was flat, and day trades of the day."""
    ledger, lines = state.ledger, state.lines
    for fill in past.rows.fills:
        line = lines[fill.symbol]
        held = ledger.qty(fill.symbol)
        ledger.apply_fill(fill)
        signed = fill.qty if fill.side == "BUY" else -fill.qty
        after = held + signed
        closes = held != 0 and (held > 0) != (signed > 0)
        turned = closes and after != 0 and (after > 0) != (held > 0)
        if closes and (after == 0 or turned):
            line.entries = set()
        if not closes or turned:
            line.entries.add(fill.order_id)
        if fill.at >= plan.opens:
            line.day_trades.book(fill.order_id, held, signed)
            state.trades.touched[fill.symbol] = line
    for line in lines.values():
        assert line.price is not None
        ledger.mark(line.symbol, line.price)
    state.trades.losing_streak = past.block[p.STREAK]
    state.trades.realised_before = past.block[p.REALISED_BEFORE]


def _account(state: EngineState, block: Array[c_int64]) -> None:
    account = state.account
    account.equity, account.cash = block[p.EQUITY], block[p.CASH]
    account.day_start_equity, account.peak_equity = block[p.DAY_START], block[p.PEAK]
    account.gross_exposure = block[p.EXPOSURE]
    account.working_buy_value, account.working_sell_value = block[p.BUY_VALUE], block[p.SELL_VALUE]
    account.working_orders, account.open_positions = block[p.WORKING], block[p.OPEN]
    account.realised_today, account.losing_streak = block[p.REALISED_TODAY], block[p.STREAK]


def _books(state: EngineState, past: Past) -> None:
    """Hold the books that the fills make against those that the kernel kept: they are two tellings of one thing."""
    block, ledger = past.block, state.ledger
    mine = (ledger.equity(), ledger.cash, ledger.realised, ledger.fees, len(ledger.positions), len(state.working))
    theirs = (p.EQUITY, p.CASH, p.REALISED, p.FEES, p.OPEN, p.WORKING)
    held = all(ledger.qty(symbol) == line.qty for symbol, line in state.lines.items())
    if mine != tuple(block[place] for place in theirs) or not held:
        raise AssertionError("the kernel's books are not those of its fills: a defect")


def _events(past: Past) -> list[list[tuple[int, int, int]]]:
    """What every window holds: when, in which place of its sessions, and how much."""
    block = past.block
    found = []
    for number in range(block[p.WINDOWS]):
        window = block[p.AT_WINDOWS] + number * p.WINDOW
        stream, by_business = block[window + p.OF_STREAM], block[window + p.BY_BUSINESS]
        first = block[p.AT_LOGS] + stream * block[p.LOG_MOST] * p.EVENT
        place = p.EVENT_BUSINESS if by_business else p.EVENT_PLACE
        found.append(
            [
                (block[at + p.EVENT_AT], block[at + place], block[at + p.EVENT_AMOUNT])
                for at in range(
                    first + block[window + p.HEAD] * p.EVENT, first + block[p.LOGGED + stream] * p.EVENT, p.EVENT
                )
            ]
        )
    return found
