"""One symbol's open lots, first in first out, with their cost and their last price.

No cash, no profit and no checks of totals; ledger.py owns those and is the only writer of a Position.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


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


def split_lots(lots: Iterable[tuple[int, int]], ratio: Fraction) -> tuple[deque[tuple[int, int]], int]:
    """Say what a split of `ratio` makes of lots: the new ones, and the signed cost of the fraction that is paid out.

    The cost of the lots is kept to the micro: what is left of it and what is released are together what it was. The
    fraction of a share comes from the oldest lot, as any sale does; its cost is rounded up, and so is a profit on it
    rounded down. A cost that the new shares do not share evenly makes two lots a micro apart, the one that realises
    less first.
    """
    newest_first = list(lots)[::-1]
    short = bool(newest_first) and newest_first[0][0] < 0
    held = 0  # shares before the split, from the newest lot on
    spent = 0  # their cost
    whole = 0  # whole shares that they became
    kept = 0  # the cost of those
    made: deque[tuple[int, int]] = deque()
    for qty, price in newest_first:
        before, held = held, held + abs(qty)
        shares = held * ratio.numerator // ratio.denominator
        if shares > whole:
            # The last whole share ends inside this lot: the cost up to there, exactly and then rounded once.
            exact = spent + (shares / ratio - before) * price
            cost = -(-exact.numerator // exact.denominator) if short else exact.numerator // exact.denominator
            made.extendleft(_even_lots(shares - whole, cost - kept, short=short)[::-1])
            whole, kept = shares, cost
        spent += abs(qty) * price
    released = spent - kept
    return made, -released if short else released


def _even_lots(shares: int, cost: int, *, short: bool) -> list[tuple[int, int]]:
    """Lots of so many shares that cost so much together, at whole micros a share, the one that realises less first."""
    price, rest = divmod(cost, shares)
    sign = -1 if short else 1
    dear, cheap = (sign * rest, price + 1), (sign * (shares - rest), price)
    return [lot for lot in ((cheap, dear) if short else (dear, cheap)) if lot[0]]
