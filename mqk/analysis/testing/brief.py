"""The few boundary cases that are needed: without one of them a mutant would survive, or a rule be seen to do less.

What lives here: choosing among cases. What does not: making them (boundaries.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mqk.analysis.testing.boundaries import Boundary
from mqk.analysis.testing.coverage import seen
from mqk.analysis.testing.mutants import mutants
from mqk.analysis.testing.mutation import Judge, Known, known
from mqk.analysis.testing.running import Verdict, run_case
from mqk.analysis.testing.subjects import Bench, Subject
from mqk.analysis.testing.suites import Case, Given, Suite
from mqk.policy import Scalar, Span, Text

# What a case is good for: a mutant it kills, by its number, or a cell it covers.
Worth = frozenset[object]


def needed(subject: Subject, cases: Sequence[Boundary], verdicts: Iterable[Verdict], bench: Bench) -> list[Boundary]:
    """Those of the cases that do something which neither the cases already run nor one chosen before does.

    Of cases that do as much the first in order is taken, so that the same policies and tests give the same choice.
    """
    suite = _suite(subject)
    candidates = [(case, run_case(suite, _case(case), subject)) for case in sorted(cases, key=_strange(subject))]
    own = [each for each in verdicts if each.passed and bench.subject(each.engine, each.suite.as_of) is subject]
    judge = _Worths(subject)
    done: set[object] = set()
    for each in own:
        done |= judge.worth(each, None)
    worths = [(case, judge.worth(verdict, case.rule) - done) for case, verdict in candidates if verdict.passed]
    chosen: list[Boundary] = []
    while True:
        best = max(worths, key=lambda pair: len(pair[1] - done), default=None)
        if best is None or not best[1] - done:
            return sorted(chosen, key=lambda case: (case.rule, case.name))
        chosen.append(best[0])
        done |= best[1]


@dataclass
class _Worths:
    """Works out what cases are good for on one engine."""

    subject: Subject

    def __post_init__(self) -> None:
        self._judge = Judge(self.subject.bundle)
        self._mutants = [(number, each) for number, each in enumerate(mutants(self.subject.bundle))]
        self._by_rule: dict[str, list[int]] = {}
        for number, mutant in self._mutants:
            for rule in self._judge.concerned(mutant):
                self._by_rule.setdefault(rule.id, []).append(number)

    def worth(self, verdict: Verdict, rule: str | None) -> Worth:
        """The cells that a case covers and the mutants it kills, of the rule it is made for or of those it names."""
        case = known(verdict, self.subject)
        rules: Mapping[str, object] = dict.fromkeys([rule] if rule is not None else self._by_rule)
        numbers = sorted({number for name in rules for number in self._by_rule.get(name, ())})
        return frozenset([*seen(verdict, self.subject), *self._kills(case, numbers)])

    def _kills(self, case: Known, numbers: Iterable[int]) -> Iterator[int]:
        for number in numbers:
            if self._judge.kills(self._mutants[number][1], case):
                yield number


def _strange(subject: Subject) -> Callable[[Boundary], bool]:
    """Whether a case changes only facts that its rule does not speak of, and so reads worse than one that does."""

    def strange(case: Boundary) -> bool:
        rule = subject.rules[case.rule]
        text = rule.require.text + (rule.when.text if rule.when is not None else "")
        return not any(name in text for name in (*case.given, *case.missing, *case.unreadable, *case.stale))

    return strange


def _suite(subject: Subject) -> Suite:
    nowhere = Span.nowhere("boundaries")
    engine = Text(subject.engine, nowhere)
    return Suite("boundaries", "Boundaries", (engine,), subject.bundle.as_of, {}, (), "boundaries", nowhere)


def _case(made: Boundary) -> Case:
    nowhere = Span.nowhere("boundaries")
    given = tuple(Given(Text(name, nowhere), Scalar(text, nowhere)) for name, text in made.given.items())
    missing, unreadable, stale = (
        tuple(Text(name, nowhere) for name in names) for names in (made.missing, made.unreadable, made.stale)
    )
    return Case(made.name, made.at, None, given, missing, unreadable, stale, made.expect, made.by, made.result, nowhere)
