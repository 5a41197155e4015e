"""What orders come to once they fill: results, losing streaks, day trades, and since when a position is what it is.

What lives here: bookkeeping of fills and of the ends of orders. What does not: the ledger (mqk.portfolio), which says
what a fill realised, and judging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mqk.engine.lines import Line
    from mqk.engine.state import EngineState
    from mqk.orders import Order
    from mqk.portfolio import Fill


class Trades:
    """Orders that have begun to trade and not ended, and what came of those that have.

    An order is a trade once it ends with shares traded; what fills after its end is a trade of its own. Its result is
    what its closing fills realised, their fees taken off.
    """

    __slots__ = ("_results", "_values", "losing_streak", "realised_before", "touched")

    def __init__(self) -> None:
        self._results: dict[str, int] = {}
        self._values: dict[str, int] = {}
        self.losing_streak = 0
        # Realised profit less fees of all sessions before this one.
        self.realised_before = 0
        # The symbols that traded in this session, so that a new one has only those to reset.
        self.touched: dict[str, Line] = {}

    def begin_session(self, state: EngineState) -> None:
        """A new session: its results count from here, and whatever is held was held overnight."""
        ledger = state.ledger
        self.realised_before = ledger.realised - ledger.fees
        state.account.realised_today = 0
        for line in self.touched.values():
            line.opened_today = 0
            line.day_trades.begin()
        self.touched.clear()

    def fill(self, state: EngineState, line: Line, fill: Fill, held: int, realised: int) -> None:
        """Take in a fill that has been booked: shares held before it, and the profit that it realised before fees."""
        order, qty = fill.order_id, fill.qty
        signed = qty if fill.side == "BUY" else -qty
        now = state.now
        windows = state.windows
        windows.record("fills", now, qty * fill.price)
        self._values[order] = self._values.get(order, 0) + qty * fill.price
        self.touched[line.symbol] = line
        if line.day_trades.book(order, held, signed):
            windows.record("day_trades", now)
        closes = held != 0 and (held > 0) != (signed > 0)
        after = held + signed
        if closes:
            result = realised - fill.fee
            windows.record("results", now, result)
            self._results[order] = self._results.get(order, 0) + result
            if after == 0 or (after > 0) != (held > 0):
                line.closed_at = now
                line.entries = set()
                line.opened_today = 0
            line.opened_today = min(line.opened_today, abs(after))
        opening = abs(after) if not closes or (after > 0) != (held > 0) else 0
        if opening:
            line.opened_today += opening if closes else qty
            line.entries.add(order)
        self.count(state)

    def count(self, state: EngineState) -> None:
        """Bring up to date what this session has realised so far, after fees."""
        ledger = state.ledger
        state.account.realised_today = ledger.realised - ledger.fees - self.realised_before

    def end(self, state: EngineState, order: Order) -> None:
        """Take in that an order has ended, however it did."""
        value = self._values.pop(order.client_order_id, None)
        if value is None:
            return
        state.windows.record("trades", state.now, value)
        result = self._results.pop(order.client_order_id, None)
        if result is None:
            return
        if result < 0:
            self.losing_streak += 1
            state.windows.record("losing_trades", state.now, -result)
        else:
            self.losing_streak = 0
        state.account.losing_streak = self.losing_streak

    def contents(self) -> list[object]:
        """All that later answers depend on, for a digest."""
        return [
            sorted(self._results.items()),
            sorted(self._values.items()),
            self.losing_streak,
            self.realised_before,
            sorted(self.touched),
        ]
