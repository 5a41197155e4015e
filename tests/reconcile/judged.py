"""Differences as the policy that ships sees them: what the tests of comparison hold is what the desk does.

Nothing here asserts; the tests beside it do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mqk.guards import GuardSet, views
from mqk.reconcile import Difference, Judged, judge
from tests.engine.worlds import shipped

NOW = 1_708_041_600_000_000


def as_judged(
    differences: Iterable[Difference],
    guards: GuardSet | None = None,
    *,
    now: int = NOW,
    standing: Mapping[tuple[str, str], int] | None = None,
) -> tuple[Judged, ...]:
    """Differences judged by the shipped policy of MAIN, or another."""
    run, clock = views.Run(), views.Clock()
    run.mode, run.state, run.posture, run.killed = "PAPER", "RUNNING", "NORMAL", False
    clock.now = now
    return judge((guards or shipped()).difference, differences, run=run, clock=clock, standing=standing or {})
