"""Coverage: for every rule, whether a test makes it pass, breach and err, and the lines of those that none does.

Only what a passing case says counts: a breach and an error by naming the rule, a pass by judging it. A rule that does
not apply in a case has not been tested by it. What a case means is running.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from mqk.analysis.testing.running import Verdict
from mqk.analysis.testing.subjects import Bench, Subject
from mqk.guards import Result
from mqk.policy import PolicySet, Span

_RULING = ("risk", "integrity", "margin", "reconcile", "promotion", "engine")
_DOES_NOT_APPLY = "does not apply"


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A rule, at its place, and something that it should have been seen to do."""

    span: Span
    rule: str
    result: Result

    def __str__(self) -> str:
        return f"{self.span.file}:{self.span.line}: {self.rule} is never seen to {_VERBS[self.result]}"


_VERBS = {Result.PASS: "pass", Result.BREACH: "breach", Result.ERROR: "err"}


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every cell there is, and those that no test covers, both in order of place."""

    cells: tuple[Cell, ...]
    uncovered: tuple[Cell, ...]

    @property
    def share(self) -> Fraction:
        """The part that is covered; all of it when there is nothing to cover."""
        return 1 - Fraction(len(self.uncovered), len(self.cells)) if self.cells else Fraction(1)


def measure(policies: PolicySet, bench: Bench, verdicts: Iterable[Verdict], *, engine: str | None = None) -> Coverage:
    """What a run has covered of the rules of a set, or of those of one engine.

    A rule counts once, wherever it is used, and every dated version of it counts for itself.
    """
    rules = _of_engine(bench.subject(engine)) if engine is not None else _of_all(policies)
    covered = {
        cell
        for verdict in verdicts
        if verdict.passed
        for cell in seen(verdict, bench.subject(verdict.engine, verdict.suite.as_of))
    }
    cells = tuple(sorted(Cell(span, name, result) for span, name in rules for result in Result))
    return Coverage(cells, tuple(cell for cell in cells if cell not in covered))


def _of_engine(subject: Subject) -> set[tuple[Span, str]]:
    return {(rule.span, rule.id) for rule in subject.bundle.rules}


def _of_all(policies: PolicySet) -> set[tuple[Span, str]]:
    """Every rule of every version of every ruling document, those that no engine uses included."""
    found: set[tuple[Span, str]] = set()
    for (kind, _), versions in policies.versions.items():
        if kind not in _RULING:
            continue
        for document in versions:
            ids = (rule.scalar("id") for rule in document.node.mappings("rules"))
            found |= {(each.span, each.text) for each in ids if each is not None}
    return found


def seen(verdict: Verdict, subject: Subject) -> Iterable[Cell]:
    """The cells that a case covers."""
    for finding in verdict.answer.findings:
        source = subject.rules.get(finding.rule)
        if source is None or (finding.result is Result.PASS and finding.message == _DOES_NOT_APPLY):
            continue
        if finding.result is Result.PASS or finding.rule in verdict.case.by:
            yield Cell(source.span, source.id, finding.result)
