"""What a ledger is made of: fills, cash movements, dividends and splits, immutable, and valid as soon as they exist.

No book-keeping here; ledger.py books them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from mqk.portfolio.errors import LedgerError
from mqk.quantity import INT64_MAX, INT64_MIN

_HIGH: Final = INT64_MAX
_LOW: Final = INT64_MIN


@dataclass(frozen=True, slots=True)
class Fill:
    """So many shares of one symbol, bought or sold at one price.

    `side` is "BUY" or "SELL" (a `mqk.orders.Side` is such a text); `qty` is in shares and above zero; `price` in micros
    of a dollar a share, above zero; `fee` in micros for the whole fill, zero or more; `at` in microseconds since the
    epoch. `fill_id` is the broker's: the same id is the same fill, whatever message brought it.

    Raises LedgerError when a field has no such meaning.
    """

    fill_id: str
    order_id: str
    symbol: str
    side: str
    qty: int
    price: int
    fee: int
    at: int

    def __post_init__(self) -> None:
        # One chain for the many good fills; which field is wrong is worked out only when one is.
        qty, price, fee, at = self.qty, self.price, self.fee, self.at
        side, symbol = self.side, self.symbol
        if not (
            type(qty) is type(price) is type(fee) is type(at) is int
            and 0 < qty <= _HIGH
            and 0 < price <= _HIGH
            and 0 <= fee <= _HIGH
            and 0 <= at <= _HIGH
            and (side == "BUY" or side == "SELL")  # noqa: PLR1714 (twice as fast as `in`)
            and symbol
            and not symbol.isspace()
            and self.fill_id
            and self.order_id
        ):
            raise self._error()

    def _error(self) -> LedgerError:
        if not _whole(self.qty, 1):
            return LedgerError("quantity", f"a fill is for at least one share, found `{self.qty}`")
        if not _whole(self.price, 1):
            return LedgerError("price", f"a fill has a price above zero, in whole micros, found `{self.price}`")
        if not _whole(self.fee, 0):
            return LedgerError("fee", f"a fee is zero or more, in whole micros, found `{self.fee}`")
        if not _whole(self.at, 0):
            return LedgerError("time", f"an instant is in whole microseconds since the epoch, found `{self.at}`")
        if self.side not in {"BUY", "SELL"}:
            return LedgerError("side", f"a fill is a `BUY` or a `SELL`, found `{self.side}`")
        if not self.symbol.strip():
            return LedgerError("symbol", "a fill names its symbol")
        return LedgerError("id", "a fill names itself and its order")


@dataclass(frozen=True, slots=True)
class CashMovement:
    """Money that came or went without a trade: a deposit, interest, a charge.

    `amount` is in micros, positive into the account; `at` in microseconds since the epoch; `reason` says what it was.
    `movement_id` makes it apply once. Raises LedgerError when a field has no such meaning.
    """

    movement_id: str
    amount: int
    reason: str
    at: int

    def __post_init__(self) -> None:
        if type(self.amount) is not int or not _LOW <= self.amount <= _HIGH:
            raise LedgerError("cash", f"cash moves in whole micros of 64 bits, found `{self.amount}`")
        if not _whole(self.at, 0):
            raise LedgerError("time", f"an instant is in whole microseconds since the epoch, found `{self.at}`")
        if not self.reason.strip():
            raise LedgerError("reason", "a cash movement says why the money moved")
        if not self.movement_id:
            raise LedgerError("id", "a cash movement names itself")


@dataclass(frozen=True, slots=True)
class Dividend:
    """A dividend that went ex: whoever is long then receives it for every share, whoever is short pays it.

    `per_share` is in micros, exact and above zero; `at` in microseconds since the epoch. What it comes to is rounded
    down to a micro, a charge away from zero. `action_id` makes it apply once. Raises LedgerError when a field has no
    such meaning.
    """

    action_id: str
    symbol: str
    per_share: Fraction
    at: int

    def __post_init__(self) -> None:
        _require_action(self.action_id, self.symbol, self.at)
        if type(self.per_share) is not Fraction or not 0 < self.per_share <= _HIGH:
            raise LedgerError("cash", f"a dividend is above zero, in exact micros, found `{self.per_share}`")


@dataclass(frozen=True, slots=True)
class Split:
    """A split that went ex: every share became `ratio` shares (7, or 1/10).

    `price` is the last price before it, in micros a share of before: what is paid for the fraction of a share that
    cannot be held. `at` in microseconds since the epoch; `action_id` makes it apply once. Raises LedgerError when a
    field has no such meaning.
    """

    action_id: str
    symbol: str
    ratio: Fraction
    price: int
    at: int

    def __post_init__(self) -> None:
        _require_action(self.action_id, self.symbol, self.at)
        if type(self.ratio) is not Fraction or not 0 < self.ratio <= _HIGH:
            raise LedgerError("quantity", f"a split has an exact ratio above zero, found `{self.ratio}`")
        if not _whole(self.price, 1):
            raise LedgerError("price", f"a split has a price before it, above zero, found `{self.price}`")


Entry = Fill | CashMovement | Dividend | Split
"""Whatever a ledger books."""


def _require_action(action_id: str, symbol: str, at: int) -> None:
    if not action_id:
        raise LedgerError("id", "a dividend or a split names itself")
    if not symbol.strip():
        raise LedgerError("symbol", "a dividend or a split names its symbol")
    if not _whole(at, 0):
        raise LedgerError("time", f"an instant is in whole microseconds since the epoch, found `{at}`")


def _whole(value: int, least: int) -> bool:
    """Whether this is a plain `int` of 64 bits and at least `least`: a float or a bool that got here is a bug."""
    return type(value) is int and least <= value <= _HIGH
