"""How an engine is tried before it is promoted: the worst that bars can mean, under stresses that are any.

What lives here: faults of an engine's execution beside its gates. What does not: reading the settings (mqk.policy), and
what more and less of each means (diff/senses.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.analysis.diff.results import Direction
from mqk.analysis.diff.settings import executions
from mqk.guards import Point
from mqk.policy import PolicyError, Span, effective_bundle, quoted
from mqk.policy.diagnostics import warning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from mqk.policy import Bundle, Diagnostic, PolicySet


def untried(policies: PolicySet, bundle: Bundle, as_of: date | None) -> Iterator[Diagnostic]:
    """What keeps the runs of an engine with gates from showing anything: bars read kindly, stresses that are none."""
    if not any(rule.at == Point.CANDIDATE.value for rule in bundle.rules):
        return
    ambiguity = bundle.execution.ambiguity
    if ambiguity != "worst_case":
        message = f"nothing of {quoted(bundle.engine)} is ever promoted with `ambiguity: {ambiguity}`"
        yield warning("MQK-1661", message, _at(bundle, "execution.fills.ambiguity"), "write `ambiguity: worst_case`")
    for name in bundle.stresses:
        try:
            under = effective_bundle(policies, bundle.engine, as_of=as_of, overlays=(name,))
        except PolicyError:
            continue  # what is wrong with it is told where it is asked for
        changes = list(executions(bundle, under))
        span = policies.documents["execution", name].span
        if not changes:
            message = f"the stress {quoted(name)} leaves everything as it is for {quoted(bundle.engine)}"
            help_ = "let it cost more than the engine's own execution, or ask for another stress"
            yield warning("MQK-1663", message, span, help_)
        for change in changes:
            if change.direction is Direction.LOOSER:
                message = (
                    f"the stress {quoted(name)} makes it easier for {quoted(bundle.engine)}:"
                    f" `{change.path.removeprefix('execution.')}` is {change.after} where it was {change.before}"
                )
                yield warning(
                    "MQK-1662", message, change.after_at or span, "raise it above the engine's own, or leave it out"
                )


def _at(bundle: Bundle, key: str) -> Span:
    return bundle.layers[key][-1].span
