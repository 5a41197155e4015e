"""Boundary cases: for every rule and every fact it reads, the values on both sides of where it changes its mind.

One fact is changed at a time from a world in which the rule passes; where the ordinary moment is none, or no single
fact makes the rule breach, as few facts as possible are set first. Nothing is random: the same policies give the same
cases. How they are written down is documents.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product

from mqk.analysis.testing.running import Answer
from mqk.analysis.testing.subjects import Subject, age_limit
from mqk.analysis.testing.worlds import Change, Said, Variable, Worlds
from mqk.dsl import syntax
from mqk.dsl.missing import MISSING
from mqk.guards import GuardRule, Point, Result
from mqk.guards.expiry import EXPIRED

# How far from the ordinary value a boundary is looked for, in doublings of a step; how many worlds are tried at most.
_DOUBLINGS = 52
_MOST_WORLDS = 4_000


@dataclass(frozen=True, slots=True)
class Boundary:
    """One case to be written: the rule it is for, what is given and taken away, and what came of it."""

    rule: str
    name: str
    at: Point
    given: Mapping[str, str]
    missing: tuple[str, ...]
    unreadable: tuple[str, ...]
    stale: tuple[str, ...]
    expect: str
    by: tuple[str, ...]
    result: Result


@dataclass(frozen=True, slots=True)
class Boundaries:
    """The boundary cases of an engine, and the rules for which some result could not be brought about."""

    cases: tuple[Boundary, ...]
    unreached: tuple[tuple[str, Said], ...]


def boundary_cases(subject: Subject) -> Boundaries:
    """The boundary cases of every rule of an engine, in the order of the rules' ids."""
    cases: list[Boundary] = []
    unreached: list[tuple[str, Said]] = []
    for point in Point:
        worlds = Worlds(subject, point)
        for rule in worlds.guard.rules:
            if rule.id == EXPIRED:
                continue  # no document says it, so that no document's tests are about it
            maker = _Maker(worlds, rule)
            made = list(maker.cases())
            cases += made
            unreached += [(rule.id, said) for said in (Said.PASS, Said.BREACH, Said.ERROR) if said not in maker.reached]
    return Boundaries(tuple(sorted(cases, key=lambda case: (case.rule, case.name))), tuple(sorted(unreached, key=str)))


class _Maker:
    """Makes the cases of one rule."""

    def __init__(self, worlds: Worlds, rule: GuardRule) -> None:
        self._worlds = worlds
        self._rule = rule
        self._variables = worlds.variables(rule)
        self.reached: set[Said] = set()
        self._seen: set[tuple[tuple[str, str], ...]] = set()

    def cases(self) -> Iterator[Boundary]:
        """All cases of the rule."""
        start = self._reach(lambda change: self._says(change) is Said.PASS) or {}
        yield from self._around(start)
        if Said.BREACH not in self.reached:
            breach = self._reach(lambda change: self._says(change) is Said.BREACH)
            if breach is not None:
                yield from self._case("breaches", breach)
                yield from self._back(breach)
        yield from self._spared()
        yield from self._without(start)

    def _says(self, change: Change) -> Said:
        return self._worlds.says(self._rule, change)

    def _reach(self, wanted: Callable[[Change], bool]) -> Change | None:
        """The nearest world in which something is so: the one with the fewest facts changed."""
        if wanted({}):
            return {}
        pools = {each.name: self._values_of(each) for each in self._variables}
        tried = 0
        for size in (1, 2, 3):
            for names in combinations(pools, size):
                for values in product(*(pools[name] for name in names)):
                    change = dict(zip(names, values, strict=True))
                    if wanted(change):
                        return change
                    tried += 1
                    if tried > _MOST_WORLDS * size:
                        return None
        return None

    def _around(self, start: Change) -> Iterator[Boundary]:
        """The cases one fact away from a world in which the rule passes."""
        yield from self._case("passes", start)
        for variable in self._variables:
            if variable.stepped:
                yield from self._edges(variable, start)
            else:
                yield from self._values(variable, start)

    def _back(self, breach: Change) -> Iterator[Boundary]:
        """The edges of a world in which the rule breaches, towards those in which it passes."""
        for variable in self._variables:
            if variable.stepped and variable.name in breach:
                yield from self._edges(variable, breach)

    def _values_of(self, variable: Variable) -> list[syntax.Value]:
        """The values worth trying for a fact, and its absence where it may be absent."""
        return [*self._worlds.candidates(variable, self._rule), *([MISSING] if variable.optional else ())]

    def _spared(self) -> Iterator[Boundary]:
        """Worlds in which the rule would breach if it applied: orders that only reduce, a `when` that does not hold."""
        if self._worlds.point is Point.ORDER:
            included = replace(self._rule, gated=False)
            yield from self._sparing(
                "an exit", lambda change: self._worlds.reduces(change) and self._breaks(included, change)
            )
        if self._rule.when is not None:
            always = replace(self._rule, when=None)
            yield from self._sparing(
                "outside `when`", lambda change: self._says(change) is Said.NOTHING and self._breaks(always, change)
            )

    def _sparing(self, what: str, wanted: Callable[[Change], bool]) -> Iterator[Boundary]:
        found = self._reach(wanted)
        if found is not None:
            yield from self._case(what, found, spared=True)

    def _breaks(self, rule: GuardRule, change: Change) -> bool:
        return self._worlds.says(rule, change) in (Said.BREACH, Said.ERROR)

    def _values(self, variable: Variable, start: Change) -> Iterator[Boundary]:
        for value in self._worlds.candidates(variable, self._rule):
            if self._worlds.says(self._rule, {**start, variable.name: value}) in (Said.PASS, Said.BREACH):
                yield from self._case(f"{variable.name} {variable.written(value)}", {**start, variable.name: value})

    def _edges(self, variable: Variable, start: Change) -> Iterator[Boundary]:
        """The values around which the rule changes its mind, going up and going down from where it stands."""
        value = start.get(variable.name, self._worlds.value(variable.name))
        if value is None:
            # A fact that is not there on an ordinary day: begin where it is there and the rule passes.
            known = self._worlds.candidates(variable, self._rule)
            value = next((v for v in known if self._says({**start, variable.name: v}) is Said.PASS), None)
        if value is None:
            return
        origin = variable.steps(value)
        for direction, word in ((1, "rising"), (-1, "falling")):
            edge = self._edge(variable, start, origin, direction)
            if edge is None:
                continue
            near, far = edge
            for steps, place in (
                (near - direction, "inside"),
                (near, "before"),
                (far, "behind"),
                (far + direction, "beyond"),
            ):
                change = {**start, variable.name: variable.stepped_value(steps)}
                yield from self._case(f"{variable.name} {word}, {place}", change)

    def _edge(self, variable: Variable, start: Change, origin: int, direction: int) -> tuple[int, int] | None:
        """Two neighbours between which the rule changes from what it says at the origin, to PASS or BREACH."""

        def says(steps: int) -> Said:
            return self._worlds.says(self._rule, {**start, variable.name: variable.stepped_value(steps)})

        here = says(origin)
        near = origin
        for exponent in range(_DOUBLINGS):
            far = origin + direction * (1 << exponent)
            if variable.minimum is not None and far < variable.minimum:
                far = variable.minimum
                if far == near:
                    return None
            there = says(far)
            if there is Said.ERROR:
                return None
            if there is not here:
                break
            near = far
        else:
            return None
        while abs(far - near) > 1:
            middle = (near + far) // 2
            if says(middle) is here:
                near = middle
            else:
                far = middle
        return near, far

    def _without(self, start: Change) -> Iterator[Boundary]:
        """The rule without each fact it reads, and with each in a form that cannot be read, or too old."""
        for variable in self._variables:
            if self._worlds.says(self._rule, {**start, variable.name: MISSING}) is not Said.NOTHING:
                yield from self._case(f"{variable.name} missing", start, missing=(variable.name,))
        for variable in self._variables:
            yield from self._case(f"{variable.name} unreadable", start, unreadable=(variable.name,))
        for variable in self._variables:
            if age_limit(variable.name, self._worlds.point) is not None:
                yield from self._case(f"{variable.name} stale", start, stale=(variable.name,))

    def _case(
        self,
        what: str,
        change: Change,
        *,
        missing: tuple[str, ...] = (),
        unreadable: tuple[str, ...] = (),
        stale: tuple[str, ...] = (),
        spared: bool = False,
    ) -> Iterator[Boundary]:
        """The case of a world, with what comes of it; none when it cannot be written or says nothing about the rule."""
        absent = tuple(name for name, value in change.items() if value is MISSING and name not in unreadable)
        missing = (*missing, *(name for name in absent if self._worlds.value(name) is not None))
        given = self._given(change, (*absent, *missing, *unreadable))
        if given is None:
            return
        key = (*sorted(given.items()), ("", f"{missing}{unreadable}{stale}"))
        if key in self._seen:
            return
        self._seen.add(key)
        answer = self._answer(change, missing, unreadable, stale)
        result = answer.of(self._rule.id)
        named = self._named(answer, result)
        if named is None:
            return
        said = Said(result.value.lower())
        if (
            not spared
            and said is Said.PASS
            and self._worlds.says(self._rule, {**change, **dict.fromkeys(missing, MISSING)}) is not said
        ):
            return
        if not spared:
            self.reached.add(said)
        by, against = named
        yield Boundary(
            self._rule.id,
            f"{self._rule.id} {what}",
            self._worlds.point,
            given,
            missing,
            unreadable,
            stale,
            answer.outcome,
            by,
            against,
        )

    def _given(self, change: Change, removed: tuple[str, ...]) -> dict[str, str] | None:
        by_name = {each.name: each for each in self._variables}
        given: dict[str, str] = {}
        for name, value in change.items():
            if name in removed or value == self._worlds.value(name):
                continue
            text = by_name[name].written(value)
            below = by_name[name].minimum
            if text is None or (below is not None and isinstance(value, int) and value < below):
                return None
            given[name] = text
        return dict(sorted(given.items()))

    def _answer(
        self, change: Change, missing: tuple[str, ...], unreadable: tuple[str, ...], stale: tuple[str, ...]
    ) -> Answer:
        views = self._worlds.views({**change, **dict.fromkeys((*missing, *unreadable), MISSING)}, stale)
        problems = {**self._worlds.base.problems, **dict.fromkeys(unreadable, "not readable")}
        decision = self._worlds.guard.decide(views, problems)
        return Answer(decision.outcome, decision.findings)

    def _named(self, answer: Answer, result: Result) -> tuple[tuple[str, ...], Result] | None:
        """Whom a case names and with which result; None when breaches and errors decide together."""
        if result is Result.ERROR:
            named = {self._rule.id}
            if not answer.deciding & named and answer.outcome != "allow":
                errors = sorted(rule for rule in answer.deciding if answer.of(rule) is Result.ERROR)
                if not errors:
                    return None
                named.add(errors[0])
            return tuple(sorted(named)), Result.ERROR
        named = set(answer.deciding) | ({self._rule.id} if result is Result.BREACH else set())
        if any(answer.of(rule) is not Result.BREACH for rule in named):
            return None
        return tuple(sorted(named)), Result.BREACH
