"""A moment that the solver found, judged again by the compiled guards of both sides and told in words.

What lives here: from a loosening to a witness that people read, or to none when the guards do not bear it out. What
does not: finding moments (prove.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mqk.analysis.diff.results import Judgement, ShownWitness
from mqk.analysis.moments import lookup_of
from mqk.analysis.tightening import Looser, lasts
from mqk.analysis.verdicts import Witness
from mqk.dsl.missing import MISSING
from mqk.guards import Decision, Guard, GuardRule, Point
from mqk.guards.points import ALLOW, LADDERS, POSTURE_OF, Enforcement
from mqk.policy import LatchSource

# What becomes of somebody or something at a point, in the words of the desk.
_WORDS: Final[Mapping[str, str]] = {
    "allow": "allowed",
    "warn": "allowed with a warning",
    "deny": "denied",
    "reject": "rejected",
    "refuse": "refused",
    "note": "noted",
    "fail": "failed",
    "halt": "halted",
    "flatten": "flattened",
    "disarm": "disarmed",
    "reduce_only": "held to reducing",
}
_SUBJECTS: Final[Mapping[Point, str]] = {
    Point.ACCOUNT: "the account",
    Point.BAR: "a bar of {bar.symbol}",
    Point.FEED: "the feed of {feed.symbol}",
    Point.TRANSITION: "a move of the run",
    Point.DIFFERENCE: "a difference of {difference.symbol}",
    Point.CANDIDATE: "a candidate",
}
_CENT: Final = 10_000
_MOST: Final = 6


@dataclass(frozen=True, slots=True)
class Judged:
    """What one guard says of a moment: a decision on which its generated code and the interpreter agree."""

    guard: Guard
    decision: Decision

    def rule(self, name: str) -> GuardRule | None:
        """The guard's rule of that name."""
        return next((each for each in self.guard.rules if each.id == name), None)

    def told(self) -> Judgement:
        """The decision as a witness tells it."""
        deciding = self.decision.deciding
        says = [each.message for each in self.decision.findings if each.rule in deciding]
        return Judgement(self.decision.outcome, deciding, "; ".join(dict.fromkeys(says)))


def judge(guard: Guard, witness: Witness) -> Judged | None:
    """What a guard's generated code says of a moment, and everything about it; None where the two do not agree."""
    lookup = lookup_of(witness)
    views = {name: lookup.views.get(name, MISSING) for name in guard.parameters}
    if lookup.problems:
        # Generated code is given facts that can be read; what cannot be is for the full answer alone.
        return Judged(guard, guard.decide(views, lookup.problems))
    mask = guard.judge(*views.values())
    fast, full = guard.decide(views, mask=mask), guard.decide(views)
    return Judged(guard, full) if (fast.outcome, fast.deciding) == (full.outcome, full.deciding) else None


def shown(found: Looser, low: Guard, high: Guard, *, mirrored: bool = False) -> ShownWitness | None:
    """A loosening's witness as both sides' guards judge it; None when it does not come out otherwise there.

    `mirrored` tells it the other way: what is a loosening on the way back is a tightening on the way there.
    """
    witness = found.answer.witness
    if witness is None:
        return None
    before, after = judge(low, witness), judge(high, witness)
    if before is None or after is None:
        return None
    stopped = next((each for each in before.decision.findings if each.rule == found.rule.id), None)
    rule = before.rule(found.rule.id)
    ladder = LADDERS[found.rule.point]
    if stopped is None or rule is None or ladder.index(stopped.effect) < found.rule.level:
        return None
    least = ladder.index(stopped.effect)
    standing = [each for each in after.decision.findings if ladder.index(each.effect) >= least]
    holding = [each for finding in standing if (each := after.rule(finding.rule)) is not None]
    if len(holding) < len(standing) or any(_holds_as_well(each, rule) for each in holding):
        return None
    was, now = before.told(), after.told()
    if ladder.index(now.outcome) >= ladder.index(was.outcome) and not holding:
        return None
    subject = _subject(witness)
    by = was.rules if ladder.index(was.outcome) == least else (rule.id,)
    what, then = _WORDS[ladder[least]], _WORDS[now.outcome]
    if holding:
        what, then = f"{what}{_how(rule)}", f"{then}{_how(holding[0])}"
    more = _others(witness)
    with_ = f", with {', '.join(f'{name} {value}' for name, value in list(more.items())[:_MOST])}" if more else ""
    if len(more) > _MOST:
        with_ += " and more"
    stops = f"{what} by {' and '.join(by)} ({stopped.message})"
    text = f"{subject}{with_}: was {then}, now {stops}" if mirrored else f"{subject}{with_}: was {stops}, now {then}"
    sides = (now, was) if mirrored else (was, now)
    return ShownWitness(low.engine, found.rule.point.value, subject, text, witness.written(), *sides)


def _holds_as_well(one: GuardRule, other: GuardRule) -> bool:
    """Whether an outcome counts as fast and lasts as long, where that means anything."""
    if other.enforcement is not Enforcement.BLOCK or other.outcome not in POSTURE_OF:
        return True
    if other.outcome == "flatten" != one.outcome:
        return False
    return one.confirm <= other.confirm and lasts(one.latch, other.latch)


def _how(rule: GuardRule) -> str:
    """How fast an outcome counts and how long it lasts, in words."""
    confirm = f" after {rule.confirm} judgements in a row" if rule.confirm > 1 else ""
    return confirm + _until(rule.latch)


def _until(latch: LatchSource | None) -> str:
    if latch is None:
        return " until it passes again"
    end = {"session_end": " until the session ends", "released": " until released"}[latch.until]
    return f"{end}, by {latch.by}" if latch.by is not None else end


def _subject(witness: Witness) -> str:
    """What is decided, at a glance."""
    values = witness.values
    if witness.point is not Point.ORDER:
        names = ("bar.symbol", "feed.symbol", "difference.symbol")
        said = _SUBJECTS[witness.point]
        for name in names:
            said = said.replace(f"{{{name}}}", str(values.get(name, "some symbol")))
        return said
    price = values.get("order.limit_price", values.get("order.worst_price"))
    parts = [str(values.get(name, "?")) for name in ("order.side", "order.qty", "order.symbol")]
    return f"{' '.join(parts)} at {price_text(price)}" if isinstance(price, int) else " ".join(parts)


def price_text(micros: int) -> str:
    """A price as markets write it: in cents, and finer only where it is."""
    cents, rest = divmod(micros, _CENT)
    sign, cents = ("-", -cents) if cents < 0 and not rest else ("", cents)
    if rest:
        return f"{micros // 1_000_000}.{micros % 1_000_000:06d}".rstrip("0") + " USD"
    return f"{sign}{cents // 100:_}.{cents % 100:02d} USD"


def _others(witness: Witness) -> dict[str, str]:
    """What else departs from an ordinary moment."""
    in_subject = {"order.side", "order.qty", "order.symbol"}
    in_subject.add("order.limit_price" if "order.limit_price" in witness.values else "order.worst_price")
    return {name: value for name, value in witness.written().items() if name not in in_subject}


def still_stopped(found: Looser, guard: Guard) -> tuple[str, ...]:
    """The rules of a guard that stop what a loosening would let pass, at its witness; none without one."""
    if found.answer.witness is None:
        return ()
    judged = judge(guard, found.answer.witness)
    return () if judged is None else judged.decision.deciding


def allowed(guard: Guard, witness: Witness) -> str | None:
    """What a guard lets pass of a moment, in words; None when it stops it."""
    found = judge(guard, witness)
    return _subject(witness) if found is not None and found.decision.outcome == ALLOW else None
