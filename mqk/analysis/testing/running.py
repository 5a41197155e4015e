"""Running cases: what the policies decide in each, held against what the case expects, and why the two differ.

What lives here: the meaning of `expect`, `by` and `result`. What does not: reading cases (suites.py), reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mqk.analysis.testing.subjects import Bench, Subject
from mqk.analysis.testing.suites import Case, Suite
from mqk.guards import Finding, Point, Result
from mqk.guards.points import most_severe

# What stands in a decision for a fact that could not be read and that no rule has blocked for; no rule of any policy.
UNREAD = "facts"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a case: the outcome, and every rule that was judged, passes included."""

    outcome: str
    findings: tuple[Finding, ...]

    @property
    def against(self) -> tuple[Finding, ...]:
        """The findings that are not passes."""
        return tuple(each for each in self.findings if each.result is not Result.PASS)

    @property
    def deciding(self) -> frozenset[str]:
        """The rules that ask for the outcome that won."""
        return frozenset(f.rule for f in self.against if f.effect == self.outcome != "allow")

    def of(self, rule: str) -> Result:
        """What one rule said."""
        return next((each.result for each in self.against if each.rule == rule), Result.PASS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A case for one engine: what was expected, what came of it, and in which words the two differ (none: passed)."""

    suite: Suite
    case: Case
    engine: str
    answer: Answer
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether what was expected is what came."""
        return not self.differences


def run_suites(suites: Iterable[Suite], bench: Bench, *, engine: str | None = None) -> list[Verdict]:
    """Run every case of every suite for every engine it names (or for one of them), in the order written."""
    return [
        run_case(suite, case, bench.subject(name.text, suite.as_of))
        for suite in suites
        for name in suite.engines
        if engine in (None, name.text)
        for case in suite.cases
    ]


def run_case(suite: Suite, case: Case, subject: Subject) -> Verdict:
    """Run one case against one engine's policies."""
    answer = ask(suite, case, subject)
    return Verdict(suite, case, subject.engine, answer, tuple(differences(case, answer)))


def ask(suite: Suite, case: Case, subject: Subject) -> Answer:
    """What an engine's policies say in a case."""
    baseline = suite.baselines[case.baseline.text] if case.baseline is not None else ()
    moment = subject.moment(case, baseline)
    decision = subject.guards.guards[case.at].decide(moment.views, moment.problems, passes=True)
    return Answer(decision.outcome, decision.findings)


def recombined(point: Point, findings: Sequence[Finding]) -> Answer:
    """The answer that findings add up to; used where only some rules were judged anew."""
    return Answer(most_severe(point, [each.effect for each in findings]), tuple(findings))


def differences(case: Case, answer: Answer) -> Iterator[str]:
    """What sets an answer apart from what a case expects."""
    if answer.outcome != case.expect:
        yield f"expected `{case.expect}`, got `{answer.outcome}`" + _because(answer, answer.deciding)
    for rule in case.by:
        result = answer.of(rule)
        if result is not case.result:
            yield f"expected {case.result} of {rule}, got {result}" + _because(answer, {rule})
    if case.expect == "allow" or answer.outcome != case.expect:
        return
    if case.result is Result.ERROR:
        # A fact that is missing leaves every rule without it: one of those named must be among those that decide.
        if not answer.deciding & set(case.by):
            yield f"decided by {_names(answer.deciding)}" + _because(answer, answer.deciding)
        return
    others = answer.deciding - set(case.by)
    if others:
        yield f"also decided by {_names(others)}" + _because(answer, others)


def _names(rules: Iterable[str]) -> str:
    return ", ".join(sorted(rules))


def _because(answer: Answer, rules: Iterable[str]) -> str:
    """The messages of the rules in question, each on a line of its own."""
    wanted = set(rules)
    lines = [f"{each.result} of {each.rule}: {each.message}" for each in answer.findings if each.rule in wanted]
    return "".join(f"\n{line}" for line in lines)
