"""Closing orders: what each order that closed something gained or lost, first in first out, and when anything was held.

What lives here: booked entries to results. What does not: lots, which the ledger keeps (mqk.portfolio), and what
results add up to (figures.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mqk.portfolio import Fill, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mqk.portfolio import Entry


@dataclass(frozen=True, slots=True)
class Closing:
    """An order that closed shares, and what that came to in micros before fees."""

    order_id: str
    result: int


@dataclass(frozen=True, slots=True)
class Trading:
    """What a ledger's entries amount to: closing orders, in the order of their first closing, money, and holding.

    `traded` is the value of all fills and `fees` what they cost, in micros; `holding` are the instants at which a
    position came to be held (True) or nothing was left (False).
    """

    closings: tuple[Closing, ...]
    traded: int
    fees: int
    fills: int
    holding: tuple[tuple[int, bool], ...]


def trading(entries: Iterable[Entry]) -> Trading:
    """Replay entries in the order they were booked. A dividend, or a fraction paid out in a split, closes no order."""
    ledger = Ledger(0)
    results: dict[str, int] = {}
    holding: list[tuple[int, bool]] = []
    traded = fills = 0
    for entry in entries:
        realised = ledger.realised
        before = ledger.qty(entry.symbol) if isinstance(entry, Fill) else 0
        ledger.apply(entry)
        if isinstance(entry, Fill):
            fills += 1
            traded += entry.qty * entry.price
            if before and (before > 0) == (entry.side == "SELL"):
                results[entry.order_id] = results.get(entry.order_id, 0) + ledger.realised - realised
        held = bool(ledger.positions)
        if held != (holding[-1][1] if holding else False):
            holding.append((entry.at, held))
    found = tuple(Closing(order, result) for order, result in results.items())
    return Trading(found, traded, ledger.fees, fills, tuple(holding))


def closings(entries: Iterable[Entry]) -> tuple[Closing, ...]:
    """The orders that closed something; see `trading`."""
    return trading(entries).closings
