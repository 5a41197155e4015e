"""Everything an engine can ask for or report: orders, cancels, refusals, latches and what it thought of a bar.

What lives here: the effects `step` returns, with the JSON that audit trails keep. What does not: carrying them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from mqk.guards import Decision, Latch
from mqk.market import Bar
from mqk.orders import Intent, Order, TimeInForce
from mqk.quantity import format_instant, format_money
from mqk.strategies import Target


@dataclass(frozen=True, slots=True)
class Submit:
    """Place this order, through the gate.

    It counts as working from now on. `worst_price` (micros a share) is what it was judged at; `decision` is the full
    decision when the engine was told to explain what it allows, or when there is something to say (a warning, a shadow
    rule), else None.
    """

    kind: ClassVar[str] = "submit"

    order: Order
    worst_price: int
    at: int
    decision: Decision | None = None

    def to_json(self) -> dict[str, Any]:
        """The effect as an audit trail keeps it."""
        order = self.order
        record: dict[str, Any] = {
            "client_order_id": order.client_order_id,
            "symbol": order.symbol,
            "side": order.side.value,
            "qty": order.qty,
            "type": order.type.value,
            **prices_json(order),
            "worst_price": format_money(self.worst_price),
            "reason": order.reason,
        }
        if order.tif is not TimeInForce.DAY:
            record["tif"] = order.tif.value
        if order.leg is not None:
            record["parent_id"], record["leg"] = order.parent_id, order.leg.value
        if self.decision is not None:
            record["decision"] = decision_json(self.decision)
        return record


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take this order off the market. Always possible: cancelling can only make the projected position smaller."""

    kind: ClassVar[str] = "cancel"

    client_order_id: str
    symbol: str
    reason: str
    at: int

    def to_json(self) -> dict[str, Any]:
        """The effect as an audit trail keeps it."""
        return {"client_order_id": self.client_order_id, "symbol": self.symbol, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Replace:
    """Change an order at the market, through the gate: its new total in shares, and the prices its type has, in micros.

    `order` is the order as it will be once the broker has done it. Until it answers, the order counts with the larger
    of both totals and the worse of both prices.
    """

    kind: ClassVar[str] = "replace"

    order: Order
    reason: str
    at: int

    @property
    def client_order_id(self) -> str:
        """The order that is to change."""
        return self.order.client_order_id

    @property
    def qty(self) -> int:
        """Its new total in shares."""
        return self.order.qty

    @property
    def limit_price(self) -> int | None:
        """Its new limit in micros, when its type has one."""
        return self.order.limit_price

    @property
    def stop_price(self) -> int | None:
        """Its new stop in micros, when its type has one."""
        return self.order.stop_price

    def to_json(self) -> dict[str, Any]:
        """The effect as an audit trail keeps it."""
        order = self.order
        return {
            "client_order_id": order.client_order_id,
            "symbol": order.symbol,
            "qty": order.qty,
            **prices_json(order),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Refused:
    """An intent that the guards denied: it never becomes an order.

    `rules` are those that deny it. `decision` is the full decision; it is None, unless the engine explains everything,
    where the symbol's last intent was refused by the very same rules: who asks again at every bar is told why once.
    """

    kind: ClassVar[str] = "refused"

    intent: Intent
    at: int
    rules: tuple[str, ...]
    decision: Decision | None

    def to_json(self) -> dict[str, Any]:
        """The effect as an audit trail keeps it."""
        intent = self.intent
        record: dict[str, Any] = {"symbol": intent.symbol, "side": intent.side.value, "qty": intent.qty}
        if self.decision is None:
            return {**record, "rules": list(self.rules)}
        return {**record, "decision": decision_json(self.decision)}


@dataclass(frozen=True, slots=True)
class BarRejected:
    """A bar that nobody may use: no mark, no strategy, no decision. `decision` is None when it is no bar at all."""

    kind: ClassVar[str] = "bar_rejected"

    bar: Bar
    at: int
    reason: str
    decision: Decision | None = None

    def to_json(self) -> dict[str, Any]:
        """The effect as an audit trail keeps it."""
        bar = self.bar
        return {
            "symbol": bar.symbol,
            "end": format_instant(bar.end),
            "reason": self.reason,
            "decision": None if self.decision is None else decision_json(self.decision),
        }


@dataclass(frozen=True, slots=True)
class Decided:
    """What a guard of bars, feeds or the account said, when it is news: not again while the same rules say the same."""

    kind: ClassVar[str] = "decided"

    decision: Decision
    at: int

    def to_json(self) -> dict[str, Any]:
        """The effect as an audit trail keeps it."""
        return decision_json(self.decision)


@dataclass(frozen=True, slots=True)
class LatchSet:
    """An outcome holds from now on."""

    kind: ClassVar[str] = "latch_set"

    latch: Latch
    at: int

    def to_json(self) -> dict[str, Any]:
        """The effect as an audit trail keeps it."""
        latch = self.latch
        return {"rule": latch.rule, "outcome": latch.outcome, "until": latch.until, "by": latch.by}


@dataclass(frozen=True, slots=True)
class LatchLifted:
    """An outcome holds no longer. `by` says why: `tick`, `session_end`, or the role that released it."""

    kind: ClassVar[str] = "latch_lifted"

    latch: Latch
    by: str
    at: int

    def to_json(self) -> dict[str, Any]:
        """The effect as an audit trail keeps it."""
        return {"rule": self.latch.rule, "outcome": self.latch.outcome, "lifted_by": self.by}


@dataclass(frozen=True, slots=True)
class PostureChanged:
    """What the engine may do changed, and which rules hold it there (none when it is back to NORMAL)."""

    kind: ClassVar[str] = "posture"

    previous: str
    posture: str
    rules: tuple[str, ...]
    at: int

    def to_json(self) -> dict[str, Any]:
        """The effect as an audit trail keeps it."""
        return {"previous": self.previous, "posture": self.posture, "rules": list(self.rules)}


@dataclass(frozen=True, slots=True)
class Shadowed:
    """What a shadow strategy wants now, and does not get: target positions in shares, by symbol."""

    kind: ClassVar[str] = "shadowed"

    strategy: str
    targets: tuple[tuple[str, int | Target], ...]
    at: int

    def to_json(self) -> dict[str, Any]:
        """The effect as an audit trail keeps it."""
        wants = {symbol: want.to_json() if isinstance(want, Target) else want for symbol, want in self.targets}
        return {"strategy": self.strategy, "targets": wants}


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Shares that were held went ex: every one became `split` shares, each of which was paid `dividend` micros.

    `action_id` is what the ledger's entries of it begin with; `held` and `holds` are the signed shares before and
    after; `price_before` is the last price before it in micros, at which a fraction of a share was paid; `cash` is all
    that came of it, and `realised` what the sale of the fraction realised. Of an id that ends in `:borrow`, the shares
    were short, and `dividend` is what they cost to borrow.
    """

    kind: ClassVar[str] = "adjusted"

    action_id: str
    symbol: str
    split: Fraction
    dividend: Fraction
    price_before: int
    held: int
    holds: int
    cash: int
    realised: int
    at: int

    def to_json(self) -> dict[str, Any]:
        """The effect as an audit trail keeps it."""
        return {
            "action_id": self.action_id,
            "symbol": self.symbol,
            "split": str(self.split),
            "dividend_micros": str(self.dividend),
            "price_before": format_money(self.price_before),
            "held": self.held,
            "holds": self.holds,
            "cash": format_money(self.cash),
            "realised": format_money(self.realised),
        }


Effect = (
    Submit
    | Cancel
    | Replace
    | Refused
    | BarRejected
    | Decided
    | LatchSet
    | LatchLifted
    | PostureChanged
    | Shadowed
    | Adjusted
)


def prices_json(order: Order) -> dict[str, str]:
    """The prices that an order's type has, as people read them; nothing for a market order."""
    prices = {"limit_price": order.limit_price, "stop_price": order.stop_price}
    return {name: format_money(price) for name, price in prices.items() if price is not None}


def decision_json(decision: Decision) -> dict[str, Any]:
    """A decision with the facts it was made on: with its bundle, the record alone reproduces it."""
    return {**decision.to_json(), "facts": dict(decision.facts)}
