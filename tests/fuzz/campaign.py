"""Campaigns from one seed, in several processes: policies and facts for every backend, and pairs of policies compared.

What lives here: counting and splitting. A part's conditions follow from the seed and the part's number alone, so that a
finding can be made again without the rest.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Final

from tests.fuzz.compare import Difference, checked, differences, interpreted, smallest
from tests.fuzz.generate import Writer, moment
from tests.fuzz.pairs import PairTally, compared

# Facts for each policy: making a policy costs far more than making a moment.
MOMENTS: Final = 25
# Policies in a part: what one process does before it reports.
POLICIES: Final = 400
# Pairs of policies in a part: each takes about two tenths of a second.
PAIRS: Final = 50


@dataclass
class Tally:
    """What was judged, and where backends differed (no more than a few: they mostly have one reason)."""

    policies: int = 0
    pairs: int = 0
    errors: int = 0
    passes: int = 0
    found: list[Difference] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in another tally."""
        self.policies += other.policies
        self.pairs += other.pairs
        self.errors += other.errors
        self.passes += other.passes
        self.found = (self.found + other.found)[:5]


def part(seed: int, number: int, policies: int = POLICIES, *, solver: bool = True) -> Tally:
    """Judge one part of a campaign."""
    random_ = random.Random(f"{seed}/{number}")
    writer = Writer(random_)
    tally = Tally()
    for _ in range(policies):
        expr = checked(writer.condition())
        # Every third moment is whole, so that answers other than errors are met often.
        moments = [moment(random_, 0 if i % 3 == 0 else 0.08) for i in range(MOMENTS)]
        found = differences(expr, moments, solver=solver)
        tally.policies += 1
        tally.pairs += len(moments)
        answers = [interpreted(expr, each) for each in moments]
        tally.passes += answers.count(True)
        tally.errors += answers.count(None)
        if found and len(tally.found) < 2:
            tally.found.append(smallest(found[0], solver=solver))
    return tally


def campaign(
    pairs: int, seed: int, processes: int, *, solver: bool = True, told: Callable[[Tally], None] = lambda _: None
) -> Tally:
    """Judge at least so many pairs; `told` hears of the tally after each part."""
    parts = -(-pairs // (MOMENTS * POLICIES))
    total = Tally()
    with ProcessPoolExecutor(processes) as pool:
        for done in as_completed([pool.submit(part, seed, number, solver=solver) for number in range(parts)]):
            total.add(done.result())
            told(total)
    return total


def pairs_campaign(
    pairs: int, seed: int, processes: int, *, told: Callable[[PairTally], None] = lambda _: None
) -> PairTally:
    """Compare at least so many pairs of policies; `told` hears of the tally after each part."""
    total = PairTally()
    with ProcessPoolExecutor(processes) as pool:
        for done in as_completed([pool.submit(compared, seed, number, PAIRS) for number in range(-(-pairs // PAIRS))]):
            total.add(done.result())
            told(total)
    return total
