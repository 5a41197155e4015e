"""A simulated market by itself: orders that somebody sends after a bar, and what comes of them.

Nothing here asserts; the tests beside it do. That nothing leaves without a permit is held by test_fills.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mqk.engine import Event, Filled, Permit
from mqk.market import Bar
from mqk.orders import CostModel, Leg, Order, OrderType, Side, TimeInForce
from mqk.policy import LatencyBars
from mqk.portfolio import Fill, Ledger
from mqk.venue import SimulatedMarket
from mqk.venue.rules import WHOLE, FillRules
from tests.engine.worlds import USD

FREE = CostModel(0, 0, 0, 0)
PROMPT = LatencyBars(0, 0, 0)
GTC = TimeInForce.GTC


def bar(number: int, open_: int, high: int, low: int, close: int, volume: int = 1_000_000, symbol: str = "SPY") -> Bar:
    """The n-th bar; prices in micros."""
    return Bar(symbol, number * 10, open_, high, low, close, volume, True, "1m")


def dollars(number: int, open_: float, high: float, low: float, close: float, volume: int = 1_000_000) -> Bar:
    """The n-th bar; prices in dollars."""
    return bar(number, *(round(each * USD) for each in (open_, high, low, close)), volume)


def order(
    name: str,
    side: Side,
    qty: int,
    *,
    limit: float | None = None,
    stop: float | None = None,
    tif: TimeInForce = GTC,
    leg: Leg | None = None,
    parent: str = "",
) -> Order:
    """An order of the type that its prices, in dollars, make it."""
    kinds = {(False, False): OrderType.MARKET, (True, False): OrderType.LIMIT}
    kind = kinds.get((limit is not None, stop is not None)) or (
        OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    )
    prices = (None if each is None else round(each * USD) for each in (limit, stop))
    return Order(name, "SPY", side, qty, kind, *prices, tif=tif, leg=leg, parent_id=parent)


class Open(SimulatedMarket):
    """A simulated market that asks nobody for a permit."""

    __slots__ = ()

    def _require(self, permit: Permit, order: Order, now: int) -> None:
        """Whoever sends may send."""


PASS: Permit = object.__new__(Permit)


@dataclass
class Floor:
    """A market, and all that it said."""

    costs: CostModel = FREE
    latency: LatencyBars = PROMPT
    rules: FillRules = WHOLE
    told: list[Event] = field(default_factory=list)
    # Orders that are sent as soon as another one has filled, by its id.
    children: Mapping[str, Sequence[Order]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.market = Open(self.costs, self.latency, epoch=0, bundle="", rules=self.rules)

    def send(self, *orders: Order, at: int = 0) -> None:
        """Submit orders, whatever the market makes of them."""
        self.told += [self.market.submit(PASS, each, at) for each in orders]

    def change(self, order: Order, at: int = 0) -> None:
        """Change an order."""
        self._hear([answer] if (answer := self.market.replace(PASS, order, at)) else [], at)

    def cancel(self, name: str, at: int = 0) -> None:
        """Cancel an order."""
        self._hear([answer] if (answer := self.market.cancel(name, "SPY", "why", at)) else [], at)

    def show(self, *bars: Bar, began: int | None = None) -> list[Event]:
        """Show bars as a run would, each open 9 before its end; returns what the market said of them."""
        before = len(self.told)
        for each in bars:
            start = each.end - 9
            self._hear(self.market.open(each, start, began), start)
            born = False
            while self.market.special and (answers := self.market.within(each, born=born)):
                self._hear(answers, each.end)
                born = True
            self._hear(self.market.over(each), each.end)
        return self.told[before:]

    def _hear(self, events: Iterable[Event], at: int) -> None:
        for event in events:
            self.told.append(event)
            if isinstance(event, Filled):
                self.send(*self.children.get(event.client_order_id, ()), at=at)

    @property
    def fills(self) -> list[Fill]:
        """All fills so far."""
        return [each.fill for each in self.told if isinstance(each, Filled)]

    def prices(self) -> list[float]:
        """The prices of all fills, in dollars."""
        return [each.price / USD for each in self.fills]


def equity(fills: Sequence[Fill], close: int, capital: int = 10**15) -> int:
    """What an account comes to after these fills when all it holds is worth `close` a share."""
    ledger = Ledger(capital)
    for number, fill in enumerate(fills):
        ledger.mark(fill.symbol, fill.price)
        ledger.apply_fill(replace(fill, fill_id=str(number)))
    if ledger.positions:
        ledger.mark("SPY", close)
    return ledger.equity()
