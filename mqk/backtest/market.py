"""The simulated market: takes orders through their permits and fills them at the open of their symbol's next bar.

What lives here: resting orders, latency, fills against the trader. What does not: books, guards, or the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mqk.backtest.errors import BacktestError
from mqk.engine import Accepted, Cancelled, CancelRejected, Event, Filled, Permit, Rejected, Replaced, ReplaceRejected
from mqk.orders import OrderType, split_order
from mqk.portfolio import Fill

if TYPE_CHECKING:
    from fractions import Fraction

    from mqk.market import Bar
    from mqk.orders import CostModel, Order
    from mqk.policy import LatencyBars


@dataclass(slots=True)
class _Resting:
    """An order on its way or at the market: opens it still has to miss, and opens until a cancel reaches it."""

    order: Order
    wait: int
    cancel: int | None = None
    reason: str = ""
    replace: int = 0
    replacement: Order | None = None


class SimulatedMarket:
    """A broker in memory. Market orders only; each fills whole, at the open of a bar that was not known when it left.

    `costs` are against the trader; `latency` counts, in bars of the symbol, how late orders and cancels come.
    """

    __slots__ = ("_bundle", "_costs", "_epoch", "_latency", "_resting", "_seen")

    def __init__(self, costs: CostModel, latency: LatencyBars, *, epoch: int, bundle: str) -> None:
        self._costs = costs
        self._latency = latency
        self._epoch = epoch
        self._bundle = bundle
        self._resting: dict[str, list[_Resting]] = {}
        self._seen: set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether any order rests here."""
        return bool(self._resting)

    def rests(self, symbol: str) -> bool:
        """Whether an order of this symbol rests here."""
        return symbol in self._resting

    def submit(self, permit: Permit, order: Order, now: int) -> Event:
        """Take a market order; the same one twice is taken once, and orders of other types are rejected.

        Raises BacktestError "permit" without leave for this very order.
        """
        if type(permit) is not Permit:
            raise BacktestError("permit", f"order `{order.client_order_id}` came without a permit")
        refusal = permit.refusal(order, now=now, epoch=self._epoch, bundle=self._bundle)
        if refusal is not None:
            raise BacktestError("permit", refusal)
        if order.type is not OrderType.MARKET:
            return Rejected(order.client_order_id, f"no {order.type.value} orders are taken here", now)
        if order.client_order_id not in self._seen:
            self._seen.add(order.client_order_id)
            self._resting.setdefault(order.symbol, []).append(_Resting(order, self._latency.submit))
        return Accepted(order.client_order_id, now)

    def cancel(self, client_order_id: str, symbol: str, reason: str, now: int) -> Event | None:
        """Take a cancel: its answer, or None when it is still on its way."""
        resting = self._resting.get(symbol, [])
        found = next((each for each in resting if each.order.client_order_id == client_order_id), None)
        if found is None:
            return CancelRejected(client_order_id, "nothing of it is left to cancel", now)
        if self._latency.cancel == 0:
            self._remove(found)
            return Cancelled(client_order_id, reason, now)
        if found.cancel is None:
            found.cancel, found.reason = self._latency.cancel, reason
        return None

    def replace(self, permit: Permit, order: Order, now: int) -> Event | None:
        """Change a resting order to `order`, of the same id: the answer, or None when it is still on its way.

        Raises BacktestError "permit" without leave for this very change.
        """
        if type(permit) is not Permit:
            raise BacktestError("permit", f"the change of `{order.client_order_id}` came without a permit")
        refusal = permit.refusal(order, now=now, epoch=self._epoch, bundle=self._bundle)
        if refusal is not None:
            raise BacktestError("permit", refusal)
        resting = self._resting.get(order.symbol, [])
        found = next((each for each in resting if each.order.client_order_id == order.client_order_id), None)
        if found is None:
            return ReplaceRejected(order.client_order_id, "nothing of it is left to change", now)
        if self._latency.replace == 0:
            found.order = order
            return _replaced(order, now)
        found.replace, found.replacement = self._latency.replace, order
        return None

    def open(self, bar: Bar, at: int) -> list[Event]:
        """The open of a bar, at an instant: what becomes of the orders that rest in its symbol, oldest first."""
        events: list[Event] = []
        for resting in list(self._resting.get(bar.symbol, ())):
            order = resting.order
            if resting.wait == 0:
                self._remove(resting)
                events.append(self._filled(order, bar, at))
                continue
            resting.wait -= 1
            if resting.replacement is not None:
                resting.replace -= 1
                if resting.replace == 0:
                    resting.order, resting.replacement = resting.replacement, None
                    events.append(_replaced(resting.order, at))
            if resting.cancel is not None:
                resting.cancel -= 1
                if resting.cancel == 0:
                    self._remove(resting)
                    events.append(Cancelled(order.client_order_id, resting.reason, at))
        return events

    def split(self, symbol: str, ratio: Fraction, at: int) -> list[Event]:
        """Restate the orders that rest in a symbol for a split, and drop those of which no whole share is left."""
        dropped: list[Event] = []
        for resting in list(self._resting.get(symbol, ())):
            order = split_order(resting.order, ratio)
            if order is None:
                self._remove(resting)
                dropped.append(Cancelled(resting.order.client_order_id, "a split left no whole share of it", at))
            else:
                resting.order = order
        return dropped

    def close(self, reason: str, now: int) -> list[Event]:
        """The end of all bars: what still rests is taken off the market, oldest first of each symbol."""
        left = [resting for symbol in sorted(self._resting) for resting in self._resting[symbol]]
        self._resting.clear()
        return [Cancelled(resting.order.client_order_id, reason, now) for resting in left]

    def _filled(self, order: Order, bar: Bar, at: int) -> Filled:
        fill = Fill(
            f"{order.client_order_id}-1",
            order.client_order_id,
            order.symbol,
            order.side.value,
            order.qty,
            self._costs.fill_price(order.side, bar.open, bar.high, bar.low, bar.close),
            self._costs.commission,
            at,
        )
        return Filled(fill, order.client_order_id, mark=bar.open)

    def _remove(self, resting: _Resting) -> None:
        symbol = resting.order.symbol
        left = [each for each in self._resting[symbol] if each is not resting]
        if left:
            self._resting[symbol] = left
        else:
            del self._resting[symbol]


def _replaced(order: Order, at: int) -> Replaced:
    return Replaced(order.client_order_id, order.qty, order.limit_price, order.stop_price, at)
