"""No verdict on a pair of policies is refuted by a moment; `make fuzz` compares ten thousand pairs."""

from __future__ import annotations

import random

from mqk.analysis.diff import Direction, EngineDiff, PointDiff
from tests.fuzz.pairs import Pairs, compared, refuted


def test_no_looser_change_is_ever_called_tighter_or_equal() -> None:
    tally = compared(20261124, 0, 60)
    assert not tally.found, tally.found[0]
    # Verdicts of one kind, or policies that no moment tells apart, would prove little.
    assert min(tally.verdicts.get(name, 0) for name in ("EQUAL", "TIGHTER", "LOOSER", "INCOMPARABLE")) > 1
    assert tally.flipped > 20


def test_a_verdict_that_a_moment_refutes_is_noticed() -> None:
    def told(verdict: Direction) -> EngineDiff:
        return EngineDiff(verdict, {"order": PointDiff(verdict)})

    denied, allowed = 2, 0
    assert list(refuted(told(Direction.TIGHTER), [(denied, allowed)]))
    assert list(refuted(told(Direction.EQUAL), [(allowed, denied)]))
    assert list(refuted(told(Direction.LOOSER), [(allowed, denied)]))
    assert not list(refuted(told(Direction.LOOSER), [(denied, allowed)]))
    assert not list(refuted(told(Direction.INCOMPARABLE), [(denied, allowed), (allowed, denied)]))
    assert not list(refuted(told(Direction.UNDECIDED), [(denied, allowed), (allowed, denied)]))


def test_a_pair_is_the_same_for_the_same_seed() -> None:
    one, other = (Pairs(random.Random(5)).pair() for _ in range(2))
    assert [side.canonical_bytes for side in one] == [side.canonical_bytes for side in other]
