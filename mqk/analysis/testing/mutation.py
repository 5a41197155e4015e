"""Which mutants the tests notice: each is held against every case, and those that change no verdict are survivors.

Only the rules that a mistake can concern are compiled and judged anew; what all others said in a case is remembered.
What does not live here: which mutants there are (mutants.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mqk.analysis.names import rests_on, texts_of, with_rules
from mqk.analysis.testing.equivalence import equivalent
from mqk.analysis.testing.mutants import Mutant, mutants
from mqk.analysis.testing.running import Answer, Verdict, differences, recombined
from mqk.analysis.testing.subjects import Bench, Subject
from mqk.analysis.testing.suites import Case
from mqk.guards import Finding, GuardSet, Moment, Point, compile_bundle
from mqk.policy import Bundle, PolicyError, RuleSource, Span


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutant that no case of an engine notices."""

    engine: str
    mutant: Mutant

    def __str__(self) -> str:
        place = self.mutant.place
        return f"{place.file}:{place.line}: {self.engine}: {self.mutant.what}"


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of all mutants of an engine. `equivalent` are those that no case notices and none ever could."""

    total: int
    killed: int
    unusable: int
    equivalent: int
    survivors: tuple[Survivor, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A case that passes on the policies as they are, its moment, and what every rule said."""

    case: Case
    moment: Moment
    answer: Answer


def survivors(
    verdicts: Iterable[Verdict], bench: Bench, wanted: Callable[[Mutant], bool] = lambda _: True
) -> list[Tally]:
    """Hold every mutant (or those `wanted`) of every engine that a run has tested against the cases that passed."""
    by_subject: dict[tuple[str, int], tuple[Subject, list[Known]]] = {}
    for verdict in verdicts:
        if not verdict.passed:
            continue
        subject = bench.subject(verdict.engine, verdict.suite.as_of)
        _, cases = by_subject.setdefault((verdict.engine, id(subject)), (subject, []))
        cases.append(known(verdict, subject))
    by_engine: dict[str, list[_Day]] = {}
    for subject, cases in by_subject.values():
        by_engine.setdefault(subject.engine, []).append(_day(subject, cases, wanted))
    return [_tally(engine, days) for engine, days in by_engine.items()]


def known(verdict: Verdict, subject: Subject) -> Known:
    """A case that passed, with its moment."""
    case = verdict.case
    baseline = verdict.suite.baselines[case.baseline.text] if case.baseline is not None else ()
    return Known(case, subject.moment(case, baseline), verdict.answer)


_Key = tuple[Span, str]


@dataclass(frozen=True, slots=True)
class _Day:
    """An engine's rules on one day: their mutants by place and words, and whether a case notices each."""

    judge: Judge
    mutants: Mapping[_Key, Mutant]
    noticed: Mapping[_Key, bool | None]


def _tally(engine: str, days: Sequence[_Day]) -> Tally:
    """What came of the mutants of an engine: one that is noticed on some day is noticed."""
    mutants_ = {key: mutant for day in days for key, mutant in day.mutants.items()}
    fates = {key: [day.noticed[key] for day in days if key in day.noticed] for key in mutants_}
    alive = {key for key, fate in fates.items() if False in fate and True not in fate}
    same = {key for key in alive if all(day.judge.equivalent(day.mutants[key]) for day in days if key in day.mutants)}
    left = tuple(Survivor(engine, mutants_[key]) for key in mutants_ if key in alive - same)
    killed = sum(True in fate for fate in fates.values())
    return Tally(len(fates), killed, len(fates) - killed - len(alive), len(same), left)


def _day(subject: Subject, cases: Sequence[Known], wanted: Callable[[Mutant], bool]) -> _Day:
    by_point: dict[Point, list[Known]] = {}
    for each in cases:
        by_point.setdefault(each.case.at, []).append(each)
    judge = Judge(subject.bundle)
    made: dict[_Key, Mutant] = {}
    noticed: dict[_Key, bool | None] = {}
    for mutant in mutants(subject.bundle):
        if not wanted(mutant) or not judge.concerned(mutant):
            continue  # a limit that only a lifecycle reads: no case asks about moves of a machine
        made[mutant.place, mutant.what] = mutant
        noticed[mutant.place, mutant.what] = judge.notices(mutant, by_point)
    return _Day(judge, made, noticed)


class Judge:
    """Judges the mutants of one bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._reads = {rule.id: rests_on(bundle, texts_of(rule)) for rule in bundle.rules}
        self._compiled_mutants: dict[Mutant, GuardSet | None] = {}

    def notices(self, mutant: Mutant, cases: Mapping[Point, Sequence[Known]]) -> bool | None:
        """Whether some case fails on a mutant; None when the mutant does not compile, so that nobody could ship it."""
        concerned = self.concerned(mutant)
        guards = self.guards(mutant)
        if guards is None:
            return None
        points = {Point(rule.at) for rule in concerned}
        names = frozenset(rule.id for rule in concerned)
        asked = [each for point in points for each in cases.get(point, ())]
        # Cases about one of the rules notice most, and come first.
        return any(
            _fails(each, names, guards) for each in sorted(asked, key=lambda each: not names & set(each.case.by))
        )

    def kills(self, mutant: Mutant, case: Known) -> bool:
        """Whether one case fails on a mutant."""
        concerned = self.concerned(mutant)
        guards = self.guards(mutant)
        names = frozenset(rule.id for rule in concerned if rule.at == case.case.at)
        return guards is not None and bool(names) and _fails(case, names, guards)

    def equivalent(self, mutant: Mutant) -> bool:
        """Whether a mutant is proven to judge every moment as the bundle does."""
        return equivalent(mutant, self._bundle, self.concerned(mutant))

    def concerned(self, mutant: Mutant) -> list[RuleSource]:
        """The rules whose say may differ, as they are in the bundle."""
        if mutant.name is not None:
            return [rule for rule in self._bundle.rules if mutant.name in self._reads[rule.id]]
        changed = mutant.removed or (mutant.rule.id if mutant.rule is not None else "")
        return [rule for rule in self._bundle.rules if rule.id == changed]

    def guards(self, mutant: Mutant) -> GuardSet | None:
        """The compiled guards of the rules that a mutant concerns, remembered; None when it does not compile."""
        if mutant not in self._compiled_mutants:
            try:
                self._compiled_mutants[mutant] = self._compile(mutant, self.concerned(mutant))
            except PolicyError:
                self._compiled_mutants[mutant] = None
        return self._compiled_mutants[mutant]

    def _compile(self, mutant: Mutant, concerned: Sequence[RuleSource]) -> GuardSet:
        """Guards of the rules concerned alone, with the limits they read: nothing else can have changed."""
        return compile_bundle(with_rules(mutant.of(self._bundle), {rule.id for rule in concerned}))


def _fails(known: Known, names: frozenset[str], guards: GuardSet) -> bool:
    """Whether a case that passed no longer does with some rules judged by other guards."""
    decided = guards.guards[known.case.at].decide(known.moment.views, known.moment.problems)
    again = [each for each in decided.findings if each.rule in names]
    if _same(again, [each for each in known.answer.against if each.rule in names]):
        return False
    others = [each for each in known.answer.against if each.rule not in names]
    return any(differences(known.case, recombined(known.case.at, [*others, *again])))


def _same(left: Sequence[Finding], right: Sequence[Finding]) -> bool:
    """Whether findings say the same, in whatever words."""
    return {(f.rule, f.result, f.effect) for f in left} == {(f.rule, f.result, f.effect) for f in right}
