"""What a guard says: findings and the decision they add up to, with everything needed to understand it later.

What lives here: records and their JSON. What does not: how they are reached (guard.py) or kept (mqk.store).
"""

from __future__ import annotations

from dataclasses import dataclass

from mqk.guards.points import ALLOW, WARN, Enforcement, Point, Result


def effect_of(result: Result, outcome: str, enforcement: Enforcement) -> str:
    """What a rule that asks for `outcome` contributes to a decision when it says this."""
    if result is Result.PASS or enforcement is Enforcement.SHADOW:
        return ALLOW
    return WARN if enforcement is Enforcement.WARN else outcome


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule said, in the units it was written in.

    `file` and `line` are where the limit it applied is written, or the rule itself when it applies none; `layer` is the
    document that set it. `outcome` is what the rule asks for; `enforcement` says whether it may have it.
    """

    rule: str
    title: str
    result: Result
    outcome: str
    enforcement: Enforcement
    observed: str | None
    limit: str | None
    headroom: str | None
    message: str
    file: str
    line: int
    layer: str
    fault: str | None = None

    @property
    def effect(self) -> str:
        """What the finding contributes to the decision."""
        return effect_of(self.result, self.outcome, self.enforcement)

    def to_json(self) -> dict[str, str | int | None]:
        """The finding as other tools read it."""
        return {
            "rule": self.rule,
            "title": self.title,
            "result": self.result.value,
            "outcome": self.outcome,
            "enforcement": self.enforcement.value,
            "observed": self.observed,
            "limit": self.limit,
            "headroom": self.headroom,
            "file": self.file,
            "line": self.line,
            "layer": self.layer,
            "fault": self.fault,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome at a guard point, and every finding behind it that is not a pass, by rule.

    `facts` holds what was observed, in written form; with the bundle it reproduces the decision. `waivers` are those
    without which it would have been another: a rule that they set aside would not have passed. `moment` is everything
    else that was known, in written form, where somebody asked for it: other rules can judge it again.
    """

    point: Point
    engine: str
    outcome: str
    findings: tuple[Finding, ...]
    bundle: str
    facts: tuple[tuple[str, str], ...] = ()
    waivers: tuple[str, ...] = ()
    moment: tuple[tuple[str, str], ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing stands against it; a warning does not."""
        return self.outcome in (ALLOW, "warn")

    @property
    def deciding(self) -> tuple[str, ...]:
        """The rules that ask for the outcome that won."""
        return tuple(f.rule for f in self.findings if f.effect == self.outcome and self.outcome != ALLOW)

    def to_json(self) -> dict[str, object]:
        """The decision as other tools read it."""
        return {
            "outcome": self.outcome,
            "engine": self.engine,
            "point": self.point.value,
            "findings": [finding.to_json() for finding in self.findings],
            "waivers": list(self.waivers),
            "bundle": self.bundle,
        }
