"""One engine on both sides: every change with its direction and witness, and the verdict of every guard point.

What lives here: how the answers about guards, settings and machines become changes. What does not: several engines, and
the days to come (compare.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from mqk.analysis.diff import guarded, moves, settings
from mqk.analysis.diff.differences import Difference
from mqk.analysis.diff.directions import Attributed, Compared, attributed
from mqk.analysis.diff.results import Change, Direction, EngineDiff, PointDiff, ShownWitness, joined
from mqk.analysis.diff.showing import shown, still_stopped
from mqk.analysis.tightening import Looser
from mqk.analysis.verdicts import Verdict
from mqk.guards import Guard, GuardSet, Point
from mqk.guards.compile import compile_guard
from mqk.policy import Bundle

_NOT_BORNE_OUT = "the guards of the two sides do not bear out what the solver found"
_NOTHING = "nothing that was stopped passes, and nothing that passed is stopped"


class Pair:
    """One engine's bundles on both sides; `guards` are those that are compiled already, of the lower side first."""

    def __init__(self, low: Bundle, high: Bundle, budget: int, guards: Sequence[GuardSet] = ()) -> None:
        self._renamed = guarded.renamed(low, high)
        self.low = guarded.under_new_names(low, self._renamed)
        self.high = high
        self._budget = budget
        self._guards: dict[tuple[int, Point], Guard] = {}
        # What guards were compiled for, kept so that no other bundle takes the place of one in memory.
        self._kept: list[Bundle] = []
        for side, made in zip((self.low, self.high), guards, strict=False):
            # A side whose rules were given new names has guards that know them by their old ones.
            if made.bundle is side:
                self._guards |= {(id(side), point): guard for point, guard in made.guards.items()}

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """What guards and settings do not say alike, before anything is asked about it."""
        return (*guarded.differences(self.low, self.high), *settings.differences(self.low, self.high))

    @cached_property
    def moves_differ(self) -> bool:
        """Whether the state machines say something else."""
        return moves.differ(self.low, self.high)

    @cached_property
    def _attributed(self) -> Attributed:
        return attributed(self.low, self.high, self.differences, self._budget)

    def run(self) -> tuple[EngineDiff, list[Change]]:
        """The engine's verdict and its changes."""
        changes = [*self._renames(), *(self._change(each) for each in self.differences), *self._moves()]
        points = dict(self._points(changes))
        verdict = joined([*(each.verdict for each in points.values()), *(each.direction for each in changes)])
        return EngineDiff(verdict, points), changes

    def _renames(self) -> Iterator[Change]:
        before = {rule.id: rule for rule in self.high.rules}
        for old, (new, span) in self._renamed.items():
            rule = before[new]
            change = Difference(f"rules.{new}", "rule", old, new, span, rule.span)
            yield change.change(self.high.engine, Direction.EQUAL, "it has another name")

    def _moves(self) -> Iterator[Change]:
        if self.moves_differ or any(each.apply for each in self.differences):
            yield from moves.changes(moves.Sides(self.low, self.high, self._budget))

    def _change(self, difference: Difference) -> Change:
        engine = self.high.engine
        if difference.apply is None:
            assert difference.direction is not None
            return difference.change(engine, difference.direction)
        asked, found = self._attributed.of(difference)
        direction = difference.direction or asked
        if difference.kind == "universe" or (difference.kind == "waiver" and asked is not Direction.UNDECIDED):
            # Where its scope cannot be judged, a waiver stops what would have passed without it.
            direction = joined([asked, direction])
        if any(each.rule.point is Point.DIFFERENCE for each in (*found.looser, *found.tighter)):
            return self._of_differences(difference, direction)
        looser = self._witness(found.looser, found)
        if found.looser and looser is None and difference.direction is None:
            why = _NOT_BORNE_OUT if asked is not Direction.UNDECIDED else _why(found.looser)
            return difference.change(engine, Direction.UNDECIDED, why)
        why = _NOTHING if direction is Direction.EQUAL else ""
        if direction.loosens and looser is None:
            why = self._held_back(difference) or (_why(found.looser) if asked is Direction.UNDECIDED else "")
        change = replace(difference.change(engine, direction, why), witness=looser)
        if direction not in (Direction.INCOMPARABLE, Direction.TIGHTER):
            return change
        back = Compared(found.high, found.low, found.tighter, found.looser)
        return replace(change, tighter=self._witness(found.tighter, back, backwards=True))

    def _of_differences(self, difference: Difference, direction: Direction) -> Change:
        """A change of what is said of differences between the books.

        What no rule speaks of halts: a rule that asks for less lets more pass where it speaks.
        """
        rules = [rule for bundle in (self.low, self.high) for rule in bundle.rules if rule.at == Point.DIFFERENCE.value]
        own = [rule for rule in rules if difference.name == f"rules.{rule.id}"] or rules
        milder = any(rule.enforce != "block" or rule.otherwise in ("note", "warn") for rule in own)
        found = Direction.INCOMPARABLE if milder and direction is not Direction.EQUAL else direction
        return difference.change(self.high.engine, found, "what no rule speaks of halts the run")

    def _held_back(self, difference: Difference) -> str:
        """Which rules stop today what a difference would let pass, and so keep it from showing."""
        covered = self._attributed.covered.get(difference.path)
        for each in covered.looser if covered is not None else ():
            rules = still_stopped(each, self._guard(self.high, each.rule.point))
            if rules:
                stop = "stops" if len(rules) == 1 else "stop"
                return f"{' and '.join(rules)} still {stop} it today" + (
                    f": {difference.why}" if difference.why else ""
                )
        return ""

    def _witness(self, found: Sequence[Looser], pair: Compared, *, backwards: bool = False) -> ShownWitness | None:
        """The plainest of some loosenings that guards bear out: those of the two sides, else of the change alone."""
        sides = (self.high, self.low) if backwards else (self.low, self.high)
        for low, high in (sides, (pair.low, pair.high)):
            for each in sorted(found, key=_plainness):
                if each.answer.verdict is Verdict.REFUTED:
                    guards = self._guard(low, each.rule.point), self._guard(high, each.rule.point)
                    told = shown(each, *guards, mirrored=backwards)
                    if told is not None:
                        return told
        return None

    def _guard(self, bundle: Bundle, point: Point) -> Guard:
        key = (id(bundle), point)
        if key not in self._guards:
            self._kept.append(bundle)
            self._guards[key] = compile_guard(bundle, point)
        return self._guards[key]

    def _unspoken(self) -> Iterator[Direction]:
        """What the changes about differences between the books come to."""
        for each in self.differences:
            if each.apply is not None:
                _, found = self._attributed.of(each)
                if any(one.rule.point is Point.DIFFERENCE for one in (*found.looser, *found.tighter)):
                    yield self._change(each).direction

    def _points(self, changes: Sequence[Change]) -> Iterator[tuple[str, PointDiff]]:
        judged = {rule.at for bundle in (self.low, self.high) for rule in bundle.rules}
        asked = any(each.apply for each in self.differences)
        for point in Point:
            moved = [each.direction for each in changes if each.kind in ("transition", "state", "lifecycle")]
            of_moves = joined(moved) if point is Point.TRANSITION else Direction.EQUAL
            if point.value not in judged and of_moves is Direction.EQUAL:
                continue
            if not asked:
                yield point.value, PointDiff(of_moves)
                continue
            found = self._attributed.whole.stopping(point)
            back = Compared(found.high, found.low, found.tighter, found.looser)
            if point is Point.DIFFERENCE:
                yield point.value, PointDiff(joined(self._unspoken()))
                continue
            looser, tighter = self._witness(found.looser, found), self._witness(found.tighter, back, backwards=True)
            verdict = found.direction
            if verdict in (Direction.LOOSER, Direction.INCOMPARABLE) and looser is None:
                verdict = Direction.UNDECIDED
            yield point.value, PointDiff(joined([verdict, of_moves]), looser, tighter)


def _plainness(found: Looser) -> tuple[int, str]:
    witness = found.answer.witness
    return (len(witness.told) if witness is not None else 0, found.rule.id)


def _why(found: Sequence[Looser]) -> str:
    return next((each.answer.why for each in found if each.answer.why), "the solver gave up")
