"""Dated documents of which another version is in force: which one was, and which one is.

What lives here: the versions, as they explain why rules come and go. What does not: what the rules of a version mean,
which is told one by one (guarded.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from mqk.analysis.diff.differences import both
from mqk.analysis.diff.results import Change, Direction
from mqk.policy import Document, PolicySet
from mqk.policy.dates import Period, in_force
from mqk.quantity import format_date

# Waivers and tests are told as what they are.
_OWN: Final = frozenset({"waiver", "test"})


def changes(base: PolicySet, head: PolicySet, before: date | None, after: date | None) -> Iterator[Change]:
    """Every document of which the version in force has other dates, or is another one."""
    for key in sorted({*base.versions, *head.versions}):
        sides = base.versions.get(key, ()), head.versions.get(key, ())
        dated = any(each.effective is not None for versions in sides for each in versions)
        if key[0] in _OWN or not all(sides) or not dated:
            continue
        one, other = in_force(sides[0], _period, before), in_force(sides[1], _period, after)
        told = both(one, other, _told)
        if told[0] != told[1]:
            spans = both(one, other, lambda each: each.span)
            why = "its rules and limits are told one by one"
            yield Change(f"regime.{key[0]}.{key[1]}", "regime", *told, Direction.EQUAL, *spans, why=why)


def _period(document: Document) -> Period:
    return document.period


def _told(document: Document) -> str:
    period = document.period
    said = [f"from {format_date(period.start)}"] if period.start is not None else []
    said += [f"until {format_date(period.end)}"] if period.end is not None else []
    return ", ".join([document.title, " ".join(said) or "always"])
