"""What rules did: how often each fired, when last, and in which decision, added up from recorded decisions.

What lives here: counting. What does not: where decisions are recorded and how they are read (mqk.cli, which may ask
the database).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Firing:
    """How often one rule of one engine stood against something, errors and shadows among it, and the last time."""

    fired: int
    errors: int
    shadowed: int
    last: int
    decision: str
    source: str

    def plus(self, other: Firing) -> Firing:
        """Both together; of two decisions of one instant the first one given stays the last."""
        latest = self if self.last >= other.last else other
        return Firing(
            self.fired + other.fired,
            self.errors + other.errors,
            self.shadowed + other.shadowed,
            latest.last,
            latest.decision,
            latest.source,
        )


@dataclass(frozen=True, slots=True)
class Source:
    """Where decisions came from: how many of one engine under one bundle, at which points, between which instants.

    `deciding_only`: it tells of a rule only where its outcome won.
    """

    name: str
    kind: str
    engine: str
    bundle: str
    decisions: int
    points: tuple[str, ...]
    first: int | None
    last: int | None
    deciding_only: bool = False


@dataclass(slots=True)
class Evidence:
    """Everything that recorded decisions tell. `unread` says in words what could not be read, and why.

    `outside` are those that do not lie in the time assessed, and were not counted.
    """

    sources: list[Source] = field(default_factory=list)
    firings: dict[tuple[str, str], Firing] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    outside: int = 0

    def fired(self, engine: str, rule: str, firing: Firing) -> None:
        """Count what one rule did."""
        known = self.firings.get((engine, rule))
        self.firings[engine, rule] = firing if known is None else known.plus(firing)

    @property
    def decisions(self) -> int:
        """How many decisions there are."""
        return sum(source.decisions for source in self.sources)

    def points(self, engine: str) -> frozenset[str]:
        """The points at which something of an engine was recorded."""
        return frozenset(point for source in self.sources if source.engine == engine for point in source.points)


@dataclass(slots=True)
class Counter:
    """Adds up the decisions of one source, engine and bundle, one at a time."""

    name: str
    kind: str
    engine: str
    bundle: str
    deciding_only: bool = False
    decisions: int = 0
    points: set[str] = field(default_factory=set)
    first: int | None = None
    last: int | None = None

    def add(
        self,
        evidence: Evidence,
        at: int,
        point: str,
        decision: str,
        findings: Iterable[Mapping[str, object]],
        times: int = 1,
    ) -> None:
        """Count a decision (`times`: several alike, this being the last), and what its findings say of rules."""
        self.decisions += times
        self.points.add(point)
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)
        for finding in findings:
            if finding.get("result") == "PASS":
                continue
            errors = times if finding.get("result") == "ERROR" else 0
            shadowed = times if finding.get("enforcement") == "shadow" else 0
            rule = str(finding["rule"])
            evidence.fired(self.engine, rule, Firing(times, errors, shadowed, at, decision, self.name))

    def source(self) -> Source:
        """What was added up."""
        points = tuple(sorted(self.points))
        return Source(
            self.name,
            self.kind,
            self.engine,
            self.bundle,
            self.decisions,
            points,
            self.first,
            self.last,
            self.deciding_only,
        )
