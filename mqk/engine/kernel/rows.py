"""The orders that the kernel asked for, as columns, and as the orders and fills that `step` makes of the same.

What lives here: reading the rows of a run that stands between two instants. What does not: the rest of what an engine
remembers (adopting.py), and what is written down of it (mqk.backtest).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mqk.engine.kernel import places as p
from mqk.orders import EventKind, Order, OrderEvent, OrderStatus, OrderType, Side, TimeInForce, client_order_id
from mqk.portfolio import Fill

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ctypes import Array, c_int64

REASON: Final = "target"
"""Why every order of the kernel was placed."""
_ACCEPTED: Final = OrderEvent("accepted", EventKind.ACCEPTED)
_SIDES: Final = {1: Side.BUY, -1: Side.SELL}


class Rows:
    """The rows of one run, oldest first: `table` has a column for each place of a row; `names` are the symbols.

    `placed` are the numbers of the rows that became orders, in the order of their ids; `filled` of those that traded,
    in the order in which they were booked.
    """

    def __init__(self, block: Array[c_int64], names: Sequence[str], engine: str, run_id: str) -> None:
        import numpy as np  # noqa: PLC0415 - heavy

        first, count = block[p.AT_ROWS], block[p.ROWS]
        memory = np.frombuffer(memoryview(block), np.int64)
        self.table: Any = memory[first : first + count * p.ROW].reshape(-1, p.ROW)
        state = self.table[:, p.ROW_STATE]
        self.placed: Any = np.flatnonzero(state != p.DENIED)
        filled = np.flatnonzero(state == p.FILLED)
        # Of one instant: by symbol, and of one symbol the oldest first.
        symbol, at = self.table[filled, p.ROW_SYMBOL], self.table[filled, p.ROW_FILLED_AT]
        self.filled: Any = filled[np.lexsort((filled, symbol, at))]
        self.names, self._commission = names, block[p.COMMISSION]
        self._prefix = client_order_id(engine, run_id, 0)[:-1]

    def column(self, place: int, numbers: Any = None) -> list[int]:
        """What stands in a place of some rows, or of all."""
        column = self.table[:, place]
        found: list[int] = (column if numbers is None else column[numbers]).tolist()
        return found

    def symbols(self, numbers: Any = None) -> list[str]:
        """The symbols of some rows, or of all."""
        return [self.names[number] for number in self.column(p.ROW_SYMBOL, numbers)]

    def buys(self, numbers: Any = None) -> list[bool]:
        """Whether each of some rows, or of all, buys."""
        return [sign > 0 for sign in self.column(p.ROW_SIDE, numbers)]

    def sides(self, numbers: Any = None) -> list[Side]:
        """The sides of some rows, or of all."""
        return [_SIDES[sign] for sign in self.column(p.ROW_SIDE, numbers)]

    @cached_property
    def failing(self) -> list[int]:
        """The rules that every row broke, or on which it was an error, a bit each."""
        found = self.table[:, p.ROW_BROKEN] | self.table[:, p.ROW_ERRORS]
        return [bits % 2**64 for bits in found.tolist()]

    @cached_property
    def ids(self) -> list[str]:
        """The ids of the orders, as they were placed."""
        return [f"{self._prefix}{number}" for number in range(len(self.placed))]

    @cached_property
    def orders(self) -> list[Order]:
        """The orders as they stand, as they were placed."""
        at = self.placed
        parts = (self.ids, self.symbols(at), self.sides(at), self.column(p.ROW_QTY, at), self.column(p.ROW_AT, at))
        more = (self.column(p.ROW_REDUCES, at), self.column(p.ROW_STATE, at))
        market, day, target = OrderType.MARKET, TimeInForce.DAY, REASON
        final, open_ = OrderStatus.FILLED, OrderStatus.ACCEPTED
        found = []
        for name, symbol, side, qty, placed, reduces, state in zip(*parts, *more, strict=True):
            events, filled = {"accepted": _ACCEPTED}, state == p.FILLED
            if filled:
                event = f"fill:{name}-1"
                events[event] = OrderEvent(event, EventKind.PARTIAL_FILL, qty)
            # By their places: there are so many of them.
            status, traded = (final, qty) if filled else (open_, 0)
            found.append(
                Order(
                    *(name, symbol, side, qty, market, None, None, status, traded, placed, target, True, None, events),
                    *(day, reduces != 0),
                )
            )
        return found

    @cached_property
    def fills(self) -> list[Fill]:
        """The fills, as they were booked."""
        at, ids, fee = self.filled, self.ids, self._commission
        parts = (self.column(p.ROW_NUMBER, at), self.symbols(at), self.buys(at), self.column(p.ROW_QTY, at))
        more = (self.column(p.ROW_PRICE, at), self.column(p.ROW_FILLED_AT, at))
        return [
            Fill(f"{ids[number]}-1", ids[number], symbol, "BUY" if buys else "SELL", qty, price, fee, when)
            for number, symbol, buys, qty, price, when in zip(*parts, *more, strict=True)
        ]
