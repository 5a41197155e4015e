"""A candidate before its gates: its figures and its runs under stress as facts, judged by the engine's policy.

What lives here: from evidence to a decision. What does not: reading files (evidence.py) and thresholds (the policy).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.code import code_sha256
from mqk.backtest.figures import Figures, measure
from mqk.engine import decision_json
from mqk.guards import outside
from mqk.market import calendar_of
from mqk.promotion.errors import PromotionError
from mqk.quantity import format_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mqk.guards import Decision, GuardSet
    from mqk.promotion.evidence import Evidence

# The figures that policies can ask about.
_FACTS: Final = tuple(field.name for field in fields(outside.Candidate) if field.name in Figures.__slots__)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of a candidate; `stress` says of every stress of the policy why it is not passed, None when it is."""

    evidence: Evidence
    figures: Figures
    stress: Mapping[str, str | None]
    decision: Decision

    @property
    def passed(self) -> bool:
        """Whether every gate is passed."""
        return self.decision.allowed

    def to_json(self) -> dict[str, Any]:
        """The promotion as other tools read it: figures as text with their units, None where there is none."""
        return {
            "passed": self.passed,
            "engine": self.evidence.engine,
            "run_id": self.evidence.run_id,
            "bundle": self.evidence.bundle_sha256,
            "code": self.evidence.code_sha256,
            "data_sha256": self.evidence.data_sha256,
            "figures": written(self.figures),
            "stress": dict(self.stress),
            "decision": decision_json(self.decision),
        }


def promote(
    guards: GuardSet,
    evidence: Evidence,
    stressed: Sequence[Evidence] = (),
    *,
    stresses: Mapping[str, str],
) -> Promotion:
    """Judge a finished run. `stresses` are the overlays that the policy asks for, each with its bundle's hash.

    Raises PromotionError when the policy has no gate or does not read bars at their worst, or the run is another
    engine's; CalendarError for a run outside
    its calendar.
    """
    bundle = guards.bundle
    if not guards.candidate.rules:
        help_ = "name a promotion document under `uses.promotion`"
        raise PromotionError([f"`{bundle.engine}` has no gates, and without one nothing is promoted"], help_)
    if evidence.engine != bundle.engine:
        raise PromotionError([f"the run is of `{evidence.engine}`, not of `{bundle.engine}`"])
    ambiguity = bundle.execution.ambiguity
    if ambiguity != "worst_case":
        help_ = "let the engine's execution say `ambiguity: worst_case`, and run again"
        raise PromotionError([f"a run with `ambiguity: {ambiguity}` shows nothing"], help_)
    figures = measure(evidence.capital, evidence.curve, evidence.entries, calendar_of(evidence.calendar))
    code = code_sha256(bundle)
    told = {name: _under_stress(name, sha256, evidence, stressed, code) for name, sha256 in stresses.items()}
    view = outside.Candidate()
    for name in _FACTS:
        value = getattr(figures, name)
        if value is not None:
            setattr(view, name, value)
    view.halted = evidence.halted
    view.stress_passed = not any(told.values())
    view.bundle_matches = evidence.bundle_sha256 == bundle.sha256 and not evidence.overlays
    view.code_matches = evidence.code_sha256 == code
    decision = guards.candidate.decide({"candidate": view}, passes=True)
    return Promotion(evidence, figures, told, decision)


def written(figures: Figures) -> dict[str, str | int | None]:
    """Figures as people read them."""
    found: dict[str, str | int | None] = {}
    for field in fields(figures):
        value = getattr(figures, field.name)
        found[field.name] = value if value is None or isinstance(value, int) else format_ratio(value)
    return found


def _under_stress(name: str, sha256: str, base: Evidence, stressed: Sequence[Evidence], code: str) -> str | None:
    """Why a run does not stand a stress; None when it does: not halted, and not a loss."""
    for run in stressed:
        if run.overlays == (name,):
            break
    else:
        return "there is no run under it"
    if run.engine != base.engine or run.bundle_sha256 != sha256:
        return "its run was made under other policies"
    if run.data_sha256 != base.data_sha256:
        return "its run was made on other bars"
    if run.code_sha256 != code:
        return "its run was made by other code"
    if run.halted:
        return "it halted"
    final = run.curve[-1][1] if run.curve else 0
    return None if final > run.capital else "it gained nothing"
