"""What a policy's own names mean at each point: `let:` definitions and the columns of decision tables.

What lives here: looking names up, once per point, and what is wrong with a definition. What does not: making an
expression of a table (tables.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mqk.dsl import ConstantRef, DerivedRef, DslError, Environment, Expr, Ref, Type, check_expression, parse_expression
from mqk.dsl.syntax import Value
from mqk.guards.catalogue import facts_at
from mqk.guards.points import Point
from mqk.guards.tables import Table, TableFault
from mqk.policy import Bundle, Diagnostic, LetSource, Span, TableSource, Text, error, expression_fault
from mqk.policy.tables import table_faults

Fault = tuple[DslError, Text]


@dataclass(frozen=True, slots=True)
class Unusable:
    """A name without a meaning at a point: `why`, or empty when its own definition was reported."""

    why: str


Meaning = DerivedRef | Unusable


class Names:
    """The definitions and tables of one bundle. Faults of their own are collected once, whoever uses them."""

    def __init__(self, lets: Mapping[str, LetSource], tables: Mapping[str, TableSource]) -> None:
        self._lets = lets
        self._tables = {name: Table(source) for name, source in tables.items()}
        self._known: dict[tuple[Point, str], Meaning] = {}
        self._open: list[str] = []
        self._circular: set[str] = set()
        self._broken: set[str] = set()
        self._judged: set[str] = set()
        self.diagnostics: list[Diagnostic] = []

    @classmethod
    def of(cls, bundle: Bundle) -> Names:
        """The names of an effective bundle."""
        return cls(bundle.lets, bundle.tables)

    @property
    def reported(self) -> frozenset[str]:
        """The names whose definitions have faults: they count as used."""
        return frozenset(self._broken | self._circular)

    def __iter__(self) -> Iterator[str]:
        yield from self._lets
        for name, table in self._tables.items():
            yield from (f"tables.{name}.{column}" for column in table.columns)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._lets or self._table(name) is not None)

    def _table(self, name: str) -> tuple[Table, str] | None:
        head, _, rest = name.partition(".")
        table, _, column = rest.partition(".")
        found = self._tables.get(table) if head == "tables" else None
        return (found, column) if found is not None and column in found.columns else None

    def lookup(self, name: str, point: Point, environment: Callable[[Point], Environment]) -> Meaning | None:
        """What a name means at a point; None when it is none of these. `environment` gives the names it may use."""
        if name not in self:
            return None
        if name in self._open:
            self._circle(name)
            return Unusable("")
        if (point, name) not in self._known:
            self._known[point, name] = self._meaning(name, point, environment)
        return self._known[point, name]

    def _meaning(self, name: str, point: Point, environment: Callable[[Point], Environment]) -> Meaning:
        found = self._defined(name, environment(point))
        if name in self._broken or name in self._circular:
            return Unusable("")
        if not isinstance(found, list):
            return found
        # Elsewhere it may have its facts: then it is only out of its place here.
        by_point = [self._defined(name, environment(other)) for other in Point if other is not point]
        if name in self._circular:
            return Unusable("")
        if any(isinstance(each, DerivedRef) for each in by_point):
            return Unusable(f"cannot be used at `{point}`: {found[0][0].message}")
        # Told is what is wrong where it belongs: where its facts exist, and otherwise where least is wrong.
        fewest = min([found, *(each for each in by_point if isinstance(each, list))], key=_strangeness)
        self._broken.add(name)
        self.diagnostics += [expression_fault(fault, text) for fault, text in fewest]
        return Unusable("")

    def _defined(self, name: str, environment: Environment) -> DerivedRef | list[Fault]:
        self._open.append(name)
        try:
            if name in self._lets:
                return _checked(name, self._lets[name].text, environment)
            found = self._table(name)
            assert found is not None
            table, column = found
            try:
                definition = table.expression(column, environment)
            except TableFault as fault:
                return fault.faults
            assert definition.type is not None
            return DerivedRef(name, definition.type, definition)
        finally:
            self._open.pop()

    def judged_tables(self, point: Point, environment: Environment) -> Iterator[Diagnostic]:
        """Gaps, overlaps and dead rows of the tables used at a point, each table once."""
        for name, table in self._tables.items():
            used = any((point, f"tables.{name}.{column}") in self._known for column in table.columns)
            if used and name not in self._judged:
                inputs = table.inputs(environment, facts_at(point))
                if inputs is not None:
                    self._judged.add(name)
                    yield from table_faults(table.source, inputs, lambda name: _constant(environment.lookup(name)))

    def _circle(self, name: str) -> None:
        """Report a name that needs itself, once, where it is defined."""
        circle = self._open[self._open.index(name) :]
        if not self._circular & set(circle):
            path = " -> ".join(f"`{each}`" for each in (*circle, name))
            help_ = "a name stands for an expression of facts, limits and other names, and never of itself"
            self.diagnostics.append(
                error("MQK-1308", f"`{name}` is defined by itself: {path}", self._span(name), help_)
            )
        self._circular |= set(circle)

    def _span(self, name: str) -> Span:
        if name in self._lets:
            return self._lets[name].span
        found = self._table(name)
        assert found is not None
        return found[0].source.span


def _strangeness(faults: list[Fault]) -> tuple[int, int]:
    """How much a place is not meant for a definition: names that mean nothing there, then faults of any kind."""
    return sum(fault.code == "name" for fault, _ in faults), len(faults)


def _constant(ref: Ref | None) -> Value | None:
    return ref.value if isinstance(ref, ConstantRef) else None


def _checked(name: str, text: Text, environment: Environment) -> DerivedRef | list[Fault]:
    try:
        parsed: Expr = parse_expression(text.text)
    except DslError as fault:
        return [(fault, text)]
    checked = check_expression(parsed, environment, None)
    if checked.errors:
        return [(each, text) for each in checked.errors]
    # Without a type it speaks of a name that was reported, and so was it.
    kind: Type | None = checked.expr.type
    return DerivedRef(name, kind, checked.expr) if kind is not None else []
