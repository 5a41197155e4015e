"""A simulated market whose orders can be put away and taken up again, in another process, where they were left.

What lives here: what rests and how far it has come, as the market holds it. What does not: how it is put away, and what
fills (market.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.orders import OrderType
from mqk.venue.market import SimulatedMarket
from mqk.venue.resting import Book, Resting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mqk.orders import Order


class KeptMarket(SimulatedMarket):
    """The market, with its books open to whoever keeps them."""

    __slots__ = ()

    def resting(self) -> Iterator[Resting]:
        """Every order that rests here, those of a symbol in their turn."""
        for book in self._books.values():
            yield from book.orders

    def find(self, client_order_id: str, symbol: str) -> Resting | None:
        """The order of this id, where it rests here."""
        book = self._books.get(symbol)
        return None if book is None else book.find(client_order_id)

    def opened(self, symbol: str) -> int:
        """How many bars of a symbol have opened since its book began; zero where nothing rests."""
        book = self._books.get(symbol)
        return 0 if book is None else book.opened

    def used(self, symbol: str) -> tuple[int, int] | None:
        """The bar in which something of a symbol was last to fill, by its end, and our shares of it that are left."""
        return self._room.get(symbol)

    def is_plain(self, order: Order) -> bool:
        """Whether an order has nothing to do but to fill whole at an open."""
        return self._whole and order.type is OrderType.MARKET and order.leg is None

    def take_up(self, symbol: str, opened: int, orders: Iterable[Resting], used: tuple[int, int] | None) -> None:
        """Let orders of a symbol rest as they did, in their turn; `opened` and `used` as they were then."""
        if used is not None:
            self._room[symbol] = used
        book = Book()
        book.opened, book.orders = opened, list(orders)
        if book.orders:
            self._books[symbol] = book
        self._seen |= {each.order.client_order_id for each in book.orders}
        self.special += sum(not each.plain for each in book.orders)
