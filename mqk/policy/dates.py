"""Effective dates: which of several versions is in force on a day.

Nothing here reads a clock: the day is given, or no day is asked about. Gaps and overlaps between versions are faults,
found in references.py and checks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TypeVar

from mqk.policy.diagnostics import Diagnostic, Span, error, quoted
from mqk.policy.nodes import Mapping
from mqk.quantity import QuantityError, format_date, parse_date

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of `start` (None: always was) to the beginning of `end` (None: for good)."""

    start: date | None = None
    end: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether the day lies within."""
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


def read_period(node: Mapping) -> Period:
    """The period under `effective:`; an unreadable date counts as none, since the schema has already refused it."""
    effective = node.mapping("effective")
    return Period(_date(effective, "from"), _date(effective, "until"))


def _date(effective: Mapping, key: str) -> date | None:
    text = effective.scalar(key)
    if text is None:
        return None
    try:
        return parse_date(text.text)
    except QuantityError:
        return None


def in_force(versions: Sequence[T], period_of: Callable[[T], Period], as_of: date | None) -> T | None:
    """The one version in force on `as_of`, or None; without a day, the latest version."""
    if as_of is None:
        return max(versions, key=lambda each: period_of(each).start or date.min, default=None)
    return next((each for each in versions if period_of(each).holds_on(as_of)), None)


def check_period(node: Mapping) -> Iterable[Diagnostic]:
    """A period that ends before it begins."""
    period = read_period(node)
    until = node.mapping("effective").scalar("until")
    if until is not None and period.start and period.end and period.end <= period.start:
        message = f"`until` {quoted(until.text)} is not after `from`"
        yield error("MQK-1117", message, until.span, "`until` is the first day on which it is no longer in force")


def check_holes(what: str, periods: Sequence[tuple[Period, Span]]) -> Iterable[Diagnostic]:
    """Days between two periods of one id on which no layer has it in force, at the later of the two.

    Layers may overlap, which is what layers are for; but what ends in one and begins again in another was forgotten.
    """
    covered, before = date.min, None
    for period, span in sorted(periods, key=lambda each: (each[0].start or date.min, each[0].end or date.max)):
        start = period.start or date.min
        if before is not None and start > covered:
            message = f"no layer has {quoted(what)} in force from {format_date(covered)} until {format_date(start)}"
            notes = [("in force before that", before)]
            yield error("MQK-1206", message, span, f"begin this one on {format_date(covered)}", notes=notes)
        if before is None or (period.end or date.max) > covered:
            covered, before = period.end or date.max, span


def check_versions(what: str, versions: Sequence[tuple[Period, Span]]) -> Iterable[Diagnostic]:
    """Overlaps and gaps between the versions of one id, given in order of their beginning, at the later version."""
    for (earlier, before), (later, span) in pairwise(versions):
        start = later.start
        notes = [("the version before it", before)]
        if earlier.end is None or start is None or start < earlier.end:
            message = f"two versions of {quoted(what)} are in force at once"
            help_ = "date both with `effective:`"
            if start is not None:
                help_ = f"give the earlier one `until: {format_date(start)}`"
            yield error("MQK-1205", message, span, help_, notes=notes)
        elif earlier.end < start:
            gap = f"from {format_date(earlier.end)} until {format_date(start)}"
            message = f"no version of {quoted(what)} is in force {gap}"
            yield error("MQK-1206", message, span, f"begin this one on {format_date(earlier.end)}", notes=notes)
