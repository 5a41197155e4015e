"""What is missing, or deserves a look: obligations without an answer, controls without a test, waivers near their end.

What lives here: the findings of an assessment and their words. What does not: what they are found in (controls.py,
assessment.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

from mqk.analysis.assess.controls import Standing
from mqk.analysis.assess.evidence import Evidence
from mqk.analysis.claims import Proof
from mqk.analysis.verdicts import Verdict
from mqk.policy import Bundle, Span, listed
from mqk.quantity import format_date

# What ends within so many days is told now, so that nobody is surprised.
SOON: Final = timedelta(days=30)
_MOST: Final = 12


class Weight(StrEnum):
    """How much a finding weighs: a gap leaves something unanswered, a look is for a person, a note explains."""

    GAP = "gap"
    LOOK = "look"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Gap:
    """One finding: about which control, claim, setting or obligation, for which engines, and what to do about it."""

    weight: Weight
    kind: str
    about: str
    engines: tuple[str, ...]
    message: str
    help: str
    span: Span | None = None

    def to_json(self) -> dict[str, Any]:
        """The finding for programs."""
        return {
            "weight": self.weight.value,
            "kind": self.kind,
            "about": self.about,
            "engines": list(self.engines),
            "message": self.message,
            "help": self.help,
            "file": None if self.span is None else self.span.file,
            "line": None if self.span is None else self.span.line,
        }


def of_controls(standings: Iterable[Standing]) -> Iterator[Gap]:
    """What is missing behind the rules, the same of several engines told once."""
    found: dict[tuple[Weight, str, str, str, str], list[Standing]] = defaultdict(list)
    for standing in standings:
        for weight, kind, message, help_ in _of_control(standing):
            found[weight, kind, standing.rule.id, message, help_].append(standing)
    for (weight, kind, about, message, help_), same in found.items():
        yield Gap(weight, kind, about, tuple(each.engine for each in same), message, help_, same[0].rule.span)


def _of_control(standing: Standing) -> Iterator[tuple[Weight, str, str, str]]:
    rule, tests = standing.rule, standing.tested
    if rule.enforce == "shadow":
        yield (
            Weight.GAP,
            "shadow",
            "is judged, and stops nothing (`enforce: shadow`)",
            "block, or write down why not",
        )
    elif rule.enforce == "warn":
        yield Weight.LOOK, "warn", "warns instead of stopping (`enforce: warn`)", "block, or write down why not"
    if tests.failing:
        counted = f"{tests.failing} case{'s' * (tests.failing != 1)}"
        yield Weight.GAP, "failing", f"{counted} about it fail", "`mqk policy test` says which, and how"
    if not (tests.passes or tests.breaches or tests.errors):
        yield Weight.GAP, "untested", "no case tests it", "`mqk policy test --generate --write` makes boundary cases"
    elif tests.missing:
        weight = Weight.GAP if "breach" in tests.missing else Weight.LOOK
        message = f"no case makes it {listed(tests.missing)}".replace("`", "")
        yield weight, "untested", message, "write a case that does"
    for waiver in rule.waivers:
        where = "everywhere" if waiver.scope is None else f"where `{' '.join(waiver.scope.text.split())}`"
        message = f"is set aside by the waiver `{waiver.id}` {where} until {format_date(waiver.end)}"
        yield Weight.LOOK, "waived", message, f"approved by {waiver.approved_by}: does its reason still hold?"


def of_exceptions(bundles: Iterable[Bundle], as_of: date) -> Iterator[Gap]:
    """Waivers and loosenings that end soon: what they allowed stops on that day."""
    ends: dict[tuple[str, str, str, date, Span], list[str]] = defaultdict(list)
    for bundle in bundles:
        for waiver in bundle.waivers:
            ends["waiver", waiver.id, waiver.rule, waiver.end, waiver.span].append(bundle.engine)
        for leave in bundle.loosened:
            ends["loosening", leave.document, leave.target, leave.until, leave.span].append(bundle.engine)
    for (what, name, target, end, span), engines in ends.items():
        if end - as_of <= SOON:
            days = (end - as_of).days
            message = f"the {what} `{name}` of `{target}` ends in {days} day{'s' * (days != 1)}, on {format_date(end)}"
            help_ = "from then on the policy holds as written; see that the desk is ready for it"
            yield Gap(Weight.LOOK, "ending", target, tuple(engines), message, help_, span)


def of_claims(proofs: Iterable[Proof]) -> Iterator[Gap]:
    """Claims that are not proven."""
    for proof in proofs:
        if proof.holds:
            continue
        wrong = proof.answer.verdict is Verdict.REFUTED
        message = "is wrong" if wrong else f"is not decided: {proof.answer.why}"
        help_ = "`mqk policy prove` shows a moment in which it does not hold" if wrong else "state it more plainly"
        kind = "refuted" if wrong else "undecided"
        yield Gap(Weight.GAP, kind, proof.id, (proof.engine,), f"the {proof.kind} {message}", help_, proof.span)


def of_evidence(standings: Sequence[Standing], evidence: Evidence) -> Iterator[Gap]:
    """What the recorded decisions do not show."""
    for said in evidence.unread:
        yield Gap(Weight.LOOK, "unread", "evidence", (), said, "mend the record, or leave it out")
    if not evidence.decisions:
        message = "no recorded decision was looked at, so nothing says that any control ever fired"
        help_ = "give `--database`, or `--decisions` with the artifacts of backtests and runs"
        yield Gap(Weight.LOOK, "no evidence", "evidence", (), message, help_)
        return
    for engine in dict.fromkeys(each.engine for each in standings):
        own = [each for each in standings if each.engine == engine]
        if not evidence.points(engine):
            message = f"no decision of {engine} is recorded in the evidence"
            yield Gap(Weight.LOOK, "no evidence", "evidence", (engine,), message, "run it, or give its records as well")
            continue
        quiet = [each.rule.id for each in own if each.firing is None and each.seen]
        if quiet:
            message = f"{len(quiet)} rules never fired: {_some(quiet)}"
            help_ = "nothing went wrong, or nothing would be noticed: tests show which"
            yield Gap(Weight.NOTE, "never fired", "evidence", (engine,), message, help_)
        unseen = [each for each in own if each.firing is None and not each.seen]
        if unseen:
            points = listed(sorted({each.rule.at for each in unseen}), "and")
            message = f"nothing is recorded at {points}, where {len(unseen)} rules are judged: "
            message += _some([each.rule.id for each in unseen])
            help_ = "at these points a judgement leaves a record when it is news, and some records are kept elsewhere"
            yield Gap(Weight.NOTE, "not recorded", "evidence", (engine,), message, help_)


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _MOST} more" if len(ids) > _MOST else ""
    return ", ".join(ids[:_MOST]) + more
