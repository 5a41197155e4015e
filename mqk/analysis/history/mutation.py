"""Which mutants a history notices: small mistakes in policies under which a recorded decision comes out otherwise.

What lives here: asking all mutants of an engine, many in one query. What does not: which mutants there are
(mqk.analysis.testing.mutants), and whether tests notice them (mqk.analysis.testing.mutation).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mqk.analysis.history.judging import LOST, Place, Tally, ask, effect
from mqk.analysis.testing.mutants import Mutant, mutants
from mqk.analysis.testing.mutation import Judge
from mqk.guards import Guard, GuardSet
from mqk.guards.points import most_severe

if TYPE_CHECKING:
    from mqk.analysis.history.backends import Backend
    from mqk.analysis.history.records import Part

_TOGETHER: Final = 60


@dataclass(frozen=True, slots=True)
class Noticed:
    """The mutants of an engine, and those of them under which a recorded decision comes out otherwise."""

    engine: str
    mutants: tuple[Mutant, ...]
    noticed: frozenset[Mutant]


def measure_mutants(backend: Backend, parts: Sequence[Part], engine: str, guards: GuardSet) -> Noticed:
    """Hold every mutant of an engine against recorded decisions. Those that do not compile nobody could ship."""
    judge = Judge(guards.bundle)
    made = {
        mutant: set_
        for mutant in mutants(guards.bundle)
        if judge.concerned(mutant) and (set_ := judge.guards(mutant)) is not None
    }
    noticed: set[Mutant] = set()
    for part in parts:
        table = backend.table(part)
        for point in part.points:
            left = [
                (mutant, frozenset(rule.id for rule in judge.concerned(mutant)), set_.guards[point])
                for mutant, set_ in made.items()
                if mutant not in noticed and any(rule.at == point.value for rule in judge.concerned(mutant))
            ]
            for some in _batches(left):
                question = ask(table, part, engine, point, [guards.guards[point], *(each for _, _, each in some)])
                tallies = list(question.read(backend.run(question.query)))
                whole, *others = question.places
                for (mutant, concerned, guard), places in zip(some, others, strict=True):
                    if any(_differs(tally, guards.guards[point], whole, concerned, guard, places) for tally in tallies):
                        noticed.add(mutant)
    return Noticed(engine, tuple(made), frozenset(noticed))


def _batches(
    left: Sequence[tuple[Mutant, frozenset[str], Guard]],
) -> Iterator[Sequence[tuple[Mutant, frozenset[str], Guard]]]:
    """A rule's mutants together: they say much the same, and make few patterns."""
    for start in range(0, len(left), _TOGETHER):
        yield left[start : start + _TOGETHER]


def _differs(
    tally: Tally,
    guard: Guard,
    places: Sequence[Place],
    concerned: frozenset[str],
    mutated: Guard,
    theirs: Sequence[Place],
) -> bool:
    """Whether decisions come out otherwise when some rules are judged as the mutant has them."""
    said = [(rule, place.of(tally.words)) for rule, place in zip(guard.rules, places, strict=True)]
    again = [(rule, place.of(tally.words)) for rule, place in zip(mutated.rules, theirs, strict=True)]
    if any(code == LOST for _, code in [*said, *again]):
        return False  # nothing is known of it
    others = [effect(rule, code) for rule, code in said if rule.id not in concerned]
    before = most_severe(guard.point, [*others, *(effect(rule, code) for rule, code in said if rule.id in concerned)])
    after = most_severe(guard.point, [*others, *(effect(rule, code) for rule, code in again)])
    return before != after
