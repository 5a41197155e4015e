"""One symbol's open lots, first in first out, with their cost and their last price.

No cash, no profit and no checks of totals; ledger.py owns those and is the only writer of a Position.
"""

from __future__ import annotations

from collections import deque


class Position:
    """What is held of one symbol. Read it freely; only the ledger writes it.

    `qty` is signed shares (negative: short); `lots` are (signed shares, price in micros) with the oldest first, all of
    the sign of `qty`; `cost` is the signed sum of shares times price over the lots, in micros; `mark` is the last price
    in micros, None while nobody has given one; `value` is qty times mark, zero while there is no mark.
    """

    __slots__ = ("cost", "lots", "mark", "qty", "symbol", "value")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.qty = 0
        self.lots: deque[tuple[int, int]] = deque()
        self.cost = 0
        self.mark: int | None = None
        self.value = 0

    def __repr__(self) -> str:
        return f"Position({self.symbol!r}, qty={self.qty}, cost={self.cost}, mark={self.mark}, lots={list(self.lots)})"


def match_lots(lots: deque[tuple[int, int]], closing: int) -> tuple[int, int, int]:
    """Say what closing so many shares (of the lots' sign, at most all of them) takes from the oldest lots on.

    Returns how many lots are used up whole, what is left of the lot after them (0 when that one is untouched), and the
    signed cost of what is closed, in micros. Nothing is changed, so that a refused fill leaves no trace.
    """
    whole = 0
    cost = 0
    for qty, price in lots:
        if (qty > closing) if closing > 0 else (qty < closing):
            return whole, qty - closing, cost + closing * price
        whole += 1
        cost += qty * price
        closing -= qty
        if not closing:
            break
    return whole, 0, cost
