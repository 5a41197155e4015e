"""Worlds: an engine's ordinary moment with some facts changed, and what one rule says in each.

What lives here: changing facts and judging by the reference interpreter. What does not: which worlds are worth a test
(boundaries.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cached_property

from mqk.analysis.testing.subjects import Subject, held, make_stale
from mqk.dsl import ConstantRef, DerivedRef, EvaluationError, FactRef, evaluate, syntax
from mqk.dsl import types as t
from mqk.dsl.missing import MISSING
from mqk.dsl.windows import window_attribute
from mqk.guards import GuardRule, Point, Result, facts_at, read_facts
from mqk.guards.guard import observed
from mqk.guards.lookup import ViewLookup
from mqk.guards.values import format_value, parse_fact
from mqk.quantity import QuantityError

# The smallest step of a ratio in a test: one basis point.
RATIO_STEP = Fraction(1, 10_000)
# Kinds whose values lie on a line, one step apart.
STEPPED = frozenset(
    {t.Kind.MONEY, t.Kind.QUANTITY, t.Kind.COUNT, t.Kind.NUMBER, t.Kind.DURATION, t.Kind.INSTANT, t.Kind.TIME}
    | {t.Kind.DATE, t.Kind.RATIO}
)


class Said(Enum):
    """What a rule says in a world; a rule that does not apply says nothing."""

    NOTHING = "nothing"
    PASS = "pass"  # noqa: S105 - not a password
    BREACH = "breach"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Variable:
    """A fact that a test can change: its type, the least value it can have, and whether it may be missing."""

    name: str
    type: t.Type
    optional: bool
    minimum: int | None

    @property
    def stepped(self) -> bool:
        """Whether its values lie on a line."""
        return self.type.kind in STEPPED

    def stepped_value(self, steps: int) -> syntax.Value:
        """The value that is so many steps from nothing."""
        return RATIO_STEP * steps if self.type.kind is t.Kind.RATIO else steps

    def steps(self, value: syntax.Value) -> int:
        """How many whole steps a value is from nothing."""
        assert isinstance(value, int | Fraction)
        return int(Fraction(value) / RATIO_STEP) if self.type.kind is t.Kind.RATIO else int(value)

    def written(self, value: syntax.Value) -> str | None:
        """A value as a test writes it; None when no text gives it back."""
        try:
            text = format_value(value, self.type)
            return text if parse_fact(text, self.type) == value else None
        except QuantityError:
            return None


Change = Mapping[str, syntax.Value]


class Worlds:
    """All the worlds around one engine's ordinary moment, at one point."""

    def __init__(self, subject: Subject, point: Point) -> None:
        self.subject = subject
        self.point = point
        self.guard = subject.guards.guards[point]
        self.base = read_facts(subject.usual(), subject.guards, point, lenient=True)
        gate = facts_at(point).get("order.reduces")
        self._gate = gate.ref.definition if gate is not None and isinstance(gate.ref, DerivedRef) else None

    def lookup(self, change: Change) -> ViewLookup:
        """The facts of a world."""
        return ViewLookup(self.views(change), self.base.problems)

    def views(self, change: Change, stale: Iterable[str] = ()) -> Mapping[str, object]:
        """The views of a world, for a guard; some facts may be stale in it."""
        views = dict(self.base.views)
        touched: set[str] = set()
        for name, value in change.items():
            window = name.startswith(("count(", "total("))
            view, _, attribute = ("windows", "", window_attribute(name)) if window else name.partition(".")
            if view not in touched:
                views[view] = copy(views[view])
                touched.add(view)
            setattr(views[view], attribute, value)
        for name in stale:
            view = name.partition(".")[0]
            views[view] = copy(views[view])
            make_stale(views, name, self.point)
        return views

    def says(self, rule: GuardRule, change: Change) -> Said:
        """What one rule says in a world."""
        lookup = self.lookup(change)
        ((result, _),) = self.guard.results(lookup, [rule])
        match result:
            case Result.PASS:
                return Said.PASS if self._applies(rule, lookup) else Said.NOTHING
            case Result.BREACH:
                return Said.BREACH
            case Result.ERROR:
                return Said.ERROR

    def reduces(self, change: Change) -> bool:
        """Whether the order of a world only reduces the position."""
        try:
            return self._gate is not None and bool(evaluate(self._gate, self.lookup(change)))
        except EvaluationError:
            return False

    def _applies(self, rule: GuardRule, lookup: ViewLookup) -> bool:
        try:
            if rule.gated and self._gate is not None and evaluate(self._gate, lookup):
                return False
            return rule.when is None or bool(evaluate(rule.when, lookup))
        except EvaluationError:
            return False

    def value(self, name: str) -> syntax.Value | None:
        """What the ordinary moment holds; None when nothing."""
        value = held(self.base, name)
        return None if value is MISSING else value  # type: ignore[return-value] # views hold values of the language

    def variables(self, rule: GuardRule) -> list[Variable]:
        """The facts and windows that decide what a rule says, in the order of their names."""
        found: dict[str, Variable] = {}
        for root in (rule.require, rule.when, self._gate):
            for node in observed(root) if root is not None else ():
                variable = self._variable(node)
                if variable is not None:
                    found[variable.name] = variable
        return [found[name] for name in sorted(found)]

    def _variable(self, node: syntax.Expr) -> Variable | None:
        if isinstance(node, syntax.Window) and node.slot is not None:
            assert node.type is not None
            return Variable(node.slot, node.type, optional=False, minimum=0 if node.type.kind is t.Kind.COUNT else None)
        if isinstance(node, syntax.Name) and isinstance(node.ref, FactRef):
            entry = facts_at(self.point).get(node.path)
            return Variable(node.path, node.ref.type, node.ref.optional, entry.minimum if entry is not None else None)
        return None

    @cached_property
    def _universe(self) -> tuple[str, ...]:
        return self.subject.bundle.universe

    def candidates(self, variable: Variable, rule: GuardRule) -> list[syntax.Value]:
        """Values worth trying for a fact: those the rule speaks of, their neighbours, and the ordinary extremes."""
        current = self.value(variable.name)
        match variable.type.kind:
            case t.Kind.BOOL:
                found: list[syntax.Value] = [False, True]
            case t.Kind.ENUM:
                found = list(variable.type.members)
            case t.Kind.SYMBOL:
                found = [*self._universe, *sorted(_words(rule, variable.type)), _stranger(self._universe)]
            case kind if kind in STEPPED:
                found = list(self._numbers(variable, current, rule))
            case _:
                found = [] if current is None else [current]
        return [value for value in dict.fromkeys(found) if variable.written(value) is not None]

    def _numbers(self, variable: Variable, current: syntax.Value | None, rule: GuardRule) -> Iterator[syntax.Value]:
        anchors: list[int] = [0]
        if current is not None:
            anchors += [variable.steps(current)]
        anchors += [variable.steps(value) for value in _constants(rule, variable.type)]
        like = [
            other
            for other in self.variables(rule)
            if other.type.kind is variable.type.kind and other.name != variable.name
        ]
        values = [value for other in like if (value := self.value(other.name)) is not None]
        anchors += [variable.steps(value) for value in values]
        for anchor in dict.fromkeys(anchors):
            for steps in (
                anchor,
                anchor + 1,
                anchor - 1,
                2 * anchor,
                anchor // 2,
                10 * anchor,
                1_000 * anchor,
                -anchor,
            ):
                if variable.minimum is None or steps >= variable.minimum:
                    yield variable.stepped_value(steps)


def _constants(rule: GuardRule, type_: t.Type) -> Iterator[int | Fraction]:
    for node in _open(rule):
        value = node.value if isinstance(node, syntax.Literal) else None
        if isinstance(node, syntax.Name) and isinstance(node.ref, ConstantRef):
            value = node.ref.value
        if not isinstance(value, int | Fraction) or isinstance(value, bool) or node.type is None:
            continue
        if t.unify(node.type, type_) is not None:
            yield value


def _words(rule: GuardRule, type_: t.Type) -> set[str]:
    """Symbols that a rule names, alone or in sets."""
    found: set[str] = set()
    for node in _open(rule):
        if isinstance(node, syntax.Symbol) and node.type == type_:
            found.add(node.text)
        elif isinstance(node, syntax.Name) and isinstance(node.ref, ConstantRef):
            value = node.ref.value
            found |= set(value) if isinstance(value, frozenset) else set()
    return found


def _open(rule: GuardRule) -> Iterable[syntax.Expr]:
    """All nodes of a rule, definitions opened."""
    pending = [each for each in (rule.require, rule.when) if each is not None]
    while pending:
        for node in syntax.walk(pending.pop()):
            yield node
            if isinstance(node, syntax.Name) and isinstance(node.ref, DerivedRef):
                pending.append(node.ref.definition)


def _stranger(known: Iterable[str]) -> str:
    """A symbol that is none of those known."""
    taken = set(known)
    return next(word for word in ("ZZZZ", "ZZZY", "ZZZX") if word not in taken)
