"""Between two prices nothing that is allowed takes a position over a cap, whatever fills, splits, pays or is cancelled.

A state machine over the real engine, like the one in test_caps_hold.py, that looks after every event and not only when
an order leaves: as long as no price has changed, the largest position that can come of what works is no larger than the
cap allowed at that price, or than it was when the price came. (A price may take a position over its cap; then nothing
but a way out is allowed.)

What a cap allows is measured on the equity of that price. What fills cost since then, which no cap takes off in
advance, is not in it: by so much, at most the part that the cap is of what execution may cost, exposure over equity can
come to lie above the cap before the next price is judged.
"""

from __future__ import annotations

from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from mqk.engine import Cancelled, CorporateAction, Effect, Filled
from mqk.orders import Side
from mqk.portfolio import Fill
from mqk.quantity import Ratio
from tests.acceptance import test_caps_hold as machine
from tests.engine.worlds import DAY, USD

RATIOS = st.sampled_from([Fraction(2), Fraction(3, 2), Fraction(7), Fraction(1, 2), Fraction(1, 10)])


class Between(machine.Caps):
    """Fills here leave the price where it was, and shares go ex now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.ex = DAY
        self.taken()

    def taken(self) -> None:
        """A price has come: what may be held from here on."""
        assert isinstance(self.position, Ratio)
        assert isinstance(self.gross, Ratio)
        equity = self.desk.state.ledger.equity()
        self.room = dict.fromkeys(self.prices, self.position.value * equity)
        self.base = {symbol: self.book.most(symbol) * price for symbol, price in self.prices.items()}
        self.gross_room = max(self.gross.value * equity, Fraction(sum(self.base.values())))

    @rule(symbol=st.sampled_from(machine.SYMBOLS), price=st.integers(50, 400), shares=st.integers(-150, 150))
    def bar(self, symbol: str, price: int, shares: int) -> None:
        """A bar at which the strategy wants something: the price first, then what is allowed at it."""
        self.minute += 1
        self.prices[symbol] = price * USD
        effects = self.desk.bar(symbol, self.minute, price * USD)
        self.told(effects)
        self.taken()
        self.minute += 1
        self.told(self.desk.want({symbol: shares}, symbol, self.minute, price * USD))

    @rule(symbol=st.sampled_from(machine.SYMBOLS), price=st.integers(50, 400), past=st.integers(-1, 2))
    def brim(self, symbol: str, price: int, past: int) -> None:
        """A bar at which the strategy wants as much as the cap allows, a share less, or more."""
        self.minute += 1
        self.prices[symbol] = price * USD
        self.told(self.desk.bar(symbol, self.minute, price * USD))
        self.taken()
        worst = self.desk.state.costs.worst_price(Side.BUY, price * USD)
        self.minute += 1
        self.told(self.desk.want({symbol: int(self.room[symbol] / worst) + past}, symbol, self.minute, price * USD))

    @precondition(lambda self: self.book.working)
    @rule(choice=st.integers(0, 20), share=st.integers(1, 3), better=st.integers(0, 5))
    def fill(self, choice: int, share: int, better: int) -> None:
        """Some of an order, or all of it, while the market stays where it was."""

        def make(entry: machine.Entry) -> list[Effect]:
            order, state = entry.order, self.desk.state
            qty = max(1, entry.left // share)
            price = max(1, entry.worst - order.side.sign * better * USD)
            entry.left -= qty
            self.book.held[order.symbol] += order.side.sign * qty
            name = order.client_order_id
            if not entry.left:
                del self.book.working[name]
            made = Fill(f"{name}-{entry.events}", name, order.symbol, order.side.value, qty, price, 0, state.now)
            return self.desk.tell(Filled(made, name, mark=self.prices[order.symbol]))

        self.answer(choice, make)

    @precondition(lambda self: self.prices)
    @rule(
        symbol=st.sampled_from(machine.SYMBOLS),
        split=st.one_of(st.just(Fraction(1)), RATIOS),
        cents=st.integers(0, 200),
    )
    def go_ex(self, symbol: str, split: Fraction, cents: int) -> None:
        """Shares go ex: a split, a dividend, or both; what is left of an order is told by the broker."""
        if symbol not in self.prices:
            return
        self.ex += 1
        state, before = self.desk.state, self.desk.state.ledger.equity()
        dividend = min(Fraction(cents * 10_000), self.prices[symbol] / split / 2)
        self.told(self.desk.tell(CorporateAction(symbol, self.ex, state.now, split, dividend)))
        assert 0 <= before - state.ledger.equity() <= abs(state.ledger.qty(symbol)) + 2
        price = state.ledger.last_mark(symbol)
        assert price is not None
        # A micro a share is what rounding a price, up where shares are owed, can come to.
        rounding = self.book.most(symbol) * split + 1
        self.prices[symbol] = price
        self.room[symbol] += rounding
        self.base[symbol] += int(rounding) + 1
        self.gross_room += rounding
        held = self.book.held[symbol]
        self.book.held[symbol] = int(held * split)
        for name, entry in list(self.book.working.items()):
            if entry.order.symbol != symbol or split == 1:
                continue
            left = int(entry.left * split)
            if not left:
                del self.book.working[name]
                self.told(self.desk.tell(Cancelled(name, "a split left nothing of it", state.now)))
                continue
            entry.order, entry.left = state.working[name], left
            entry.worst = state.worst_prices[name]

    @invariant()
    def nothing_is_over_a_cap_that_no_price_took_it_over(self) -> None:
        """As long as no price has come."""
        for symbol, price in self.prices.items():
            assert self.book.most(symbol) * price <= max(self.room[symbol], Fraction(self.base[symbol]))
        gross = sum(self.book.most(symbol) * price for symbol, price in self.prices.items())
        assert gross <= self.gross_room
        assert self.desk.state.account.gross_exposure == gross


class ShortBetween(Between):
    """The same with short positions allowed."""

    allow_short = True


TestBetween = Between.TestCase
TestShortBetween = ShortBetween.TestCase
TestBetween.settings = TestShortBetween.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
