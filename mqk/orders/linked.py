"""Orders that belong to one position: what one of them trades is taken off the others.

The rule of brokers that link orders, which they tell with each fill: the books take in what was told, and never work it
out themselves. What does not live here: placing such orders (mqk.engine.brackets), and sending them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.orders.order import Leg, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def taken_off(traded: Order, qty: int, siblings: Iterable[Order]) -> list[tuple[Order, int]]:
    """The orders from which a broker takes shares for a fill of `qty` shares of `traded`, and how many of each.

    `siblings` are the working orders of one parent, oldest first, with or without `traded` itself. A stop and a target
    stand for the same shares: each loses what the other, or an exit, trades. Exits stand beside each other: they lose
    what a stop or a target trades, the newest first, and nothing to one another.
    """
    others = [each for each in siblings if each.client_order_id != traded.client_order_id and each.leaves]
    found = [(each, min(qty, each.leaves)) for each in others if each.leg is not Leg.EXIT]
    if traded.leg is Leg.EXIT:
        return found
    # Exits together may stand for less than the position: what nobody was to take out is taken out first.
    exits = [each for each in others if each.leg is Leg.EXIT]
    asked = sum(each.leaves for each in exits)
    covered = max([traded.leaves + qty, *(each.leaves for each in others if each.leg is not Leg.EXIT)])
    left = max(asked - max(covered - qty, 0), 0)
    for each in reversed(exits):
        if left:
            taken = min(left, each.leaves)
            found.append((each, taken))
            left -= taken
    return found


def most_to_fill(siblings: Sequence[Order]) -> int:
    """The most shares that the orders of one parent can still trade together."""
    exits = sum(each.leaves for each in siblings if each.leg is Leg.EXIT)
    return max([exits, *(each.leaves for each in siblings if each.leg is not Leg.EXIT)])
