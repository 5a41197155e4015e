"""Between two prices no sequence of allowed orders breaches a cap, whatever fills at its worst, pays or is cancelled.

A state machine over the real engine that looks after every event, with books of its own: what is held, what works and
at which worst price, and what is paid for it. It holds each cap as it is written, exposure against the equity of that
very instant, with no tolerance. A price may take the book over a cap, or nearer to it than getting out would cost; what
was within it by as much when the price came, or was allowed since, stays within it until the next price comes.

Three things lie outside of the claim. A stop fills where the market has come to it, which is a price. Ways out are
free, so that none of them is refused for what it costs: of each symbol one order out, at the worst that a market order
costs, is taken off equity beforehand, and no way out here has a limit that is worse than that. And a cap on one symbol,
or one group, is not asked about orders of others: what their fills cost, to the micro, is not held against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mqk.engine import Accepted, Cancelled, CorporateAction, Effect, Filled, Rejected, Replace, Submit
from mqk.engine.events import Replaced, ReplaceRejected
from mqk.orders import Order, OrderStatus, OrderType, Side
from mqk.portfolio import Fill
from mqk.quantity import Ratio, parse_ratio
from mqk.strategies import Target
from tests.engine.worlds import DAY, USD, Desk, guards

SYMBOLS: Final = ("AAPL", "MSFT", "SPY")
TECHNOLOGY: Final = frozenset({"AAPL", "MSFT"})
# Rules that would stop the engine for good only watch, so that sequences go on.
WATCHING: Final = ("DATA-06", "LOSS-01", "LOSS-03", "RATE-05")
CAPS: Final = {"max_position": "20%", "max_gross": "45%", "max_net": "35%", "max_short": "18%", "max_group": "30%"}
SYMBOL: Final = st.sampled_from(SYMBOLS)
PRICE: Final = st.one_of(st.integers(50 * USD, 400 * USD), st.integers(USD, 3 * USD))
RATIOS: Final = st.sampled_from(
    [Fraction(1), Fraction(2), Fraction(3, 2), Fraction(7), Fraction(1, 2), Fraction(1, 10)]
)


@dataclass
class Entry:
    """One order as it went out: what of it may still fill, at which worst prices, and what it has cost so far."""

    order: Order
    dearest: int
    worst: int
    left: int
    filled: int = 0
    value: int = 0
    fees: int = 0
    events: int = 0


@dataclass
class Books:
    """The machine's own books."""

    cash: int
    held: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, 0))
    prices: dict[str, int] = field(default_factory=dict)
    working: dict[str, Entry] = field(default_factory=dict)

    def equity(self) -> int:
        """Cash and what is held at the last prices."""
        return self.cash + sum(held * self.prices.get(symbol, 0) for symbol, held in self.held.items())

    def ends(self, symbol: str) -> tuple[int, int]:
        """How high and how low the position can come, at the dearer of the price and the worst of what leads there."""
        price, found = self.prices.get(symbol, 0), []
        for side in Side:
            theirs = [e for e in self.working.values() if e.order.symbol == symbol and e.order.side is side]
            end = self.held[symbol] + side.sign * sum(e.left for e in theirs)
            found.append(end * max([price, *(e.dearest for e in theirs)] if end * side.sign > 0 else [price]))
        return found[0], found[1]

    def figures(self) -> dict[str, int]:
        """Everything that a cap is on."""
        ends = {symbol: self.ends(symbol) for symbol in SYMBOLS}
        most = {symbol: max(high, -low) for symbol, (high, low) in ends.items()}
        return {
            **{f"max_position {symbol}": most[symbol] for symbol in SYMBOLS},
            "max_gross": sum(most.values()),
            "max_net": max(abs(sum(high for high, _ in ends.values())), abs(sum(low for _, low in ends.values()))),
            "max_short": sum(max(-low, 0) for _, low in ends.values()),
            "max_group": sum(most[symbol] for symbol in TECHNOLOGY),
        }


def concerns(cap: str, symbol: str) -> bool:
    """Whether orders of a symbol are held against a cap: those on the whole book are, by all of them."""
    if cap == "max_group":
        return symbol in TECHNOLOGY
    return not cap.startswith("max_position") or cap.endswith(symbol)


class Between(RuleBasedStateMachine):
    """Any sequence of prices, wishes and answers of the broker."""

    allow_short: ClassVar[bool] = False
    overlays: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        chosen = guards(
            *((name, parse_ratio(text)) for name, text in CAPS.items()), ("allow_short", self.allow_short),
            shadow=WATCHING, overlays=self.overlays, also=("CAP-03", "CAP-04", "CAP-16"),
        )  # fmt: skip
        self.desk = Desk(chosen)
        self.ratios: dict[str, Fraction] = {}
        for name in Books(0).figures():
            limit = chosen.bundle.limits[name.partition(" ")[0]].value
            assert isinstance(limit, Ratio)
            self.ratios[name] = limit.value
        self.books = Books(self.desk.state.ledger.cash)
        self.minute, self.ex = 0, DAY
        self.within: set[str] = set()
        # By cap, what fills of symbols that it is not on have taken off equity since it was last held against.
        self.paid: dict[str, int] = {}
        self.taken()

    def taken(self) -> None:
        """A price has come: which caps the book is within, with all that is still to be paid taken off."""
        self.desk.state.show_all()
        left = self.books.equity() - self.desk.state.account.close_out_costs
        figures = self.books.figures()
        self.paid = dict.fromkeys(self.ratios, 0)
        self.within = {name for name, ratio in self.ratios.items() if figures[name] <= ratio * left}

    def told(self, effects: list[Effect]) -> None:
        """Take in what goes out to the market. What adds was held against the caps."""
        for effect in effects:
            if isinstance(effect, Submit):
                order, worst = effect.order, effect.worst_price
                self.books.working[order.client_order_id] = Entry(order, worst, worst, order.qty)
            elif isinstance(effect, Replace):
                order, entry = effect.order, self.books.working[effect.order.client_order_id]
                assert order.limit_price is not None
                entry.dearest = max(entry.dearest, order.limit_price)
                if order.side is Side.BUY:
                    entry.worst = max(entry.worst, order.limit_price)
            else:
                continue
            if not order.reduce_only:
                held = {name for name in self.ratios if concerns(name, order.symbol)}
                self.within |= held
                self.paid |= dict.fromkeys(held, 0)

    def price(self, symbol: str, price: int) -> None:
        """A bar at which nobody wants anything."""
        self.minute += 1
        self.books.prices[symbol] = price
        self.told(self.desk.bar(symbol, self.minute, price))
        self.taken()

    def want(self, symbol: str, wishes: dict[str, int | Target]) -> None:
        """A bar of the same price, at which the strategy wants these positions."""
        self.minute += 1
        self.desk.wishes = wishes
        self.told(self.desk.bar(symbol, self.minute, self.books.prices[symbol]))
        self.desk.wishes = {}

    def aimed(self, symbol: str, shares: int, basis_points: int | None) -> int | Target:
        """A wish for shares: at a limit so far from the market, unless that is a way out at a worse than the worst."""
        line, price = self.desk.state.lines[symbol], self.books.prices[symbol]
        buying = shares > line.qty + line.committed()[0] - line.committed()[1]
        if basis_points is None or (line.reducible(buying=buying) and (basis_points > 0) is buying):
            return shares
        return Target(shares, type=OrderType.LIMIT, limit_price=price + price * basis_points // 10_000)

    @rule(symbol=SYMBOL, price=PRICE, shares=st.integers(-150, 150), basis_points=st.none() | st.integers(-1000, 1000))
    def bar(self, symbol: str, price: int, shares: int, basis_points: int | None) -> None:
        """A price, and then a wish."""
        self.price(symbol, price)
        self.want(symbol, {symbol: self.aimed(symbol, shares, basis_points)})

    @precondition(lambda self: self.books.prices)
    @rule(
        symbol=SYMBOL, cap=st.sampled_from(sorted(CAPS)), past=st.integers(-3, 3), short=st.booleans(),
        basis_points=st.none() | st.integers(-200, 1000), others=st.booleans(), share=st.integers(0, 2),
    )  # fmt: skip
    def brim(
        self, symbol: str, cap: str, past: int, *, short: bool, basis_points: int | None, others: bool, share: int
    ) -> None:
        """At the prices there are, as much as a cap leaves room for, a few shares less, or more; and less of others."""
        books = self.books
        if symbol not in books.prices:
            return
        self.price(symbol, books.prices[symbol])
        state, sign = self.desk.state, -1 if short else 1
        ratio = self.ratios.get(cap, self.ratios["max_position SPY"])
        figures, price = books.figures(), books.prices[symbol]
        used = figures[cap if cap in figures else f"{cap} {symbol}"]
        room = ratio * (books.equity() - state.account.close_out_costs) - used
        worst = state.costs.worst_price(Side.BUY, price)
        fees = Fraction(state.costs.fees.of(1000, 1000 * worst), 1000)
        # A share takes room, and with what it costs, in and out, makes the room less.
        most = int(room / (max(worst, price) + 2 * ratio * (worst - price + fees)))
        shares = state.lines[symbol].qty + sign * (max(most, 0) + past)
        wishes = {symbol: self.aimed(symbol, shares, None if basis_points is None else sign * basis_points)}
        for other in books.prices if others else ():
            if other != symbol:
                wishes[other] = books.held[other] * share // 2
        self.want(symbol, wishes)

    def answer(self, choice: int, make: Callable[[str, Entry], list[Effect]]) -> None:
        """The broker says something about one of the working orders."""
        entries = list(self.books.working.items())
        name, entry = entries[choice % len(entries)]
        entry.events += 1
        self.told(make(name, entry))

    @precondition(lambda self: self.books.working)
    @rule(choice=st.integers(0, 20), share=st.integers(1, 3), better=st.sampled_from([0, 0, 0, 1, USD, 20 * USD]))
    def fill(self, choice: int, share: int, better: int) -> None:
        """Some of an order, or all of it, at its worst price or a better one, while the market stays where it was."""

        def make(name: str, entry: Entry) -> list[Effect]:
            order, state, books = entry.order, self.desk.state, self.books
            qty = max(1, entry.left // share)
            price = max(1, entry.worst - order.side.sign * better)
            entry.left -= qty
            entry.filled, entry.value = entry.filled + qty, entry.value + qty * price
            fee = state.costs.fees.of(entry.filled, entry.value) - entry.fees
            entry.fees += fee
            books.held[order.symbol] += order.side.sign * qty
            books.cash -= order.side.sign * qty * price + fee
            cost = order.side.sign * qty * (price - books.prices[order.symbol]) + fee
            for cap in self.ratios:
                self.paid[cap] += 0 if concerns(cap, order.symbol) else cost
            if not entry.left:
                del books.working[name]
            made = Fill(f"{name}-{entry.events}", name, order.symbol, order.side.value, qty, price, fee, state.now)
            return self.desk.tell(Filled(made, name, mark=books.prices[order.symbol]))

        self.answer(choice, make)

    @precondition(lambda self: self.books.working)
    @rule(choice=st.integers(0, 20), kind=st.sampled_from(["accept", "accept", "refuse", "end"]))
    def say(self, choice: int, kind: str) -> None:
        """An order is accepted, or a change of it is; a change, or the order, is refused; it is off the market."""

        def make(name: str, entry: Entry) -> list[Effect]:
            order, now = self.desk.state.working[name], self.desk.state.now
            if kind == "end":
                del self.books.working[name]
                untouched = entry.left == entry.order.qty and order.status is OrderStatus.NEW
                return self.desk.tell(Rejected(name, "", now) if untouched else Cancelled(name, "", now))
            if order.status is OrderStatus.PENDING_REPLACE:
                if kind == "refuse":
                    return self.desk.tell(ReplaceRejected(name, "", now))
                entry.worst = order.replace_limit or entry.worst
                assert order.replace_qty is not None
                return self.desk.tell(Replaced(name, order.replace_qty, order.replace_limit, None, now))
            return self.desk.tell(Accepted(name, now)) if order.status is OrderStatus.NEW else []

        self.answer(choice, make)

    @precondition(lambda self: self.books.prices)
    @rule(symbol=SYMBOL, split=RATIOS, cents=st.integers(0, 200))
    def go_ex(self, symbol: str, split: Fraction, cents: int) -> None:
        """Shares go ex: a split, a dividend, or both, and with them the price; what is left of an order is told."""
        books, state = self.books, self.desk.state
        if symbol not in books.prices:
            return
        self.ex += 1
        dividend = min(Fraction(cents * 10_000), books.prices[symbol] / split / 2)
        self.told(self.desk.tell(CorporateAction(symbol, self.ex, state.now, split, dividend)))
        price = state.ledger.last_mark(symbol)
        assert price is not None
        books.prices[symbol], books.held[symbol], books.cash = price, state.ledger.qty(symbol), state.ledger.cash
        for name, entry in list(books.working.items()):
            if entry.order.symbol != symbol or split == 1:
                continue
            left = int(entry.left * split)
            if not left:
                del books.working[name]
                self.told(self.desk.tell(Cancelled(name, "a split left nothing of it", state.now)))
                continue
            order = entry.order = state.working[name]
            entry.left, entry.dearest = left, state.worst_prices[name]
            limit = order.limit_price
            entry.worst = entry.dearest if limit is None or order.side is Side.BUY else min(entry.dearest, limit)
        self.taken()

    @invariant()
    def no_cap_is_breached(self) -> None:
        """That the book was within when the last price came, or that anything was held against since."""
        equity, figures = self.books.equity(), self.books.figures()
        assert equity == self.desk.state.ledger.equity()
        for name in sorted(self.within):
            assert figures[name] <= self.ratios[name] * (equity + self.paid[name]), name

    @invariant()
    def the_engine_knows_all_of_it(self) -> None:
        """Its figures are those of these books; and what it may buy, it can pay."""
        state, figures = self.desk.state, self.books.figures()
        state.show_all()
        account = state.account
        assert set(state.working) == set(self.books.working)
        assert {symbol: state.ledger.qty(symbol) for symbol in SYMBOLS} == self.books.held
        shown = (account.gross_exposure, account.net_exposure, account.short_exposure)
        assert shown == (figures["max_gross"], figures["max_net"], figures["max_short"])
        assert self.allow_short or account.working_buy_value <= account.cash


class BetweenDear(Between):
    """The same with fees by the order, by the share and by the value, and twice the costs."""

    overlays = ("fees_high", "slippage_x2")


class BetweenShort(Between):
    """The same with short positions allowed."""

    allow_short = True


class BetweenShortDear(BetweenDear):
    """Both."""

    allow_short = True


TestBetween = Between.TestCase
TestBetweenDear = BetweenDear.TestCase
TestBetweenShort = BetweenShort.TestCase
TestBetweenShortDear = BetweenShortDear.TestCase
for _case in (TestBetween, TestBetweenDear, TestBetweenShort, TestBetweenShortDear):
    _case.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
