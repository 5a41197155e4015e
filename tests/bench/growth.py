"""Cost of a bar as symbols and rules grow: neither other symbols nor rules about them should make it dearer.

What lives here: as many bars in all for every number of symbols, one order in so many bars whatever there is to trade,
and rules of orders and bars about symbols that nobody trades. What does not: how fast a bar is (loop.py).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final

from mqk.backtest import run_backtest
from mqk.guards import GuardSet, compile_bundle
from mqk.policy import Bundle, Span, StrategySpec, Text, effective_bundle, load_policies
from mqk.strategies import Context, Param, Registry, StrategyHost
from tests.bench.loop import lifted, minutes

BARS: Final = 200_000
SYMBOLS: Final = (1, 10, 100, 1_000)
RULES: Final = (10, 100, 1_000)
ROUNDS: Final = 3
EVERY: Final = 50


@dataclass(frozen=True, slots=True)
class Grown:
    """What a bar costs with so many symbols, or so many rules about others, and the ratio to the fewest."""

    name: str
    nanoseconds: float
    ratio: float
    orders: int


class Seldom:
    """In and out of one symbol at a time, at every so manieth bar of all: the same work whatever there is to trade."""

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType({})
    lookback = 1

    def __init__(self) -> None:
        self._bars = self._last = 0
        self._next = EVERY
        self._held: str | None = None

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        """Sell what was bought last, or buy the symbol of this bar."""
        self._bars += 1
        # Once an instant at most, so that nothing is taken back that has not left yet.
        if self._bars < self._next or context.now == self._last:
            return None
        self._next, self._last = self._bars + EVERY, context.now
        held = self._held
        if held is not None and context.committed(held) == 0:
            held = self._held = None
        if held is None:
            self._held = context.symbol
            return {context.symbol: 10}
        self._held = None
        return {held: 0}


def measure(policies: Path) -> list[Grown]:
    """Symbols first, then rules on one symbol; medians, the rounds interleaved."""
    bundle = lifted(effective_bundle(load_policies([policies]), "MAIN"), _names(max(SYMBOLS)))
    plain = compile_bundle(bundle)
    runs = {f"{count:,} symbols": (plain, count) for count in SYMBOLS}
    runs |= {f"10 symbols, {count:,} rules about others": (_ruled(bundle, count), 10) for count in RULES}
    taken: dict[str, list[float]] = {name: [] for name in runs}
    orders: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name, (guards, count) in runs.items():
            bars = minutes(_names(count), BARS // count)
            start = time.perf_counter()
            orders[name] = run_backtest(guards, bars, host=_host()).orders
            taken[name].append((time.perf_counter() - start) / len(bars) * 1e9)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    first = {
        "symbols": medians[f"{SYMBOLS[0]:,} symbols"],
        "others": medians[f"10 symbols, {RULES[0]:,} rules about others"],
    }
    return [Grown(name, cost, cost / first[name.rsplit(" ", 1)[1]], orders[name]) for name, cost in medians.items()]


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"S{number}" for number in range(count))


def _ruled(bundle: Bundle, count: int) -> GuardSet:
    """The guards with so many more rules about symbols that are not traded, of orders and of bars by turns."""
    patterns = [next(rule for rule in bundle.rules if rule.at == at) for at in ("order", "bar")]
    asked = ("order.qty * order.worst_price <= {} USD", "bar.close <= {} USD")
    rules = []
    for number in range(count):
        which = number % 2
        pattern = patterns[which]
        rules.append(
            replace(
                pattern,
                id=f"N-{number:05}",
                require=Text(asked[which].format(1_000_000 + number), pattern.span),
                when=Text(f"{pattern.at}.symbol == X{number // 10}", pattern.span),
                exits_included=True,
                waivers=(),
            )
        )
    return compile_bundle(replace(bundle, rules=(*bundle.rules, *rules)))


def _host() -> StrategyHost:
    registry = Registry()
    registry.register("seldom", Seldom)
    return StrategyHost((StrategySpec("seldom", {}, shadow=False, span=Span.nowhere("bench")),), ("1m",), registry)
