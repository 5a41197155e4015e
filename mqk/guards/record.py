"""What is kept of a decision so that other rules can judge it again: the whole moment, whatever today's rules read.

What lives here: which columns there are, and taking a moment out of the views, quickly. What does not: files
(record_table.py), and who decides what is worth keeping (mqk.backtest, mqk.runtime).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache, partial
from operator import attrgetter
from typing import Any, Final, NamedTuple

from mqk.dsl import CollectionRef, FactRef
from mqk.dsl.missing import MISSING
from mqk.guards.catalogue import VIEWS, collections_at, facts_at
from mqk.guards.decision import Decision
from mqk.guards.fact import Elements, View
from mqk.guards.points import Point
from mqk.quantity import INT64_MAX

FACTS: Final = "facts."
AGES: Final = "ages."
WINDOWS: Final = "facts.windows."


class Head(NamedTuple):
    """Everything about a recorded decision but its facts; the names are those of the columns.

    Amounts in micros. `price` is the worst price at which the order may fill, and `notional` its value at that price;
    both are None where nobody knows one, or where it is beyond 64 bits.
    """

    decision_id: str
    run_id: str
    engine: str
    bundle: str
    mode: str
    point: str
    at: int
    outcome: str
    deciding: tuple[str, ...]
    client_order_id: str | None = None
    symbol: str | None = None
    side: str | None = None
    qty: int | None = None
    price: int | None = None
    notional: int | None = None


class Shot(NamedTuple):
    """The facts of one moment as they were held, in the order of `plan(point)`; windows by attribute."""

    facts: tuple[tuple[object, ...], ...]
    collections: tuple[tuple[tuple[object, ...], ...] | None, ...]
    windows: Mapping[str, object]
    ages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A view of a point: its facts in order, and one call that reads them all."""

    view: str
    facts: tuple[FactRef, ...]
    attributes: tuple[str, ...]
    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Group:
    """A collection of a point: the fields of its elements in order, and one call that reads them all."""

    ref: CollectionRef
    fields: tuple[str, ...]
    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the moments of one point are taken."""

    point: Point
    subjects: tuple[Subject, ...]
    groups: tuple[Group, ...]
    aging: tuple[FactRef, ...]

    def take(self, views: Mapping[str, Any]) -> Shot:
        """The moment that the views hold now."""
        facts = tuple(_read(subject, views[subject.view]) for subject in self.subjects)
        collections = tuple(
            None if views[group.ref.name] is MISSING else tuple(_element(group, each) for each in views[group.ref.name])
            for group in self.groups
        )
        windows = dict(vars(views["windows"])) if "windows" in views else {}
        ages = tuple(views[view].ages.get(name, 0) for view, _, name in (r.name.partition(".") for r in self.aging))
        return Shot(facts, collections, windows, ages)

    def taker(self, views: Mapping[str, Any]) -> Callable[[Any], Shot]:
        """The same for views that stay the same objects: a call with the windows takes the moment that they hold."""
        readers = [
            (subject.read if len(subject.attributes) > 1 else partial(_read, subject), views[subject.view])
            for subject in self.subjects
        ]
        groups = [(group, views[group.ref.name]) for group in self.groups]
        aging = [(views[view], name) for view, _, name in (ref.name.partition(".") for ref in self.aging)]

        def take(windows: Any) -> Shot:
            try:
                facts = tuple([read(view) for read, view in readers])
            except AttributeError:
                # A fact is missing that must be there: each view is looked into.
                facts = tuple([_read(subject, views[subject.view]) for subject in self.subjects])
            elements = tuple(
                [tuple([_element(group, each) for each in found]) if found else () for group, found in groups]
            )
            return Shot(facts, elements, vars(windows).copy(), tuple([view.ages.get(name, 0) for view, name in aging]))

        return take


@cache
def plan(point: Point) -> Plan:
    """How the moments of a point are taken."""
    subjects = []
    for view, kind in VIEWS[point].items():
        if not issubclass(kind, View):
            continue
        names = tuple(field.name for field in fields(kind))  # type: ignore[arg-type] # every view is a dataclass
        refs = tuple(facts_at(point)[f"{view}.{name}"].ref for name in names)
        found = tuple(ref for ref in refs if isinstance(ref, FactRef))
        subjects.append(Subject(view, found, names, attrgetter(*names)))
    groups = []
    for ref in collections_at(point).values():
        assert issubclass(VIEWS[point][ref.name], Elements)
        names = tuple(ref.fields)
        groups.append(Group(ref, names, attrgetter(*names)))
    aging = tuple(ref for subject in subjects for ref in subject.facts if ref.max_age is not None)
    return Plan(point, tuple(subjects), tuple(groups), aging)


def _read(subject: Subject, view: object) -> tuple[object, ...]:
    try:
        read = subject.read(view)
    except AttributeError:
        return tuple(getattr(view, name, MISSING) for name in subject.attributes)
    return read if len(subject.attributes) > 1 else (read,)


def _element(group: Group, element: object) -> tuple[object, ...]:
    try:
        read = group.read(element)
    except AttributeError:
        return tuple(getattr(element, name, MISSING) for name in group.fields)
    return read if len(group.fields) > 1 else (read,)


def order_head(
    decision_id: str,
    run_id: str,
    mode: str,
    at: int,
    outcome: tuple[str, str, str, tuple[str, ...]],
    order: Any,
    client_order_id: str | None,
) -> Head:
    """What is told of a decision about an order. `outcome` is engine, bundle, outcome and the rules that decided."""
    engine, bundle, what, deciding = outcome
    price = getattr(order, "worst_price", MISSING)
    known = price is not MISSING
    notional = order.qty * price if known else None
    return Head(
        decision_id,
        run_id,
        engine,
        bundle,
        mode,
        Point.ORDER.value,
        at,
        what,
        deciding,
        client_order_id,
        order.symbol,
        order.side,
        order.qty,
        price if known else None,
        notional if notional is not None and abs(notional) <= INT64_MAX else None,
    )


def other_head(decision: Decision, decision_id: str, run_id: str, mode: str, at: int, symbol: str | None) -> Head:
    """What is told of a decision about anything else."""
    return Head(
        decision_id,
        run_id,
        decision.engine,
        decision.bundle,
        mode,
        decision.point.value,
        at,
        decision.outcome,
        decision.deciding,
        symbol=symbol,
    )
