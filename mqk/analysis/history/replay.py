"""A recorded decision as the moment it was made in: the views that the real guards take.

What lives here: from a row to views. What does not: from views to a row (mqk.guards.record).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from mqk.dsl.missing import MISSING
from mqk.dsl.types import Kind, Type
from mqk.guards import Moment, Point
from mqk.guards.catalogue import VIEWS
from mqk.guards.fact import Elements
from mqk.guards.record import AGES, FACTS, WINDOWS, plan


def moment_of(row: Mapping[str, Any], point: Point) -> Moment:
    """The moment of one row of a table of decisions, as Arrow gives it to Python."""
    views: dict[str, Any] = {name: view() for name, view in VIEWS[point].items()}
    layout = plan(point)
    for subject in layout.subjects:
        view = views[subject.view]
        for ref, attribute in zip(subject.facts, subject.attributes, strict=True):
            value = _value(row, f"{FACTS}{ref.name}", ref.type)
            if value is not None:
                setattr(view, attribute, value)
        ages = {
            ref.name.partition(".")[2]: row[f"{AGES}{ref.name}"]
            for ref in subject.facts
            if ref.max_age is not None and row.get(f"{AGES}{ref.name}") is not None
        }
        if ages:
            view.ages = ages
    for group in layout.groups:
        found = row.get(f"{FACTS}{group.ref.name}")
        if found is None:
            views[group.ref.name] = MISSING
            continue
        kind = VIEWS[point][group.ref.name]
        assert issubclass(kind, Elements)
        views[group.ref.name] = kind(_element(kind, each) for each in found)
    if "windows" in views:
        for name, value in row.items():
            if name.startswith(WINDOWS) and value is not None:
                setattr(views["windows"], name.removeprefix(WINDOWS), value)
    return Moment(views, dict(row.get("unusable") or ()))


def _value(row: Mapping[str, Any], name: str, kind: Type) -> object | None:
    if kind.kind is not Kind.RATIO:
        return row.get(name)
    top, bottom = row.get(f"{name}.num"), row.get(f"{name}.den")
    return None if top is None or bottom is None else Fraction(int(top), int(bottom))


def _element(kind: type[Elements], given: Mapping[str, Any]) -> object:
    element = kind.ELEMENT()
    for field, value in given.items():
        if value is not None:
            setattr(element, field, value)
    return element
