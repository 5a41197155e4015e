"""What a comparison of policies costs: many rules of which a few changed, and the solver's time for a pair of rules.

The rules are the pattern of scale.py, ten for each symbol; each change moves the number of one rule, half of them up.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mqk.analysis.diff import BUDGET, Direction
from mqk.analysis.diff.pair import Pair
from mqk.analysis.tightening import looser
from mqk.guards import Point
from mqk.policy import Bundle, Text, effective_bundle, load_policies
from tests.bench.scale import with_rules

RULES, CHANGED = 500, 10


@dataclass(frozen=True, slots=True)
class Cost:
    """What one comparison took, and how many pairs of rules it was about."""

    name: str
    seconds: float
    pairs: int


def measure(policies: Path) -> list[Cost]:
    """Time everything once: each takes seconds, and the solver takes the same steps each time."""
    bundle = effective_bundle(load_policies([policies]), "MAIN")
    low = replace(with_rules(bundle, RULES), limits={}, lets={}, tables={}, lifecycles={})
    high = moved(low, range(0, RULES, RULES // CHANGED))
    start = time.perf_counter()
    found, changes = Pair(low, high, BUDGET).run()
    whole = time.perf_counter() - start
    if found.verdict is not Direction.INCOMPARABLE or len(changes) != CHANGED:
        raise AssertionError(f"{len(changes)} changes, {found.verdict}")
    proven: list[float] = []
    shown: list[float] = []
    for number in range(0, RULES, RULES // CHANGED):
        one = moved(low, [number])
        for taken, sides in ((proven, (low, one)), (shown, (one, low))):
            start = time.perf_counter()
            looser(*sides, (Point.ORDER,))
            taken.append(time.perf_counter() - start)
    return [
        Cost(f"{RULES} rules, {CHANGED} changed, both ways, with witnesses", whole, CHANGED),
        Cost("one rule that is tighter, proven", statistics.median(proven), 1),
        Cost("one rule that is looser, with a witness", statistics.median(shown), 1),
    ]


def moved(bundle: Bundle, numbers: Sequence[int]) -> Bundle:
    """The bundle with some rules' numbers of shares moved: every other one down, the rest up."""
    rules = list(bundle.rules)
    for which, number in enumerate(numbers):
        rule = rules[number]
        old = f"order.qty <= {5_000 + number}"
        text = rule.require.text.replace(old, f"order.qty <= {5_000 + number + (100 if which % 2 else -100)}")
        rules[number] = replace(rule, require=Text(text, rule.require.span))
    return replace(bundle, rules=tuple(rules))
