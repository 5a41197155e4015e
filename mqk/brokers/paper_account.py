"""A paper account in memory: the simulated market it trades on, its cash and shares, and what it has to tell.

What lives here: one moment of the market, or one request, to what becomes of the account. The market is the one that
backtests trade on. What does not: keeping it (paper_rows.py, paper.py), and who may ask for anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mqk.brokers.messages import BrokerEvent
from mqk.engine import Accepted, BorrowCharged, Cancelled, Expired, Filled, Rejected
from mqk.orders import OrderStatus
from mqk.portfolio import Dividend, Fill, Ledger, Split
from mqk.venue import KeptMarket, Part, ended, within

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from mqk.engine import CorporateAction, Event, Permit
    from mqk.orders import CostModel, Order
    from mqk.policy import LatencyBars
    from mqk.venue import FillRules, Moment, Overnight, Resting

REQUESTED: Final = "cancelled on request"
_NAMES: Final = {Accepted: "accepted", Cancelled: "cancelled", Expired: "expired"}


class Told(NamedTuple):
    """Something that the account tells: its place among all that it told, its own name for it, and what it is."""

    seq: int
    message_id: str
    event: BrokerEvent


class Over(NamedTuple):
    """An order that has left the market, and how it ended."""

    resting: Resting
    status: OrderStatus


class PaperAccount:
    """One account.

    `cash` in micros, `positions` in signed shares, `market_time` in epoch microseconds; `shown` is the instant of the
    market that was shown last, and its part; `closes` are by symbol the end of its last bar and its price in micros.
    What it has to tell is left in `told`, and what has left the market in `over`, until somebody takes it away.
    """

    def __init__(
        self, costs: CostModel, latency: LatencyBars, rules: FillRules, *, epoch: int, bundle: str, cash: int = 0
    ) -> None:
        self.market = KeptMarket(costs, latency, epoch=epoch, bundle=bundle, rules=rules)
        self.cash = cash
        self.positions: dict[str, int] = {}
        self.market_time = 0
        self.shown: tuple[int, Part] = (0, Part.ENDED)
        self.closes: dict[str, tuple[int, int]] = {}
        self.last_message = 0
        self.told: list[Told] = []
        self.over: dict[str, Over] = {}
        self._known: dict[str, Resting] = {}
        self._ends: dict[str, OrderStatus] = {}

    def know(self, resting: Iterable[Resting]) -> None:
        """Know orders that came to rest at the market in another process."""
        self._known |= {each.order.client_order_id: each for each in resting}

    def show(self, moment: Moment, until: Part) -> Part:
        """Show a moment of the market up to a part, or to the first in which something happens; which one it was.

        What was shown before changes nothing, so that showing may be repeated.
        """
        at, part = self.shown
        if moment.at < at:
            return until
        following = part if part is Part.HURT else part + 1
        if moment.at > at:
            following = Part.OPENED if moment.overnight is None else Part.CLOSED
        for each in Part:
            if following <= each <= until:
                self.shown = moment.at, each
                events = self._pass(moment, each)
                if events:
                    self._tell(events)
                    break
        return self.shown[1]

    def submit(self, permit: Permit, order: Order) -> str | None:
        """Take an order that the account does not know yet: None, or why it was rejected."""
        if order.symbol not in self.closes:
            return f"`{order.symbol}` is not traded here"
        answer = self.market.submit(permit, order, self.market_time)
        if isinstance(answer, Rejected):
            return answer.reason
        resting = self.market.find(order.client_order_id, order.symbol)
        assert resting is not None
        self.know([resting])
        self._tell([answer])
        return None

    def cancel(self, resting: Resting, began: int | None) -> None:
        """Take an order back, or have it taken back as soon as that has reached the market.

        `began` is when the bar of its symbol began that is in progress, if one is.
        """
        order = resting.order
        if resting.cancel is None:
            self._answer(self.market.cancel(order.client_order_id, order.symbol, REQUESTED, self.market_time, began))

    def replace(self, permit: Permit, order: Order, began: int | None) -> None:
        """Change an order, or have it changed as soon as that has reached the market; `began` as for `cancel`."""
        self._answer(self.market.replace(permit, order, self.market_time, began))

    def resting(self, client_order_id: str) -> Resting | None:
        """The order of this id, while it is at the market."""
        return self._known.get(client_order_id)

    def _pass(self, moment: Moment, part: Part) -> list[Event]:
        """What happens in one part of a moment."""
        market, bars, overnight = self.market, [bar for bar, _ in moment.bars], moment.overnight
        match part:
            case Part.CLOSED:
                if overnight is None or overnight.closed is None:
                    return []
                self._come_to(overnight.closed)
                return market.expire(overnight.closed, self.market_time)
            case Part.BEGUN:
                return [] if overnight is None else self._overnight(overnight)
            case Part.OPENED:
                return self._open(moment)
            case Part.PASSED | Part.HURT:
                self._come_to(moment.at)
                return within(market, bars, born=part is Part.HURT)
            case Part.ENDED:
                self._come_to(moment.at)
                self.closes |= {bar.symbol: (bar.end, bar.close) for bar in bars if bar.tradable}
                return ended(market, bars, moment.closes)

    def _overnight(self, overnight: Overnight) -> list[Event]:
        """What was borrowed costs a night, and what goes ex does."""
        events: list[Event] = []
        self._come_to(overnight.opens)
        for event in overnight.events:
            symbol = event.symbol
            qty = self.positions.get(symbol, 0)
            if isinstance(event, BorrowCharged):
                self.cash += _paid(symbol, qty, event.per_share)
                continue
            if qty:
                _, price = self.closes[symbol]
                self.positions[symbol], cash = held(symbol, qty, price, event)
                self.cash += cash
            if event.split != 1:
                events += self.market.split(symbol, event.split, event.at)
        return events

    def _open(self, moment: Moment) -> list[Event]:
        events: list[Event] = []
        latest = self.market_time
        for bar, began in moment.bars:
            if bar.tradable:
                at = max(began, self.market_time)
                happened = self.market.open(bar, at, began)
                latest = max(latest, at) if happened else latest
                events += happened
        self._come_to(latest)
        return events

    def _come_to(self, instant: int) -> None:
        """The market's time is never an earlier one than it was."""
        self.market_time = max(self.market_time, instant)

    def _answer(self, answer: Event | None) -> None:
        if answer is not None:
            self._tell([answer])

    def _tell(self, events: Iterable[Event]) -> None:
        """Leave what happened to orders to be told, with what it does to cash and shares."""
        for event in events:
            assert isinstance(event, BrokerEvent)
            key = event.client_order_id
            self.last_message += 1
            kind = type(event)
            name = _NAMES.get(kind, f"{kind.__name__.lower()}-{self.last_message}")
            if isinstance(event, Filled):
                fill = event.fill
                signed = fill.qty if fill.side == "BUY" else -fill.qty
                self.cash -= signed * fill.price + fill.fee
                self.positions[fill.symbol] = self.positions.get(fill.symbol, 0) + signed
                name = f"fill-{fill.fill_id.rpartition('-')[2]}"
                resting = self._known.get(key)
                if resting is not None and resting.plain:
                    # It is gone whole, and the market does not count what it will not ask for again.
                    resting.filled = fill.qty
            elif isinstance(event, Cancelled | Expired):
                self._ends[key] = OrderStatus.CANCELLED if isinstance(event, Cancelled) else OrderStatus.EXPIRED
            self.told.append(Told(self.last_message, f"{key}:{name}", event))
        for key, resting in tuple(self._known.items()):
            if self.market.find(key, resting.order.symbol) is None:
                # What others of its bracket have traded in its place ends an order without a word.
                quiet = OrderStatus.FILLED if resting.filled else OrderStatus.CANCELLED
                self.over[key] = Over(self._known.pop(key), self._ends.pop(key, quiet))


def held(symbol: str, qty: int, price: int, action: CorporateAction) -> tuple[int, int]:
    """Signed shares after what went ex, and the cash in micros that came of it, as a ledger books them.

    `price` is the last one before, in micros: what a fraction of a share is paid at.
    """
    ledger = _holding(symbol, qty)
    before = ledger.cash
    if action.split != 1:
        ledger.apply(Split("split", symbol, action.split, price, 0))
    if action.dividend:
        ledger.apply(Dividend("dividend", symbol, action.dividend, 0))
    return ledger.qty(symbol), ledger.cash - before


def _paid(symbol: str, qty: int, per_share: Fraction) -> int:
    """The cash in micros that comes to whoever holds signed shares when so much is paid for each."""
    if not qty:
        return 0
    ledger = _holding(symbol, qty)
    before = ledger.cash
    ledger.apply(Dividend("paid", symbol, per_share, 0))
    return ledger.cash - before


def _holding(symbol: str, qty: int) -> Ledger:
    ledger = Ledger(0)
    ledger.apply(Fill("held", "held", symbol, "BUY" if qty > 0 else "SELL", abs(qty), 1, 0, 0))
    return ledger
