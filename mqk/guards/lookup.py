"""Where the reference interpreter finds facts: the views of one moment, with every fault named.

What lives here: reading. What does not: filling views (engine, facts documents).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mqk.dsl import CollectionRef, ElementRef, EvaluationError, FactRef
from mqk.dsl.errors import Fault
from mqk.dsl.missing import MISSING
from mqk.dsl.syntax import Value
from mqk.dsl.types import COUNT
from mqk.dsl.windows import window_attribute
from mqk.guards.values import well_typed
from mqk.quantity import format_duration


@dataclass(frozen=True, slots=True)
class ViewLookup:
    """Facts by name out of views. `problems` names facts that were given but unusable, with what was wrong."""

    views: Mapping[str, object]
    problems: Mapping[str, str] = field(default_factory=dict)

    def raw(self, name: str) -> object:
        """What a view holds under a fact's name: MISSING when nothing, whatever its type."""
        view, _, attribute = name.partition(".")
        return getattr(self.views[view], attribute.replace(".", "_"), MISSING)

    def fact(self, ref: FactRef) -> Value:
        """The fact's value. Raises EvaluationError when it is missing, stale or not of its type."""
        if ref.name in self.problems:
            raise EvaluationError(Fault.INVALID, ref.name, self.problems[ref.name])
        value = self.raw(ref.name)
        if value is MISSING:
            raise EvaluationError(Fault.MISSING, ref.name)
        if not well_typed(value, ref.type):
            raise EvaluationError(Fault.INVALID, ref.name, f"held as {type(value).__name__}, must be {ref.type}")
        if ref.max_age is not None:
            age = self.age(ref.name)
            if age > ref.max_age:
                detail = f"{format_duration(age)} old, at most {format_duration(ref.max_age)}"
                raise EvaluationError(Fault.STALE, ref.name, detail)
        return value  # type: ignore[return-value] # well_typed has just said so

    def age(self, name: str) -> int:
        """How old a fact is, in microseconds; zero when nobody says."""
        view, _, attribute = name.partition(".")
        ages: Mapping[str, int] = getattr(self.views[view], "ages", {})
        return ages.get(attribute.replace(".", "_"), 0)

    def present(self, ref: FactRef) -> bool:
        """Whether the fact was given, usable or not: an unusable fact is an error where it is used, never absent."""
        return ref.name in self.problems or self.raw(ref.name) is not MISSING

    def window(self, slot: str) -> int:
        """What a window holds. Raises EvaluationError when nobody counted, or a count is below zero."""
        if slot in self.problems:
            raise EvaluationError(Fault.INVALID, slot, self.problems[slot])
        value = getattr(self.views["windows"], window_attribute(slot), MISSING)
        if value is MISSING:
            raise EvaluationError(Fault.MISSING, slot)
        if not well_typed(value, COUNT) or (value < 0 and slot.startswith("count(")):
            raise EvaluationError(Fault.INVALID, slot, "not a count" if slot.startswith("count(") else "not a total")
        return int(value)

    def elements(self, ref: CollectionRef) -> Sequence[object]:
        """The elements of a collection. Raises EvaluationError when it is missing, or has more than it can have."""
        if ref.name in self.problems:
            raise EvaluationError(Fault.INVALID, ref.name, self.problems[ref.name])
        elements = self.views.get(ref.name, MISSING)
        if elements is MISSING:
            raise EvaluationError(Fault.MISSING, ref.name)
        if not isinstance(elements, list | tuple):
            raise EvaluationError(Fault.INVALID, ref.name, f"held as {type(elements).__name__}, must be a list")
        if len(elements) > ref.maximum:
            raise EvaluationError(Fault.INVALID, ref.name, f"has {len(elements)} elements, at most {ref.maximum}")
        return elements

    def field(self, element: object, ref: ElementRef) -> Value:
        """The value of an element's field. Raises EvaluationError when it is missing or not of its type."""
        value = getattr(element, ref.field, MISSING)
        which = getattr(element, "symbol", MISSING)
        whose = f"of `{which}`" if isinstance(which, str) and ref.field != "symbol" else ""
        if value is MISSING:
            raise EvaluationError(Fault.MISSING, ref.name, whose)
        if not well_typed(value, ref.type):
            held = f"held as {type(value).__name__}, must be {ref.type}"
            raise EvaluationError(Fault.INVALID, ref.name, f"{whose} {held}".strip())
        return value  # type: ignore[no-any-return] # well_typed has just said so

    def has(self, element: object, ref: ElementRef) -> bool:
        """Whether an element's field was given, usable or not."""
        return getattr(element, ref.field, MISSING) is not MISSING
