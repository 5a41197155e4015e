"""Our book against the broker's: every difference, sorted, each with whether what is on its way explains it.

The broker may be ahead of us in what is in flight, and only in the ways in which an order can move; the ways are those
of mqk.orders' own table. Nothing is repaired here, and what a difference calls for is the policy's to say (judge.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from mqk.orders import OrderStatus
from mqk.quantity import format_money

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mqk.reconcile.book import Book, OrderView

NOTHING: Final = "-"
# Of an order that is to change the broker may have the new total already.
_CHANGING: Final = (OrderStatus.PENDING_REPLACE, OrderStatus.PENDING_CANCEL)


@unique
class Kind(StrEnum):
    """What differs."""

    ORDER_MISSING = "order_missing"
    """An order of ours that is alive in our book and not in the broker's."""
    ORDER_UNKNOWN = "order_unknown"
    """An order under this engine's name that we never sent, and that is alive."""
    ORDER_OVER = "order_over"
    """The same, and it is over without a trade."""
    FILL_UNKNOWN = "fill_unknown"
    """The same, and shares have traded on it."""
    ORDER_SYMBOL = "order_symbol"
    ORDER_SIDE = "order_side"
    ORDER_QTY = "order_qty"
    ORDER_FILLED = "order_filled"
    ORDER_STATUS = "order_status"
    POSITION = "position"
    CASH = "cash"
    STALE = "stale"
    """The broker's book is too old, older than the last one, or from the future (freshness.py)."""
    UNREADABLE = "unreadable"
    """What the broker gave means nothing as a book."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: what kind, of which order or symbol, what we believe, what the broker says.

    `ours` and `theirs` are the shares on either side, where it is about shares: signed for a position, filled for what
    was filled, at work for an order that only one side has. `in_flight` is whether news on its way explains it, and
    `foreign` whether orders under other names than this engine's do.
    """

    kind: Kind
    subject: str
    local: str
    broker: str
    symbol: str | None = None
    ours: int | None = None
    theirs: int | None = None
    in_flight: bool = False
    foreign: bool = False

    def to_json(self) -> dict[str, str | bool]:
        """The difference as the audit trail keeps it."""
        return {
            "kind": self.kind.value,
            "subject": self.subject,
            "local": self.local,
            "broker": self.broker,
            "in_flight": self.in_flight,
            "foreign": self.foreign,
        }


def in_order(difference: Difference) -> tuple[str, str, str, str]:
    """The order in which differences are told."""
    return difference.kind.value, difference.subject, difference.local, difference.broker


def compare(
    local: Book,
    broker: Book,
    *,
    engine: str,
    ahead: Mapping[OrderStatus, Collection[OrderStatus]],
    in_flight: Collection[str] = frozenset(),
) -> tuple[Difference, ...]:
    """Every difference between our book and the broker's, sorted; equal books have none.

    `ahead` says where each status can lead (`OrderMachine.reachable`).

    `in_flight` are the client order ids within their grace: sent, or about to be, so recently that the broker's next
    word on them may not have reached us. There, and only there, the broker may be ahead: it may lack the order, or have
    acknowledged, filled, cancelled or rejected it. It is never behind, and never of another symbol, side or quantity.
    A position or cash that differs by exactly such fills is in flight, too; by those of orders under other names
    (somebody else trades on the account), foreign. An order unknown to us counts when its id begins with this engine's
    name.
    """
    found: list[Difference] = []
    flying: dict[str, int] = {}
    foreign: dict[str, int] = {}
    for key in local.orders.keys() | broker.orders.keys():
        ours, theirs = local.orders.get(key), broker.orders.get(key)
        if theirs is None:
            assert ours is not None
            found.extend(_missing(key, ours, flying=key in in_flight))
        elif ours is not None:
            differences = list(_order(key, ours, theirs, ahead, flying=key in in_flight))
            found.extend(differences)
            if all(difference.in_flight for difference in differences):
                _add(flying, theirs.symbol, theirs.traded - ours.traded)
        elif key.startswith(f"{engine}_"):
            found.append(_unknown(key, theirs))
        else:
            _add(foreign, theirs.symbol, theirs.traded)
    found.extend(_positions(local, broker, flying, foreign))
    if local.cash is not None and broker.cash is not None and local.cash != broker.cash:
        mine, other = format_money(local.cash), format_money(broker.cash)
        found.append(Difference(Kind.CASH, "cash", mine, other, in_flight=bool(flying), foreign=bool(foreign)))
    return tuple(sorted(found, key=in_order))


def _missing(key: str, ours: OrderView, *, flying: bool) -> Iterator[Difference]:
    """Brokers forget what is over; what lives they must know, once it has reached them."""
    if ours.status.is_final:
        return
    leaves, in_flight = ours.qty - ours.filled, flying and ours.filled == 0
    yield Difference(
        Kind.ORDER_MISSING, key, _told(ours), NOTHING, ours.symbol, ours=leaves, theirs=0, in_flight=in_flight
    )


def _unknown(key: str, theirs: OrderView) -> Difference:
    if theirs.filled:
        return Difference(Kind.FILL_UNKNOWN, key, NOTHING, _told(theirs), theirs.symbol, ours=0, theirs=theirs.filled)
    over = theirs.status.is_final
    kind, leaves = (Kind.ORDER_OVER, 0) if over else (Kind.ORDER_UNKNOWN, theirs.qty)
    return Difference(kind, key, NOTHING, _told(theirs), theirs.symbol, ours=0, theirs=leaves)


def _order(
    key: str,
    ours: OrderView,
    theirs: OrderView,
    reachable: Mapping[OrderStatus, Collection[OrderStatus]],
    *,
    flying: bool,
) -> Iterator[Difference]:
    symbol = ours.symbol
    if ours.symbol != theirs.symbol:
        yield Difference(Kind.ORDER_SYMBOL, key, ours.symbol, theirs.symbol, symbol)
    if ours.side is not theirs.side:
        yield Difference(Kind.ORDER_SIDE, key, ours.side.value, theirs.side.value, symbol)
    for kind, mine, other, ahead in (
        (Kind.ORDER_QTY, ours.qty, theirs.qty, flying and ours.status in _CHANGING),
        (Kind.ORDER_FILLED, ours.filled, theirs.filled, flying and theirs.filled > ours.filled),
    ):
        if mine != other:
            yield Difference(kind, key, str(mine), str(other), symbol, mine, other, in_flight=ahead)
    if ours.status is not theirs.status:
        # None is ever new again, whatever a refused cancel gives back.
        ahead = flying and theirs.status is not OrderStatus.NEW and theirs.status in reachable[ours.status]
        yield Difference(Kind.ORDER_STATUS, key, ours.status.value, theirs.status.value, symbol, in_flight=ahead)


def _positions(
    local: Book, broker: Book, flying: Mapping[str, int], foreign: Mapping[str, int]
) -> Iterator[Difference]:
    for symbol in local.positions.keys() | broker.positions.keys():
        ours, theirs = local.positions.get(symbol, 0), broker.positions.get(symbol, 0)
        if theirs != ours:
            ahead, others = flying.get(symbol, 0), foreign.get(symbol, 0)
            explained = theirs == ours + ahead + others
            yield Difference(
                Kind.POSITION,
                symbol,
                str(ours),
                str(theirs),
                symbol,
                ours,
                theirs,
                in_flight=explained and ahead != 0,
                foreign=explained and others != 0,
            )


def _told(order: OrderView) -> str:
    return f"{order.side.value} {order.filled}/{order.qty} {order.symbol} {order.status.value}"


def _add(sums: dict[str, int], symbol: str, qty: int) -> None:
    if qty:
        sums[symbol] = sums.get(symbol, 0) + qty
