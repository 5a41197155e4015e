"""Test documents as suites of cases, and everything that is wrong with them once it is known what they test.

What lives here: reading nodes, and the faults of names (rules, facts, baselines, outcomes). What does not: the shape
of a document (its schema) and running a case (running.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from mqk.analysis.testing.subjects import Bench, Subject, age_limit, plain
from mqk.guards import LADDERS, Point, Result, canonical_name, facts_at, points_of, read_facts
from mqk.policy import (
    Diagnostic,
    Document,
    Node,
    PolicyError,
    PolicySet,
    Scalar,
    Span,
    Text,
    closest,
    did_you_mean,
    error,
    listed,
    quoted,
)
from mqk.policy import Mapping as MappingNode
from mqk.quantity import QuantityError, parse_date

_WINDOWS = ("count(", "total(")


@dataclass(frozen=True, slots=True)
class Given:
    """A fact that a case or a baseline gives: its name and its value as written, with the place of both."""

    name: Text
    value: Node


@dataclass(frozen=True, slots=True)
class Case:
    """One case: what is given, and what must come of it.

    `by` are the rules that decide: with BREACH no other rule may ask for the outcome, with ERROR one of them must.
    """

    name: str
    at: Point
    baseline: Text | None
    given: tuple[Given, ...]
    missing: tuple[Text, ...]
    unreadable: tuple[Text, ...]
    stale: tuple[Text, ...]
    expect: str
    by: tuple[str, ...]
    result: Result
    span: Span = field(compare=False)

    @property
    def removed(self) -> tuple[Text, ...]:
        """The facts that the case takes away, in one way or another."""
        return (*self.missing, *self.unreadable)

    @property
    def named(self) -> tuple[Text, ...]:
        """Every fact that the case says something about."""
        return (*(given.name for given in self.given), *self.removed, *self.stale)


@dataclass(frozen=True, slots=True)
class Suite:
    """A test document: its cases, the engines they are run for, and the day whose rules count."""

    id: str
    title: str
    engines: tuple[Text, ...]
    as_of: date | None
    baselines: Mapping[str, tuple[Given, ...]]
    cases: tuple[Case, ...]
    file: str
    span: Span


def read_suites(
    policies: PolicySet, bench: Bench, *, engine: str | None = None
) -> tuple[list[Suite], list[Diagnostic]]:
    """Every test document of a set (those of one engine alone, on request), and all that is wrong with them.

    A suite with a fault is not run at all: a case that tests something else than it says proves nothing.
    """
    suites: list[Suite] = []
    found: list[Diagnostic] = []
    for (kind, _), versions in policies.versions.items():
        if kind != "test":
            continue
        for document in versions:
            reader = _Reader(document, bench)
            suite = reader.suite()
            found += reader.found
            if suite is not None and not reader.found and (engine is None or _concerns(suite, engine)):
                suites.append(suite)
    return suites, found


def _concerns(suite: Suite, engine: str) -> bool:
    return any(each.text == engine for each in suite.engines)


class _Reader:
    """Reads one document, collecting what is wrong with it."""

    def __init__(self, document: Document, bench: Bench) -> None:
        self._document = document
        self._node = document.node
        self._bench = bench
        self.found: list[Diagnostic] = []

    def suite(self) -> Suite | None:
        """The suite; None when it is not known what it tests."""
        engines = (*self._node.scalars("engines"), *_one(self._node, "engine"))
        if not engines:
            help_ = "write `engine:` and the id of the engine whose policies are tested"
            self._fault("MQK-1458", "a test of no engine", self._document.span, help_)
        as_of = self._day()
        baselines = {name: _givens(self._node.mapping("baselines").mapping(name)) for name in self._baseline_names()}
        cases = [case for node in self._node.mappings("cases") if (case := self._case(node)) is not None]
        self._twice(self._node.mappings("cases"))
        if not self._node.items("cases") and not self._node.items("claims"):
            self._fault("MQK-1459", "a test without a case", self._document.span, "write a case, or remove the file")
        suite = Suite(
            id=self._document.id,
            title=self._document.title,
            engines=engines,
            as_of=as_of,
            baselines=baselines,
            cases=tuple(cases),
            file=self._document.file,
            span=self._document.span,
        )
        self._baselines(suite)
        for engine in engines:
            self._against(suite, engine)
        return suite if engines else None

    def _baseline_names(self) -> list[str]:
        return list(self._node.mapping("baselines").entries)

    def _day(self) -> date | None:
        written = self._node.scalar("as_of")
        if written is None:
            return None
        try:
            return parse_date(written.text)
        except QuantityError as fault:
            self._fault("MQK-1452", fault.message, written.span, fault.help)
            return None

    def _case(self, node: MappingNode) -> Case | None:
        name, at, expect = node.scalar("name"), node.scalar("at"), node.scalar("expect")
        if name is None or at is None or at.text not in tuple(Point):
            return None  # the schema has said so
        point = Point(at.text)
        by = node.one_or_more("by")
        if expect is None:
            help_ = f"write `expect:` and one of {listed(LADDERS[point])}"
            self._fault("MQK-1454", f"{quoted(name.text)} expects nothing", name.span, help_)
        elif expect.text not in LADDERS[point]:
            message = f"{quoted(expect.text)} is no outcome at `{point.value}`"
            help_ = did_you_mean(expect.text, LADDERS[point]) or f"write one of {listed(LADDERS[point])}"
            self._fault("MQK-1456", message, expect.span, help_)
        elif expect.text != "allow" and not by:
            message = f"{quoted(name.text)} does not say which rule decides"
            self._fault("MQK-1454", message, expect.span, "write `by:` and the id of the rule")
        result = node.scalar("result")
        return Case(
            name=name.text.strip(),
            at=point,
            baseline=node.scalar("baseline"),
            given=_givens(node.mapping("given")),
            missing=node.scalars("missing"),
            unreadable=node.scalars("unreadable"),
            stale=node.scalars("stale"),
            expect=expect.text if expect is not None else "",
            by=tuple(each.text for each in by),
            result=Result.ERROR if result is not None and result.text == "error" else Result.BREACH,
            span=name.span,
        )

    def _twice(self, nodes: tuple[MappingNode, ...]) -> None:
        first: dict[str, Span] = {}
        for node in nodes:
            name = node.scalar("name")
            if name is None:
                continue
            known = first.setdefault(name.text.strip(), name.span)
            if known != name.span:
                notes = [("first written here", known)]
                message = f"two cases are called {quoted(name.text)}"
                help_ = "a report names a case by its name alone"
                self.found.append(error("MQK-1455", message, name.span, help_, notes=notes))

    def _baselines(self, suite: Suite) -> None:
        """Baselines that nobody wrote, and those that nobody uses."""
        used = {case.baseline.text for case in suite.cases if case.baseline is not None}
        for case in suite.cases:
            if case.baseline is not None and case.baseline.text not in suite.baselines:
                help_ = did_you_mean(case.baseline.text, suite.baselines) or "write it under `baselines:`"
                self._fault("MQK-1457", f"unknown baseline {quoted(case.baseline.text)}", case.baseline.span, help_)
        for name in suite.baselines:
            if name not in used:
                key = self._node.mapping("baselines").entries[name].key
                help_ = "name it in a case by `baseline:`, or remove it"
                self._fault("MQK-1453", f"no case uses the baseline {quoted(name)}", key.span, help_)

    def _against(self, suite: Suite, engine: Text) -> None:
        """Hold a suite against what it tests: every name in it must mean something there."""
        try:
            subject = self._bench.subject(engine.text, suite.as_of)
        except PolicyError as fault:
            known = self._bench.engines
            if engine.text in known:
                # The engine's own faults are shown once, at their own place, however many suites need it.
                self.found += fault.diagnostics
            else:
                help_ = did_you_mean(engine.text, known) or f"there are {listed(known, 'and')}"
                self._fault("MQK-1458", f"there is no engine {quoted(engine.text)}", engine.span, help_)
            return
        for name, givens in suite.baselines.items():
            points = {case.at for case in suite.cases if case.baseline is not None and case.baseline.text == name}
            for given in givens if points else ():
                if not any(_meaning(given.name.text, point, subject) for point in points):
                    self._unknown(given.name, min(points), subject)
        for node in self._node.mappings("cases"):
            self._rules(node, subject)
        for case in suite.cases:
            unknown = [name for name in case.named if not _meaning(name.text, case.at, subject)]
            for each in unknown:
                self._unknown(each, case.at, subject)
            if not unknown:
                self._readable(case, subject)
                self._ageing(case)

    def _rules(self, node: MappingNode, subject: Subject) -> None:
        at = node.scalar("at")
        for named in node.one_or_more("by"):
            source = subject.rules.get(named.text)
            if source is None:
                message = f"`{subject.engine}` has no rule {quoted(named.text)}"
                here = [name for name, rule in subject.rules.items() if at is not None and rule.at == at.text]
                help_ = did_you_mean(named.text, here) or did_you_mean(named.text, subject.rules)
                self._fault("MQK-1450", message, named.span, help_)
            elif at is not None and source.at != at.text:
                message = f"rule `{named.text}` is judged at `{source.at}`, and never at `{at.text}`"
                self._fault("MQK-1450", message, named.span, f"write `at: {source.at}`")

    def _readable(self, case: Case, subject: Subject) -> None:
        """Values that cannot be read: a typo must not pass for a test of one."""
        document = {canonical_name(given.name.text): plain(given.value) for given in case.given}
        problems = read_facts(document, subject.guards, case.at, lenient=True).problems
        for given in case.given:
            problem = problems.get(canonical_name(given.name.text))
            if problem is not None:
                help_ = "a fact that must be unreadable is listed under `unreadable:`"
                self._fault("MQK-1452", problem, given.value.span, help_)

    def _ageing(self, case: Case) -> None:
        """Facts that are to be stale, and never are."""
        for name in case.stale:
            if age_limit(name.text, case.at) is None:
                ageing = [each for each in facts_at(case.at) if age_limit(each, case.at) is not None]
                help_ = f"{listed(ageing, 'and')} do" if ageing else f"no fact at `{case.at.value}` does"
                self._fault("MQK-1451", f"{quoted(name.text)} never grows old", name.span, help_)

    def _unknown(self, name: Text, point: Point, subject: Subject) -> None:
        entry = facts_at(point).get(name.text)
        if entry is not None:
            message = f"{quoted(name.text)} is computed from other facts"
            self._fault("MQK-1451", message, name.span, f"give those instead: it is `{entry.expression}`")
            return
        elsewhere = points_of(name.text)
        if elsewhere:
            message = f"{quoted(name.text)} does not exist at `{point.value}`"
            self._fault("MQK-1451", message, name.span, f"it is known at {listed(elsewhere, 'and')}")
            return
        close = closest(canonical_name(name.text), subject.names(point))
        help_ = f"did you mean `{close}`?" if close is not None else None
        if help_ is None and name.text.startswith(_WINDOWS):
            counted = subject.windows_at(point)
            help_ = f"rules count {listed(counted, 'and')}" if counted else "no rule counts events here"
        self._fault("MQK-1451", f"unknown fact {quoted(name.text)}", name.span, help_)

    def _fault(self, code: str, message: str, span: Span, help_: str | None) -> None:
        each = error(code, message, span, help_)
        if each not in self.found:
            self.found.append(each)


def _meaning(name: str, point: Point, subject: Subject) -> bool:
    return canonical_name(name) in subject.names(point)


def _givens(node: MappingNode) -> tuple[Given, ...]:
    return tuple(Given(entry.key, entry.value) for entry in node.entries.values())


def _one(node: MappingNode, key: str) -> Iterator[Scalar]:
    alone = node.scalar(key)
    if alone is not None:
        yield alone
