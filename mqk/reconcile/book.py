"""A book: what one side, we or the broker, believes about orders, positions and cash at one moment.

Valid as soon as it exists. Comparing two of them is compare.py's business; reading one from a broker is an adapter's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mqk.orders import OrderStatus, Side
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

_HIGH: Final = INT64_MAX
_LAST_INSTANT: Final = 253_402_300_799_999_999  # the end of the year 9999, the last that can be written


class BookError(ValueError):
    """A book, or an order in one, that means nothing: an adapter must not guess.

    `code` is the part that is wrong: "id", "symbol", "quantity", "filled", "cash" or "time".
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order as one side sees it: `qty` shares asked for in total, `filled` of them traded.

    Raises BookError when a field has no such meaning.
    """

    symbol: str
    side: Side
    qty: int
    filled: int
    status: OrderStatus

    def __post_init__(self) -> None:
        if not self.symbol.strip():
            raise BookError("symbol", "an order in a book names its symbol")
        if not _whole(self.qty, 1):
            raise BookError("quantity", f"an order is for at least one whole share, found `{self.qty}`")
        if not _whole(self.filled, 0) or self.filled > self.qty:
            raise BookError("filled", f"`{self.filled}` of `{self.qty}` shares cannot be filled")

    @property
    def traded(self) -> int:
        """What the order has done to the position so far, in signed shares."""
        return self.side.sign * self.filled


@dataclass(frozen=True, slots=True)
class Book:
    """What one side believes: orders by client order id, signed shares by symbol, cash in micros, and as of when.

    The broker's book names its open orders at least, finished ones as far as it remembers them; ours names every order
    that is not final. `cash` is None for a side that does not know. `as_of` is in epoch microseconds: for the broker,
    the moment it answers for, not the moment somebody asked. Raises BookError when a field has no such meaning.
    """

    orders: Mapping[str, OrderView] = field(default_factory=dict)
    positions: Mapping[str, int] = field(default_factory=dict)
    cash: int | None = None
    as_of: int = 0

    def __post_init__(self) -> None:
        if not all(self.orders):
            raise BookError("id", "an order in a book names itself")
        for symbol, qty in self.positions.items():
            if not symbol.strip():
                raise BookError("symbol", "a position in a book names its symbol")
            if type(qty) is not int or abs(qty) > _HIGH:
                raise BookError("quantity", f"a position is in whole shares, found `{qty}` of `{symbol}`")
        if self.cash is not None and (type(self.cash) is not int or abs(self.cash) > _HIGH):
            raise BookError("cash", f"cash is in whole micros, found `{self.cash}`")
        if not _whole(self.as_of, 0) or self.as_of > _LAST_INSTANT:
            raise BookError("time", f"an instant is in epoch microseconds before the year 10000, found `{self.as_of}`")


def _whole(value: int, least: int) -> bool:
    return type(value) is int and least <= value <= _HIGH
