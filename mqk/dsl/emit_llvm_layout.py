"""Where native code finds the facts: a flat buffer of 64-bit numbers, each value with a flag beside it.

What lives here: places, the ids of words, and filling a buffer from a lookup. What does not: code (emit_llvm.py).
A ratio takes two places, the line below it in the second. A collection has a place for its number of elements, and then
a row of places for each element it can have.
"""

from __future__ import annotations

from ctypes import Array, c_int64
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from mqk.dsl.environment import CollectionRef, ElementRef, FactRef
from mqk.dsl.errors import EvaluationError
from mqk.dsl.types import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mqk.dsl import syntax
    from mqk.dsl.evaluate import Lookup

# What a flag says of the value before it.
MISSING: Final = 0
USABLE: Final = 1
UNUSABLE: Final = 2
_MOST: Final = 2**63 - 1


@dataclass(slots=True)
class Rows:
    """The places of a collection: of its number of elements, of its first row, and of each field within a row.

    `read` are the fields that code was written for.
    """

    ref: CollectionRef
    count: int
    first: int
    places: dict[str, int]
    length: int
    read: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Layout:
    """The places of all that some rules read, given out as they are asked for.

    `words` are the ids of symbols, members of enumerations and texts; a layout may share them with others. `bounds` are
    intervals that facts and windows keep to: whoever fills the buffer vouches for them, and the code is narrower. In
    the same way `fixed` are facts that always have one value (None: that are always missing), and `certain` those that
    are always there, like fields and collections by their names (`positions.qty`): nobody looks whether they are.
    `more` are fields that elements have beside those of their collection, each like another one of it.
    """

    words: dict[str, int] = field(default_factory=dict)
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    fixed: Mapping[str, int | str | None] = field(default_factory=dict)
    certain: frozenset[str] = frozenset()
    more: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    size: int = 0
    facts: dict[str, tuple[int, FactRef]] = field(default_factory=dict)
    windows: dict[str, int] = field(default_factory=dict)
    collections: dict[str, Rows] = field(default_factory=dict)

    def fact(self, ref: FactRef) -> int:
        """The place of a fact."""
        if ref.name not in self.facts:
            self.facts[ref.name] = (self._take(_places(ref)), ref)
        return self.facts[ref.name][0]

    def window(self, slot: str) -> int:
        """The place of a window's answer."""
        if slot not in self.windows:
            self.windows[slot] = self._take(1)
        return self.windows[slot]

    def rows(self, ref: CollectionRef) -> Rows:
        """The places of a collection."""
        if ref.name not in self.collections:
            places: dict[str, int] = {}
            length = 0
            like = {name: ref.fields[other] for name, other in self.more.get(ref.name, {}).items()}
            for name, each in {**ref.fields, **like}.items():
                places[name] = length
                length += _places(each)
            count = self._take(1)
            self.collections[ref.name] = Rows(ref, count, self._take(ref.maximum * length), places, length)
        return self.collections[ref.name]

    def word(self, text: str) -> int:
        """The id of a word: the same for as long as the layout lives."""
        return self.words.setdefault(text, len(self.words))

    def interval(self, name: str) -> tuple[int, int]:
        """The least and the largest that a fact, a window or a field of a collection (`positions.qty`) can be."""
        return self.bounds.get(name, (-_MOST - 1, _MOST))

    def buffer(self) -> Array[c_int64]:
        """Room for one moment, in which everything is missing."""
        return (c_int64 * (2 * self.size))()

    def fill(self, buffer: Array[c_int64], lookup: Lookup) -> bool:
        """Write a moment into a buffer; False when one of its values has no room there, and native code no say."""
        fits = True
        for place, ref in self.facts.values():
            given = self._write(buffer, place, lambda ref=ref: lookup.fact(ref), lambda ref=ref: lookup.present(ref))  # type: ignore[misc]
            low, high = self.interval(ref.name)
            fits &= given and low <= buffer[2 * place] <= high
        for slot, place in self.windows.items():
            given = self._write(buffer, place, lambda slot=slot: lookup.window(slot), lambda: False)  # type: ignore[misc]
            low, high = self.interval(slot)
            fits &= given and low <= buffer[2 * place] <= high
        for rows in self.collections.values():
            fits &= self._elements(buffer, rows, lookup)
        return fits

    def _elements(self, buffer: Array[c_int64], rows: Rows, lookup: Lookup) -> bool:
        flag = 2 * rows.count + 1
        buffer[flag] = MISSING
        try:
            elements = lookup.elements(rows.ref)
        except EvaluationError:
            return True
        buffer[flag - 1], buffer[flag] = len(elements), USABLE
        fits = True
        for number, element in enumerate(elements):
            for name, given in rows.ref.fields.items():
                at = rows.first + number * rows.length + rows.places[name]
                ref = ElementRef("each", name, given.type, given.optional)
                fits &= self._write(
                    buffer,
                    at,
                    lambda ref=ref, element=element: lookup.field(element, ref),  # type: ignore[misc]
                    lambda ref=ref, element=element: lookup.has(element, ref),  # type: ignore[misc]
                )
        return fits

    def _write(
        self, buffer: Array[c_int64], place: int, value: Callable[[], syntax.Value], present: Callable[[], bool]
    ) -> bool:
        at = 2 * place
        try:
            held = value()
        except EvaluationError:
            buffer[at], buffer[at + 1] = 0, UNUSABLE if present() else MISSING
            return True
        buffer[at + 1] = USABLE
        match held:
            case str():
                buffer[at] = self.word(held)
            case Fraction():
                if max(abs(held.numerator), held.denominator) > _MOST:
                    return False
                buffer[at], buffer[at + 2] = held.numerator, held.denominator
            case int():
                if not -_MOST - 1 <= held <= _MOST:
                    return False
                buffer[at] = held
            case _:
                return False
        return True

    def _take(self, places: int) -> int:
        first = self.size
        self.size += places
        return first


def _places(ref: FactRef) -> int:
    return 2 if ref.type.kind is Kind.RATIO else 1
