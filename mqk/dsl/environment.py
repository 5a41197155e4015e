"""What names mean in an expression: facts, derived facts and constants, looked up through an Environment.

The checker asks an environment; mqk.guards builds one from the facts catalogue and a bundle's limits.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from mqk.dsl.syntax import Expr, Value
from mqk.dsl.types import Type


@dataclass(frozen=True, slots=True)
class FactRef:
    """A fact supplied at the moment of judging; `optional` facts may be missing without being an error."""

    name: str
    type: Type
    optional: bool = False


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


Ref = FactRef | DerivedRef | ConstantRef


class Environment(Protocol):
    """The names an expression may use."""

    def lookup(self, name: str) -> Ref | None:
        """What `name` means, or None when it means nothing here."""

    def names(self) -> Collection[str]:
        """Every name that `lookup` knows, for suggestions."""

    def streams(self) -> Collection[str]:
        """The event streams that `count(... within ...)` may count."""

    def absence(self, name: str) -> str | None:
        """Why a name that exists elsewhere does not exist here, or None when it exists nowhere."""
