"""What a question about a policy can come to: proved, refuted by a witness, or undecided.

What lives here: the answers. What does not: how they are found (prove.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from mqk.dsl.syntax import Value
from mqk.dsl.types import COUNT, Type, money
from mqk.guards.catalogue import facts_at, fields_at
from mqk.guards.points import Point
from mqk.guards.values import format_value


class Verdict(StrEnum):
    """How a question ends. UNDECIDED counts as not proved, always."""

    PROVED = "PROVED"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True)
class Witness:
    """A moment at which something holds: facts and windows by name, what is missing, and what is there but unusable.

    `told` names what matters in it, the most telling first; the rest is an ordinary moment.
    """

    point: Point
    values: Mapping[str, Value]
    missing: frozenset[str] = frozenset()
    unusable: frozenset[str] = frozenset()
    told: tuple[str, ...] = ()
    collections: Mapping[str, tuple[Mapping[str, Value], ...]] = field(default_factory=lambda: MappingProxyType({}))

    def written(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """The facts that matter, or those named, as people write them."""
        found: dict[str, str] = {}
        for name in self.told if names is None else names:
            if name in self.missing:
                found[name] = "missing"
            elif name in self.unusable:
                found[name] = "unusable"
            elif name in self.values:
                found[name] = format_value(self.values[name], type_of(self.point, name))
        for name, elements in self.collections.items():
            for number, element in enumerate(elements, 1):
                fields = fields_at(self.point)[name]
                for field_name, value in element.items():
                    found[f"{name} {number} {field_name}"] = format_value(value, fields[field_name].type)
        return found

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.written().items())


@dataclass(frozen=True, slots=True)
class Answer:
    """How a question ended: with a witness when refuted, with the reason when undecided."""

    verdict: Verdict
    witness: Witness | None = None
    why: str = ""


def type_of(point: Point, name: str) -> Type:
    """The type of a fact, or of a window, at a point."""
    entry = facts_at(point).get(name)
    if entry is None:
        return money() if name.startswith("total(") else COUNT
    return entry.type
