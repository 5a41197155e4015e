"""The assessment: each obligation with what answers it, and everything an auditor asks next.

What lives here: joining obligations, rules, tests, claims and evidence. What does not: what is missing in words
(gaps.py), how it is written for programs and pages (document.py), where anything is read from (mqk.cli).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from mqk.analysis.assess import gaps
from mqk.analysis.assess.controls import Standing, standings, tested
from mqk.analysis.assess.evidence import Evidence
from mqk.analysis.assess.gaps import Gap, Weight
from mqk.analysis.assess.review import Review
from mqk.analysis.claims import Proof, prove_all
from mqk.analysis.testing import Bench, read_suites, run_suites
from mqk.policy import (
    Bundle,
    Diagnostic,
    Layer,
    Obligation,
    Obligations,
    PolicySet,
    answers,
    effective_bundle,
    in_order,
    read_obligations,
)

# What a rule can do, as `Tested.missing` names it.
_RESULTS: Final = frozenset({"pass", "breach", "err"})


class Status(StrEnum):
    """How an obligation stands: answered by policy, with a part for people, with something to look at, with a gap."""

    ANSWERED = "answered"
    PEOPLE = "people"
    LOOK = "look"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Answer:
    """What answers an obligation: rules by their ids, claims as they ended, settings by engine, and what is missing."""

    obligation: Obligation
    rules: tuple[str, ...]
    proofs: tuple[Proof, ...]
    settings: tuple[tuple[str, str, Layer], ...]
    gaps: tuple[Gap, ...]

    @property
    def status(self) -> Status:
        """The worst of what was found about it."""
        weights = {each.weight for each in self.gaps}
        if Weight.GAP in weights:
            return Status.GAP
        if Weight.LOOK in weights:
            return Status.LOOK
        return Status.PEOPLE if self.obligation.by_hand else Status.ANSWERED


@dataclass(frozen=True, slots=True)
class Tests:
    """How the test documents ended: of three things that each rule can do, how many some case of some engine shows."""

    cases: int
    failed: tuple[str, ...]
    documents: int
    cells: int
    covered: int
    faults: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything in the report. It follows from its inputs alone: no clock is read."""

    as_of: date
    since: str | None
    bundles: tuple[Bundle, ...]
    documents: tuple[tuple[Obligations, tuple[Answer, ...]], ...]
    standings: tuple[Standing, ...]
    proofs: tuple[Proof, ...]
    tests: Tests
    evidence: Evidence
    review: Review
    gaps: tuple[Gap, ...] = field(repr=False)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Every obligation of every document."""
        return tuple(answer for _, found in self.documents for answer in found)

    @property
    def holds(self) -> bool:
        """Whether no gap was found."""
        return all(each.weight is not Weight.GAP for each in self.gaps)


def assess(
    policies: PolicySet,
    engines: Sequence[str],
    *,
    as_of: date,
    evidence: Evidence,
    review: Review,
    since: str | None = None,
) -> Assessment:
    """Assess engines as their policies stand on a day. Raises PolicyError when they cannot be read or laid together."""
    bundles = tuple(effective_bundle(policies, name, as_of=as_of) for name in engines)
    bench = Bench(policies)
    suites, faults = read_suites(policies, bench)
    verdicts = [each for name in engines for each in run_suites(suites, bench, engine=name)]
    shown = tested(verdicts, bench)
    standing = tuple(each for bundle in bundles for each in standings(bundle, shown, evidence))
    others = {bundle.engine: bundle for bundle in bundles}

    def other(name: str) -> Bundle | None:
        if name not in others and name in policies.ids("engine"):
            others[name] = effective_bundle(policies, name, as_of=as_of)
        return others.get(name)

    proofs = tuple(proof for bundle in bundles for proof in prove_all(bundle, other))
    control_gaps = tuple(gaps.of_controls(standing))
    claim_gaps = tuple(gaps.of_claims(proofs))
    ending = tuple(gaps.of_exceptions(bundles, as_of))
    documents = tuple(
        (
            document,
            tuple(
                _answer(each, bundles, standing, proofs, (*control_gaps, *claim_gaps, *ending))
                for each in document.obligations
            ),
        )
        for document in read_obligations(policies, as_of)
    )
    own = tuple(
        gap for _, found in documents for answer in found for gap in answer.gaps if gap.about == answer.obligation.id
    )
    failed = tuple(f"{each.case.span}: {each.engine}: {each.case.name}" for each in verdicts if not each.passed)
    every = [*own, *claim_gaps, *control_gaps, *ending, *review.gaps, *gaps.of_evidence(standing, evidence)]
    return Assessment(
        as_of=as_of,
        since=since,
        bundles=bundles,
        documents=documents,
        standings=standing,
        proofs=proofs,
        tests=Tests(
            cases=len(verdicts),
            failed=failed,
            documents=len(suites),
            cells=len(_RESULTS) * len({each.rule.id for each in standing}),
            covered=len({(each.rule.id, what) for each in standing for what in _RESULTS - {*each.tested.missing}}),
            faults=tuple(in_order(faults)),
        ),
        evidence=evidence,
        review=review,
        gaps=tuple(sorted(every, key=lambda gap: tuple(Weight).index(gap.weight))),
    )


def _answer(
    obligation: Obligation,
    bundles: Sequence[Bundle],
    standing: Sequence[Standing],
    proofs: Sequence[Proof],
    known: Iterable[Gap],
) -> Answer:
    """What answers one obligation, with its own gaps and those of what answers it."""
    named = [each for each in standing if any(answers(each.rule.id, control) for control in obligation.controls)]
    citing = [each for each in standing if set(each.rule.cites) & set(obligation.cites)]
    rules = tuple(dict.fromkeys(each.rule.id for each in (*named, *citing)))
    claimed = tuple(each for each in proofs if each.id in obligation.claims)
    settings = tuple(
        (bundle.engine, key, layers[-1])
        for bundle in bundles
        for key in obligation.settings
        if (layers := bundle.layers.get(key))
    )
    about = {*rules, *(each.id for each in claimed)}
    own = _missing(obligation, bundles, named, claimed, settings)
    theirs = [gap for gap in known if gap.about in about or gap.about.removeprefix("rules.") in about]
    limits = {f"{setting.name}" for each in (*named, *citing) for setting in each.settings}
    theirs += [gap for gap in known if gap.about in limits and gap not in theirs]
    return Answer(obligation, rules, claimed, settings, (*own, *theirs))


def _missing(
    obligation: Obligation,
    bundles: Sequence[Bundle],
    named: Sequence[Standing],
    claimed: Sequence[Proof],
    settings: Sequence[tuple[str, str, Layer]],
) -> list[Gap]:
    """What the obligation names and no engine, or not every engine, has."""
    found: list[Gap] = []
    engines = [bundle.engine for bundle in bundles]

    def lacking(what: str, help_: str, without: Sequence[str]) -> None:
        if without:
            found.append(Gap(Weight.GAP, "unanswered", obligation.id, tuple(without), what, help_, obligation.span))

    if obligation.any_control:
        without = [name for name in engines if not any(each.engine == name for each in named)]
        lacking(f"none of {_listed(obligation.controls)} is in force", "bind one of them", without)
    else:
        for control in obligation.controls:
            holding = {each.engine for each in named if answers(each.rule.id, control)}
            help_ = "bind its document, or take the control out of the obligation"
            lacking(f"no rule of control {control} is in force", help_, [e for e in engines if e not in holding])
    for claim in obligation.claims:
        if not any(each.id == claim for each in claimed):
            lacking(f"{claim} is claimed of no engine", "bind the document that claims it", engines)
    for key in obligation.settings:
        holding = {engine for engine, name, _ in settings if name == key}
        lacking(f"nothing sets `{key}`", "set it in a document", [e for e in engines if e not in holding])
    nothing = not (obligation.controls or obligation.claims or obligation.settings or obligation.built_in)
    if nothing and not named and not obligation.cites and not obligation.by_hand:
        lacking("nothing is said to answer it", "name controls, or say under `by_hand` who does what", engines)
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def by_rule(standing: Iterable[Standing]) -> Mapping[str, tuple[Standing, ...]]:
    """What stands behind each rule, engine by engine, in the order of the rules' ids."""
    found: dict[str, list[Standing]] = {}
    for each in standing:
        found.setdefault(each.rule.id, []).append(each)
    return {name: tuple(found[name]) for name in sorted(found)}
