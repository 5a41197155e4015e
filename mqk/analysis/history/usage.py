"""What the rules of an engine said over a history: how often each passed, fired and erred, and which never fired.

What lives here: counting. What does not: the query (judging.py), and how much of each limit is used (headroom.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mqk.analysis.history.judging import BREACH, ERROR, LOST, ask
from mqk.guards import GuardRule, GuardSet, Point

if TYPE_CHECKING:
    from mqk.analysis.history.backends import Backend
    from mqk.analysis.history.records import Part


@dataclass(frozen=True, slots=True)
class RuleUse:
    """A rule over a history: of how many decisions, how many it fired on, erred on, and could not judge again."""

    engine: str
    point: Point
    rule: GuardRule
    decisions: int
    fired: int
    erred: int
    lost: int

    @property
    def never(self) -> bool:
        """Whether it never fired, although it was judged."""
        return self.fired == 0


def measure_usage(backend: Backend, parts: Sequence[Part], guards: Mapping[str, GuardSet]) -> list[RuleUse]:
    """What every rule says of recorded decisions, by engine, point and rule."""
    said: Counter[tuple[str, Point, int, int]] = Counter()
    for part in parts:
        table = backend.table(part)
        for engine, set_ in guards.items():
            for point in part.points:
                question = ask(table, part, engine, point, [set_.guards[point]])
                (places,) = question.places
                for tally in question.read(backend.run(question.query)):
                    for number, place in enumerate(places):
                        said[engine, point, number, place.of(tally.words)] += tally.decisions
    return [
        RuleUse(
            engine,
            point,
            rule,
            sum(said[engine, point, number, code] for code in range(4)),
            said[engine, point, number, BREACH],
            said[engine, point, number, ERROR],
            said[engine, point, number, LOST],
        )
        for engine, set_ in guards.items()
        for point, guard in set_.guards.items()
        for number, rule in enumerate(guard.rules)
    ]
