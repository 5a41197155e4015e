"""What names mean in an expression: facts, derived facts and constants, looked up through an Environment.

The checker asks an environment; mqk.guards builds one from the facts catalogue and a bundle's limits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from mqk.dsl.syntax import Expr, Value
from mqk.dsl.types import Type


@dataclass(frozen=True, slots=True)
class FactRef:
    """A fact supplied at the moment of judging; `optional` facts may be missing without being an error.

    `max_age` is the age in microseconds beyond which it is stale; None when it never is.
    """

    name: str
    type: Type
    optional: bool = False
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class DerivedRef:
    """A named definition: its checked expression is used wherever the name stands."""

    name: str
    type: Type
    definition: Expr


@dataclass(frozen=True, slots=True)
class ConstantRef:
    """A value fixed when the policy is compiled, such as a limit."""

    name: str
    type: Type
    value: Value


@dataclass(frozen=True, slots=True)
class ElementRef:
    """A field of an element of a collection, such as `p.exposure` in `some p in positions satisfies ...`."""

    variable: str
    field: str
    type: Type
    optional: bool = False

    @property
    def name(self) -> str:
        """The field as it is written."""
        return f"{self.variable}.{self.field}"


@dataclass(frozen=True, slots=True)
class CollectionRef:
    """A bounded collection: the fields of its elements by name, and how many elements it can have.

    More elements than `maximum` make everything said about them an error. `noun` is what its elements are counted in.
    """

    name: str
    fields: Mapping[str, FactRef]
    maximum: int
    noun: str = ""


Ref = FactRef | DerivedRef | ConstantRef | ElementRef


class Environment(Protocol):
    """The names an expression may use."""

    def lookup(self, name: str) -> Ref | None:
        """What `name` means, or None when it means nothing here."""

    def names(self) -> Collection[str]:
        """Every name that `lookup` knows, for suggestions."""

    def streams(self) -> Mapping[str, Type | None]:
        """The event streams that windows may count, each with the type of the amount that `total(...)` adds up."""

    def collection(self, name: str) -> CollectionRef | None:
        """The collection of that name, or None when there is none here."""

    def collections(self) -> Collection[str]:
        """Every name that `collection` knows, for suggestions."""

    def absence(self, name: str) -> str | None:
        """Why a name that exists elsewhere does not exist here, or None when it exists nowhere.

        Empty when that was reported where the name is defined.
        """
