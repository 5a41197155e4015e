"""Which effective policy an engine has from which day on: the days on which something begins or ends, and the hashes.

What lives here: the spells between those days. What does not: what is in force on one of them (effective.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from mqk.policy.dates import read_period
from mqk.policy.diagnostics import PolicyError
from mqk.policy.documents import PolicySet
from mqk.policy.effective import effective_bundle
from mqk.policy.reading import read_loosenings

ALWAYS = date.min
"""The beginning of the first spell."""


@dataclass(frozen=True, slots=True)
class Spell:
    """From the beginning of `since` on an engine is bound by the bundle of that hash; None: by none that is whole."""

    since: date
    sha256: str | None


def turning_days(policies: PolicySet) -> tuple[date, ...]:
    """The days on which what is in force changes: documents, rules, waivers and leaves to loosen begin or end."""
    return tuple(sorted(set(_turns(policies))))


def timeline(policies: PolicySet, engine: str) -> tuple[Spell, ...]:
    """An engine's bundles over all time, each with the day it begins on, the first from ALWAYS.

    A day on which the engine has no effective policy is no fault here: nothing can run on it then. Raises PolicyError
    when the set has errors of its own.
    """
    if policies.errors:
        raise PolicyError(policies.errors)
    spells: list[Spell] = []
    for day in (ALWAYS, *turning_days(policies)):
        try:
            sha256 = effective_bundle(policies, engine, as_of=day).sha256
        except PolicyError:
            sha256 = None
        if not spells or spells[-1].sha256 != sha256:
            spells.append(Spell(day, sha256))
    return tuple(spells)


def spell_on(spells: tuple[Spell, ...], day: date) -> Spell:
    """The spell that a day lies in."""
    return max((each for each in spells if each.since <= day), key=lambda each: each.since)


def _turns(policies: PolicySet) -> Iterator[date]:
    for versions in policies.versions.values():
        for document in versions:
            for node in (document.node, *document.node.mappings("rules")):
                period = read_period(node)
                yield from (day for day in (period.start, period.end) if day is not None)
            yield from (each.until for each in read_loosenings(document))
