"""What names mean in the rules of one engine at one point: its facts, its limits and the engine's own constants.

What lives here: names to references. What does not: facts themselves (catalogue.py) or their values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from mqk.dsl import CollectionRef, ConstantRef, DerivedRef, Ref, Type
from mqk.dsl import types as t
from mqk.guards.catalogue import collections_at, facts_at, points_of, streams_at
from mqk.guards.held import held
from mqk.guards.names import Names, Unusable
from mqk.guards.points import Point
from mqk.policy import Bundle, LimitValue
from mqk.quantity import Rate


def constants(name: str, value: LimitValue) -> dict[str, ConstantRef]:
    """The names a limit gives rise to: itself, or `.count` and `.window` for a rate."""
    if isinstance(value, Rate):
        length, kind = held(value.window)
        return {
            f"{name}.count": ConstantRef(f"{name}.count", t.COUNT, value.count),
            f"{name}.window": ConstantRef(f"{name}.window", kind, length),
        }
    worth, kind = held(value)
    return {name: ConstantRef(name, kind, worth)}


@dataclass(frozen=True, slots=True)
class PolicyEnvironment:
    """The names that a rule at `point` may use, for one engine."""

    point: Point
    constants: Mapping[str, ConstantRef]
    own: Names = field(default_factory=lambda: Names({}, {}))

    @classmethod
    def of(cls, bundle: Bundle, point: Point, own: Names | None = None) -> PolicyEnvironment:
        """The environment of an effective bundle. `own` are its definitions and tables, when they are shared."""
        names: dict[str, ConstantRef] = {}
        for name, limit in bundle.limits.items():
            names.update(constants(f"limits.{name}", limit.value))
        names["engine.universe"] = ConstantRef("engine.universe", t.set_of(t.SYMBOL), frozenset(bundle.universe))
        names["engine.capital"] = ConstantRef("engine.capital", t.money(bundle.capital.currency), bundle.capital.micros)
        return cls(point, names, own if own is not None else Names.of(bundle))

    def lookup(self, name: str) -> Ref | None:
        """What `name` means here."""
        if name in self.constants:
            return self.constants[name]
        meaning = self.own.lookup(name, self.point, self._at)
        if meaning is not None:
            return meaning if isinstance(meaning, DerivedRef) else None
        entry = facts_at(self.point).get(name)
        return entry.ref if entry is not None else None

    def names(self) -> Collection[str]:
        """Every name that means something here."""
        return [*self.constants, *self.own, *facts_at(self.point)]

    def _at(self, point: Point) -> PolicyEnvironment:
        """The same names at another point."""
        return self if point is self.point else replace(self, point=point)

    def streams(self) -> Mapping[str, Type | None]:
        """The event streams that can be counted here, with what their totals are."""
        return streams_at(self.point)

    def collection(self, name: str) -> CollectionRef | None:
        """The collection of that name."""
        return collections_at(self.point).get(name)

    def collections(self) -> Collection[str]:
        """The collections that rules can quantify over here."""
        return collections_at(self.point)

    def absence(self, name: str) -> str | None:
        """Why a name that exists elsewhere does not exist at this point; empty when that was reported already."""
        meaning = self.own.lookup(name, self.point, self._at)
        if isinstance(meaning, Unusable):
            return meaning.why
        points = points_of(name)
        if points:
            where = " and ".join(f"`{point}`" for point in points)
            return f"does not exist at `{self.point}`: it is known at {where}"
        if f"{name}.count" in self.constants:
            return f"is a rate: compare with `{name}.count` within `{name}.window`"
        if name.startswith("limits."):
            limits = sorted(n.removeprefix("limits.") for n in self.constants if n.startswith("limits."))
            close = get_close_matches(name.removeprefix("limits."), limits, n=1, cutoff=0.6)
            if not close:
                return "is set in no layer: give it a value under `limits:`"
        return None
