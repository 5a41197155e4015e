"""The whole moment of a decision in written form: every fact that is there, whether or not a rule reads it.

What lives here: writing it, and reading it back without the policies it was made under. What does not: columns
(record.py), and documents that people write (facts.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mqk.dsl import CollectionRef, EvaluationError, FactRef
from mqk.dsl.types import COUNT
from mqk.guards.catalogue import collections_at, facts_at, streams_at
from mqk.guards.elements import write_elements
from mqk.guards.facts import Moment, read_moment
from mqk.guards.guard import WindowSpec
from mqk.guards.lookup import ViewLookup
from mqk.guards.points import Point
from mqk.guards.values import format_value
from mqk.quantity import QuantityError, format_duration

# What an engine is told by those around it, and only when a rule of its own asks for it.
TOLD: Final = frozenset(
    {
        "clock.skew",
        "firm.equity",
        "firm.gross_exposure",
        "reconcile.age",
        "reconcile.clean",
        "reconcile.differences",
    }
)


def written_moment(
    point: Point, views: Mapping[str, object], windows: Iterable[WindowSpec]
) -> tuple[tuple[str, str], ...]:
    """Every fact, collection and window of a moment that is there and has a written form, by name."""
    lookup = ViewLookup(views)
    found: dict[str, str] = {}
    for name, entry in facts_at(point).items():
        if isinstance(entry.ref, FactRef):
            _keep(found, name, entry.ref, lookup)
    for name, ref in collections_at(point).items():
        _keep(found, name, ref, lookup)
    for spec in windows if "windows" in views else ():
        try:
            amount = streams_at(point).get(spec.stream) if spec.total else None
            found[spec.slot] = format_value(lookup.window(spec.slot), amount or COUNT)
        except EvaluationError:
            continue  # nobody has counted it
    return tuple(sorted(found.items()))


def _keep(found: dict[str, str], name: str, ref: FactRef | CollectionRef, lookup: ViewLookup) -> None:
    try:
        if isinstance(ref, CollectionRef):
            found[name] = write_elements(ref, lookup.elements(ref))
            return
        if ref.max_age is not None and (age := lookup.age(name)):
            found[f"age({name})"] = format_duration(age)
        bare = FactRef(ref.name, ref.type, ref.optional)
        found[name] = format_value(lookup.fact(bare), ref.type)
    except (EvaluationError, QuantityError):
        return  # missing, or held in a way that has no written form


def is_whole(document: Mapping[str, object], point: Point) -> bool:
    """Whether a record holds the whole moment: all that an engine always knows of its run and its account."""
    needed = [
        name
        for name, entry in facts_at(point).items()
        if name.startswith(("run.", "account.")) and isinstance(entry.ref, FactRef) and not entry.ref.optional
    ]
    return set(needed) <= document.keys()


def read_whole(document: Mapping[str, object], point: Point) -> Moment:
    """The moment that a record holds. Raises FactsError when it names what nobody knows."""
    slots = frozenset(name for name in document if name.startswith(("count(", "total(")))
    return read_moment(document, slots, point)
