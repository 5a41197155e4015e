"""What tests are held against: an engine's compiled policies on a day, and the moments that cases describe.

What lives here: from a case to the views of a guard. What does not: what a case expects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from mqk.dsl import DerivedRef
from mqk.dsl.missing import MISSING
from mqk.dsl.windows import window_attribute
from mqk.guards import GuardSet, Moment, Point, canonical_name, compile_bundle, facts_at, read_facts
from mqk.guards.catalogue import VIEWS
from mqk.guards.fact import View
from mqk.policy import Bundle, Node, PolicyError, PolicySet, RuleSource, Scalar, effective_bundle
from mqk.policy import Mapping as MappingNode

if TYPE_CHECKING:
    from mqk.analysis.testing.suites import Case, Given

_UNREADABLE = "not readable"
_COLLECTIONS = frozenset({"positions", "working"})


@dataclass(frozen=True)
class Subject:
    """An engine's policies on a day, compiled."""

    bundle: Bundle
    guards: GuardSet

    @property
    def engine(self) -> str:
        """The engine's id."""
        return self.bundle.engine

    @cached_property
    def rules(self) -> Mapping[str, RuleSource]:
        """The rules in force, by id."""
        return {rule.id: rule for rule in self.bundle.rules}

    @cached_property
    def slots(self) -> frozenset[str]:
        """The windows that rules count."""
        return frozenset(spec.slot for spec in self.guards.windows)

    def names(self, point: Point) -> frozenset[str]:
        """Every fact that can be given at a point, windows and collections included."""
        return self._names[point]

    @cached_property
    def _names(self) -> Mapping[Point, frozenset[str]]:
        found: dict[Point, frozenset[str]] = {}
        for point in Point:
            given = {name for name, entry in facts_at(point).items() if not isinstance(entry.ref, DerivedRef)}
            found[point] = frozenset(given | set(self.windows_at(point)) | (_COLLECTIONS & VIEWS[point].keys()))
        return found

    def windows_at(self, point: Point) -> tuple[str, ...]:
        """The windows that can be given at a point."""
        return tuple(sorted(self.slots)) if "windows" in VIEWS[point] else ()

    def usual(self) -> dict[str, object]:
        """The engine's baseline, as a facts document that is the caller's to change."""
        return dict(self._usual)

    @cached_property
    def _usual(self) -> Mapping[str, object]:
        return {canonical_name(name): plain(node) for name, node in self.bundle.baseline.items()}

    def moment(self, case: Case, baseline: Iterable[Given]) -> Moment:
        """The moment of a case: the engine's baseline, the case's own over it, and what it takes away."""
        facts = self.usual()
        for given in (*baseline, *case.given):
            facts[canonical_name(given.name.text)] = plain(given.value)
        for name in case.removed:
            facts.pop(canonical_name(name.text), None)
        moment = read_facts(facts, self.guards, case.at, lenient=True)
        for name in case.missing:
            if name.text in _COLLECTIONS:
                moment = replace(moment, views={**moment.views, name.text: MISSING})
        for name in case.stale:
            make_stale(moment.views, name.text, case.at)
        problems = {canonical_name(name.text): _UNREADABLE for name in case.unreadable}
        return replace(moment, problems={**moment.problems, **problems}) if problems else moment


@dataclass
class Bench:
    """Policies to be tested, compiled once for every engine and day."""

    policies: PolicySet
    as_of: date | None = None

    def __post_init__(self) -> None:
        self._subjects: dict[tuple[str, date | None], Subject | PolicyError] = {}

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines there are."""
        return self.policies.ids("engine")

    def subject(self, engine: str, as_of: date | None = None) -> Subject:
        """An engine's policies on a day, or on the bench's own when the suite names none. Raises PolicyError."""
        day = as_of if as_of is not None else self.as_of
        key = (engine, day)
        if key not in self._subjects:
            try:
                bundle = effective_bundle(self.policies, engine, as_of=day)
                self._subjects[key] = Subject(bundle, compile_bundle(bundle))
            except PolicyError as fault:
                self._subjects[key] = fault
        found = self._subjects[key]
        if isinstance(found, PolicyError):
            raise found
        return found


def age_limit(name: str, point: Point) -> int | None:
    """How old a fact may be at a point, in micros; None when it never grows old."""
    entry = facts_at(point).get(name)
    return None if entry is None else entry.max_age


def make_stale(views: Mapping[str, object], name: str, point: Point) -> None:
    """Make a fact a moment older than it may be, in views that nobody else holds."""
    limit = age_limit(name, point)
    view = views[name.partition(".")[0]]
    if limit is not None and isinstance(view, View):
        view.grow_old({**view.ages, name.partition(".")[2]: limit + 1})


def plain(node: Node | object) -> object:
    """A node as a facts document would hold it: text, lists and mappings."""
    match node:
        case Scalar(text=text):
            return text
        case MappingNode(entries=entries):
            return {name: plain(entry.value) for name, entry in entries.items()}
        case _:
            items = getattr(node, "items", None)
            return [plain(item) for item in items] if isinstance(items, tuple) else getattr(node, "text", None)


def held(moment: Moment, name: str) -> object:
    """What a moment holds under a fact's name, MISSING when nothing."""
    if name.startswith(("count(", "total(")):
        return getattr(moment.views["windows"], window_attribute(name), MISSING)
    view, _, attribute = name.partition(".")
    return getattr(moment.views[view], attribute, MISSING)
