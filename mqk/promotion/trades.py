"""Closing orders: what each order that closed something gained or lost, first in first out, symbol by symbol.

What lives here: fills to results. What does not: what they add up to (figures.py).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqk.portfolio import Fill


@dataclass(frozen=True, slots=True)
class Closing:
    """An order that closed shares, and what that came to in micros before fees."""

    order_id: str
    result: int


def closings(fills: Sequence[Fill]) -> tuple[Closing, ...]:
    """The orders that closed something, in the order of their first closing; fills in the order they were booked."""
    lots: dict[str, deque[list[int]]] = {}
    results: dict[str, int] = {}
    for fill in fills:
        sign = 1 if fill.side == "BUY" else -1
        held, left = lots.setdefault(fill.symbol, deque()), fill.qty
        while left and held and held[0][0] * sign < 0:
            lot = held[0]
            closed = min(left, abs(lot[0]))
            results[fill.order_id] = results.get(fill.order_id, 0) + sign * closed * (lot[1] - fill.price)
            lot[0] += sign * closed
            left -= closed
            if not lot[0]:
                held.popleft()
        if left:
            held.append([sign * left, fill.price])
    return tuple(Closing(order, result) for order, result in results.items())
