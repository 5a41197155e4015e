"""Everything that is wrong with what a bundle means, in one list: for checking, and for refusing to run.

What lives here: which questions are asked when. What does not: the questions (layering.py, vacuity.py, lifecycle.py).
"""

from __future__ import annotations

from mqk.analysis.layering import loosenings
from mqk.analysis.lifecycle import faults
from mqk.analysis.vacuity import vacuous
from mqk.policy import Bundle, Diagnostic, PolicyError, in_order


def unsound(bundle: Bundle) -> tuple[Diagnostic, ...]:
    """Layers that loosen, rules that say nothing, state machines that make no sense. The bundle is known to compile."""
    return in_order([*loosenings(bundle), *vacuous(bundle), *faults(bundle)])


def refuse_loosening(bundle: Bundle) -> None:
    """Let nothing run on layers that loosen, or that are not proven to tighten. Raises PolicyError with all of them."""
    found = loosenings(bundle)
    if found:
        raise PolicyError(in_order(found))
