"""A guard: the compiled rules of one engine at one point, and the decision they come to.

`judge` is the hot path: generated code, one call, 0 when every rule passes. `decide` is the full answer, given by the
reference interpreter; it is asked when `judge` says something is wrong, or when somebody wants to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mqk.dsl import ConstantRef, EvaluationError, evaluate, syntax
from mqk.dsl.emit_python import Emitted, Judge, Rule, emit_point
from mqk.dsl.environment import CollectionRef, FactRef
from mqk.dsl.errors import Fault
from mqk.dsl.reading import opened
from mqk.dsl.types import BOOL, SYMBOL, Type
from mqk.guards.catalogue import VIEWS, facts_at
from mqk.guards.decision import Decision, Finding, effect_of
from mqk.guards.elements import write_elements
from mqk.guards.explain import explain
from mqk.guards.index import INDEXED
from mqk.guards.lookup import ViewLookup
from mqk.guards.points import ALLOW, WARN, Enforcement, Point, Result, most_severe
from mqk.guards.values import format_value
from mqk.policy import LatchSource, Layer, Span
from mqk.quantity import format_duration

_ADVICE: Final = {
    Fault.MISSING: "is missing",
    Fault.INVALID: "cannot be used",
    Fault.STALE: "is stale",
    Fault.DIVISION_BY_ZERO: "divides by zero",
}


@dataclass(frozen=True, slots=True)
class Waiver:
    """Where a rule is set aside, by whose leave it is known."""

    id: str
    scope: syntax.Expr


@dataclass(frozen=True, slots=True)
class GuardRule:
    """One compiled rule: its checked expressions, what a breach leads to, and where it was written.

    `gated` rules do not apply to orders that only reduce. A rule with `symbols` is about these and no others. It is
    judged only where the scope of none of its `waivers` holds. `cost` is how many nodes it judges at worst.
    """

    id: str
    title: str
    require: syntax.Expr
    when: syntax.Expr | None
    outcome: str
    enforcement: Enforcement
    gated: bool
    confirm: int
    latch: LatchSource | None
    span: Span
    document: str
    symbols: frozenset[str] | None = None
    waivers: tuple[Waiver, ...] = ()
    cost: int = 0

    @property
    def waived(self) -> syntax.Expr | None:
        """The condition under which the rule is not judged; None without waivers."""
        scopes = tuple(waiver.scope for waiver in self.waivers)
        if len(scopes) < 2:
            return scopes[0] if scopes else None
        return syntax.Connective(start=0, end=0, op="or", operands=scopes, type=BOOL)

    def effect(self, result: Result) -> str:
        """What the rule contributes to a decision when it says this."""
        return effect_of(result, self.outcome, self.enforcement)

    @property
    def expressions(self) -> tuple[syntax.Expr, ...]:
        """Everything that is judged of it, in order."""
        return tuple(each for each in (self.waived, self.when, self.require) if each is not None)


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """A window that the engine must count, or add up when it is a `total`, under `slot`: the events of `stream`.

    It reaches back `micros` microseconds, or over `sessions` trading sessions, the current one included; the other of
    the two is None. `unit` is `us`, `sessions` or `business_days`.
    """

    slot: str
    stream: str
    micros: int | None
    sessions: int | None = None
    unit: str = "us"
    total: bool = False


class Guard:
    """All rules of one engine at one point, compiled."""

    def __init__(
        self,
        point: Point,
        engine: str,
        bundle: str,
        rules: Sequence[GuardRule],
        gate: syntax.Expr | None,
        limits: Mapping[str, Layer],
    ) -> None:
        self.point = point
        self.engine = engine
        self.bundle = bundle
        self.rules = tuple(rules)
        self.parameters = tuple(VIEWS[point])
        self._observed = _observed(point, self.rules, gate)
        self._gate = gate
        self._limits = limits
        self._written = {f"limits.{name}": layer.text for name, layer in limits.items()}
        self._index = INDEXED.get(point)
        self._waivable = tuple(rule for rule in self.rules if rule.waivers)
        self._emitted: Emitted = emit_point(self.compiled, self.parameters, gate, self._mask, self._index)
        self.judge: Judge = self._emitted.judge
        """Judge all rules on views given in the order of `parameters`: 0, or a bit per rule that did not pass."""

    @property
    def waives(self) -> bool:
        """Whether a waiver may set one of the rules aside, so that a clean judgement is worth a decision."""
        return bool(self._waivable)

    @property
    def gate(self) -> syntax.Expr | None:
        """The condition under which gated rules are not judged; None where there is none."""
        return self._gate

    @property
    def index(self) -> str | None:
        """The fact that holds the symbol of the moment, where there is one."""
        return self._index

    @property
    def compiled(self) -> tuple[Rule, ...]:
        """The rules as backends take them, in order."""
        return tuple(Rule(rule.require, rule.when, rule.gated, rule.waived, rule.symbols) for rule in self.rules)

    @property
    def source(self) -> str:
        """The generated Python, for reading."""
        return self._emitted.source

    def _mask(self, *views: object) -> int:
        """What `judge` answers when a fact could not be used: a bit for every rule that the interpreter fails."""
        lookup = ViewLookup(dict(zip(self.parameters, views, strict=True)))
        results = self.results(lookup)
        return sum(1 << i for i, (result, _) in enumerate(results) if result is not Result.PASS)

    def results(
        self, lookup: ViewLookup, rules: Sequence[GuardRule] | None = None
    ) -> list[tuple[Result, EvaluationError | None]]:
        """What every rule (or each of those given) says, in order, by the reference interpreter."""
        gate: bool | EvaluationError | None = None
        answers: list[tuple[Result, EvaluationError | None]] = []
        for rule in self.rules if rules is None else rules:
            try:
                if self._elsewhere(rule, lookup):
                    answers.append((Result.PASS, None))
                    continue
                if rule.gated and self._gate is not None:
                    if gate is None:
                        gate = self._open(lookup)
                    if isinstance(gate, EvaluationError):
                        raise gate
                    if gate:
                        answers.append((Result.PASS, None))
                        continue
                waived = rule.waived is not None and evaluate(rule.waived, lookup)
                applies = not waived and (rule.when is None or evaluate(rule.when, lookup))
                holds = not applies or evaluate(rule.require, lookup)
                answers.append((Result.PASS if holds else Result.BREACH, None))
            except EvaluationError as error:
                answers.append((Result.ERROR, error))
        return answers

    def _elsewhere(self, rule: GuardRule, lookup: ViewLookup) -> bool:
        """Whether the rule is about other symbols than the moment's."""
        if rule.symbols is None or self._index is None:
            return False
        return lookup.fact(FactRef(self._index, SYMBOL)) not in rule.symbols

    def _open(self, lookup: ViewLookup) -> bool | EvaluationError:
        assert self._gate is not None
        try:
            return bool(evaluate(self._gate, lookup))
        except EvaluationError as error:
            return error

    def decide(
        self,
        views: Mapping[str, object],
        problems: Mapping[str, str] | None = None,
        *,
        passes: bool = False,
        mask: int | None = None,
    ) -> Decision:
        """Judge all rules and say everything about those that did not pass (and about those that did, on request).

        `problems` are facts that were given but could not be read; the outcome is then never `allow`. `mask` is what
        `judge` has just answered on the same views, and spares judging the rules that passed.
        """
        lookup = ViewLookup(views, problems or {})
        rules: Sequence[GuardRule] = self.rules
        if mask is not None and not passes and not problems:
            rules = [self.rules[bit] for bit in bits(mask)]
        findings = [
            self._finding(rule, result, error, lookup)
            for rule, (result, error) in zip(rules, self.results(lookup, rules), strict=True)
            if passes or result is not Result.PASS
        ]
        findings += self._unreadable(problems or {}, findings)
        outcome = most_severe(self.point, [finding.effect for finding in findings])
        facts, waivers = self._facts(lookup), self._used(lookup)
        return Decision(self.point, self.engine, outcome, tuple(findings), self.bundle, facts, waivers)

    def _used(self, lookup: ViewLookup) -> tuple[str, ...]:
        """The waivers that made a difference: their rule would not have passed."""
        without = [replace(rule, waivers=()) for rule in self._waivable]
        used: list[str] = []
        for rule, (result, _) in zip(self._waivable, self.results(lookup, without), strict=True):
            if result is not Result.PASS:
                used += [waiver.id for waiver in rule.waivers if _holds(waiver.scope, lookup)]
        return tuple(sorted(set(used)))

    def _finding(self, rule: GuardRule, result: Result, error: EvaluationError | None, lookup: ViewLookup) -> Finding:
        layer = Layer(rule.document, "", rule.span)
        if error is not None:
            message = f"`{error.subject}` {_ADVICE[error.fault]}" + (f": {error.detail}" if error.detail else "")
            return self._record(rule, result, layer, None, None, None, message, error.fault.value)
        if result is Result.PASS and not self._judged(rule, lookup):
            waivers = [f"`{waiver.id}`" for waiver in rule.waivers if _holds(waiver.scope, lookup)]
            message = f"waived by {' and '.join(waivers)}" if waivers else "does not apply"
            return self._record(rule, result, layer, None, None, None, message, None)
        why = explain(rule.require, lookup, self._written, holds=result is Result.PASS)
        layer = next((self._limits[name] for name in why.limits if name in self._limits), layer)
        return self._record(rule, result, layer, why.observed, why.limit, why.headroom, why.message, None)

    def _judged(self, rule: GuardRule, lookup: ViewLookup) -> bool:
        if self._elsewhere(rule, lookup):
            return False
        if rule.gated and self._gate is not None and evaluate(self._gate, lookup):
            return False
        if rule.waived is not None and evaluate(rule.waived, lookup):
            return False
        return rule.when is None or bool(evaluate(rule.when, lookup))

    def _record(
        self,
        rule: GuardRule,
        result: Result,
        layer: Layer,
        observed: str | None,
        limit: str | None,
        headroom: str | None,
        message: str,
        fault: str | None,
    ) -> Finding:
        return Finding(
            rule.id,
            rule.title,
            result,
            rule.outcome,
            rule.enforcement,
            observed,
            limit,
            headroom,
            message,
            layer.span.file,
            layer.span.line,
            layer.document,
            fault,
        )

    def _unreadable(self, problems: Mapping[str, str], findings: Sequence[Finding]) -> list[Finding]:
        """A finding for each unusable fact that no rule has blocked for: unreadable input never passes."""
        blocking = next(o for o in reversed(_blocking(self.point)))
        blocked = [finding.message for finding in findings if finding.effect not in (ALLOW, WARN)]
        named = {name for name in problems if any(f"`{name}`" in message for message in blocked)}
        return [
            Finding(
                "facts",
                "Every fact given can be read",
                Result.ERROR,
                blocking,
                Enforcement.BLOCK,
                None,
                None,
                None,
                f"`{name}` cannot be used: {what}",
                "",
                0,
                "",
                Fault.INVALID.value,
            )
            for name, what in sorted(problems.items())
            if name not in named
        ]

    def _facts(self, lookup: ViewLookup) -> tuple[tuple[str, str], ...]:
        """The observed facts that the rules read, and whom they are about, in written form, by name."""
        seen: list[tuple[str, str]] = []
        for name, ref in self._observed:
            try:
                match ref:
                    case Type():
                        seen.append((name, format_value(lookup.window(name), ref)))
                    case CollectionRef():
                        seen.append((name, write_elements(ref, lookup.elements(ref))))
                    case FactRef():
                        seen.append((name, format_value(lookup.fact(ref), ref.type)))
                        if ref.max_age is not None:
                            seen.append((f"age({name})", format_duration(lookup.age(name))))
            except EvaluationError:
                continue  # missing or unusable: the findings say so
        return tuple(seen)


def bits(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, in order."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _holds(scope: syntax.Expr, lookup: ViewLookup) -> bool:
    try:
        return bool(evaluate(scope, lookup))
    except EvaluationError:
        return False


Observed = FactRef | CollectionRef | Type


def _observed(point: Point, rules: Sequence[GuardRule], gate: syntax.Expr | None) -> tuple[tuple[str, Observed], ...]:
    """What rules read, by name: facts, collections and windows; the symbol, also where none reads it."""
    seen: dict[str, Observed] = {}
    subject = facts_at(point).get(f"{point.value}.symbol")
    if subject is not None and isinstance(subject.ref, FactRef):
        seen[subject.name] = subject.ref
    for root in [e for rule in rules for e in rule.expressions] + [e for e in (gate,) if e]:
        for node in observed(root):
            if isinstance(node, syntax.Window) and node.slot is not None and node.type is not None:
                seen[node.slot] = node.type
            elif isinstance(node, syntax.Quantified) and node.ref is not None:
                seen[node.collection] = node.ref
            elif isinstance(node, syntax.Name) and isinstance(node.ref, FactRef):
                seen[node.path] = node.ref
    return tuple(sorted(seen.items(), key=lambda pair: pair[0]))


def observed(expr: syntax.Expr) -> list[syntax.Expr]:
    """The facts, windows and collections that an expression reads, definitions opened."""
    return [
        node
        for node in opened(expr)
        if isinstance(node, syntax.Window | syntax.Quantified)
        or (isinstance(node, syntax.Name) and isinstance(node.ref, FactRef))
    ]


def limits_read(expr: syntax.Expr) -> set[str]:
    """The names of the limits that an expression reads."""
    return {
        node.path.split(".")[1]
        for node in opened(expr)
        if isinstance(node, syntax.Name) and isinstance(node.ref, ConstantRef) and node.path.startswith("limits.")
    }


def _blocking(point: Point) -> tuple[str, ...]:
    return {
        Point.ORDER: ("deny",),
        Point.ACCOUNT: ("halt",),
        Point.BAR: ("reject",),
        Point.FEED: ("halt",),
        Point.TRANSITION: ("refuse",),
        Point.DIFFERENCE: ("halt",),
        Point.CANDIDATE: ("fail",),
    }[point]
