"""What stands behind each rule in force: its limits with their places, its level, its tests, and what it did.

What lives here: gathering. What does not: which obligation a rule answers (assessment.py), what is missing (gaps.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mqk.analysis.assess.evidence import Evidence, Firing
from mqk.analysis.names import parts, rests_on, texts_of
from mqk.analysis.testing import Bench, Verdict
from mqk.analysis.testing.coverage import seen
from mqk.guards import Result
from mqk.policy import Bundle, RuleSource, Span
from mqk.quantity import format_date, format_instant


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that a rule rests on, as it stands: its name, its text, and where it is written."""

    name: str
    text: str
    span: Span

    def to_json(self) -> dict[str, Any]:
        """The value for programs."""
        return {"name": self.name, "value": self.text, "file": self.span.file, "line": self.span.line}


@dataclass(frozen=True, slots=True)
class Tested:
    """How many passing cases make a rule pass, breach and err, and how many cases about it fail."""

    passes: int
    breaches: int
    errors: int
    failing: int

    @property
    def missing(self) -> tuple[str, ...]:
        """What no case shows."""
        counts = {"pass": self.passes, "breach": self.breaches, "err": self.errors}
        return tuple(what for what, count in counts.items() if not count)

    def to_json(self) -> dict[str, int]:
        """The counts for programs."""
        return {"pass": self.passes, "breach": self.breaches, "error": self.errors, "failing": self.failing}


@dataclass(frozen=True, slots=True)
class Standing:
    """One rule for one engine: what is in force, what was tried, what happened. `seen`: its point was recorded."""

    engine: str
    rule: RuleSource
    settings: tuple[Setting, ...]
    tested: Tested
    firing: Firing | None
    seen: bool

    def to_json(self) -> dict[str, Any]:
        """The standing for programs."""
        rule, firing = self.rule, self.firing
        return {
            "engine": self.engine,
            "at": rule.at,
            "otherwise": rule.otherwise,
            "enforce": rule.enforce,
            "limits": [each.to_json() for each in self.settings],
            "waivers": [{"id": each.id, "until": format_date(each.end)} for each in rule.waivers],
            "tests": self.tested.to_json(),
            "fired": None if firing is None else firing.fired,
            "errors": None if firing is None else firing.errors,
            "shadowed": None if firing is None else firing.shadowed,
            "last_fired": None if firing is None else format_instant(firing.last),
            "last_decision": None if firing is None else firing.decision,
            "last_source": None if firing is None else firing.source,
            "recorded": self.seen,
            "file": rule.span.file,
            "line": rule.span.line,
        }


def standings(bundle: Bundle, tests: Mapping[tuple[str, str, Span], Tested], evidence: Evidence) -> list[Standing]:
    """Every rule of an engine, in the order of their ids."""
    known = parts(bundle)
    points = evidence.points(bundle.engine)
    return [
        Standing(
            engine=bundle.engine,
            rule=rule,
            settings=tuple(
                Setting(name, known[name].text, known[name].span)
                for name in sorted(rests_on(bundle, texts_of(rule)))
                if name.startswith("limits.")
            ),
            tested=tests.get((bundle.engine, rule.id, rule.span), Tested(0, 0, 0, 0)),
            firing=evidence.firings.get((bundle.engine, rule.id)),
            seen=rule.at in points,
        )
        for rule in bundle.rules
    ]


def tested(verdicts: Sequence[Verdict], bench: Bench) -> dict[tuple[str, str, Span], Tested]:
    """What cases show of each rule of each engine; a dated version of a rule counts for itself."""
    shown: Counter[tuple[str, str, Span, Result]] = Counter()
    failing: Counter[tuple[str, str, Span]] = Counter()
    for verdict in verdicts:
        subject = bench.subject(verdict.engine, verdict.suite.as_of)
        if verdict.passed:
            shown.update((verdict.engine, cell.rule, cell.span, cell.result) for cell in seen(verdict, subject))
        else:
            about = {*verdict.case.by, *verdict.answer.deciding} & subject.rules.keys()
            failing.update((verdict.engine, name, subject.rules[name].span) for name in about)
    keys = {key[:3] for key in shown} | set(failing)
    return {
        (engine, rule, span): Tested(
            shown[engine, rule, span, Result.PASS],
            shown[engine, rule, span, Result.BREACH],
            shown[engine, rule, span, Result.ERROR],
            failing[engine, rule, span],
        )
        for engine, rule, span in keys
    }
