"""The days that a comparison is about: the one asked for, and those to come on which something begins or ends.

What lives here: the same question asked about each of them, what later days add told as that. What does not: any
question, and the guards of later days (compare.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from mqk.analysis.diff.guarded import renamed
from mqk.analysis.diff.results import Change
from mqk.policy import Bundle, PolicyError, PolicySet
from mqk.policy.timeline import turning_days
from mqk.quantity import format_date

BundleOn = Callable[[PolicySet, str, date | None], Bundle | None]


@dataclass(frozen=True, slots=True)
class Day:
    """Both sets on one day, which may be another for each."""

    base: PolicySet
    head: PolicySet
    before: date | None
    after: date | None
    bundle_on: BundleOn
    _known: dict[str, tuple[Bundle | None, Bundle | None]] = field(default_factory=dict)

    @property
    def engines(self) -> tuple[str, ...]:
        """Every engine of either side, whether it is in force or not."""
        return tuple(sorted({*self.base.ids("engine"), *self.head.ids("engine")}))

    def bundles(self, engine: str) -> tuple[Bundle | None, Bundle | None]:
        """What binds an engine on both sides; None where it is not in force."""
        if engine not in self._known:
            self._known[engine] = (
                self.bundle_on(self.base, engine, self.before),
                self.bundle_on(self.head, engine, self.after),
            )
        return self._known[engine]

    def renames(self) -> dict[str, str]:
        """The new names of rules that merely have another one."""
        found: dict[str, str] = {}
        for engine in self.engines:
            low, high = self.bundles(engine)
            if low is not None and high is not None:
                found |= {old: new for old, (new, _) in renamed(low, high).items()}
        return found


def over_days(day: Day, asked: Callable[[Day], Iterable[Change]]) -> Iterator[Change]:
    """What a question comes to on the day, and what it comes to otherwise on one of those to come."""
    seen: set[tuple[object, ...]] = set()
    for each in asked(day):
        seen.add(_key(each))
        yield each
    if day.after is None or day.before != day.after:
        return
    turns = {turn for policies in (day.base, day.head) for turn in turning_days(policies) if turn > day.after}
    for turn in sorted(turns):
        try:
            later = list(asked(Day(day.base, day.head, turn, turn, day.bundle_on)))
        except PolicyError:
            continue  # what is not in force by then, or does not bind, lets nobody run
        said = format_date(turn)
        for each in later:
            if _key(each) not in seen:
                seen.add(_key(each))
                why = f"from {said} on" + (f": {each.why}" if each.why else "")
                yield replace(each, kind="regime", path=f"regime.{said}.{each.path}", why=why)


def _key(change: Change) -> tuple[object, ...]:
    return (change.path, change.before, change.after, change.direction, change.engines)
