"""What a change of policies would have done to recorded decisions: which come out otherwise, and by which rules.

What lives here: from two sides' answers to flips. What does not: the query (judging.py), and how it is told (mqk.cli).

A decision is judged at the moment that was recorded, whatever other decisions would have been: what would have followed
from a flip is not played. What a side cannot judge is no pass: where it could have mattered, the outcome is unknown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from mqk.analysis.history.comparing import Pattern, Side, compare
from mqk.analysis.history.judging import LOST, PASS, effect, engines_of, in_utc
from mqk.analysis.history.replay import moment_of
from mqk.guards import Decision, GuardSet, Point, Result
from mqk.guards.points import ALLOW, LADDERS, most_severe

if TYPE_CHECKING:
    from mqk.analysis.history.backends import Backend
    from mqk.analysis.history.records import Part


@dataclass(frozen=True, slots=True)
class Flip:
    """Decisions of one day that come out otherwise, for the same reasons. `notional` in micros.

    `rules` are those that make the difference: the head's where it is the severer one, else the base's. `first` is the
    instant of the first of them.
    """

    engine: str
    point: Point
    day: date
    before: str
    after: str
    rules: tuple[str, ...]
    decisions: int
    notional: int
    first: datetime

    @property
    def loosens(self) -> bool:
        """Whether the outcome is a milder one."""
        ladder = LADDERS[self.point]
        return ladder.index(self.after) < ladder.index(self.before)


@dataclass(frozen=True, slots=True)
class Lost:
    """A rule of one side that could not be judged again, why, and for how many decisions."""

    engine: str
    point: Point
    side: str
    rule: str
    why: str
    decisions: int
    span: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One decision that flips, judged again by the real guards of both sides."""

    engine: str
    point: Point
    decision_id: str
    at: datetime
    symbol: str | None
    side: str | None
    qty: int | None
    price: int | None
    notional: int | None
    client_order_id: str | None
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change would have done. `judged` counts decisions by engine and point; `unknown` those without an answer.

    `unlike` counts decisions recorded under the base's very policies that come out otherwise when judged again: it
    is zero, or something is wrong with the record. `elsewhere` counts decisions of engines that a side lacks.
    """

    judged: Mapping[tuple[str, Point], int]
    first: date | None
    last: date | None
    flips: tuple[Flip, ...]
    unknown: Mapping[tuple[str, Point], int]
    unlike: int
    other_policies: int
    elsewhere: Mapping[str, int]
    lost: tuple[Lost, ...]
    sample: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class _Side:
    """What a guard makes of each pattern: there are few, on many days."""

    point: Point
    answers: Side
    _known: dict[tuple[int, ...], tuple[str, tuple[str, ...], bool]] = field(default_factory=dict)
    _losses: dict[tuple[int, ...], list[tuple[str, str, str]]] = field(default_factory=dict)

    def outcome(self, pattern: Pattern) -> tuple[str, tuple[str, ...], bool]:
        """The outcome, the rules that ask for it, and whether rules that could not be judged leave it open."""
        if pattern.words not in self._known:
            self._known[pattern.words] = self._outcome(pattern)
        return self._known[pattern.words]

    def losses(self, pattern: Pattern) -> list[tuple[str, str, str]]:
        """The rules that could not be judged, each with why and where it is written."""
        if pattern.words not in self._losses:
            self._losses[pattern.words] = [
                (rule.id, place.lost or "its numbers may need more than 38 digits", str(rule.span))
                for rule, place in self.answers.rules
                if place.of(pattern.words) == LOST
            ]
        return self._losses[pattern.words]

    def _outcome(self, pattern: Pattern) -> tuple[str, tuple[str, ...], bool]:
        said = [(rule, place.of(pattern.words)) for rule, place in self.answers.rules]
        effects = [(rule.id, effect(rule, each)) for rule, each in said]
        # Common to both sides, they can decide, and yet never make the difference.
        others = [asked for asked, place in self.answers.common if place.of(pattern.words) != PASS]
        outcome = most_severe(self.point, [*others, *(each for _, each in effects)])
        deciding = tuple(rule for rule, each in effects if each == outcome != ALLOW)
        ladder = LADDERS[self.point]
        may = [rule.effect(Result.BREACH) for rule, each in said if each == LOST]
        return outcome, deciding, any(ladder.index(each) > ladder.index(outcome) for each in may)


def measure_impact(
    backend: Backend,
    parts: Sequence[Part],
    base: Mapping[str, GuardSet],
    head: Mapping[str, GuardSet],
    *,
    limit: int = 10,
) -> Impact:
    """What the change from `base` to `head`, guards by engine, would have done to recorded decisions.

    `limit` decisions at most are shown as a sample, of as many kinds as there are.
    """
    judged: Counter[tuple[str, Point]] = Counter()
    unknown: Counter[tuple[str, Point]] = Counter()
    lost: Counter[tuple[str, Point, str, str, str, str]] = Counter()
    elsewhere: Counter[str] = Counter()
    flips: list[tuple[Flip, Part]] = []
    days: set[date] = set()
    unlike = other = 0
    for part in parts:
        table = backend.table(part)
        for engine, count in engines_of(backend, table).items():
            if engine not in base or engine not in head:
                elsewhere[engine] += count
                continue
            for point in part.points:
                guards = (base[engine].guards[point], head[engine].guards[point])
                question = compare(table, part, engine, guards, base[engine].bundle.sha256)
                before, after = _Side(point, question.base), _Side(point, question.head)
                answer = backend.run(question.query)
                turned = []
                for pattern in question.patterns(answer):
                    judged[engine, point] += pattern.decisions
                    days |= {pattern.first.date(), pattern.last.date()}
                    other += 0 if pattern.recorded else pattern.decisions
                    change = _change(pattern, before, after)
                    unlike += (
                        pattern.decisions
                        if change and pattern.recorded not in (None, before.outcome(pattern)[0])
                        else 0
                    )
                    unknown[engine, point] += 0 if change else pattern.decisions
                    if change and change.turns:
                        turned.append(pattern)
                    for name, side in (("base", before), ("head", after)):
                        for rule, why, span in side.losses(pattern):
                            lost[engine, point, name, rule, why, span] += pattern.decisions
                flips += [(_flip(engine, each, before, after), part) for each in question.days(answer, turned)]
    sample = tuple(_shown(backend, flips, base, head, limit))
    return Impact(
        dict(judged),
        min(days, default=None),
        max(days, default=None),
        tuple(sorted((flip for flip, _ in flips), key=lambda each: (each.engine, each.point, each.day, each.rules))),
        {key: count for key, count in unknown.items() if count},
        unlike,
        other,
        dict(elsewhere),
        tuple(Lost(e, p, side, rule, why, count, span) for (e, p, side, rule, why, span), count in lost.items()),
        sample,
    )


class _Change(NamedTuple):
    """The outcomes of a pattern on both sides, and the rules that make the difference."""

    before: str
    after: str
    rules: tuple[str, ...]

    @property
    def turns(self) -> bool:
        """Whether there is a difference."""
        return self.before != self.after


def _change(pattern: Pattern, before: _Side, after: _Side) -> _Change | None:
    """What becomes of a pattern; None where an outcome is not known."""
    was, was_rules, was_open = before.outcome(pattern)
    now, now_rules, now_open = after.outcome(pattern)
    if was_open and pattern.recorded is not None:
        was, was_open = pattern.recorded, False
    if was_open or now_open:
        return None
    ladder = LADDERS[before.point]
    return _Change(was, now, now_rules if ladder.index(now) > ladder.index(was) else was_rules)


def _flip(engine: str, pattern: Pattern, before: _Side, after: _Side) -> Flip:
    """One day of a pattern that turns."""
    change = _change(pattern, before, after)
    assert change is not None
    assert pattern.day is not None
    return Flip(
        engine,
        before.point,
        pattern.day,
        change.before,
        change.after,
        change.rules,
        pattern.decisions,
        pattern.notional,
        pattern.first,
    )


def _shown(
    backend: Backend,
    flips: Sequence[tuple[Flip, Part]],
    base: Mapping[str, GuardSet],
    head: Mapping[str, GuardSet],
    limit: int,
) -> Iterator[Shown]:
    """A sample of as many kinds as there are, judged again by the real guards."""
    if not limit:
        return
    kinds: dict[tuple[object, ...], list[tuple[Flip, Part]]] = defaultdict(list)
    for flip, part in sorted(flips, key=lambda pair: (pair[0].first, pair[0].rules)):
        kinds[flip.engine, flip.point, flip.before, flip.after, flip.rules].append((flip, part))
    chosen: list[tuple[Flip, Part]] = []
    while len(chosen) < limit and any(kinds.values()):
        for waiting in kinds.values():
            if waiting and len(chosen) < limit:
                chosen.append(waiting.pop(0))
    for part in dict.fromkeys(part for _, part in chosen):
        wanted = [flip for flip, theirs in chosen if theirs is part]
        table = backend.table(part)
        seconds = sorted({int(flip.first.timestamp()) for flip in wanted})
        near = table.filter(table["at"].epoch_seconds().cast("int64").isin(seconds))
        rows = sorted(backend.run(near).to_pylist(), key=lambda row: (row["at"], row["decision_id"]))
        for flip in wanted:
            ours = (row for row in rows if (row["engine"], row["point"]) == (flip.engine, flip.point.value))
            again = (_judged_again(row, flip, base[flip.engine], head[flip.engine]) for row in ours)
            yield from islice((each for each in again if _is_one_of(each, flip)), 1)


def _is_one_of(shown: Shown, flip: Flip) -> bool:
    """Whether a decision is the first of those that flip so."""
    return shown.at == flip.first and (shown.before.outcome, shown.after.outcome) == (flip.before, flip.after)


def _judged_again(row: Mapping[str, Any], flip: Flip, base: GuardSet, head: GuardSet) -> Shown:
    moment = moment_of(row, flip.point)
    before, after = (side.guards[flip.point].decide(moment.views, moment.problems) for side in (base, head))
    return Shown(
        flip.engine,
        flip.point,
        row["decision_id"],
        in_utc(row["at"]),
        row["symbol"],
        row["side"],
        row["qty"],
        row["price"],
        row["notional"],
        row["client_order_id"],
        before,
        after,
    )
