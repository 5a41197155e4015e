"""Runs at random in which, after every instant, the engine's books are compared with what rests at the market.

What lives here: worlds of random bars, wishes, splits, faults and latency by a seed, and everything that must hold of
books and market. What does not: how many seeds are run (test_agreement.py, and `make fuzz`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any
from unittest import mock

from mqk.backtest import run_backtest, runner
from mqk.engine.linkage import links
from mqk.guards import GuardSet, compile_bundle
from mqk.market import Bar, Ex
from mqk.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from mqk.policy import Faults, LatencyBars
from mqk.quantity import parse_ratio
from mqk.strategies import Context, Target
from tests.engine.worlds import USD, daily, guards, host

MODES = ("l", "p", "s", "lp", "ls", "ps", "lps", "e", "el", "ep", "elp", "elps")
"""What goes wrong: `l` orders, changes and cancels come late; `p` they fill in parts, or are rejected; `s` splits; `e`
the market links no orders, and it is for the engine to keep those of one position apart."""

_PENDING = (OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)
_RATIOS = (Fraction(2), Fraction(3), Fraction(1, 2), Fraction(3, 2), Fraction(1, 7))
# So many wishes of the past may still be on their way.
_WISHES = 6


@dataclass
class Findings:
    """What did not hold in one run: each kind once, with the first time that it was seen."""

    seed: int
    mode: str
    found: dict[str, str] = field(default_factory=dict)

    def told(self) -> str:
        """The findings in words."""
        return "\n".join(f"seed {self.seed}, mode `{self.mode}`: {kind}: {what}" for kind, what in self.found.items())

    def add(self, kind: str, *what: object) -> None:
        """Remember the first of a kind."""
        self.found.setdefault(kind, ", ".join(map(str, what)))


def compared(seed: int, mode: str) -> Findings:
    """Run one random world, and compare books and market after every instant of it."""
    chance = random.Random(f"{seed} {mode}")
    findings = Findings(seed, mode)
    wanted: dict[str, list[int]] = {}
    held: dict[str, int] = {}

    class Watched(runner._Run):
        def _play_one(self, group: Sequence[Bar], *, opened: bool = False) -> None:
            super()._play_one(group, opened=opened)
            _compare(self._state, self._market, findings, splits="s" in mode)
            for symbol, line in self._state.lines.items():
                before, qty, wishes = held.get(symbol, 0), line.qty, wanted.get(symbol, ())
                grown = abs(qty) > abs(before) or qty * before < 0
                if grown and not min(0, *wishes, 0) <= qty <= max(0, *wishes, 0) and "s" not in mode:
                    findings.add("came to hold more than was wanted", symbol, before, qty, wishes)
                held[symbol] = qty

    with mock.patch.object(runner, "_Run", Watched):
        summary = run_backtest(_guards(chance, mode), _bars(chance, mode), host=host(_wish(chance, wanted), 5))
    if summary.failed is not None:
        findings.add("aborted", summary.failed)
    return findings


def differences(world: tuple[int, str]) -> str:
    """What does not hold in the world of a seed and a mode, in words: empty where all does."""
    return compared(*world).told()


def _compare(state: Any, market: Any, findings: Findings, *, splits: bool) -> None:
    """Everything that must hold between two instants."""
    ledger = state.ledger
    equity = ledger.initial_cash + ledger.transfers + ledger.dividends
    equity += ledger.realised + ledger.unrealised() - ledger.fees
    if not equity == ledger.equity() == state.account.equity:
        findings.add("equity", equity, ledger.equity(), state.account.equity)
    resting = {each.order.client_order_id: each for book in market._books.values() for each in book.orders}
    for name, order in state.working.items():
        rests = resting.pop(name, None)
        if rests is None:
            findings.add("at work, and not at the market", name, order.status, order.qty, order.filled, order.reduced)
        elif order.status not in _PENDING and _figures(order) != _figures(rests.as_it_stands()):
            findings.add("books and market differ", name, _figures(order), _figures(rests.as_it_stands()))
    for name in resting:
        findings.add("at the market, and not at work", name, state.orders[name].status)
    for symbol, line in state.lines.items():
        for bracket in line.brackets.values():
            held = line.qty if bracket.side is Side.SELL else -line.qty
            stop = state.working.get(bracket.stop)
            covered = 0 if stop is None else stop.leaves
            if not links(state):
                covered = sum(each.leaves for each in state.working_of(symbol, bracket.side) if each.reduce_only)
                # A split rounds every lot down, and orders as they are: they follow once they can be changed.
                if covered > max(held, 0) and not splits:
                    findings.add("more at work than is held", symbol, held, covered)
            if bracket.protect is not None and covered < held and symbol not in state.exposed:
                findings.add("not protected, and nobody looks after it", symbol, held, covered)


def _figures(order: Order) -> tuple[object, ...]:
    return order.qty, order.filled, order.reduced, order.limit_price, order.stop_price


def _guards(chance: random.Random, mode: str) -> GuardSet:
    """The shipped guards, with rules about bars that only watch, and what goes wrong in this mode."""
    watching = tuple(f"DATA-{number}" for number in ("01", "03", "04", "05", "05b", "06", "07", "08"))
    watching = (*watching, "LOSS-01", "LOSS-03", "RATE-05")
    set_ = guards(("allow_short", True), ("max_position", parse_ratio("100%")), shadow=watching)
    execution = set_.bundle.execution
    if "l" in mode:
        execution = replace(execution, latency_bars=LatencyBars(*(chance.randint(0, 1) for _ in range(3))))
    if "p" in mode:
        faults = Faults(7, parse_ratio("10%"), parse_ratio("40%"))
        execution = replace(execution, participation=parse_ratio("5%"), faults=faults)
    if "e" in mode:
        execution = replace(execution, linking="engine")
    return compile_bundle(replace(set_.bundle, execution=execution))


def _bars(chance: random.Random, mode: str) -> list[Bar]:
    """Forty days of two symbols that move some percent a day, thinly traded now and then."""
    bars = []
    for symbol in ("QQQ", "SPY"):
        price = 100 * USD
        for day, bar in enumerate(daily(symbol, [100 * USD] * 40)):
            ex = None
            if "s" in mode and day > 3 and chance.random() < 0.08:
                ratio = chance.choice(_RATIOS)
                price, ex = int(price / ratio), Ex(ratio, chance.choice((Fraction(0), Fraction(12345))))
            open_ = _near(chance, price, -40, 40)
            price = _near(chance, open_, -40, 40)
            high, low = _near(chance, max(open_, price), 0, 30), _near(chance, min(open_, price), -30, 0)
            volume = chance.choice((100, 3000, 10**6))
            bars.append(replace(bar, open=open_, high=high, low=low, close=price, volume=volume, ex=ex))
    return bars


def _near(chance: random.Random, price: int, least: int, most: int) -> int:
    """A price so many thousandths away, at least a cent."""
    return max(price * (1000 + chance.randint(least, most)) // 1000, USD // 100)


def _wish(chance: random.Random, wanted: dict[str, list[int]]) -> Any:
    """A strategy that wants anything, by orders of every kind, guarded or not, and changes its mind."""

    def wish(context: Context) -> Mapping[str, Target] | None:
        if chance.random() < 0.5:
            return None
        price, qty = context.bar.close, chance.choice((0, 0, 50, 100, -50, -100, 37))
        kind = chance.choice(list(OrderType))
        terms: dict[str, int] = {}
        if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT):
            terms["limit_price"] = _near(chance, price, -30, 30)
        if kind in (OrderType.STOP, OrderType.STOP_LIMIT):
            terms["stop_price"] = _near(chance, price, -30, 30)
        if qty and chance.random() < 0.7:
            away = 1 if qty > 0 else -1
            if chance.random() < 0.8:
                terms["protect"] = price * (1000 - away * chance.randint(5, 60)) // 1000
            if chance.random() < 0.5:
                terms["take_profit"] = price * (1000 + away * chance.randint(5, 60)) // 1000
            if chance.random() < 0.5:
                terms["trail"] = max(price * chance.randint(5, 60) // 1000, 1)
        wanted[context.symbol] = [*wanted.get(context.symbol, ())[-_WISHES:], qty]
        return {context.symbol: Target(qty, type=kind, tif=chance.choice(list(TimeInForce)), **terms)}

    return wish
