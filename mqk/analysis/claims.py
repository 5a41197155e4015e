"""Claims: what a policy is said to do at all moments, proven or shown to be wrong at one.

What lives here: the claims that rules and test documents make, and the invariants of state machines, as questions and
their answers. What does not: the search (prove.py), the paths (lifecycle.py), how answers are printed (mqk.cli).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mqk.analysis.lifecycle import invariants
from mqk.analysis.moments import lookup_of, ordinary
from mqk.analysis.rules import Judged, condition, outcome_level, rules_at, said, stops, true
from mqk.analysis.tightening import looser
from mqk.analysis.verdicts import Answer, Verdict, Witness
from mqk.guards.environment import PolicyEnvironment
from mqk.guards.points import LADDERS, Point
from mqk.policy import Bundle, Diagnostic, Span, error, quoted
from mqk.policy.sources import ClaimSource

if TYPE_CHECKING:
    from mqk.dsl.emit_smt import Encoder
    from mqk.dsl.emit_smt_numbers import Term


@dataclass(frozen=True, slots=True)
class Proof:
    """How one claim ended for one engine: what was asked, the answer, and in words what the witness shows.

    `path` are the moves that lead to what an invariant rules out.
    """

    id: str
    title: str
    engine: str
    kind: str
    span: Span
    answer: Answer
    shows: tuple[str, ...] = ()
    path: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it is proven."""
        return self.answer.verdict is Verdict.PROVED

    def to_json(self) -> dict[str, object]:
        """The proof as other tools read it."""
        witness = self.answer.witness
        return {
            "id": self.id,
            "title": self.title,
            "engine": self.engine,
            "kind": self.kind,
            "verdict": self.answer.verdict.value,
            "witness": None if witness is None else witness.written(),
            "shows": list(self.shows),
            "why": self.answer.why or None,
            "file": self.span.file,
            "line": self.span.line,
        }

    def diagnostic(self) -> Diagnostic | None:
        """What is wrong, as a diagnostic at the claim; None when it holds."""
        if self.holds:
            return None
        if self.answer.verdict is Verdict.UNDECIDED:
            message = f"{quoted(self.id)} is not proven for {self.engine}: {self.answer.why}"
            return error("MQK-1429", message, self.span, "state it, or the rules it rests on, more plainly")
        moment = "" if self.answer.witness is None else f", as with {self.answer.witness}"
        message = f"{quoted(self.id)} does not hold for {self.engine}{moment}"
        code = "MQK-1427" if self.kind == "invariant" else "MQK-1428"
        return error(code, message, self.span, "; ".join(self.shows) or None)


def prove_all(bundle: Bundle, others: Callable[[str], Bundle | None], more: Iterable[ClaimSource] = ()) -> list[Proof]:
    """How every claim of a bundle ends, those of `more` too, and every invariant of its machines.

    `others` gives the bundle of another engine, None when there is none.
    """
    proofs = [prove(each, bundle, others) for each in (*bundle.claims, *more) if each.engine in (None, bundle.engine)]
    return [*proofs, *prove_invariants(bundle)]


def prove_invariants(bundle: Bundle) -> list[Proof]:
    """How every invariant of a bundle's machines ends."""
    proofs = []
    for machine, reached in invariants(bundle):
        shows = (f"{machine.id}: {reached.shown}",) if reached.path else ()
        path = tuple(f"{step.start} -{step.by}-> {step.to}" for step in reached.path)
        invariant = reached.invariant
        proofs.append(
            Proof(
                invariant.id, invariant.title, bundle.engine, "invariant", invariant.span, reached.answer, shows, path
            )
        )
    return proofs


def prove(claim: ClaimSource, bundle: Bundle, others: Callable[[str], Bundle | None]) -> Proof:
    """How a claim ends for an engine."""
    point = Point(claim.at)
    if claim.than is not None:
        than = others(claim.than)
        if than is None:
            answer = Answer(Verdict.UNDECIDED, why=f"there is no engine `{claim.than}`")
            return Proof(claim.id, claim.title, bundle.engine, "claim", claim.span, answer)
        return _no_more_permissive(claim, bundle, than, point)
    environment = PolicyEnvironment.of(bundle, point)
    when = None if claim.when is None else condition(claim.when.text, environment)
    if when is None and claim.when is not None:
        answer = Answer(Verdict.UNDECIDED, why="its condition does not check")
        return Proof(claim.id, claim.title, bundle.engine, "claim", claim.span, answer)
    rules = rules_at(bundle, point)
    wrong = _wrong(claim, point)
    from mqk.analysis import model  # noqa: PLC0415 - only claims pay for the solver
    from mqk.analysis.prove import find  # noqa: PLC0415

    def goal(encoder: Encoder) -> Term:
        return model.comes_to(encoder, rules, wrong, when)

    def really(witness: Witness) -> bool:
        lookup = lookup_of(witness)
        return outcome_level(rules, lookup) in wrong and (when is None or true(when, lookup))

    answer = find(point, goal, ordinary(bundle, point), really)
    return Proof(claim.id, claim.title, bundle.engine, "claim", claim.span, answer, _shows(rules, answer, point))


def _wrong(claim: ClaimSource, point: Point) -> frozenset[int]:
    """The outcomes that would refute a claim, as steps of the ladder."""
    ladder = LADDERS[point]
    if claim.always:
        return frozenset(range(len(ladder))) - {ladder.index(outcome) for outcome in claim.always}
    return frozenset(ladder.index(outcome) for outcome in claim.never)


def _no_more_permissive(claim: ClaimSource, bundle: Bundle, than: Bundle, point: Point) -> Proof:
    found = looser(than, bundle, (point,), least=stops(point))
    worst = min(found, key=lambda each: (each.answer.verdict is Verdict.UNDECIDED, each.rule.id), default=None)
    answer = Answer(Verdict.PROVED) if worst is None else worst.answer
    shows = tuple(
        f"`{each.rule.id}` of {than.engine}: {each.says}" for each in found if each.answer.witness is not None
    )
    return Proof(claim.id, claim.title, bundle.engine, "claim", claim.span, answer, shows)


def _shows(rules: Sequence[Judged], answer: Answer, point: Point) -> tuple[str, ...]:
    """What the rules say at a witness."""
    if answer.witness is None:
        return ()
    lookup = lookup_of(answer.witness)
    ladder = LADDERS[point]
    level = outcome_level(list(rules), lookup)
    deciding = [rule for rule in rules if rule.level == level > 0 and not rule.passes(lookup)]
    if not deciding:
        return (f"the outcome is `{ladder[level]}`",)
    return tuple(f"`{rule.id}` says `{ladder[level]}`: {said(rule, lookup)}" for rule in deciding)
