"""An order as we know it: what was asked, and how far it has come. One Side for all of mqk, and the order's own id.

How events move an order is machine.py's business; nothing here knows a broker or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from mqk.orders.errors import OrderError
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mqk.orders.events import OrderEvent

_HIGH: Final = INT64_MAX


@unique
class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell: what one share of it does to a position."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


@unique
class OrderType(StrEnum):
    """What an order waits for before it fills."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"


@unique
class TimeInForce(StrEnum):
    """How long an order stays in the market."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


@unique
class Leg(StrEnum):
    """What an order of a bracket does: it takes a position out on request, at its stop, or at its target."""

    EXIT = "EXIT"
    STOP = "STOP"
    TARGET = "TARGET"


@unique
class OrderStatus(StrEnum):
    """How far an order has come. NEW is before the broker's first word; the last four are final."""

    NEW = "NEW"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_REPLACE = "PENDING_REPLACE"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_final(self) -> bool:
        """Whether the order can no longer rest at the broker. A fill that crossed a cancel may still arrive."""
        return self in _FINAL


_FINAL: Final = frozenset((OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED))
_LIMITED: Final = frozenset((OrderType.LIMIT, OrderType.STOP_LIMIT))
_STOPPED: Final = frozenset((OrderType.STOP, OrderType.STOP_LIMIT))


@dataclass(slots=True)
class Order:
    """One order and its state. Treat it as a value: `mqk.orders.apply` returns the next one and changes none.

    `qty` is the total in shares, above zero; `filled` how many of them are filled, never more than `qty`; prices in
    micros, present exactly when the type has them; `created_at` in epoch microseconds; `reason` why it ended, or why
    it was made. `acknowledged` says whether the broker has ever answered for it; `replace_qty` is the total asked for
    in a replacement still unanswered, `replace_limit` and `replace_stop` its prices; `events` are the events applied so
    far, by id; `reduce_only` says that the order was made to bring a position nearer to zero and for nothing else.

    Orders of one `parent_id` (the order that began the position) belong together, and `leg` says as what: what one of
    them trades is taken off the others, at the broker as in the books (linked.py): `reduced` is how many shares were.

    Raises OrderError when a field has no such meaning.
    """

    client_order_id: str
    symbol: str
    side: Side
    qty: int
    type: OrderType = OrderType.MARKET
    limit_price: int | None = None
    stop_price: int | None = None
    status: OrderStatus = OrderStatus.NEW
    filled: int = 0
    created_at: int = 0
    reason: str = ""
    acknowledged: bool = False
    replace_qty: int | None = None
    events: Mapping[str, OrderEvent] = field(default_factory=dict, repr=False)
    tif: TimeInForce = TimeInForce.DAY
    reduce_only: bool = False
    parent_id: str = ""
    leg: Leg | None = None
    replace_limit: int | None = None
    replace_stop: int | None = None
    reduced: int = 0

    def __post_init__(self) -> None:
        # One chain for the many good orders; what is wrong is worked out only when something is.
        qty, filled, at, kind = self.qty, self.filled, self.created_at, self.type
        if not (
            type(qty) is type(filled) is type(at) is int
            and 0 <= filled <= qty <= _HIGH
            and qty > 0
            and 0 <= at <= _HIGH
            and self.client_order_id
            and self.symbol
            and not self.symbol.isspace()
            and (self.limit_price is None and self.stop_price is None if kind is OrderType.MARKET else self._priced())
        ):
            raise self._error()

    @property
    def terms(self) -> tuple[str, Side, int, OrderType, int | None, int | None, TimeInForce, str]:
        """What a broker is asked for: two orders of one id and other terms are two orders."""
        return (
            self.symbol, self.side, self.qty, self.type, self.limit_price, self.stop_price, self.tif, self.parent_id
        )  # fmt: skip

    @property
    def leaves(self) -> int:
        """Shares that may still fill: the larger total while a replacement is unanswered, none once final."""
        if self.status in _FINAL:
            return 0
        asked = self.replace_qty
        return (self.qty if asked is None or asked < self.qty else asked) - self.filled - self.reduced

    def _priced(self) -> bool:
        """Whether the order has a limit and a stop exactly when its type says so, each above zero."""
        return _present(self.limit_price, self.type in _LIMITED) and _present(self.stop_price, self.type in _STOPPED)

    def _error(self) -> OrderError:
        if not self.client_order_id:
            return OrderError("id", "an order names itself")
        if not self.symbol.strip():
            return OrderError("symbol", "an order names its symbol")
        if not self._priced():
            found = f"limit `{self.limit_price}` and stop `{self.stop_price}`"
            return OrderError(
                "price",
                f"a {self.type} order does not go with {found}",
                "a limit price goes with LIMIT and STOP_LIMIT, a stop price with STOP and STOP_LIMIT, in whole micros",
            )
        if type(self.created_at) is not int or not 0 <= self.created_at <= _HIGH:
            return OrderError("time", f"an instant is in whole epoch microseconds, found `{self.created_at}`")
        return OrderError(
            "quantity", f"an order is for at least one whole share, found `{self.filled}` of `{self.qty}`"
        )


def client_order_id(engine: str, run_id: str, sequence: int) -> str:
    """The id under which an engine sends the intent of this number in this run: `MAIN_<run>_<number>`.

    The same three always give the same id, so that a retry is recognised; two different intents never share one, even
    when symbol, side and quantity agree. Raises OrderError "id" for an empty engine or run, an underscore in the run
    (the id could then be read in two ways) or a negative number.
    """
    if not engine or not run_id or "_" in run_id:
        raise OrderError("id", f"an order id needs an engine and a run without `_`, found `{engine}` and `{run_id}`")
    if type(sequence) is not int or sequence < 0:
        raise OrderError("id", f"intents are numbered from 0, found `{sequence}`")
    return f"{engine}_{run_id}_{sequence}"


def _present(price: int | None, wanted: bool) -> bool:
    if price is None:
        return not wanted
    return wanted and type(price) is int and 0 < price <= _HIGH
