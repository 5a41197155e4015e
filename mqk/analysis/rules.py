"""Rules as they stand at one layer or in one bundle, checked but not compiled: what questions are asked about.

What lives here: from a bundle to checked rules, and what tells two of them apart at a glance. What does not: guards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from mqk.dsl import (
    ConstantRef,
    DerivedRef,
    DslError,
    EvaluationError,
    Expr,
    FactRef,
    check_expression,
    evaluate,
    parse_expression,
    syntax,
)
from mqk.dsl import types as t
from mqk.guards.compile import EVERYWHERE
from mqk.guards.environment import PolicyEnvironment
from mqk.guards.explain import explain
from mqk.guards.index import INDEXED, symbols_of
from mqk.guards.lookup import ViewLookup
from mqk.guards.points import LADDERS, WARN, Enforcement, Point
from mqk.policy import Bundle, LatchSource, RuleSource, Span

_GATE = "order.reduces"


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule with its checked conditions, judged as guard.py judges it.

    `level` is what a breach contributes, as a step on the point's ladder; `symbols` are those that the rule is about
    (None: all), `elsewhere` holds for any other, `waived` where a waiver sets it aside.
    """

    id: str
    point: Point
    require: Expr
    when: Expr | None
    gate: Expr | None
    outcome: str
    enforcement: Enforcement
    confirm: int
    latch: LatchSource | None
    source: RuleSource
    elsewhere: Expr | None = None
    waived: Expr | None = None
    symbols: frozenset[str] | None = None

    @property
    def span(self) -> Span:
        """Where it is written."""
        return self.source.span

    @property
    def level(self) -> int:
        """What it contributes when it does not pass: 0 for nothing, then up the ladder of its point."""
        match self.enforcement:
            case Enforcement.SHADOW:
                return 0
            case Enforcement.WARN:
                return LADDERS[self.point].index(WARN)
            case _:
                return LADDERS[self.point].index(self.outcome)

    def expressions(self) -> Iterator[Expr]:
        """Everything it judges."""
        parts = (self.elsewhere, self.gate, self.waived, self.when, self.require)
        yield from (each for each in parts if each is not None)

    def passes(self, lookup: ViewLookup) -> bool:
        """Whether it passes at a moment, by the reference interpreter; an error does not pass."""
        try:
            for spared in (self.elsewhere, self.gate, self.waived):
                if spared is not None and evaluate(spared, lookup):
                    return True
            return (self.when is not None and not evaluate(self.when, lookup)) or bool(evaluate(self.require, lookup))
        except EvaluationError:
            return False


def facts_of(rule: Judged) -> frozenset[str]:
    """Every fact, window and collection that a rule speaks of, also within the definitions it uses."""
    found: set[str] = set()
    pending = list(rule.expressions())
    while pending:
        for node in syntax.walk(pending.pop()):
            ref = getattr(node, "ref", None)
            if isinstance(ref, DerivedRef):
                pending.append(ref.definition)
            elif isinstance(node, syntax.Window):
                found.add(f"{node.stream} {node.slot}")
            elif isinstance(ref, FactRef):
                found.add(ref.name)
            elif isinstance(node, syntax.Quantified):
                found.add(node.collection)
    return frozenset(found)


def judged(source: RuleSource, environment: PolicyEnvironment) -> Judged | None:
    """A rule checked in an environment; None when it does not check there, which the compiler of guards reports."""
    require = condition(source.require.text, environment)
    when = condition(source.when.text, environment) if source.when is not None else None
    scopes = [EVERYWHERE if each.scope is None else condition(each.scope.text, environment) for each in source.waivers]
    waived = [each for each in scopes if each is not None]
    if require is None or (source.when is not None and when is None) or len(waived) < len(scopes):
        return None
    point = environment.point
    gated = point is Point.ORDER and not source.exits_included
    return Judged(
        id=source.id,
        point=point,
        require=require,
        when=when,
        gate=condition(_GATE, environment) if gated else None,
        outcome=source.otherwise,
        enforcement=Enforcement(source.enforce),
        confirm=source.confirm,
        latch=source.latch,
        source=source,
        elsewhere=_elsewhere(when, point),
        symbols=symbols_of(when, INDEXED[point]) if point in INDEXED else None,
        waived=_any(waived),
    )


def _elsewhere(when: Expr | None, point: Point) -> Expr | None:
    """That a moment is about another symbol than the rule, which is asked before all else."""
    fact = INDEXED.get(point)
    symbols = None if fact is None else symbols_of(when, fact)
    if fact is None or symbols is None:
        return None
    name = syntax.Name(start=0, end=0, path=fact, ref=FactRef(fact, t.SYMBOL), type=t.SYMBOL)
    kind = t.set_of(t.SYMBOL)
    own = syntax.Name(start=0, end=0, path="symbols", ref=ConstantRef("symbols", kind, symbols), type=kind)
    return syntax.Member(start=0, end=0, item=name, container=own, negated=True, type=t.BOOL)


def _any(scopes: list[Expr]) -> Expr | None:
    if len(scopes) < 2:
        return scopes[0] if scopes else None
    return syntax.Connective(start=0, end=0, op="or", operands=tuple(scopes), type=t.BOOL)


def stops(point: Point) -> int:
    """The step on a point's ladder from which on an outcome stops something."""
    return LADDERS[point].index(WARN) + 1


def rules_at(bundle: Bundle, point: Point) -> list[Judged]:
    """The rules of a bundle at a point, those that check."""
    environment = PolicyEnvironment.of(bundle, point)
    sources = [rule for rule in bundle.rules if rule.at == point.value]
    return [rule for source in sources if (rule := judged(source, environment)) is not None]


def condition(text: str, environment: PolicyEnvironment) -> Expr | None:
    """A checked condition; None when it does not parse or check."""
    try:
        checked = check_expression(_parsed(text), environment, t.BOOL)
    except DslError:
        return None
    return None if checked.errors else checked.expr


@lru_cache(maxsize=8192)
def _parsed(text: str) -> Expr:
    return parse_expression(text)


def true(expr: Expr, lookup: ViewLookup) -> bool:
    """Whether a condition is defined and true at a moment, by the reference interpreter."""
    try:
        return bool(evaluate(expr, lookup))
    except EvaluationError:
        return False


def said(rule: Judged, lookup: ViewLookup) -> str:
    """What a rule that does not pass says at a moment, in words."""
    try:
        for expr in rule.expressions():
            evaluate(expr, lookup)
        return explain(rule.require, lookup, {}, holds=False).message
    except EvaluationError as fault:
        return f"`{fault.subject}` is {fault.fault.value}"


def outcome_level(rules: list[Judged], lookup: ViewLookup) -> int:
    """What rules come to at a moment, as a step on the ladder."""
    return max((rule.level for rule in rules if not rule.passes(lookup)), default=0)
