"""What a comparison of two policies comes to: directions, changes with their places, witnesses, one verdict.

What lives here: the records and their JSON (schemas/results/diff.schema.json). What does not: how they are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mqk.policy import Span


class Direction(StrEnum):
    """Where a change leads: what may pass is the same, less, more, both, or not known."""

    EQUAL = "EQUAL"
    TIGHTER = "TIGHTER"
    LOOSER = "LOOSER"
    INCOMPARABLE = "INCOMPARABLE"
    UNDECIDED = "UNDECIDED"

    @property
    def loosens(self) -> bool:
        """Whether anything may pass that did not; what is not decided counts as that."""
        return self not in (Direction.EQUAL, Direction.TIGHTER)

    @property
    def mirrored(self) -> Direction:
        """The direction of the way back."""
        return {Direction.LOOSER: Direction.TIGHTER, Direction.TIGHTER: Direction.LOOSER}.get(self, self)


def joined(directions: Iterable[Direction]) -> Direction:
    """What several directions come to together."""
    found = set(directions)
    looser = bool(found & {Direction.LOOSER, Direction.INCOMPARABLE})
    tighter = bool(found & {Direction.TIGHTER, Direction.INCOMPARABLE})
    if looser:
        return Direction.INCOMPARABLE if tighter else Direction.LOOSER
    if Direction.UNDECIDED in found:
        return Direction.UNDECIDED
    return Direction.TIGHTER if tighter else Direction.EQUAL


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one side's guards say at a witness: the outcome, the rules that ask for it, and what they say."""

    outcome: str
    rules: tuple[str, ...]
    says: str

    def to_json(self) -> dict[str, object]:
        """The judgement as other tools read it."""
        return {"outcome": self.outcome, "rules": list(self.rules), "says": self.says}


@dataclass(frozen=True, slots=True)
class ShownWitness:
    """A decision that comes out otherwise, as the real guards of both sides judged it, or a path newly possible.

    `subject` is what is decided (`BUY 201 SPY at 100.00 USD`), `text` the whole as one sentence, `facts` what departs
    from an ordinary moment. For a path there are no judgements.
    """

    engine: str
    point: str
    subject: str
    text: str
    facts: Mapping[str, str]
    before: Judgement | None = None
    after: Judgement | None = None
    path: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The witness as other tools read it."""
        return {
            "engine": self.engine,
            "point": self.point,
            "subject": self.subject,
            "text": self.text,
            "facts": dict(self.facts),
            "before": None if self.before is None else self.before.to_json(),
            "after": None if self.after is None else self.after.to_json(),
            "path": list(self.path),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not the same: its path, what it says on both sides and where, and where that leads.

    `witness` shows what passes by it that was stopped, `tighter` what is stopped by it that passed; `why` says in words
    what a direction rests on where neither does.
    """

    path: str
    kind: str
    before: str | None
    after: str | None
    direction: Direction
    before_at: Span | None = None
    after_at: Span | None = None
    witness: ShownWitness | None = None
    engines: tuple[str, ...] = ()
    why: str = ""
    tighter: ShownWitness | None = None

    @property
    def at(self) -> Span | None:
        """Where it is best shown: on the new side, else where it was."""
        return self.after_at or self.before_at

    def to_json(self) -> dict[str, object]:
        """The change as other tools read it."""
        return {
            "path": self.path,
            "kind": self.kind,
            "before": self.before,
            "after": self.after,
            "direction": self.direction.value,
            "before_at": _place(self.before_at),
            "after_at": _place(self.after_at),
            "witness": None if self.witness is None else self.witness.to_json(),
            "engines": list(self.engines),
            "why": self.why or None,
            "tighter": None if self.tighter is None else self.tighter.to_json(),
        }


def _place(span: Span | None) -> dict[str, object] | None:
    return None if span is None else {"file": span.file, "line": span.line, "column": span.column}


@dataclass(frozen=True, slots=True)
class PointDiff:
    """What a guard point lets pass now and did not, and the reverse. Warnings stop nothing: they are changes only."""

    verdict: Direction
    looser: ShownWitness | None = None
    tighter: ShownWitness | None = None

    def to_json(self) -> dict[str, object]:
        """The point as other tools read it."""
        return {
            "verdict": self.verdict.value,
            "looser": None if self.looser is None else self.looser.to_json(),
            "tighter": None if self.tighter is None else self.tighter.to_json(),
        }


@dataclass(frozen=True, slots=True)
class EngineDiff:
    """One engine: its verdict, and that of every guard point. An engine of one side alone has no points."""

    verdict: Direction
    points: Mapping[str, PointDiff]

    def to_json(self) -> dict[str, object]:
        """The engine as other tools read it."""
        return {"verdict": self.verdict.value, "points": {name: each.to_json() for name, each in self.points.items()}}


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """What a change of policies means: one verdict, each engine's, and every change."""

    verdict: Direction
    engines: Mapping[str, EngineDiff]
    changes: tuple[Change, ...]

    @property
    def loosenings(self) -> tuple[Change, ...]:
        """The changes that let more pass, or may."""
        return tuple(each for each in self.changes if each.direction.loosens)

    def to_json(self) -> dict[str, object]:
        """The comparison as other tools read it."""
        return {
            "verdict": self.verdict.value,
            "engines": {name: each.to_json() for name, each in self.engines.items()},
            "changes": [each.to_json() for each in self.changes],
        }
