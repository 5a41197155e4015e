"""Pairs of policies made up from a seed, compared, and judged again at sampled moments by the guards of both sides.

What lives here: small policies of orders, changes of them, moments near the numbers they speak of, and what of a
verdict those moments refute. What does not: splitting into processes (campaign.py).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Final

from mqk.analysis.diff import BUDGET, Change, Direction, EngineDiff
from mqk.analysis.diff.pair import Pair
from mqk.analysis.moments import lookup_of, ordinary
from mqk.analysis.rules import stops
from mqk.analysis.verdicts import Witness
from mqk.dsl.syntax import Value
from mqk.guards import Guard, Point
from mqk.guards.compile import compile_guard
from mqk.guards.guard import bits
from mqk.guards.points import ALLOW, LADDERS, WARN, Enforcement
from mqk.policy import Bundle, Layer, Limit, LimitValue, RuleSource
from mqk.quantity import Money, Ratio
from tests.analysis.worlds import NOWHERE, rule, shipped, waiver, with_limit, with_rule

# How many moments judge each pair again.
SAMPLES: Final = 200
_USD: Final = 1_000_000
_LADDER: Final = LADDERS[Point.ORDER]
_ENFORCED: Final = ("block", "block", "block", "warn", "shadow")


class Pairs:
    """Writes pairs of policies. Everything follows from the random numbers it is given."""

    def __init__(self, random_: random.Random) -> None:
        self._random = random_

    def pair(self) -> tuple[Bundle, Bundle]:
        """A policy of a few rules, and the same with one or two things changed."""
        choose = self._random
        limits = {
            "cap": Money(choose.randint(1, 40) * 10 * _USD, "USD"),
            "share": Ratio(Fraction(choose.randint(1, 30), 50)),
        }
        low = _desk(limits, [self._rule(f"R-{number}") for number in range(choose.randint(1, 4))])
        high = low
        for _ in range(choose.choice([1, 1, 2])):
            high = self._changed(high)
        return low, high

    def _rule(self, name: str) -> RuleSource:
        when = self._condition(0) if self._random.random() < 0.3 else None
        made = rule(name, self._condition(2), when=when, enforce=self._random.choice(_ENFORCED))
        return replace(made, exits_included=self._random.random() < 0.6)

    def _changed(self, bundle: Bundle) -> Bundle:
        choose = self._random
        if not bundle.rules or choose.random() < 0.3:
            return self._moved(bundle)
        one = choose.choice(bundle.rules)
        text, more = one.require.text, self._condition(1)
        match choose.randrange(9):
            case 0:
                return with_rule(bundle, one.id, require=f"({text}) and ({more})")
            case 1:
                return with_rule(bundle, one.id, require=f"({text}) or ({more})")
            case 2:
                return with_rule(bundle, one.id, require=more)
            case 3:
                return with_rule(bundle, one.id, require=f"not (not ({text}))")
            case 4:
                return with_rule(bundle, one.id, when=more)
            case 5:
                return with_rule(bundle, one.id, enforce=choose.choice(_ENFORCED))
            case 6:
                return with_rule(bundle, one.id, exits_included=not one.exits_included)
            case 7:
                leave = replace(waiver(self._condition(0)), id=f"W-{one.id}", rule=one.id, end=date(2027, 1, 1))
                others = tuple(each for each in bundle.waivers if each.id != leave.id)
                return replace(with_rule(bundle, one.id, waivers=(leave,)), waivers=(*others, leave))
            case _:
                left = [each for each in bundle.rules if each is not one]
                come = [self._rule(f"N-{choose.randrange(99)}")] if choose.random() < 0.5 else []
                return replace(bundle, rules=tuple(sorted([*left, *come], key=lambda each: each.id)))

    def _moved(self, bundle: Bundle) -> Bundle:
        """One limit a little or a lot more or less."""
        name = self._random.choice(sorted(bundle.limits))
        value = bundle.limits[name].value
        by = self._random.choice([-1, 1]) * self._random.choice([1, 10_000, 5 * _USD])
        if isinstance(value, Money):
            return with_limit(bundle, name, Money(max(value.micros + by, 0), value.currency))
        assert isinstance(value, Ratio)
        return with_limit(bundle, name, Ratio(max(value.value + Fraction(by, 100 * _USD), Fraction(0))))

    def _condition(self, depth: int) -> str:
        choose = self._random
        if depth and choose.random() < 0.4:
            word = choose.choice([" and ", " or "])
            return "(" + word.join(self._condition(depth - 1) for _ in range(2)) + ")"
        number, op = choose.randint(0, 20), choose.choice(["<", "<=", ">=", "!=", "<="])
        return choose.choice(
            [
                f"order.qty {op} {number}",
                f"position.qty + order.qty {op} {number}",
                f"order.worst_price {op} {number} USD",
                f"order.value {op} limits.cap",
                f"order.value {op} limits.share of account.equity",
                f"account.cash - order.value {op} {number} USD",
                f"abs(order.worst_price - market.price) {op} limits.share of market.price",
                f"multiple_of(order.qty, {number % 4 + 1})",
                "order.side == BUY",
                "order.symbol in [SPY, QQQ]",
                "not run.killed",
                f"present(order.limit_price) and order.limit_price {op} {number} USD",
                f"count(rejects within 5m) {op} {number % 5}",
            ]
        )

    def moment(self, usual: dict[str, Value]) -> Witness:
        """A moment near what policies speak of, with a fact missing now and then."""
        choose = self._random
        values: dict[str, Value] = {
            **usual,
            "order.qty": choose.randint(0, 21),
            "position.qty": choose.randint(-21, 21),
            "order.worst_price": self._money(20),
            "market.price": self._money(20),
            "account.cash": self._money(400),
            "account.equity": self._money(400),
            "order.side": choose.choice(["BUY", "SELL"]),
            "order.symbol": choose.choice(["SPY", "QQQ", "IBM"]),
            "run.killed": choose.random() < 0.2,
            "count(rejects within 5m)": choose.randint(0, 5),
        }
        if choose.random() < 0.5:
            values["order.limit_price"] = self._money(20)
        # What is asked about is always known.
        may_miss = ("position.qty", "market.price", "account.cash", "account.equity", "run.killed", "order.worst_price")
        missing = {name for name in may_miss if choose.random() < 0.04}
        return Witness(Point.ORDER, values, frozenset(missing))

    def _money(self, most: int) -> int:
        return self._random.randint(0, most) * _USD + self._random.choice([0, 0, 0, 1, -1, 10_000, 500_000])


def _ratio(fiftieths: int) -> Ratio:
    return Ratio(Fraction(fiftieths, 50))


def _desk(limits: dict[str, LimitValue], rules: Iterable[RuleSource]) -> Bundle:
    made = {}
    for name, value in limits.items():
        layer = Layer("risk:made_up", str(value), NOWHERE)
        made[name] = Limit(name, value, layer.text, NOWHERE, (layer,))
    return replace(
        shipped(), limits=made, rules=tuple(rules), lets={}, tables={}, lifecycles={}, waivers=(), claims=(), stages=()
    )


@dataclass
class PairTally:
    """What was compared, how it came out, and the verdicts that a moment refutes."""

    pairs: int = 0
    moments: int = 0
    flipped: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def add(self, other: PairTally) -> None:
        """Take in another tally."""
        self.pairs += other.pairs
        self.moments += other.moments
        self.flipped += other.flipped
        for name, count in other.verdicts.items():
            self.verdicts[name] = self.verdicts.get(name, 0) + count
        self.found = (self.found + other.found)[:5]


def compared(seed: int, number: int, pairs: int) -> PairTally:
    """Compare one part of a campaign and judge it again."""
    random_ = random.Random(f"diff {seed}/{number}")
    writer = Pairs(random_)
    tally = PairTally()
    for _ in range(pairs):
        low, high = writer.pair()
        engine, changes = Pair(low, high, BUDGET).run()
        tally.pairs += 1
        tally.verdicts[engine.verdict.value] = tally.verdicts.get(engine.verdict.value, 0) + 1
        guards = compile_guard(low, Point.ORDER), compile_guard(high, Point.ORDER)
        usual = ordinary(low, Point.ORDER)
        levels: list[tuple[int, int]] = []
        for _ in range(SAMPLES):
            moment = writer.moment(usual)
            levels.append((_level(guards[0], moment), _level(guards[1], moment)))
        tally.moments += SAMPLES
        tally.flipped += any(before != after for before, after in levels)
        wrong = list(refuted(engine, levels))
        wrong += [f"{each.path} is {each.direction} and not shown" for each in changes if _unshown(each)]
        if wrong and len(tally.found) < 2:
            tally.found.append(f"{'; '.join(wrong)}\n  from {_told(low)}\n  to   {_told(high)}")
    return tally


def _level(guard: Guard, moment: Witness) -> int:
    """What a guard's generated code comes to, as a step on the ladder."""
    views = lookup_of(moment).views
    effects = {Enforcement.SHADOW: ALLOW, Enforcement.WARN: WARN}
    failing = [guard.rules[bit] for bit in bits(guard.judge(*(views[name] for name in guard.parameters)))]
    return max((_LADDER.index(effects.get(rule.enforcement, rule.outcome)) for rule in failing), default=0)


def _unshown(change: Change) -> bool:
    loosens = change.direction in (Direction.LOOSER, Direction.INCOMPARABLE)
    return loosens and change.witness is None and not change.why


def refuted(engine: EngineDiff, levels: list[tuple[int, int]]) -> Iterable[str]:
    """What of a verdict is wrong, going by moments."""
    looser = any(after < before for before, after in levels)
    tighter = any(after > before for before, after in levels)
    if looser and not engine.verdict.loosens:
        yield f"{engine.verdict}, and a moment is judged more mildly"
    if tighter and engine.verdict in (Direction.EQUAL, Direction.LOOSER):
        yield f"{engine.verdict}, and a moment is judged more severely"
    point, least = engine.points.get(Point.ORDER.value), stops(Point.ORDER)
    if point is None:
        return
    if any(after < least <= before for before, after in levels) and not point.verdict.loosens:
        yield f"orders are {point.verdict}, and one passes that was stopped"
    stopped = any(before < least <= after for before, after in levels)
    if stopped and point.verdict in (Direction.EQUAL, Direction.LOOSER):
        yield f"orders are {point.verdict}, and one is stopped that passed"


def _told(bundle: Bundle) -> str:
    rules = [
        f"{each.id} [{each.enforce}{' exits' if each.exits_included else ''}] {each.require.text}"
        + (f" when {each.when.text}" if each.when is not None else "")
        + "".join(f" waived {one.scope.text if one.scope is not None else 'always'}" for one in each.waivers)
        for each in bundle.rules
    ]
    return "; ".join([*(f"{name} {limit.value}" for name, limit in bundle.limits.items()), *rules])
