"""Cost of one guard call by the number of rules: ten rules for each symbol, so that all but ten are about others.

Rules about other symbols should cost nothing: the call is timed beside one on a set of just the ten. Also how long the
rules take to compile.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

from mqk.guards import GuardSet, Point, compile_bundle, read_facts
from mqk.policy import Bundle, RuleSource, Text, effective_bundle, load_policies

SIZES = (10, 100, 1_000, 10_000)
PER_SYMBOL = 10
ROUNDS, CALLS = 9, 20_000


@dataclass(frozen=True, slots=True)
class Size:
    """What a number of rules costs: a call for a symbol with ten of them, and what it took to compile them."""

    rules: int
    nanoseconds: float
    ratio: float
    seconds: float


def with_rules(bundle: Bundle, count: int) -> Bundle:
    """The bundle with `count` order rules and no other, ten for each symbol."""
    pattern = next(rule for rule in bundle.rules if rule.at == "order")
    rules = []
    for number in range(count):
        symbol, which = divmod(number, PER_SYMBOL)
        require = f"order.qty * order.worst_price <= {1_000_000 + which} USD and order.qty <= {5_000 + number}"
        when = f"order.symbol == S{symbol} and order.side == BUY"
        rules.append(_rule(pattern, number, require, when))
    return replace(bundle, rules=tuple(rules))


def _rule(pattern: RuleSource, number: int, require: str, when: str) -> RuleSource:
    asked, narrowed = Text(require, pattern.span), Text(when, pattern.span)
    return replace(pattern, id=f"N-{number:05}", require=asked, when=narrowed, exits_included=True, waivers=())


def compiled(bundle: Bundle) -> GuardSet:
    """The guards of a bundle whose own limits nobody reads any more."""
    moves = [move for machine in bundle.lifecycles.values() for move in machine.transitions]
    read = " ".join([move.require.text for move in moves if move.require] + [move.confirm or "" for move in moves])
    limits = {name: limit for name, limit in bundle.limits.items() if f"limits.{name}" in read}
    return compile_bundle(replace(bundle, limits=limits, lets={}, tables={}))


def measure(policies: Path) -> list[Size]:
    """Time every size, interleaved."""
    bundle = effective_bundle(load_policies([policies]), "MAIN")
    baseline = {name: text.text for name, text in bundle.baseline.items()} | {"order.symbol": "S0"}
    calls, seconds = {}, {}
    for size in SIZES:
        sized = with_rules(bundle, size)
        start = time.perf_counter()
        guards = compiled(sized)
        seconds[size] = time.perf_counter() - start
        moment = read_facts(baseline, guards, Point.ORDER, lenient=True)
        calls[size] = (guards.order.judge, [moment.views[name] for name in guards.order.parameters])
        if calls[size][0](*calls[size][1]) != 0:
            raise AssertionError("the order is not allowed")
    timings: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        for size, (judge, views) in calls.items():
            start_ns = time.perf_counter_ns()
            for _ in range(CALLS):
                judge(*views)
            timings[size].append((time.perf_counter_ns() - start_ns) / CALLS)
    least = timings[SIZES[0]]
    return [
        Size(
            size,
            statistics.median(taken),
            statistics.median(a / b for a, b in zip(taken, least, strict=True)),
            seconds[size],
        )
        for size, taken in timings.items()
    ]
