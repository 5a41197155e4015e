"""Everything wrong with a set of policies, down to the last expression, in one go.

What lives here: which documents are compiled how, so that nothing stays unchecked because something else is broken or
because no engine uses it. What does not: what is wrong (mqk.policy, mqk.guards, mqk.strategies say so).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from mqk.analysis.soundness import loosened_later, unsound
from mqk.analysis.tried import untried
from mqk.cli.exits import halves
from mqk.cli.named import names_in
from mqk.dsl import ConstantRef, DslError, check_expression, parse_expression
from mqk.dsl import types as t
from mqk.guards import Point, compile_bundle, facts_at
from mqk.guards.environment import PolicyEnvironment, constants
from mqk.guards.names import Names
from mqk.guards.values import parse_fact
from mqk.policy import (
    Diagnostic,
    Document,
    LimitValue,
    Mapping,
    PolicyError,
    PolicySet,
    Scalar,
    Severity,
    Span,
    did_you_mean,
    effective_bundle,
    error,
    expression_fault,
    in_order,
    quoted,
)
from mqk.policy.order_life import ORDER_MACHINE, lifeless
from mqk.policy.schemas import RULING, schema_set
from mqk.policy.values import read_value
from mqk.quantity import QuantityError
from mqk.strategies import Registry, StrategyError

_POINTS: Final = tuple(Point)
_MOST_PAGES: Final = 5


@dataclass(frozen=True, slots=True)
class Checked:
    """Policies with everything wrong with them, in order of place."""

    policies: PolicySet
    diagnostics: tuple[Diagnostic, ...]


def check(policies: PolicySet, as_of: date | None = None) -> Checked:
    """Find everything wrong with loaded policies on a day (None: the latest of everything).

    Each engine is layered and compiled. Whatever no engine's guards contain - because no engine uses it, because it is
    not in force any more, or because an error elsewhere keeps engines from being compiled - is checked on its own.
    """
    checker = _Checker(policies, as_of)
    if not policies.errors:
        for engine in policies.ids("engine"):
            checker.engine(engine)
    for document in _documents(policies):
        checker.alone(document)
    return Checked(policies, in_order(checker.found))


def summary(checked: Checked) -> str:
    """What was checked, and how much is wrong with it, in one line."""
    policies = checked.policies
    documents = _documents(policies)
    counts = {
        severity: sum(each.severity is severity for each in checked.diagnostics)
        for severity in (Severity.ERROR, Severity.WARNING)
    }
    wrong = [_counted(count, severity.value) for severity, count in counts.items() if count]
    if not wrong:
        engines = ", ".join(policies.ids("engine")) or "none"
        rules = sum(len(each.node.mappings("rules")) for each in documents)
        where = f"{_counted(len(documents), 'document')} in {_counted(len(policies.sources), 'file')}"
        return f"{where}, {_counted(rules, 'rule')}, engines {engines}: no faults"
    files = len({each.span.file for each in checked.diagnostics})
    return f"{' and '.join(wrong)} in {_counted(files, 'file')}"


def pages(checked: Checked) -> str | None:
    """The command that explains what was found; None when there is nothing to explain."""
    codes = list(dict.fromkeys(each.code for each in checked.diagnostics))
    more = " …" if len(codes) > _MOST_PAGES else ""
    return f"explained by: mqk explain {' '.join(codes[:_MOST_PAGES])}{more}" if codes else None


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


class _Checker:
    """Collects what is wrong, each place once."""

    def __init__(self, policies: PolicySet, as_of: date | None) -> None:
        self._as_of = as_of
        self.found = list(policies.diagnostics)
        self._policies = policies
        self._registry = Registry.installed()
        self._compiled: set[Span] = set()
        # Tables of compiled engines: with the limits that hold there it is known whether their rows leave gaps.
        self._tables: set[str] = set()
        # Limits that count as set although no value of theirs can be read: that mistake has been reported.
        self._spoilt: set[str] = set(schema_set().known_limits()) if policies.errors else set()
        self._anywhere: dict[str, LimitValue] = {}
        for document in _documents(policies):
            self._anywhere |= self._limits(document)

    def engine(self, name: str) -> None:
        """Layer and compile an engine."""
        try:
            bundle = effective_bundle(self._policies, name, as_of=self._as_of)
            compile_bundle(bundle)
        except PolicyError as fault:
            self.found += fault.diagnostics
            return
        trading = [strategy for strategy in bundle.strategies if not strategy.shadow]
        if trading and ORDER_MACHINE not in bundle.lifecycles:
            self.found.append(lifeless(name, trading[0].span))
        self.found += unsound(bundle)
        self.found += untried(self._policies, bundle, self._as_of)
        if self._as_of is not None:
            self.found += loosened_later(self._policies, name, self._as_of)
        self._compiled |= {rule.span for rule in bundle.rules}
        self._tables |= bundle.tables.keys()
        self._compiled |= {let.span for let in bundle.lets.values()}
        self._compiled |= {move.span for machine in bundle.lifecycles.values() for move in machine.transitions}

    def alone(self, document: Document) -> None:
        """Check what a document says that no compiled engine contains."""
        if document.kind == "engine":
            self._add([*_strategies(document, self._registry), *_baseline(document)])
        if document.kind in RULING:
            limits = self._anywhere | self._own(document)
            own = names_in([*_documents(self._policies), *reversed(self._beneath(document))])
            for rule in document.node.mappings("rules"):
                at = rule.scalar("at")
                if at is not None and at.text in _POINTS:
                    self._conditions(rule, rule.scalar("id"), _environment(Point(at.text), limits, own))
            for claim in document.node.mappings("claims"):
                at = claim.scalar("at")
                if at is not None and at.text in _POINTS:
                    self._conditions(claim, None, _environment(Point(at.text), limits, own), ("when",))
            self._names(document, limits, own)
            self._add(each for each in own.diagnostics if not self._in_a_cell_told(each.span))
        elif document.kind == "lifecycle":
            environment = _environment(Point.TRANSITION, self._anywhere, names_in(_documents(self._policies)))
            for move in document.node.mappings("transitions"):
                self._conditions(move, move.scalar("by"), environment)
            for invariant in document.node.mappings("invariants"):
                self._conditions(invariant.mapping("claim"), None, environment, ("when", "without"))
        elif document.kind == "waiver":
            self._scope(document)

    def _names(self, document: Document, limits: dict[str, LimitValue], own: Names) -> None:
        """What a document defines, also where nothing uses it: each name is judged wherever it could have a meaning."""
        entries = document.node.mapping("let").entries
        lets = {name for name, entry in entries.items() if entry.key.span not in self._compiled}
        ids = {id_.text for each in document.node.mappings("tables") if (id_ := each.scalar("id")) is not None}
        tables = ids - self._tables
        for name in list(own):
            whose = name.split(".")[1] if name.startswith("tables.") else name
            if (name not in lets and whose not in tables) or self._speaks_of_spoilt(document, whose):
                continue
            for point in Point if whose in tables else (Point.ORDER,):
                own.lookup(name, point, lambda place: _environment(place, limits, own))
        for point in Point if tables else ():
            self._add(own.judged_tables(point, _environment(point, limits, own)))

    def _in_a_cell_told(self, span: Span) -> bool:
        """Whether a place lies in a cell of which it was told that it is none: what else is wrong there is the same."""
        return any(
            each.code == "MQK-1119"
            and (each.span.file, each.span.line) == (span.file, span.line)
            and each.span.column <= span.column < each.span.end_column
            for each in self.found
        )

    def _speaks_of_spoilt(self, document: Document, name: str) -> bool:
        """Whether a definition rests on a limit whose own fault was reported: what follows from that is no news."""
        definition = document.node.mapping("let").scalar(name)
        if definition is None:
            return bool(self._policies.errors)
        return any(f"limits.{each}" in definition.text for each in self._spoilt)

    def _scope(self, document: Document) -> None:
        """The scope of a waiver, also while it is not in force: on its first day it would keep the engine from binding.

        A rule that is nowhere has no point to check at; that it is nowhere is told by those who lay the layers.
        """
        waived = document.node.scalar("rule")
        points = {
            at.text
            for each in _documents(self._policies)
            for rule in each.node.mappings("rules")
            if (id_ := rule.scalar("id")) is not None and waived is not None and id_.text == waived.text
            if (at := rule.scalar("at")) is not None
        }
        for point in sorted(points & set(_POINTS)):
            own = names_in(_documents(self._policies))
            self._conditions(document.node, None, _environment(Point(point), self._anywhere, own), ("scope",))

    def _conditions(
        self,
        node: Mapping,
        name: Scalar | None,
        environment: PolicyEnvironment,
        keys: tuple[str, ...] = ("when", "require"),
    ) -> None:
        if name is not None and name.span in self._compiled:
            return
        for text in (node.scalar(key) for key in keys):
            if text is None:
                continue
            try:
                faults = check_expression(parse_expression(text.text), environment, t.BOOL).errors
            except DslError:
                continue  # the loader has said so
            self._add(expression_fault(each, text) for each in faults if not self._follows(text.text, each))

    def _follows(self, text: str, fault: DslError) -> bool:
        """Whether a fault in an expression only follows from one in the value or the name of a limit."""
        section, _, name = text[fault.start : fault.end].partition(".")
        if section == "tables":
            return bool(self._policies.errors)
        return section == "limits" and name.partition(".")[0] in self._spoilt

    def _add(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Add those whose place nobody has faulted yet."""
        taken = {(each.span.file, each.span.line, each.span.column) for each in self.found}
        self.found += (each for each in diagnostics if (each.span.file, each.span.line, each.span.column) not in taken)

    def _own(self, document: Document) -> dict[str, LimitValue]:
        """The limits of a document as it stands on all that it extends."""
        values: dict[str, LimitValue] = {}
        for layer in reversed(self._beneath(document)):
            values |= self._limits(layer)
        return values

    def _beneath(self, document: Document) -> list[Document]:
        """A document and all that it extends, itself first."""
        chain = [document]
        for layer in chain:
            for name in layer.extends:
                chain += (each for each in self._policies.versions.get((document.kind, name), ()) if each not in chain)
        return chain

    def _limits(self, document: Document) -> dict[str, LimitValue]:
        values: dict[str, LimitValue] = {}
        limits = document.node.mapping("limits")
        for name in limits.entries:
            written = limits.scalar(name)
            try:
                if written is None:
                    values[name] = tuple(each.text for each in limits.scalars(name))
                else:
                    values[name] = read_value(schema_set().limit_format(name), written.text)
            except QuantityError:
                self._spoilt.add(name)
        return values


def _documents(policies: PolicySet) -> list[Document]:
    return [document for versions in policies.versions.values() for document in versions]


def _environment(point: Point, limits: dict[str, LimitValue], own: Names) -> PolicyEnvironment:
    names: dict[str, ConstantRef] = {
        "engine.universe": ConstantRef("engine.universe", t.set_of(t.SYMBOL), frozenset()),
        "engine.capital": ConstantRef("engine.capital", t.money("USD"), 0),
    }
    for name, value in limits.items():
        names.update(constants(f"limits.{name}", value))
    return PolicyEnvironment(point, names, own)


def _baseline(engine: Document) -> Iterator[Diagnostic]:
    """Facts of an engine's baseline that nobody knows, or whose values are not theirs."""
    facts = {name: entry for point in Point for name, entry in facts_at(point).items()}
    for name, entry in engine.node.mapping("baseline").entries.items():
        if name.startswith(("count(", "total(")) or not isinstance(entry.value, Scalar):
            continue
        if name not in facts:
            yield error("MQK-1403", f"unknown fact {quoted(name)}", entry.key.span, did_you_mean(name, facts))
        elif facts[name].expression is not None:
            message = f"{quoted(name)} is computed from other facts"
            yield error("MQK-1403", message, entry.key.span, f"leave it out: it is `{facts[name].expression}`")
        else:
            try:
                parse_fact(entry.value.text, facts[name].type)
            except QuantityError as fault:
                yield error("MQK-1403", fault.message, entry.value.span, fault.help)


def _strategies(engine: Document, registry: Registry) -> Iterator[Diagnostic]:
    """Strategies with parameters they cannot have; one that is not installed here is only worth a warning."""
    for node in engine.node.mappings("strategies"):
        id_, params = node.scalar("id"), node.mapping("params").entries
        if id_ is None:
            continue
        try:
            registry.build(
                id_.text, {name: each.value.text for name, each in params.items() if isinstance(each.value, Scalar)}
            )
        except StrategyError as fault:
            severity = Severity.WARNING if fault.code == "unknown" else Severity.ERROR
            for problem in fault.problems:
                message, help_ = halves(problem)
                blamed = (entry.key.span for name, entry in params.items() if re.search(rf"`{name}[`:]", message))
                yield Diagnostic("MQK-1404", severity, message, help_, next(blamed, id_.span))
