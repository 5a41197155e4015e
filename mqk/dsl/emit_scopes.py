"""The statements of generated code: blocks, what has been computed by their end, local variables and facts read.

What lives here: bookkeeping. What does not: what is computed (emit_values.py, emit_loops.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mqk.dsl import syntax
from mqk.dsl.emit_facts import inlined, key_of
from mqk.dsl.emit_numbers import Number
from mqk.dsl.environment import CollectionRef, ElementRef, FactRef
from mqk.dsl.syntax import free_variables
from mqk.dsl.windows import window_attribute

V = TypeVar("V")


def attribute(name: str) -> str:
    """Where generated code reads a fact or a window: `order.limit_price`, `windows.rejects_300s`."""
    if name.startswith(("count(", "total(")):
        return "windows." + window_attribute(name)
    view, _, rest = name.partition(".")
    return f"{view}.{rest.replace('.', '_')}"


@dataclass(slots=True)
class Scope:
    """A block of generated code and what has been computed by its end.

    `loads` read what the block needs before all else: facts at the top of a section, and fields of the element called
    `element` at the top of a block that is about it.
    """

    indent: int
    element: str | None = None
    lines: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    numbers: dict[str, Number] = field(default_factory=dict)
    truths: dict[str, str] = field(default_factory=dict)
    fields: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def all_lines(self) -> list[str]:
        """The block as it is written."""
        return [*self.loads, *self.lines]


@dataclass(frozen=True, slots=True)
class Step(Generic[V]):
    """One branch of a choice: the lines before its keyword, the keyword, and the branch with its value."""

    before: list[str]
    head: str
    indent: int
    lines: list[str]
    value: V


class Statements(ABC):
    """Writes statements; what is computed in them is the business of those who inherit."""

    def __init__(self, roots: Iterable[syntax.Expr], sources: Mapping[str, str] | None = None) -> None:
        # Where facts are read that are in no view.
        self._sources = sources or {}
        self._uses = Counter(key_of(node) for root in roots for node in inlined(root))
        self._stack: list[Scope] = []
        self._facts: dict[str, str] = {}
        self._bound: dict[str, str] = {}
        self._section: Scope
        self._temporaries = 0
        self._elements = 0

    @abstractmethod
    def boolean(self, expr: syntax.Expr) -> str:
        """Code for a condition."""

    @abstractmethod
    def number(self, expr: syntax.Expr) -> Number:
        """Code for an exact number."""

    def open_section(self, indent: int) -> Scope:
        """Start a block whose facts are all read at its top; it sees what the sections before it computed."""
        self._section = Scope(indent)
        self._stack.append(self._section)
        return self._section

    # -- statements ------------------------------------------------------------------------------------------------

    def _line(self, text: str) -> None:
        scope = self._stack[-1]
        scope.lines.append("    " * scope.indent + text)

    def _temporary(self, expression: str) -> str:
        name = f"t{self._temporaries}"
        self._temporaries += 1
        self._line(f"{name} = {expression}")
        return name

    def _splice(self, lines: Iterable[str]) -> None:
        self._stack[-1].lines.extend(lines)

    def _inside(self, write: Callable[[], V], element: str | None = None) -> tuple[Scope, V]:
        """A block one deeper than this one, and what is computed at its end."""
        scope = Scope(self._stack[-1].indent + 1, element)
        self._stack.append(scope)
        value = write()
        self._stack.pop()
        return scope, value

    def _key(self, expr: syntax.Expr) -> tuple[str, str]:
        """What an expression computes: as text, and as text that also tells the elements it speaks of apart."""
        text = key_of(expr)
        if not self._bound:
            return text, text
        spoken = sorted(self._bound[name] for name in free_variables(expr) if name in self._bound)
        return text, f"{text} @ {spoken}" if spoken else text

    def _named(self, number: Number) -> Number:
        """The same number held in local variables, so that using it twice computes it once."""
        top, bottom = number.numerator, number.denominator
        top = top if top.isidentifier() or top.lstrip("-").isdigit() else self._temporary(top)
        if isinstance(bottom, str) and not bottom.isidentifier():
            bottom = self._temporary(bottom)
        return Number(top, bottom)

    # -- choices ---------------------------------------------------------------------------------------------------

    def _ladder(self, expr: syntax.If, value: Callable[[syntax.Expr], V]) -> list[Step[V]]:
        """The branches of an `if`; a chain of `else if` stays flat wherever its conditions need no statements."""
        steps: list[Step[V]] = []
        depth, pushed = self._stack[-1].indent, 0
        before: list[str] = []
        keyword, condition = "if", self.boolean(expr.condition)
        while True:
            then = expr.then
            scope, result = self._inside_at(depth + 1, lambda then=then: value(then))  # type: ignore[misc]
            steps.append(Step(before, f"{keyword} {condition}:", depth, scope.all_lines, result))
            otherwise = expr.otherwise
            if not isinstance(otherwise, syntax.If):
                break
            expr = otherwise
            scope, condition = self._inside_at(depth + 1, lambda below=expr: self.boolean(below.condition))  # type: ignore[misc]
            before, keyword = [], "elif"
            if scope.lines:
                before, keyword = ["    " * depth + "else:", *scope.all_lines], "if"
                depth += 1
                pushed += 1
                self._stack.append(scope)
        last = otherwise
        scope, result = self._inside_at(depth + 1, lambda: value(last))
        steps.append(Step([], "else:", depth, scope.all_lines, result))
        del self._stack[len(self._stack) - pushed :]
        return steps

    def _inside_at(self, indent: int, write: Callable[[], V]) -> tuple[Scope, V]:
        scope = Scope(indent)
        self._stack.append(scope)
        value = write()
        self._stack.pop()
        return scope, value

    def _climb(self, steps: Iterable[Step[V]], settle: Callable[[V], Iterable[str]]) -> None:
        """Write a choice; `settle` says what a branch assigns at its end."""
        for step in steps:
            self._splice(step.before)
            self._splice(["    " * step.indent + step.head, *step.lines])
            self._splice("    " * (step.indent + 1) + line for line in settle(step.value))

    # -- facts -----------------------------------------------------------------------------------------------------

    def _fact(self, slot: str, ref: FactRef | None = None) -> str:
        """The local variable that holds a fact, read at the top of the section that first needs it."""
        if slot not in self._facts:
            source = attribute(slot)
            name = source.replace(".", "_")
            self._facts[slot] = name
            indent = "    " * self._section.indent
            self._section.loads.append(f"{indent}{name} = {self._sources.get(slot, source)}")
            if ref is not None and ref.max_age is not None:
                view, _, rest = source.partition(".")
                self._section.loads.append(
                    f"{indent}if {view}.ages.get({rest!r}, 0) > {ref.max_age}: raise MissingFact"
                )
        return self._facts[slot]

    def _collection(self, ref: CollectionRef) -> str:
        """The parameter that holds a collection; its size is looked at before anything is judged."""
        if ref.name not in self._facts:
            self._facts[ref.name] = ref.name
            indent = "    " * self._section.indent
            self._section.loads.append(f"{indent}if len({ref.name}) > {ref.maximum}: raise TypeError")
        return self._facts[ref.name]

    def _field(self, ref: ElementRef) -> str:
        """The local variable that holds an element's field, read at the top of the block that first needs it."""
        element = self._bound[ref.variable]
        key = (element, ref.field)
        for scope in reversed(self._stack):
            if key in scope.fields:
                return scope.fields[key]
        scope = next(each for each in reversed(self._stack) if each.element == element)
        name = f"{element}_{ref.field}"
        scope.fields[key] = name
        scope.loads.append("    " * scope.indent + f"{name} = {element}.{ref.field}")
        return name
