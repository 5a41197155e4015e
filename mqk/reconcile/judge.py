"""What differences call for: each judged by the policy at the point `difference`, and none passed over in silence.

What lives here: from a difference to an outcome. What does not: finding differences (compare.py), or stopping.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from mqk.dsl.missing import MISSING
from mqk.guards import Point, Result, outside
from mqk.guards.points import ALLOW, most_severe

if TYPE_CHECKING:
    from mqk.guards import Decision, Guard, views
    from mqk.reconcile.compare import Difference

UNSPOKEN: Final = "halt"
"""What a difference calls for of which no rule says anything: nobody has looked at it, so nobody may trade on it."""


@unique
class Severity(StrEnum):
    """What a difference calls for: a line in the record, or a stop."""

    NOTE = "note"
    HALT = "halt"


@dataclass(frozen=True, slots=True)
class Judged:
    """A difference with the decision on it, and the instant since when it has been there."""

    difference: Difference
    decision: Decision
    since: int

    @property
    def outcome(self) -> str:
        """What it calls for. A rule speaks of a difference by being broken by it; one in error does not."""
        findings = self.decision.findings
        if any(each.result is Result.BREACH and each.effect != ALLOW for each in findings):
            return self.decision.outcome
        return most_severe(Point.DIFFERENCE, [self.decision.outcome, UNSPOKEN])

    @property
    def severity(self) -> Severity:
        """Whether it stops the engine."""
        return Severity.HALT if self.outcome in ("halt", "disarm") else Severity.NOTE

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that ask for the outcome; none when no rule speaks of the difference."""
        return tuple(each.rule for each in self.decision.findings if each.effect == self.outcome)


def clean(judged: Collection[Judged]) -> bool:
    """Whether the engine may go on: no difference stops it. Notes do not count."""
    return not any(each.severity is Severity.HALT for each in judged)


def judge(
    guard: Guard,
    differences: Iterable[Difference],
    *,
    run: views.Run,
    clock: views.Clock,
    standing: Mapping[tuple[str, str], int],
) -> tuple[Judged, ...]:
    """Judge differences at the moment of `clock`; `standing` says since when those of the last comparison have stood.

    Its keys are kind and subject; what is not in it has stood since now.
    """
    return tuple(_judge(guard, difference, run, clock, standing) for difference in differences)


def _judge(
    guard: Guard, difference: Difference, run: views.Run, clock: views.Clock, standing: Mapping[tuple[str, str], int]
) -> Judged:
    since = min(standing.get((difference.kind.value, difference.subject), clock.now), clock.now)
    view = outside.Difference()
    view.kind = difference.kind.value.upper()
    view.subject = difference.subject
    view.symbol = MISSING if difference.symbol is None else difference.symbol
    view.ours = MISSING if difference.ours is None else difference.ours
    view.theirs = MISSING if difference.theirs is None else difference.theirs
    view.in_flight = difference.in_flight
    view.foreign = difference.foreign
    view.age = clock.now - since
    return Judged(difference, guard.decide({"difference": view, "run": run, "clock": clock}), since)
