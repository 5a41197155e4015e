"""Facts documents: dotted names to written values, turned into the views a guard takes.

What lives here: reading a document for one point. A value that cannot be read is remembered as a problem, so that the
rules that need it are errors; a name that nobody knows makes the whole document unusable, because it is a typo.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from mqk.dsl import DerivedRef, DslError, Type, parse_expression, syntax
from mqk.dsl.missing import MISSING
from mqk.dsl.syntax import Value
from mqk.dsl.types import COUNT, DURATION
from mqk.dsl.windows import window_attribute
from mqk.guards.catalogue import VIEWS, Entry, collections_at, facts_at, fields_at, points_of, streams_at
from mqk.guards.compile import GuardSet
from mqk.guards.fact import Elements
from mqk.guards.points import Point
from mqk.guards.values import parse_fact
from mqk.quantity import QuantityError, parse_duration, parse_span

_WINDOWS = ("count(", "total(")


class FactsError(ValueError):
    """A facts document that cannot be used at all; `problems` lists every reason with its mend."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Moment:
    """The views of one moment, and the facts that were given but could not be read."""

    views: Mapping[str, object]
    problems: Mapping[str, str]


def read_facts(document: Mapping[str, object], guards: GuardSet, point: Point, *, lenient: bool = False) -> Moment:
    """The moment that a facts document describes at a point.

    `lenient` skips facts of other points, as in an engine's baseline. Raises FactsError for unknown names and for
    derived facts, which are computed and never given.
    """
    return read_moment(document, frozenset(spec.slot for spec in guards.windows), point, lenient=lenient)


def read_moment(
    document: Mapping[str, object], known: frozenset[str], point: Point, *, lenient: bool = False
) -> Moment:
    """The same where only these windows are known, by slot."""
    views = {name: view() for name, view in VIEWS[point].items()}
    slots = set(known) if "windows" in views else set()
    problems: dict[str, str] = {}
    unusable: list[str] = []
    given_slots: set[str] = set()
    for name, given in document.items():
        entry = facts_at(point).get(name)
        slot = canonical_name(name)
        if slot in slots and slot in given_slots:
            unusable.append(f"`{name}` is given twice, in two spellings")
        elif slot in slots:
            given_slots.add(slot)
            _window(views["windows"], slot, _amount(slot, point), given, problems)
        elif name in collections_at(point):
            views[name] = _elements(name, given, point, problems)
        elif (aged := _aged(name)) in facts_at(point):
            _age(views, aged, given, problems)
        elif entry is None:
            if not (lenient and (points_of(name) or name.startswith((*_WINDOWS, "age(")))):
                unusable.append(_unknown(name, point, slots))
        elif isinstance(entry.ref, DerivedRef):
            unusable.append(f"`{name}` is computed from other facts (`{entry.expression}`) and cannot be given")
        else:
            text = _written(given)
            try:
                if text is None:
                    raise QuantityError("syntax", f"found {_shape(given)}, expected {entry.type}")
                view, _, attribute = name.partition(".")
                setattr(views[view], attribute, _read(text, entry))
            except QuantityError as fault:
                problems[name] = fault.message
    if unusable:
        raise FactsError(tuple(unusable))
    if not lenient:
        # Nothing is said of a collection that is not given; of one that a baseline leaves out, that it is empty.
        for name in collections_at(point).keys() - document.keys():
            views[name] = MISSING
    return Moment(views, problems)


def _read(text: str, entry: Entry) -> Value:
    value = parse_fact(text, entry.type)
    if entry.minimum is not None and isinstance(value, int) and value < entry.minimum:
        raise QuantityError("sign", f"`{text}` is below {entry.minimum}")
    return value


def _elements(name: str, given: object, point: Point, problems: dict[str, str]) -> object:
    """The elements of a collection, given as a list of mappings or as its JSON; a fault in one of them spoils it."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            problems[name] = f"`{given}` is no list of elements"
    kind = VIEWS[point][name]
    assert issubclass(kind, Elements)
    elements = kind()
    fields = fields_at(point)[name]
    for each in given if isinstance(given, list) else [given]:
        element = kind.ELEMENT()
        for field, value in each.items() if isinstance(each, dict) else [(name, each)]:
            text, entry = _written(value), fields.get(field)
            try:
                if entry is None:
                    close = get_close_matches(field, fields, n=1, cutoff=0.6)
                    raise QuantityError("syntax", f"`{field}` is no field" + (f", `{close[0]}` is" if close else ""))
                if text is None:
                    raise QuantityError("syntax", f"found {_shape(value)}, expected {entry.type}")
                setattr(element, field, _read(text, entry))
            except QuantityError as fault:
                problems.setdefault(name, fault.message)
        elements.append(element)
    return elements


def _aged(name: str) -> str:
    """The fact whose age a name stands for, `market.price` for `age(market.price)`; empty for any other name."""
    return name.removeprefix("age(").removesuffix(")").strip() if name.startswith("age(") else ""


def _age(views: Mapping[str, Any], name: str, given: object, problems: dict[str, str]) -> None:
    view, _, attribute = name.partition(".")
    try:
        age = parse_fact(_written(given) or _shape(given), DURATION)
        views[view].ages = {**views[view].ages, attribute.replace(".", "_"): age}
    except QuantityError as fault:
        problems[name] = f"its age: {fault.message}"


def canonical_name(name: str) -> str:
    """A fact's name with the length of a window written in its canonical unit: 300s and 5m are one window."""
    if not name.startswith(_WINDOWS):
        return name
    try:
        window = parse_expression(name)
        if isinstance(window, syntax.Window) and isinstance(window.duration, syntax.Literal):
            length = window.duration
            span = parse_span(length.text) if length.kind == "span" else parse_duration(length.text)
            return f"{window.function}({window.stream} within {span})"
    except (DslError, QuantityError):
        pass  # not a window: it is then reported as an unknown fact
    return name


def _amount(slot: str, point: Point) -> Type:
    """What a window's answer is: a count, or what its stream's amounts add up to."""
    function, _, rest = slot.partition("(")
    amount = streams_at(point).get(rest.partition(" ")[0])
    return amount if function == "total" and amount is not None else COUNT


def _window(windows: object, slot: str, kind: Type, given: object, problems: dict[str, str]) -> None:
    text = _written(given)
    try:
        if text is None:
            raise QuantityError("syntax", f"found {_shape(given)}, expected {kind}")
        setattr(windows, window_attribute(slot), parse_fact(text, kind))
    except QuantityError as fault:
        problems[slot] = fault.message


def _written(given: object) -> str | None:
    """The text of a value as a policy would hold it; numbers with a fraction have no unit and are not facts."""
    match given:
        case str():
            return given
        case bool():
            return "true" if given else "false"
        case int():
            return str(given)
        case _:
            return None


def _shape(given: object) -> str:
    match given:
        case None:
            return "nothing"
        case float():
            return f"the bare number `{given}`"
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"a {type(given).__name__}"


def _unknown(name: str, point: Point, slots: set[str]) -> str:
    elsewhere = points_of(name)
    if elsewhere:
        where = " and ".join(f"`{other.value}`" for other in elsewhere)
        return f"`{name}` does not exist at `{point.value}`: it is known at {where}"
    close = get_close_matches(name, [*facts_at(point), *slots], n=1, cutoff=0.6)
    return f"unknown fact `{name}`" + (f": did you mean `{close[0]}`?" if close else "")
