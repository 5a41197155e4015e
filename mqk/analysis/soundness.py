"""Everything that is wrong with what a bundle means, in one list: for checking, and for refusing to run.

What lives here: which questions are asked when. What does not: the questions (layering.py, vacuity.py, lifecycle.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from mqk.analysis.layering import loosenings
from mqk.analysis.lifecycle import faults
from mqk.analysis.vacuity import vacuous
from mqk.policy import Bundle, Diagnostic, PolicyError, PolicySet, effective_bundle, in_order
from mqk.policy.timeline import turning_days
from mqk.quantity import format_date


def unsound(bundle: Bundle) -> tuple[Diagnostic, ...]:
    """Layers that loosen, rules that say nothing, state machines that make no sense. The bundle is known to compile."""
    return in_order([*loosenings(bundle), *vacuous(bundle), *faults(bundle)])


def refuse_loosening(bundle: Bundle) -> None:
    """Let nothing run on layers that loosen, or that are not proven to tighten. Raises PolicyError with all of them."""
    found = loosenings(bundle)
    if found:
        raise PolicyError(in_order(found))


def loosened_later(policies: PolicySet, engine: str, today: date) -> tuple[Diagnostic, ...]:
    """What layers let pass from some later day on, when something begins or ends, and do not today."""
    seen = {each.span for each in loosenings(effective_bundle(policies, engine, as_of=today))}
    found: list[Diagnostic] = []
    for day in (day for day in turning_days(policies) if day > today):
        try:
            bundle = effective_bundle(policies, engine, as_of=day)
        except PolicyError:
            continue  # what is not in force by then is told where it is asked for
        for each in loosenings(bundle):
            if each.span not in seen:
                seen.add(each.span)
                found.append(replace(each, message=f"from {format_date(day)} on, {each.message}"))
    return tuple(found)
