"""The facts catalogue: which facts, derived facts and event streams exist at which guard point, and what they mean.

Derived from the views and the definitions, so that each fact is declared in one place. The checker's environment, the
facts documents, the reference page and the tests all read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from types import MappingProxyType
from typing import get_type_hints

from mqk.dsl import CollectionRef, DerivedRef, FactRef, Type, check_expression, parse_expression
from mqk.dsl.environment import Ref
from mqk.guards import outside, views
from mqk.guards.definitions import DEFINITIONS
from mqk.guards.fact import MODES, USD, Elements, View, unit_of
from mqk.guards.points import Point

# The views that a guard takes at each point, in the order in which it takes them.
VIEWS: Mapping[Point, Mapping[str, type]] = MappingProxyType(
    {
        Point.ORDER: {
            "order": views.Order,
            "position": views.Position,
            "market": views.Market,
            "account": views.Account,
            "run": views.Run,
            "clock": views.Clock,
            "windows": views.Windows,
            "session": views.Session,
            "margin": views.Margin,
            "firm": views.Firm,
            "positions": views.Positions,
            "working": views.Working,
        },
        Point.ACCOUNT: {
            "account": views.Account,
            "run": views.Run,
            "clock": views.Clock,
            "windows": views.Windows,
            "session": views.Session,
            "margin": views.Margin,
            "firm": views.Firm,
            "reconcile": outside.Reconcile,
            "positions": views.Positions,
            "working": views.Working,
        },
        Point.BAR: {"bar": outside.Bar, "run": views.Run, "clock": views.Clock},
        Point.FEED: {"feed": outside.Feed, "run": views.Run, "clock": views.Clock},
        Point.TRANSITION: {
            "run": views.Run,
            "account": views.Account,
            "reconcile": outside.Reconcile,
            "clock": views.Clock,
            "session": views.Session,
            "order": outside.OrderLife,
        },
        Point.DIFFERENCE: {"difference": outside.Difference, "run": views.Run, "clock": views.Clock},
        Point.CANDIDATE: {"candidate": outside.Candidate},
    }
)


@dataclass(frozen=True, slots=True)
class Stream:
    """Events that are counted over windows: what they are, and the type of the amount that totals add up, if any."""

    title: str
    amount: Type | None = None


STREAMS: Mapping[str, Stream] = MappingProxyType(
    {
        "orders": Stream("orders that entered the outbox; the amount is their value at their worst prices", USD),
        "cancels": Stream("cancels asked for"),
        "rejects": Stream("orders that the broker rejected"),
        "fills": Stream("fills received; the amount is their value", USD),
        "trades": Stream("orders that ended with shares traded; the amount is the value of those", USD),
        "day_trades": Stream("day trades: positions opened and closed in one session, counted as FINRA counts them"),
        "results": Stream("fills that closed shares; the amount is the profit realised, the fill's fee taken off", USD),
        "losing_trades": Stream("orders that ended with shares closed at a loss; the amount is the loss", USD),
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact at one point: what it is, the definition when it is derived, and the least value it can have.

    `modes` are those in which somebody supplies it; it is stale when older than `max_age` micros.
    """

    name: str
    ref: Ref
    title: str
    expression: str | None = None
    minimum: int | None = None
    modes: tuple[str, ...] = MODES
    max_age: int | None = None

    @property
    def type(self) -> Type:
        """The fact's type, with its unit."""
        return self.ref.type

    @property
    def unit(self) -> str:
        """The unit that its values are in, for people; empty when it has none."""
        return unit_of(self.ref.type)


def _declared(view: type[View], prefix: str = "") -> Iterator[Entry]:
    hints = get_type_hints(view, include_extras=True)
    for field in fields(view):  # type: ignore[arg-type] # every view is a dataclass
        (fact,) = hints[field.name].__metadata__
        name = f"{prefix}{field.name}"
        ref = FactRef(name, fact.type, fact.optional, fact.max_age)
        yield Entry(name, ref, fact.title, None, fact.minimum, fact.modes, fact.max_age)


@cache
def fields_at(point: Point) -> Mapping[str, Mapping[str, Entry]]:
    """The collections that exist at a point, each with the fields of its elements."""
    return MappingProxyType(
        {
            name: MappingProxyType({entry.name: entry for entry in _declared(view.ELEMENT)})
            for name, view in VIEWS[point].items()
            if issubclass(view, Elements)
        }
    )


@cache
def collections_at(point: Point) -> Mapping[str, CollectionRef]:
    """The collections that rules can quantify over at a point."""
    found: dict[str, CollectionRef] = {}
    for name, entries in fields_at(point).items():
        view = VIEWS[point][name]
        assert issubclass(view, Elements)
        refs = {field: entry.ref for field, entry in entries.items() if isinstance(entry.ref, FactRef)}
        found[name] = CollectionRef(name, MappingProxyType(refs), view.MAXIMUM, view.NOUN)
    return MappingProxyType(found)


@cache
def facts_at(point: Point) -> Mapping[str, Entry]:
    """Every fact that exists at a point, observed facts first, then derived ones in the order they build on."""
    entries: dict[str, Entry] = {}
    for view_name, view in VIEWS[point].items():
        if issubclass(view, View):
            entries |= {entry.name: entry for entry in _declared(view, f"{view_name}.")}
    for definition in DEFINITIONS.get(point, ()):
        checked = check_expression(parse_expression(definition.expression), _Facts(entries), definition.type)
        if checked.errors:
            raise AssertionError(f"{definition.name}: {checked.errors[0].message}")
        ref = DerivedRef(definition.name, definition.type, checked.expr)
        entries[definition.name] = Entry(definition.name, ref, definition.title, definition.expression)
    return MappingProxyType(entries)


@lru_cache(maxsize=4_096)
def points_of(name: str) -> tuple[Point, ...]:
    """The points at which a fact, or a collection, exists."""
    return tuple(point for point in Point if name in facts_at(point) or name in collections_at(point))


def streams_at(point: Point) -> Mapping[str, Type | None]:
    """The event streams that can be counted at a point, each with the type of the amount that its totals add up."""
    return {name: stream.amount for name, stream in STREAMS.items()} if "windows" in VIEWS[point] else {}


class _Facts:
    """The environment in which definitions are checked: the facts before them."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries

    def lookup(self, name: str) -> Ref | None:
        entry = self._entries.get(name)
        return entry.ref if entry else None

    def names(self) -> frozenset[str]:
        return frozenset(self._entries)

    def streams(self) -> Mapping[str, Type | None]:
        return {}

    def collection(self, name: str) -> CollectionRef | None:  # noqa: ARG002 - part of the protocol
        return None

    def collections(self) -> frozenset[str]:
        return frozenset()

    def absence(self, name: str) -> str | None:  # noqa: ARG002 - part of the protocol
        return None
