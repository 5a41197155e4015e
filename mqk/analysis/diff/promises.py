"""Claims and invariants that are proven of one side and not of the other: what was promised and no longer holds.

What lives here: which of them are to be proven again, and what is told of one that fails. What does not: proofs
(mqk.analysis.claims, lifecycle.py), claims that say something else themselves (settings.py, moves.py).

Proven again is only what rests on something that is not the same, so that what is equal costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mqk.analysis.claims import Proof, prove, prove_invariants
from mqk.analysis.diff.days import Day
from mqk.analysis.diff.results import Change, Direction, ShownWitness
from mqk.analysis.names import parts, rests_on, texts_of
from mqk.analysis.verdicts import Verdict
from mqk.guards import Point
from mqk.policy import Bundle, ClaimSource, Text
from mqk.policy.canonical import canonical_expression, canonical_lifecycle, canonical_rule

_Ground = tuple[object, ...]


@dataclass(slots=True)
class Promises:
    """The promises of the engines that are asked about; none is proven twice on the same grounds."""

    engines: frozenset[str] | None
    _asked: list[tuple[str, str, _Ground, _Ground]] = field(default_factory=list)

    def changes(self, day: Day) -> Iterator[Change]:
        """Every promise that holds in what was and is not proven of what is to be."""
        for engine in day.engines:
            low, high = day.bundles(engine)
            if (self.engines is None or engine in self.engines) and low is not None and high is not None:
                yield from self._claims(day, low, high)
                yield from self._invariants(low, high)

    def _claims(self, day: Day, low: Bundle, high: Bundle) -> Iterator[Change]:
        known = {each.id: each for each in low.claims}
        for claim in high.claims:
            was = known.get(claim.id)
            if was is None or not _of(was, low) or not _of(claim, high):
                continue
            grounds = _claim(was, low, _other(day, was, 0)), _claim(claim, high, _other(day, claim, 1))
            if self._news(high.engine, claim.id, grounds):
                now = prove(claim, high, lambda name: day.bundles(name)[1])
                if not now.holds:
                    before = prove(was, low, lambda name: day.bundles(name)[0])
                    yield from _broken(before, now, Point(claim.at))

    def _invariants(self, low: Bundle, high: Bundle) -> Iterator[Change]:
        names = sorted(name for name, machine in low.lifecycles.items() if machine.invariants)
        both = [name for name in names if name in high.lifecycles]
        grounds = (_machines(low, both), _machines(high, both))
        if self._news(high.engine, "invariants", grounds):
            after = [each for each in prove_invariants(high) if not each.holds]
            before = {each.id: each for each in prove_invariants(low)} if after else {}
            for now in after:
                if now.id in before:
                    yield from _broken(before[now.id], now, Point.TRANSITION)

    def _news(self, engine: str, name: str, grounds: tuple[_Ground, _Ground]) -> bool:
        """Whether what a promise rests on is not the same, and has not been asked about."""
        key = (engine, name, *grounds)
        if grounds[0] == grounds[1] or key in self._asked:
            return False
        self._asked.append(key)
        return True


def _of(claim: ClaimSource, bundle: Bundle) -> bool:
    return claim.engine in (None, bundle.engine)


def _other(day: Day, claim: ClaimSource, side: int) -> Bundle | None:
    """The engine that a claim compares with."""
    return None if claim.than is None or claim.than not in day.engines else day.bundles(claim.than)[side]


def _claim(claim: ClaimSource, bundle: Bundle, than: Bundle | None) -> _Ground:
    """Everything that a claim rests on."""
    point = Point(claim.at)
    said = (point, canonical_expression(claim.when), tuple(claim.never), tuple(claim.always), claim.than)
    return (said, _ground(bundle, point, [claim.when]), None if than is None else _ground(than, point, []))


def _machines(bundle: Bundle, names: Iterable[str]) -> _Ground:
    return tuple(_machine(bundle, name) for name in names)


def _machine(bundle: Bundle, name: str) -> _Ground:
    """Everything that the invariants of a machine rest on."""
    machine = bundle.lifecycles[name]
    invariants = [
        (each.id, each.reach, canonical_expression(each.when), canonical_expression(each.without), each.since)
        for each in machine.invariants
    ]
    texts = [text for move in machine.transitions for text in (move.when, move.require)]
    texts += [text for each in machine.invariants for text in (each.when, each.without)]
    return (invariants, canonical_lifecycle(machine), _ground(bundle, Point.TRANSITION, texts))


def _ground(bundle: Bundle, point: Point, more: Iterable[Text | None]) -> _Ground:
    """The rules of a point, under whatever names, and everything that they and some more texts rest on."""
    rules = [rule for rule in bundle.rules if rule.at == point.value]
    texts = [text for rule in rules for text in texts_of(rule)]
    texts += [text.text for text in more if text is not None]
    known = parts(bundle)
    named = [(name, known[name].meaning) for name in sorted(rests_on(bundle, texts))]
    return (sorted(json.dumps(canonical_rule(rule), sort_keys=True) for rule in rules), named)


def _broken(was: Proof, now: Proof, point: Point) -> Iterator[Change]:
    """A promise that was proven, or at least not refuted, and is not any more."""
    refuted = now.answer.verdict is Verdict.REFUTED
    if was.answer.verdict is Verdict.REFUTED or was.answer.verdict is now.answer.verdict:
        return
    direction = Direction.LOOSER if refuted else Direction.UNDECIDED
    why = "it no longer holds" if refuted else f"it is no longer proven: {now.answer.why}"
    kind = "lifecycle" if now.kind == "invariant" else "claim"
    told = _told(was), _told(now)
    yield Change(
        f"{now.kind}s.{now.id}", kind, *told, direction, was.span, now.span, _witness(now, point), (now.engine,), why
    )


def _told(proof: Proof) -> str:
    words = {Verdict.PROVED: "proven", Verdict.REFUTED: "wrong", Verdict.UNDECIDED: "not decided"}
    return f"{proof.title}: {words[proof.answer.verdict]}"


def _witness(proof: Proof, point: Point) -> ShownWitness | None:
    """The counterexample; None where there is none."""
    found = proof.answer.witness
    if found is None:
        return None
    facts = found.written()
    with_ = f" with {', '.join(f'{name} {value}' for name, value in facts.items())}" if facts else ""
    shows = f": {'; '.join(proof.shows)}" if proof.shows else ""
    return ShownWitness(
        proof.engine, point.value, proof.title, f"{proof.title}: not{with_}{shows}", facts, path=proof.path
    )
