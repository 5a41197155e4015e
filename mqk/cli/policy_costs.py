"""What the rules of every engine cost at worst, for `mqk policy check --costs`."""

from __future__ import annotations

from datetime import date

from mqk.dsl.reading import MAX_COST
from mqk.guards import compile_bundle
from mqk.policy import PolicySet, effective_bundle


def costs(policies: PolicySet, as_of: date | None) -> str:
    """One line for each rule, the dearest first: how many steps judging it takes, whatever the facts."""
    lines = [f"steps at worst, of at most {MAX_COST:_} for each condition"]
    for engine in policies.ids("engine"):
        guards = compile_bundle(effective_bundle(policies, engine, as_of=as_of))
        rules = [(rule.cost, point.value, rule.id) for point, guard in guards.guards.items() for rule in guard.rules]
        lines += [
            f"{cost:>7_}  {engine} {at} {id_}"
            for cost, at, id_ in sorted(rules, key=lambda each: (-each[0], *each[1:]))
        ]
    return "\n".join(lines)
