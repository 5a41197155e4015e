"""An order on its way to the simulated market or resting there, and all of them of one symbol.

What lives here: what is remembered of an order between two bars. What does not: when and how it fills (market.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mqk.engine import ReplaceRejected
from mqk.orders import Side, split_order
from mqk.quantity import Rounding, divide

if TYPE_CHECKING:
    from fractions import Fraction

    from mqk.engine import Event
    from mqk.market import Bar
    from mqk.orders import Order


class Resting:
    """An order and how far it has come. Bars of its symbol are numbered from when the first order came to rest.

    `due` is the bar at whose open it can first fill and `since` the one during which it can; `at` when it was sent.
    `plain` is a market order that fills whole. `set_off` says that its stop was reached, and `worst` is the worst price
    in micros, with costs, that it could have had so far: the rest of an order, and one that came late, never do better.
    `traded` and `value` are the shares and micros that fees are owed for, whatever splits came since.
    `here` is when it came to the market, None on its way; `seen` the last bar that it was looked at in; `cancel` and
    `replace` are the bars by which a cancel and a change arrive; `asked` says when one was sent that waits for the end
    of the bar in progress.
    """

    # Most orders are plain and fill at their first open: what they never come to use is not made for each of them.
    filled = 0
    reduced = 0
    traded = 0
    value = 0
    fee = 0
    fills = 0
    set_off = False
    worst: int | None = None
    here: int | None = None
    seen = -1
    cancel: int | None = None
    reason = ""
    replace = 0
    replacement: Order | None = None
    asked: int | None = None

    def __init__(self, order: Order, due: int, since: int, at: int, *, plain: bool) -> None:
        self.order = order
        self.due = due
        self.since = since
        self.at = at
        self.plain = plain

    @property
    def left(self) -> int:
        """Shares still to fill: none of those that orders of the same parent have traded in its place."""
        return max(self.order.qty - self.filled - self.reduced, 0)

    def as_it_stands(self) -> Order:
        """The order with what has become of it here, and with the change that is on its way, as the books have it."""
        asked = None if self.replacement is None else self.replacement.qty
        return replace(self.order, filled=self.filled, reduced=self.reduced, replace_qty=asked)

    def meets(self, began: int | None) -> bool:
        """Whether the order was sent before the bar in progress began, if one is in progress."""
        return began is not None and self.at <= began

    def wait(self, now: int) -> bool:
        """Have what is asked of the order now come after the bar in progress; whether it was plain until now."""
        plain, self.plain, self.asked = self.plain, False, now
        return plain

    def offered(self, price: int) -> int:
        """Remember a price that the order could have had, and return the worst of them."""
        worst = self.worst
        if worst is None or (price > worst if self.order.side is Side.BUY else price < worst):
            self.worst = worst = price
        return worst

    def postpone(self, bar: int) -> None:
        """The bar began before the order was sent: it does not count."""
        self.due += 1
        self.since += 1
        self.seen = bar
        self.replace += 1
        if self.cancel is not None:
            self.cancel += 1

    def split(self, order: Order, ratio: Fraction, at: int) -> list[Event]:
        """The shares of after a split, of which `order` is what the order becomes; what is on its way follows."""
        change = self.replacement
        if change is not None:
            change = split_order(replace(change, filled=self.filled, reduced=self.reduced), ratio)
        told: list[Event] = []
        if change is None and self.replacement is not None:
            told.append(ReplaceRejected(order.client_order_id, "a split left no whole share of it", at))
        self.order, self.replacement = order, change
        self.filled, self.reduced = order.filled, order.reduced
        if self.worst is not None:
            rounding = Rounding.CEILING if order.side is Side.BUY else Rounding.FLOOR
            self.worst = max(divide(self.worst * ratio.denominator, ratio.numerator, rounding), 1)
        return told

    def is_twin(self, other: Resting) -> bool:
        """Whether the two are the protective stop and the target of one bracket."""
        one, two = self.order, other.order
        return one.leg is not None and one.parent_id == two.parent_id and one.leg is not two.leg


def in_turn(waiting: list[Resting], bar: Bar, *, worst_case: bool) -> list[Resting]:
    """In what order one bar touches what rests: stops first, or what is on the side of its nearer extreme."""
    if worst_case:
        return sorted(waiting, key=lambda each: each.order.stop_price is None)
    rises_first = bar.high - bar.open <= bar.open - bar.low

    def later(resting: Resting) -> bool:
        above = (resting.order.side is Side.BUY) is (resting.order.stop_price is not None)
        return above is not rises_first

    return sorted(waiting, key=later)


class Book:
    """What rests in one symbol, oldest first, and how many bars have opened since. It lasts as long as its orders."""

    __slots__ = ("opened", "orders")

    def __init__(self) -> None:
        self.orders: list[Resting] = []
        self.opened = 0

    def find(self, client_order_id: str) -> Resting | None:
        """The order of this id, where it rests here."""
        return next((each for each in self.orders if each.order.client_order_id == client_order_id), None)
