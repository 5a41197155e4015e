"""What is kept of a backtest while it runs: the audit trail, orders, fills, refusals and the equity curve.

What lives here: counting and writing down. What does not: files (artifacts.py) and figures over the whole (summary.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.audit import AuditTrail, quoted_json
from mqk.backtest.curve import Curve
from mqk.engine import (
    Adjusted,
    BarRejected,
    Cancelled,
    CancelRejected,
    Decided,
    Effect,
    Event,
    Expired,
    Filled,
    LatchSet,
    Refused,
    Rejected,
    Replaced,
    ReplaceRejected,
    Submit,
    decision_json,
)
from mqk.quantity import format_instant, format_money

if TYPE_CHECKING:
    from collections.abc import Callable

    from mqk.engine import EngineState
    from mqk.guards import Decision
    from mqk.orders import Order
    from mqk.portfolio import Fill

HALTING: Final = frozenset({"halt", "flatten", "disarm"})
MOST_STOPS: Final = 20
"""As many stops as are told in full; all of them are in the audit trail."""
_PLACES: Final = frozenset({"file", "line", "layer", "title"})


@dataclass(frozen=True, slots=True)
class Stop:
    """A time at which a rule stopped the engine: when, which rule, with what outcome, and what it said."""

    at: int
    rule: str
    outcome: str
    why: str

    def to_json(self) -> dict[str, str]:
        """As metrics hold it."""
        return {"at": format_instant(self.at), "rule": self.rule, "outcome": self.outcome, "why": self.why}


class Recorder:
    """The record of one run, in the order in which things happened. Amounts in micros, instants in epoch micros."""

    __slots__ = (
        "_again",
        "_said",
        "actions",
        "audit",
        "bars_rejected",
        "curve",
        "denied",
        "denied_by_rule",
        "failed",
        "fills",
        "halts",
        "losses",
        "profits",
        "refused_by_rule",
        "stops",
        "submitted",
        "trades",
        "won",
    )

    def __init__(self) -> None:
        self.audit = AuditTrail()
        # Refusals that only repeat the last one of their symbol: one line says how often, when something else happens.
        self._again: dict[str, tuple[Refused, int]] = {}
        # Of each order that was placed: its id, when, and the worst price at which it was judged.
        self.submitted: list[tuple[str, int, int]] = []
        self.fills: list[Fill] = []
        # What went ex of shares that were held.
        self.actions: list[Adjusted] = []
        self.denied = 0
        self.denied_by_rule: Counter[str] = Counter()
        # The first refusal that each rule asked for: the one to look at.
        self.refused_by_rule: dict[str, Refused] = {}
        self.bars_rejected = 0
        self.halts = 0
        self.trades = 0
        self.won = 0
        self.profits = 0
        self.losses = 0
        # The first times that a rule stopped the engine, and what a strategy failed of, which ended the run.
        self.stops: list[Stop] = []
        self.failed: str | None = None
        self._said: Decision | None = None
        # The equity curve: instant, equity and cash, one point for every instant of the feed, after all its bars.
        self.curve = Curve()

    def effect(self, effect: Effect) -> None:
        """Write down what the engine asked for, or said."""
        match effect:
            case Refused(intent=intent, rules=rules, decision=decision):
                self._refused(rules)
                if decision is None:
                    self._again[intent.symbol] = (effect, self._again.get(intent.symbol, (effect, 0))[1] + 1)
                    return
                self._tell_again(intent.symbol, effect.at)
                for rule in rules:
                    self.refused_by_rule.setdefault(rule, effect)
            case Submit(order=order):
                self._tell_again(order.symbol, effect.at)
                self.submitted.append((order.client_order_id, effect.at, effect.worst_price))
            case Adjusted():
                self.actions.append(effect)
            case BarRejected():
                self.bars_rejected += 1
            case Decided(decision=decision):
                self._said = decision
            case LatchSet(latch=latch) if latch.outcome in HALTING:
                self.halts += 1
                if len(self.stops) < MOST_STOPS:
                    self.stops.append(Stop(effect.at, latch.rule, latch.outcome, self._why(latch.rule)))
            case _:
                pass
        self.audit.keep(effect.at, effect.kind, _told, effect)

    def abort(self, state: EngineState, reason: str) -> None:
        """Write down that a strategy failed: the run ends here, with what it came to and why."""
        # The strategy was asked at an instant whose bars are in, and which has no point of the curve yet.
        at = state.now = max(state.now, state.context.now)
        self.curve.end((at, state.account.equity, state.account.cash))
        self.failed = reason
        self.audit.append(at, "aborted", {"reason": reason})
        self.close(at)

    def close(self, at: int) -> None:
        """The end of the run: nothing is left unsaid."""
        for symbol in sorted(self._again):
            self._tell_again(symbol, at)

    def withheld(self, order: Order, at: int, decision: Decision) -> None:
        """Write down an order that the gate did not let out."""
        self._refused(decision.deciding)
        self.audit.append(
            at, "withheld", _placeless({"client_order_id": order.client_order_id, "decision": decision_json(decision)})
        )

    def answer(self, event: Event, at: int) -> None:
        """Write down what the market said, where it changed something: that it took an order goes without saying."""
        match event:
            case Filled(fill=fill):
                self.filled(fill, at)
            case Rejected(client_order_id=order, reason=reason):
                self.audit.append(at, "reject", {"client_order_id": order, "reason": reason})
            case Cancelled(client_order_id=order, reason=reason):
                self.audit.append(at, "cancelled", {"client_order_id": order, "reason": reason})
            case CancelRejected(client_order_id=order, reason=reason):
                self.audit.append(at, "cancel_rejected", {"client_order_id": order, "reason": reason})
            case Expired(client_order_id=order, reason=reason):
                self.audit.append(at, "expired", {"client_order_id": order, "reason": reason})
            case Replaced(client_order_id=order, qty=qty):
                changed = {"limit_price": event.limit_price, "stop_price": event.stop_price}
                prices = {name: format_money(price) for name, price in changed.items() if price is not None}
                self.audit.append(at, "replaced", {"client_order_id": order, "qty": qty, **prices})
            case ReplaceRejected(client_order_id=order, reason=reason):
                self.audit.append(at, "replace_rejected", {"client_order_id": order, "reason": reason})
            case _:
                pass

    def placed(
        self, name: str, symbol: str, at: int, worst_price: int, tell: Callable[[int], str], number: int
    ) -> None:
        """Write down an order of which there is nothing to say but its effect, of which `tell` says the JSON."""
        if self._again:
            self._tell_again(symbol, at)
        self.submitted.append((name, at, worst_price))
        self.audit.keep(at, Submit.kind, tell, number)

    def filled(self, fill: Fill, at: int) -> None:
        """Write down a fill that was booked."""
        self.fills.append(fill)
        self.audit.keep(at, "fill", _fill, fill)

    def trade(self, gain: int) -> None:
        """Count a fill that closed something, and what it gained before fees."""
        self.trades += 1
        if gain > 0:
            self.won += 1
            self.profits += gain
        else:
            self.losses -= gain

    def _why(self, rule: str) -> str:
        """What the last decision says of a rule; nothing where another moment led to it."""
        findings = () if self._said is None else self._said.findings
        return next((finding.message for finding in findings if finding.rule == rule), "")

    def _tell_again(self, symbol: str, at: int) -> None:
        last, times = self._again.pop(symbol, (None, 0))
        if last is not None:
            self.audit.append(at, "refused_again", {**last.to_json(), "times": times, "last": format_instant(last.at)})

    def _refused(self, rules: tuple[str, ...]) -> None:
        self.denied += 1
        self.denied_by_rule.update(rules)


def _told(effect: Effect) -> dict[str, Any]:
    return _placeless(effect.to_json())


def _fill(fill: Fill) -> str:
    """A fill as canonical JSON; there are so many that it is written out by hand."""
    order, name, symbol = quoted_json(fill.order_id), quoted_json(fill.fill_id), quoted_json(fill.symbol)
    fee, price = format_money(fill.fee), format_money(fill.price)
    return (
        f'{{"client_order_id":{order},"fee":"{fee}","fill_id":{name},"price":"{price}","qty":{fill.qty},'
        f'"side":"{fill.side}","symbol":{symbol}}}'
    )


def _placeless(data: dict[str, Any]) -> dict[str, Any]:
    """The same without where each rule was written, and its title: artifacts depend on what a policy says, not where.

    Two sets of policies with one hash leave the same bytes, wherever they lie; the rule's id finds the place again.
    """
    decision = data if "findings" in data else data.get("decision")
    if decision is not None:
        decision["findings"] = [
            {key: value for key, value in finding.items() if key not in _PLACES} for finding in decision["findings"]
        ]
    return data
