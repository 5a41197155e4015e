"""No sequence of orders, fills, cancels, rejects and kills gets round a cap: a state machine over the real engine.

The machine keeps a book of its own - what was ordered, what filled, what is over - and asks of every order that the
engine lets go whether all that could fill by then, at the worst, is within the limits as they are written. Rules that
would stop the engine for good only watch, so that sequences go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mqk.engine import Cancelled, Effect, KillSwitch, Rejected, Submit
from mqk.orders import Order, Side
from mqk.quantity import Ratio, parse_ratio
from tests.engine.worlds import USD, Desk, guards

SYMBOLS: Final = ("AAPL", "QQQ", "SPY")
WATCHING: Final = ("DATA-06", "LOSS-01", "LOSS-03", "RATE-05")


@dataclass
class Entry:
    """One order as it went out: what of it may still fill, and at what price it was judged."""

    order: Order
    worst: int
    left: int
    events: int = 0


@dataclass
class Shadow:
    """The machine's own book."""

    held: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, 0))
    working: dict[str, Entry] = field(default_factory=dict)

    def most(self, symbol: str) -> int:
        """The largest position, in shares, that can come of what works."""
        buys, sells = (
            sum(e.left for e in self.working.values() if e.order.symbol == symbol and e.order.side is side)
            for side in (Side.BUY, Side.SELL)
        )
        return max(abs(self.held[symbol] + buys), abs(self.held[symbol] - sells))


class Caps(RuleBasedStateMachine):
    """Any sequence of moves; every order that leaves is held against the caps."""

    allow_short = False

    def __init__(self) -> None:
        super().__init__()
        # Three symbols at a fifth each would never come near the whole of the equity.
        chosen = guards(("allow_short", self.allow_short), ("max_gross", parse_ratio("45%")), shadow=WATCHING)
        self.desk = Desk(chosen)
        limits = chosen.bundle.limits
        self.position, self.gross = (limits[name].value for name in ("max_position", "max_gross"))
        self.book = Shadow()
        self.prices: dict[str, int] = {}
        self.minute = 0
        self.killed = False

    def told(self, effects: list[Effect]) -> None:
        """Take the orders among the effects into the book, each held against the caps before the next."""
        for effect in effects:
            if isinstance(effect, Submit):
                order = effect.order
                before = self.book.most(order.symbol)
                self.book.working[order.client_order_id] = Entry(order, effect.worst_price, order.qty)
                if self.book.most(order.symbol) > before or self.grows(order):
                    self.entered(order, effect.worst_price)

    def grows(self, order: Order) -> bool:
        """Whether an order can do more than bring its position nearer to zero."""
        held, side = self.book.held[order.symbol], order.side
        same = sum(
            e.left for e in self.book.working.values() if e.order.symbol == order.symbol and e.order.side is side
        )
        return held * side.sign >= 0 or same > abs(held)

    def entered(self, order: Order, worst: int) -> None:
        """Hold an order that adds against every cap there is on it."""
        assert not self.killed
        assert isinstance(self.position, Ratio)
        assert isinstance(self.gross, Ratio)
        equity = self.desk.state.ledger.equity()
        price = max(worst, self.prices[order.symbol])
        assert self.book.most(order.symbol) * price <= self.position.value * equity
        gross = sum(self.book.most(symbol) * self.prices[symbol] for symbol in self.prices)
        assert gross <= self.gross.value * equity
        if not self.allow_short:
            sells = sum(
                e.left
                for e in self.book.working.values()
                if e.order.symbol == order.symbol and e.order.side is Side.SELL
            )
            assert self.book.held[order.symbol] - sells >= 0
        spent = sum(e.left * e.worst for e in self.book.working.values() if e.order.side is Side.BUY)
        if order.side is Side.BUY:
            assert spent <= self.desk.state.ledger.cash

    @rule(symbol=st.sampled_from(SYMBOLS), price=st.integers(50, 400), shares=st.integers(-150, 150))
    def bar(self, symbol: str, price: int, shares: int) -> None:
        """A bar at which the strategy wants something."""
        self.minute += 1
        self.prices[symbol] = price * USD
        self.told(self.desk.want({symbol: shares}, symbol, self.minute, price * USD))

    def answer(self, choice: int, make: Callable[[Entry], list[Effect]]) -> None:
        """The broker says something about one of the working orders."""
        entries = list(self.book.working.values())
        entry = entries[choice % len(entries)]
        entry.events += 1
        self.told(make(entry))

    @precondition(lambda self: self.book.working)
    @rule(choice=st.integers(0, 20), share=st.integers(1, 3), better=st.integers(0, 5))
    def fill(self, choice: int, share: int, better: int) -> None:
        """Some of an order, or all of it, at the price it was judged at or a better one."""

        def make(entry: Entry) -> list[Effect]:
            order = entry.order
            qty = max(1, entry.left // share)
            price = max(1, entry.worst - order.side.sign * better * USD)
            entry.left -= qty
            self.book.held[order.symbol] += order.side.sign * qty
            if not entry.left:
                del self.book.working[order.client_order_id]
            self.prices[order.symbol] = price
            return self.desk.fill(order, price, qty, name=str(entry.events))

        self.answer(choice, make)

    @precondition(lambda self: self.book.working)
    @rule(choice=st.integers(0, 20), reject=st.booleans())
    def end(self, choice: int, reject: bool) -> None:
        """An order is off the market: cancelled, or rejected when nothing of it has filled."""

        def make(entry: Entry) -> list[Effect]:
            name = entry.order.client_order_id
            del self.book.working[name]
            now = self.desk.state.now
            untouched = entry.left == entry.order.qty
            return self.desk.tell(Rejected(name, "", now) if reject and untouched else Cancelled(name, "", now))

        self.answer(choice, make)

    @rule(on=st.booleans())
    def kill(self, on: bool) -> None:
        """The kill switch, one way or the other."""
        self.killed = on
        self.told(self.desk.tell(KillSwitch(on, "operator", self.desk.state.now)))

    @invariant()
    def the_books_agree(self) -> None:
        """What the machine believes is what the engine believes."""
        state = self.desk.state
        for symbol, held in self.book.held.items():
            assert state.ledger.qty(symbol) == held
        assert set(state.working) == set(self.book.working)


class ShortCaps(Caps):
    """The same with short positions allowed."""

    allow_short = True


TestCaps = Caps.TestCase
TestShortCaps = ShortCaps.TestCase
TestCaps.settings = TestShortCaps.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
