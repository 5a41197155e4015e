"""Which stresses an engine's promotion documents ask for. What a stress is, an execution document says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.policy.dates import in_force
from mqk.policy.layers import stack

if TYPE_CHECKING:
    from datetime import date

    from mqk.policy import PolicySet


def required_stresses(policies: PolicySet, engine: str, as_of: date | None) -> tuple[str, ...]:
    """The overlays under which a candidate of an engine has to be run, sorted; a later document takes none away."""
    document = in_force(policies.versions["engine", engine], lambda each: each.period, as_of)
    if document is None:
        return ()
    names = [each.text for each in document.node.mapping("uses").scalars("promotion")]
    found = stack(policies, "promotion", names, as_of).documents
    return tuple(sorted({each.text for used in found for each in used.node.scalars("stress")}))
