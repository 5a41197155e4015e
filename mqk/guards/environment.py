"""What names mean in the rules of one engine at one point: its facts, its limits and the engine's own constants.

What lives here: names to references. What does not: facts themselves (catalogue.py) or their values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from mqk.dsl import CollectionRef, ConstantRef, Ref, Type
from mqk.dsl import types as t
from mqk.dsl.syntax import Value
from mqk.guards.catalogue import collections_at, facts_at, points_of, streams_at
from mqk.guards.points import Point
from mqk.policy import Bundle, Instant, LimitValue, TimeOfDay
from mqk.quantity import Count, Duration, Money, Quantity, Rate, Ratio, SessionSpan


def constants(name: str, value: LimitValue) -> dict[str, ConstantRef]:
    """The names a limit gives rise to: itself, or `.count` and `.window` for a rate."""
    if isinstance(value, Rate):
        return {
            f"{name}.count": ConstantRef(f"{name}.count", t.COUNT, value.count),
            f"{name}.window": ConstantRef(f"{name}.window", t.DURATION, value.window.micros),
        }
    held, kind = _held(value)
    return {name: ConstantRef(name, kind, held)}


def _held(value: LimitValue) -> tuple[Value, Type]:
    match value:
        case bool():
            return value, t.BOOL
        case Ratio(value=ratio):
            return ratio, t.RATIO
        case Money(micros=micros, currency=currency):
            return micros, t.money(currency)
        case Duration(micros=micros):
            return micros, t.DURATION
        case SessionSpan(count=count, unit=unit):
            return count, t.span_in(unit)
        case Count(value=count, noun=noun):
            return count, t.count_of(noun)
        case Quantity(value=quantity):
            # A bare whole number: shares or a count, as its place has it.
            return quantity, t.NUMBER
        case TimeOfDay(micros=micros):
            return micros, t.TIME
        case Instant(micros=micros):
            return micros, t.INSTANT
        case date():
            return value.toordinal(), t.DATE
        case tuple():
            return frozenset(value), t.set_of(t.SYMBOL)
        case str():
            return value, (t.SYMBOL if value.isupper() else t.TEXT)
        case _:
            raise AssertionError(f"unknown limit value {value!r}")


@dataclass(frozen=True, slots=True)
class PolicyEnvironment:
    """The names that a rule at `point` may use, for one engine."""

    point: Point
    constants: Mapping[str, ConstantRef]

    @classmethod
    def of(cls, bundle: Bundle, point: Point) -> PolicyEnvironment:
        """The environment of an effective bundle."""
        names: dict[str, ConstantRef] = {}
        for name, limit in bundle.limits.items():
            names.update(constants(f"limits.{name}", limit.value))
        names["engine.universe"] = ConstantRef("engine.universe", t.set_of(t.SYMBOL), frozenset(bundle.universe))
        names["engine.capital"] = ConstantRef("engine.capital", t.money(bundle.capital.currency), bundle.capital.micros)
        return cls(point, names)

    def lookup(self, name: str) -> Ref | None:
        """What `name` means here."""
        if name in self.constants:
            return self.constants[name]
        entry = facts_at(self.point).get(name)
        return entry.ref if entry is not None else None

    def names(self) -> Collection[str]:
        """Every name that means something here."""
        return [*self.constants, *facts_at(self.point)]

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
        """Why a name that exists elsewhere does not exist at this point."""
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
