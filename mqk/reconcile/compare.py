"""Our book against the broker's: every difference, sorted, each either a note or a reason to stop.

The broker may be ahead of us in what is in flight, and only in the ways in which an order can move; the ways are those
of mqk.orders' own table. Nothing is repaired here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from mqk.orders import EDGES, OrderStatus
from mqk.quantity import format_money

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mqk.reconcile.book import Book, OrderView

NOTHING: Final = "-"


@unique
class Severity(StrEnum):
    """What a difference calls for: a line in the record, or a stop."""

    NOTE = "note"
    HALT = "halt"


@unique
class Kind(StrEnum):
    """What differs."""

    ORDER_MISSING = "order_missing"
    """An order of ours that is alive in our book and not in the broker's."""
    ORDER_UNKNOWN = "order_unknown"
    """An order under this engine's name that we never sent."""
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


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One difference: what kind, of which order or symbol, what we believe, what the broker says."""

    kind: Kind
    subject: str
    local: str
    broker: str
    severity: Severity

    def to_json(self) -> dict[str, str]:
        """The difference as the audit trail keeps it."""
        return {
            "kind": self.kind.value,
            "subject": self.subject,
            "local": self.local,
            "broker": self.broker,
            "severity": self.severity.value,
        }


def clean(differences: Collection[Difference]) -> bool:
    """Whether the engine may go on: no difference halts. Notes do not count."""
    return not any(difference.severity is Severity.HALT for difference in differences)


def compare(
    local: Book, broker: Book, *, engine: str, in_flight: Collection[str] = frozenset()
) -> tuple[Difference, ...]:
    """Every difference between our book and the broker's, sorted; equal books have none.

    `in_flight` are the client order ids within their grace: sent, or about to be, so recently that the broker's next
    word on them may not have reached us. There, and only there, the broker may be ahead: it may lack the order, or have
    acknowledged, filled, cancelled or rejected it. It is never behind, and never of another symbol, side or quantity.
    A position or cash that differs by exactly such fills, or by those of orders under other names (somebody else trades
    on the account), is a note. An order unknown to us counts when its id begins with this engine's name; one that is
    over without a fill is a note.
    """
    found: list[Difference] = []
    ahead: dict[str, int] = {}
    for key in local.orders.keys() | broker.orders.keys():
        ours, theirs = local.orders.get(key), broker.orders.get(key)
        if theirs is None:
            assert ours is not None
            found.extend(_missing(key, ours, flying=key in in_flight))
        elif ours is not None:
            differences = list(_order(key, ours, theirs, flying=key in in_flight))
            found.extend(differences)
            if clean(differences):
                _add(ahead, theirs.symbol, theirs.traded - ours.traded)
        elif key.startswith(f"{engine}_"):
            found.extend(_unknown(key, theirs))
        else:
            _add(ahead, theirs.symbol, theirs.traded)
    found.extend(_positions(local, broker, ahead))
    if local.cash is not None and broker.cash is not None and local.cash != broker.cash:
        severity = Severity.NOTE if ahead else Severity.HALT
        found.append(Difference(Kind.CASH, "cash", format_money(local.cash), format_money(broker.cash), severity))
    return tuple(sorted(found))


def _missing(key: str, ours: OrderView, *, flying: bool) -> Iterator[Difference]:
    """Brokers forget what is over; what lives they must know, once it has reached them."""
    if ours.status.is_final:
        return
    severity = Severity.NOTE if flying and ours.filled == 0 else Severity.HALT
    yield Difference(Kind.ORDER_MISSING, key, _told(ours), NOTHING, severity)


def _unknown(key: str, theirs: OrderView) -> Iterator[Difference]:
    if theirs.filled:
        yield Difference(Kind.FILL_UNKNOWN, key, NOTHING, _told(theirs), Severity.HALT)
    else:
        severity = Severity.NOTE if theirs.status.is_final else Severity.HALT
        yield Difference(Kind.ORDER_UNKNOWN, key, NOTHING, _told(theirs), severity)


def _order(key: str, ours: OrderView, theirs: OrderView, *, flying: bool) -> Iterator[Difference]:
    fixed = (
        (Kind.ORDER_SYMBOL, ours.symbol, theirs.symbol),
        (Kind.ORDER_SIDE, ours.side.value, theirs.side.value),
        (Kind.ORDER_QTY, str(ours.qty), str(theirs.qty)),
    )
    for kind, mine, other in fixed:
        if mine != other:
            yield Difference(kind, key, mine, other, Severity.HALT)
    if ours.filled != theirs.filled:
        severity = Severity.NOTE if flying and theirs.filled > ours.filled else Severity.HALT
        yield Difference(Kind.ORDER_FILLED, key, str(ours.filled), str(theirs.filled), severity)
    if ours.status is not theirs.status:
        severity = Severity.NOTE if flying and theirs.status in _AHEAD[ours.status] else Severity.HALT
        yield Difference(Kind.ORDER_STATUS, key, ours.status.value, theirs.status.value, severity)


def _positions(local: Book, broker: Book, ahead: Mapping[str, int]) -> Iterator[Difference]:
    for symbol in local.positions.keys() | broker.positions.keys():
        ours, theirs = local.positions.get(symbol, 0), broker.positions.get(symbol, 0)
        if theirs != ours:
            severity = Severity.NOTE if theirs == ours + ahead.get(symbol, 0) else Severity.HALT
            yield Difference(Kind.POSITION, symbol, str(ours), str(theirs), severity)


def _told(order: OrderView) -> str:
    return f"{order.side.value} {order.filled}/{order.qty} {order.symbol} {order.status.value}"


def _add(sums: dict[str, int], symbol: str, qty: int) -> None:
    if qty:
        sums[symbol] = sums.get(symbol, 0) + qty


def _reachable() -> dict[OrderStatus, frozenset[OrderStatus]]:
    """Where each status can lead, by any number of moves of the order table."""
    ahead = {status: {edge.to for edge in EDGES if status in edge.sources and edge.to} for status in OrderStatus}
    for _ in OrderStatus:
        for found in ahead.values():
            found |= {further for status in tuple(found) for further in ahead[status]}
    # A refused cancel gives back an order that was not acknowledged when it was asked for; none is ever new again.
    return {status: frozenset(found - {OrderStatus.NEW}) for status, found in ahead.items()}


_AHEAD: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = MappingProxyType(_reachable())
