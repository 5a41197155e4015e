"""Confirmation and latches: how long a rule must be broken before its outcome counts, and how long it then lasts.

What lives here: the small state between judgements, which survives a restart. What does not: judging, or storing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mqk.guards.guard import GuardRule
from mqk.guards.points import POSTURE_OF, Enforcement, worst_posture


@dataclass(frozen=True, slots=True)
class Latch:
    """An outcome that holds: since when, until what (`tick`, `session_end` or `released`), and who may release it."""

    rule: str
    outcome: str
    since: int
    until: str
    by: str | None


class LatchBook:
    """Which rules are on their way to count, and which outcomes hold."""

    __slots__ = ("_held", "_streaks", "posture")

    def __init__(self) -> None:
        self._streaks: dict[str, tuple[int, int]] = {}
        self._held: dict[str, Latch] = {}
        self.posture = "NORMAL"
        """What the engine may do: the worst of what holds."""

    @property
    def quiet(self) -> bool:
        """Whether nothing is counted and nothing holds, so that a clean judgement changes nothing."""
        return not self._streaks and not self._held

    def observe(self, rules: Iterable[GuardRule], mask: int, now: int) -> list[Latch]:
        """Take in one judgement of a guard (its rules and its mask) and return the latches that are new.

        A rule counts after `confirm` instants in a row; shadow and warning rules never hold anything.
        """
        new: list[Latch] = []
        for bit, rule in enumerate(rules):
            if not mask >> bit & 1:
                self._streaks.pop(rule.id, None)
                held = self._held.get(rule.id)
                if held is not None and held.until == "tick":
                    del self._held[rule.id]
                continue
            if rule.enforcement is not Enforcement.BLOCK or rule.outcome not in POSTURE_OF:
                continue
            streak, last = self._streaks.get(rule.id, (0, -1))
            if now > last:
                # Confirmations are instants: the same moment judged twice is one confirmation.
                streak += 1
            self._streaks[rule.id] = (streak, now)
            if streak >= rule.confirm and rule.id not in self._held:
                until, by = (rule.latch.until, rule.latch.by) if rule.latch is not None else ("tick", None)
                self._held[rule.id] = Latch(rule.id, rule.outcome, now, until, by)
                new.append(self._held[rule.id])
        self._settle()
        return new

    def end_session(self) -> list[Latch]:
        """Let go of what lasts until the end of the session; returns it."""
        return self._let_go([latch for latch in self._held.values() if latch.until == "session_end"])

    def release(self, rule: str, role: str) -> Latch:
        """Release one latch by hand. Raises KeyError when it does not hold, PermissionError for the wrong role.

        What the policy gives to nobody, nobody releases: it lasts as long as it says.
        """
        latch = self._held[rule]
        if latch.by is None:
            raise PermissionError(f"`{rule}` is released by nobody: it lasts until `{latch.until}`")
        if role != latch.by:
            raise PermissionError(f"`{rule}` is released by the role `{latch.by}`, not `{role}`")
        self._let_go([latch])
        return latch

    def held(self) -> tuple[Latch, ...]:
        """What holds, by rule."""
        return tuple(self._held[rule] for rule in sorted(self._held))

    def streaks(self) -> list[tuple[str, int, int]]:
        """Which rules are on their way to count: each with its judgements in a row and the instant of the last."""
        return [(rule, streak, last) for rule, (streak, last) in sorted(self._streaks.items())]

    def restore(self, latches: Iterable[Latch]) -> None:
        """Take up what held before a restart."""
        for latch in latches:
            self._held[latch.rule] = latch
        self._settle()

    def _let_go(self, latches: list[Latch]) -> list[Latch]:
        if not latches:
            return latches
        for latch in latches:
            del self._held[latch.rule]
            self._streaks.pop(latch.rule, None)
        self._settle()
        return latches

    def _settle(self) -> None:
        self.posture = worst_posture([POSTURE_OF[latch.outcome] for latch in self._held.values()])
