"""The simulated market: takes orders through their permits and fills them from bars, at the worst that bars can mean.

What lives here: arriving, resting, filling, leaving. What does not: prices (mqk.orders), chance and volume (rules.py),
books, guards, or the clock.

A bar comes in three parts: `open` tells what happens at its open, `within` what happens after it and before its end,
`over` what leaves when it ends. An order that is born of the open takes part in `within`; one that is born within the
bar is only ever hurt by it: a stop may be touched, nothing else fills before the next open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.engine import (
    Accepted,
    Cancelled,
    CancelRejected,
    Event,
    Expired,
    Filled,
    Permit,
    Rejected,
    Replaced,
    ReplaceRejected,
)
from mqk.orders import OrderType, Side, TimeInForce, at_open, reaches, split_order, within
from mqk.orders.linked import taken_off
from mqk.portfolio import Fill
from mqk.venue.errors import VenueError
from mqk.venue.resting import Book, Resting, in_turn
from mqk.venue.rules import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from mqk.market import Bar
    from mqk.orders import CostModel, Order
    from mqk.policy import LatencyBars
    from mqk.venue.rules import FillRules

_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)


class SimulatedMarket:
    """A broker in memory. Every order fills from bars that were not known when it left.

    `costs` are against the trader; `latency` counts, in bars of the symbol, how late orders and cancels come; `rules`
    say how bars are read and how much of them is ours.
    """

    __slots__ = (
        "_books", "_bundle", "_costs", "_epoch", "_latency", "_room", "_rules", "_seen", "_whole", "special"
    )  # fmt: skip

    def __init__(
        self, costs: CostModel, latency: LatencyBars, *, epoch: int, bundle: str, rules: FillRules = WHOLE
    ) -> None:
        self._costs = costs
        self._latency = latency
        self._rules = rules
        self._whole = rules.whole
        self._epoch = epoch
        self._bundle = bundle
        self._books: dict[str, Book] = {}
        self._seen: set[str] = set()
        # By symbol: the bar in which something of it was last to fill, by its end, and our shares of it that are left.
        self._room: dict[str, tuple[int, int]] = {}
        # How many orders rest that `within` and `over` have anything to do with.
        self.special = 0

    @property
    def busy(self) -> bool:
        """Whether any order rests here."""
        return bool(self._books)

    def rests(self, symbol: str) -> bool:
        """Whether an order of this symbol rests here."""
        return symbol in self._books

    def resume(self, resting: Resting) -> None:
        """Have an order rest here that somebody else has played so far."""
        self._seen.add(resting.order.client_order_id)
        self._books.setdefault(resting.order.symbol, Book()).orders.append(resting)

    def submit(self, permit: Permit, order: Order, now: int) -> Event:
        """Take an order; the same one twice is taken once.

        Raises VenueError "permit" without leave for this very order.
        """
        self._require(permit, order, now)
        if order.client_order_id not in self._seen:
            if self._rules.rejected(order.client_order_id):
                return Rejected(order.client_order_id, "rejected by the market, as the policy's `faults` have it", now)
            self._seen.add(order.client_order_id)
            book = self._books.get(order.symbol)
            if book is None:
                book = self._books[order.symbol] = Book()
            late, opened = self._latency.submit, book.opened
            plain = self._whole and order.type is OrderType.MARKET and order.leg is None
            self.special += not plain
            resting = Resting(order, opened + 1 + late, opened + late + (late > 0), now, plain=plain)
            if not late:
                resting.here = now
            book.orders.append(resting)
        return Accepted(order.client_order_id, now)

    def cancel(self, name: str, symbol: str, reason: str, now: int, began: int | None = None) -> Event | None:
        """Take a cancel of an order, by its id: its answer, or None when it is still on its way.

        `began` is when the symbol's bar in progress began, if one is: what that may have filled before waits for it.
        """
        book, late = self._books.get(symbol), self._latency.cancel
        found = None if book is None else book.find(name)
        if book is None or found is None:
            return CancelRejected(name, "nothing of it is left to cancel", now)
        if not late and found.meets(began):
            self.special += found.wait(now)
        elif not late:
            self._remove(book, found)
            return Cancelled(name, reason, now)
        if found.cancel is None:
            found.cancel, found.reason = book.opened + late, reason
        return None

    def replace(self, permit: Permit, order: Order, now: int, began: int | None = None) -> Event | None:
        """Change a resting order to `order`, of the same id: the answer, or None when it is still on its way.

        `began` is as for `cancel`. A changed order stands behind all others. Raises VenueError "permit" without
        leave for this very change.
        """
        self._require(permit, order, now)
        book = self._books.get(order.symbol)
        found = None if book is None else book.find(order.client_order_id)
        if book is None or found is None:
            return ReplaceRejected(order.client_order_id, "nothing of it is left to change", now)
        late = self._latency.replace
        found.replacement, found.replace = order, book.opened + late
        if late == 0 and found.meets(began):
            self.special += found.wait(now)
            late = 1
        return self._changed(book, found, now) if late == 0 else None

    def open(self, bar: Bar, at: int, began: int | None = None) -> list[Event]:
        """The open of a bar, at an instant: what becomes of the orders that rest in its symbol, oldest first.

        `began` is when the bar began: orders sent after that, into the middle of it, do not meet it.
        """
        book = self._books.get(bar.symbol)
        if book is None:
            return []
        book.opened = opened = book.opened + 1
        events: list[Event] = []
        for resting in tuple(book.orders):
            if began is not None and began < resting.at:
                resting.postpone(opened)
            elif resting.plain:
                costs, order = self._costs, resting.order
                price = costs.fill_price(order.side, bar.open, bar.high, bar.low, bar.close)
                if self._latency.submit:
                    price = resting.offered(price)
                if opened >= resting.due:
                    self._remove(book, resting)
                    name, qty = order.client_order_id, order.qty
                    fee = costs.fees.flat
                    if fee is None:
                        fee = costs.fees.of(qty, qty * price)
                    fill = Fill(f"{name}-1", name, order.symbol, order.side.value, qty, price, fee, at)
                    events.append(Filled(fill, name, bar.open))
                else:
                    if opened + 1 == resting.due:
                        resting.here = bar.end
                    events += self._told(book, resting, at)
            elif resting.left:
                if resting.asked is not None and began is not None and began >= resting.asked:
                    # The bar that they waited for has not come: they are here before this one.
                    events += self._told(book, resting, at)
                if resting.asked is None or resting in book.orders:
                    events += self._at_open(book, resting, bar, at)
        return events

    def within(self, bar: Bar, *, born: bool = False) -> list[Event]:
        """What happens after the open of a bar and is known when it ends, to each order once.

        `born`: only to orders that came since this was asked before of the same bar.
        """
        book = self._books.get(bar.symbol)
        if book is None:
            return []
        waiting = [each for each in book.orders if not each.plain and each.seen != book.opened]
        events: list[Event] = []
        done: list[Resting] = []
        for resting in in_turn(waiting, bar, worst_case=self._rules.worst_case):
            order = resting.order
            resting.seen = book.opened
            if born and not (
                self._rules.worst_case and order.stop_price is not None and bar.low <= order.stop_price <= bar.high
            ):
                continue
            arrived = book.opened >= resting.since
            if not arrived and order.type is not OrderType.STOP:
                continue
            set_off, touch = within(
                order, resting.set_off, bar.open, bar.high, bar.low, bar.close, through=self._rules.through
            )
            resting.set_off = set_off
            price = None
            if touch is not None and not touch.limit:
                price = resting.offered(self._price(order.side, touch.price, bar))
            if not arrived or not resting.left or (self._rules.linked and any(resting.is_twin(each) for each in done)):
                continue
            if touch is not None:
                qty = self._qty(resting, bar)
                if qty:
                    done.append(resting)
                    paid = touch.price if price is None else price
                    events += self._fill(book, resting, qty, paid, touch.price, bar.end)
            events += self._at_once(book, resting, bar.end)
        return events

    def over(self, bar: Bar) -> list[Event]:
        """The end of a bar: the changes and cancels that reach the market then."""
        book = self._books.get(bar.symbol)
        orders = () if book is None else tuple(book.orders)
        return [
            event
            for resting in orders
            if book is not None and not resting.plain
            for event in self._told(book, resting, bar.end)
        ]

    def expire(self, closed: int, now: int) -> list[Event]:
        """A session has closed: orders of the day that came to the market before are taken off, by symbol.

        Also those that no bar of their symbol has met since; what came at the close itself is for the next session.
        """
        events: list[Event] = []
        for symbol in sorted(self._books):
            book = self._books[symbol]
            for resting in tuple(book.orders):
                if resting.asked is not None:
                    events += self._told(book, resting, now)
                left = resting.asked is None or resting in book.orders
                here = resting.here
                if left and here is not None and here < closed and resting.order.tif is TimeInForce.DAY:
                    self._remove(book, resting)
                    events.append(Expired(resting.order.client_order_id, "its day is over", now))
        return events

    def split(self, symbol: str, ratio: Fraction, at: int) -> list[Event]:
        """Restate the orders that rest in a symbol for a split, and drop those of which no whole share is left."""
        book = self._books.get(symbol)
        events: list[Event] = []
        for resting in () if book is None else tuple(book.orders):
            order = split_order(resting.as_it_stands(), ratio)
            if order is not None:
                events += resting.split(order, ratio, at)
            elif book is not None:
                self._remove(book, resting)
                why = "a split left no whole share of it"
                events.append(Cancelled(resting.order.client_order_id, why, at))
        return events

    def close(self, reason: str, now: int) -> list[Event]:
        """The end of all bars: what still rests is taken off the market, oldest first of each symbol."""
        left = [resting for symbol in sorted(self._books) for resting in self._books[symbol].orders]
        self._books.clear()
        self.special = 0
        return [Cancelled(resting.order.client_order_id, reason, now) for resting in left]

    def _at_open(self, book: Book, resting: Resting, bar: Bar, at: int) -> Iterator[Event]:
        """What an order that is not plain does at an open."""
        order = resting.order
        arrived = book.opened >= resting.due
        touch = at_open(order, resting.set_off, bar.open, through=self._rules.through)
        price = None
        if touch is not None and not touch.limit:
            price = resting.offered(self._price(order.side, touch.price, bar))
            resting.set_off = True
        if not arrived:
            if book.opened + 1 == resting.due:
                resting.here = bar.end
            return
        if order.stop_price is not None and not resting.set_off:
            resting.set_off = reaches(order.side, order.stop_price, bar.open)
        if touch is not None:
            qty = self._qty(resting, bar)
            if qty:
                resting.seen = book.opened
                paid = touch.price if price is None else price
                yield from self._fill(book, resting, qty, paid, bar.open, at)
        yield from self._at_once(book, resting, at)

    def _at_once(self, book: Book, resting: Resting, at: int) -> Iterator[Event]:
        """What is left of an order that does not wait, once it could have filled."""
        order = resting.order
        if order.tif in _AT_ONCE and resting.left and (order.stop_price is None or resting.set_off):
            self._remove(book, resting)
            yield Expired(order.client_order_id, f"nothing of it may wait, as `{order.tif.value}` says", at)

    def _told(self, book: Book, resting: Resting, at: int) -> Iterator[Event]:
        """The changes and cancels of an order that have reached the market by now."""
        if resting.replacement is not None and book.opened >= resting.replace:
            yield self._changed(book, resting, at)
        if resting.cancel is not None and book.opened >= resting.cancel:
            self._remove(book, resting)
            yield Cancelled(resting.order.client_order_id, resting.reason, at)

    def _changed(self, book: Book, resting: Resting, at: int) -> Event:
        """An order becomes what it was asked to become, unless that is too late."""
        old, order = resting.order, resting.replacement
        assert order is not None
        resting.replacement = None
        if order.qty <= resting.filled + resting.reduced:
            why = f"{resting.filled + resting.reduced} shares of it have traded already"
            return ReplaceRejected(order.client_order_id, why, at)
        if resting.set_off and order.stop_price != old.stop_price:
            return ReplaceRejected(order.client_order_id, "its stop has been reached", at)
        resting.order = order
        book.orders = [*(each for each in book.orders if each is not resting), resting]
        return Replaced(order.client_order_id, order.qty, order.limit_price, order.stop_price, at)

    def _require(self, permit: Permit, order: Order, now: int) -> None:
        if type(permit) is not Permit:
            raise VenueError("permit", f"order `{order.client_order_id}` came without a permit")
        refusal = permit.refusal(order, now=now, epoch=self._epoch, bundle=self._bundle)
        if refusal is not None:
            raise VenueError("permit", refusal)

    def _qty(self, resting: Resting, bar: Bar) -> int:
        """How many shares of an order fill now, of which the bar has less from then on."""
        left = able = resting.left
        room = self._rules.room(bar.volume)
        if room is not None:
            measured, unused = self._room.get(bar.symbol, (bar.end, room))
            room = unused if measured == bar.end else room
            able = min(left, room)
        qty = self._rules.part(resting.order.client_order_id, resting.fills, able)
        if qty < left and resting.order.tif is TimeInForce.FOK:
            qty = 0
        if room is not None:
            self._room[bar.symbol] = bar.end, room - qty
        return qty

    def _price(self, side: Side, price: int, bar: Bar) -> int:
        return self._costs.fill_price(side, price, bar.high, bar.low, bar.close)

    def _fill(self, book: Book, resting: Resting, qty: int, price: int, mark: int, at: int) -> list[Event]:
        order, fees = resting.order, self._costs.fees
        resting.filled += qty
        resting.fills += 1
        if fees.flat is not None:
            fee = 0 if resting.fills > 1 else fees.flat
        else:
            # The broker charges for the order: a later part costs what it adds.
            resting.traded += qty
            resting.value += qty * price
            fee = fees.of(resting.traded, resting.value) - resting.fee
            resting.fee += fee
        taken: list[tuple[Resting, int]] = (
            _take_off(book, resting, qty) if order.leg is not None and self._rules.linked else []
        )
        name = order.client_order_id
        fill = Fill(f"{name}-{resting.fills}", name, order.symbol, order.side.value, qty, price, fee, at)
        events: list[Event] = [Filled(fill, name, mark, tuple((each.order.client_order_id, n) for each, n in taken))]
        for each, _ in taken:
            if not each.left:
                self._remove(book, each)
                events.append(Cancelled(each.order.client_order_id, "one cancels the other", at))
        if not resting.left:
            self._remove(book, resting)
            if resting.replacement is not None:
                events.append(ReplaceRejected(name, "nothing of it is left to change", at))
        return events

    def _remove(self, book: Book, resting: Resting) -> None:
        self.special -= not resting.plain
        if len(book.orders) == 1:
            del self._books[resting.order.symbol]
        book.orders = [each for each in book.orders if each is not resting]


def _take_off(book: Book, traded: Resting, qty: int) -> list[tuple[Resting, int]]:
    """Take what an order of a bracket trades off the others that rest here: which, and how many shares of each."""
    same = {
        each.order.client_order_id: each
        for each in book.orders
        if each.order.leg is not None and each.order.parent_id == traded.order.parent_id
    }
    found = taken_off(traded.as_it_stands(), qty, [each.as_it_stands() for each in same.values()])
    taken = [(same[order.client_order_id], shares) for order, shares in found]
    for each, shares in taken:
        each.reduced += shares
    return taken
