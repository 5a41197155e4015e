"""What native code reads: facts in the buffer, elements of collections, definitions computed once; what an error is.

What lives here: reading, and joining errors. What does not: what is computed (emit_llvm_values.py), and where each fact
lies (emit_llvm_layout.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mqk.dsl import syntax
from mqk.dsl import types as t
from mqk.dsl.emit_llvm_layout import MISSING, USABLE
from mqk.dsl.emit_llvm_numbers import MOST_NARROW, NARROW, ONE, Exact, Numbers, Whole
from mqk.dsl.environment import ElementRef, FactRef

if TYPE_CHECKING:
    from mqk.dsl.emit_llvm_layout import Layout, Rows

V = TypeVar("V")
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Said(Generic[V]):
    """A value, and the bit that says it is an error; None where it cannot be one."""

    value: V
    error: Any = None


class Reads:
    """Reads facts at the end of a function to which the buffer `facts` is given."""

    def __init__(self, builder: Any, layout: Layout, facts: Any, undecided: Any) -> None:
        self._numbers = Numbers(builder, undecided)
        self._ir = self._numbers._ir  # noqa: SLF001 - one module of the library for both
        self.builder = builder
        self.layout = layout
        self._facts = facts
        self._bit = self._ir.IntType(1)
        self._scopes: list[dict[tuple[str, object], Any]] = [{}]
        # By variable: the rows of its collection, and the number of the element.
        self._bound: dict[str, tuple[Rows, Any]] = {}

    # -- errors ----------------------------------------------------------------------------------------------------

    def either(self, *errors: Any) -> Any:
        """Whether any of these is an error."""
        found = None
        for each in errors:
            if each is not None:
                found = each if found is None else self.builder.or_(found, each)
        return found

    def where(self, condition: Any, error: Any) -> Any:
        """An error that is met only where a condition holds."""
        return None if error is None else self.builder.and_(condition, error)

    def truth(self, *, value: bool) -> Any:
        """A constant bit."""
        return self._ir.Constant(self._bit, int(value))

    @contextmanager
    def _element(self, variable: str, rows: Rows, number: Any) -> Iterator[None]:
        outer, self._bound = self._bound, {**self._bound, variable: (rows, number)}
        self._scopes.append({})
        yield
        self._scopes.pop()
        self._bound = outer

    def _closed(self, kind: str, definition: syntax.Expr, write: Callable[[syntax.Expr], W]) -> W:
        """A definition, computed once wherever it is named; it knows nothing of the elements spoken of there."""
        key = (kind, id(definition))
        for scope in reversed(self._scopes):
            if key in scope:
                return scope[key]  # type: ignore[no-any-return] # what this very method put there
        bound, self._bound = self._bound, {}
        made = self._scopes[-1][key] = write(definition)
        self._bound = bound
        return made

    # -- facts -----------------------------------------------------------------------------------------------------

    def _measured(self, ref: FactRef | ElementRef) -> Said[Exact]:
        place = self._place(ref)
        held = self._read(ref)
        top = Whole(*self.layout.interval(self._name(ref)), held.value)
        if ref.type.kind is not t.Kind.RATIO:
            return Said(Exact(top, ONE), held.error)
        below = self._load(self.builder.add(self.builder.mul(place, self.constant(2)), self.constant(2)))
        above_zero = self.builder.icmp_signed(">", below, self.constant(0))
        return Said(
            Exact(top, Whole(1, MOST_NARROW, self.builder.select(above_zero, below, self.constant(1)))), held.error
        )

    def _read(self, ref: FactRef | ElementRef) -> Said[Any]:
        if ref.name in self.layout.fixed:
            value = self.layout.fixed[ref.name]
            number = self.layout.word(value) if isinstance(value, str) else int(value or 0)
            return Said(self.constant(number), self.truth(value=True) if value is None else None)
        return self._at(self._place(ref), ("read", ref.name) if isinstance(ref, FactRef) else None, self._name(ref))

    def _name(self, ref: FactRef | ElementRef) -> str:
        """The fact by the name that a layout has for it: a field by that of its collection."""
        return ref.name if isinstance(ref, FactRef) else f"{self._bound[ref.variable][0].ref.name}.{ref.field}"

    def _at(self, place: Any, key: tuple[str, object] | None, name: str) -> Said[Any]:
        for scope in reversed(self._scopes):
            if key in scope:
                return scope[key]  # type: ignore[no-any-return] # what this very method put there
        place = self.constant(place) if isinstance(place, int) else place
        value = self._load(self.builder.mul(place, self.constant(2)))
        said = Said(value, None if name in self.layout.certain else self._differs(self._flag(place), USABLE))
        if key is not None:
            self._scopes[-1][key] = said
        return said

    def present(self, ref: FactRef | ElementRef) -> Any:
        """Whether a fact was given, usable or not."""
        name = self._name(ref)
        if name in self.layout.fixed or name in self.layout.certain:
            return self.truth(value=self.layout.fixed.get(name, 0) is not None)
        return self._differs(self._flag(self._place(ref)), MISSING)

    def _differs(self, flag: Any, value: int) -> Any:
        return self.builder.icmp_signed("!=", flag, self.constant(value))

    def _place(self, ref: FactRef | ElementRef) -> Any:
        """The place of a fact, or of a field of the element that is spoken of."""
        if isinstance(ref, FactRef):
            return self.constant(self.layout.fact(ref))
        rows, number = self._bound[ref.variable]
        rows.read.add(ref.field)
        row = self.builder.mul(number, self.constant(rows.length))
        return self.builder.add(row, self.constant(rows.first + rows.places[ref.field]))

    def _flag(self, place: Any) -> Any:
        place = self.constant(place) if isinstance(place, int) else place
        return self._load(self.builder.add(self.builder.mul(place, self.constant(2)), self.constant(1)))

    def _load(self, index: Any) -> Any:
        index = self.constant(index) if isinstance(index, int) else index
        return self.builder.load(self.builder.gep(self._facts, [index]))

    def constant(self, value: int) -> Any:
        """A constant of 64 bits."""
        return self._ir.Constant(self._ir.IntType(NARROW), value)

    def _variable(self, value: Any) -> Any:
        """Room for a value that a loop changes, with what it begins as."""
        with self.builder.goto_entry_block():
            room = self.builder.alloca(value.type)
        self.builder.store(value, room)
        return room
