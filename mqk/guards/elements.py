"""Collections as a decision records them: element views to written values. Reading them is facts.py."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mqk.dsl import CollectionRef
from mqk.dsl.missing import MISSING
from mqk.guards.values import format_value, well_typed


def write_elements(ref: CollectionRef, elements: Sequence[object]) -> str:
    """A collection in written form, as JSON; fields that are missing or of the wrong type are left out."""
    rows = []
    for element in elements:
        values = {name: getattr(element, name, MISSING) for name in sorted(ref.fields)}
        rows.append(
            {
                name: format_value(value, ref.fields[name].type)
                for name, value in values.items()
                if value is not MISSING and well_typed(value, ref.fields[name].type)
            }
        )
    return json.dumps(rows)
