"""Ask the shipped policies about an order, from Python: load, lay the layers, compile, decide.

Run it with the Python that mqk is installed in. It prints the decision and why.
"""

from __future__ import annotations

from mqk.guards import Point, compile_bundle, read_facts
from mqk.policy import effective_bundle, load_policies, shipped_policies_dir


def main() -> None:
    """Ask about a purchase that is too large."""
    bundle = effective_bundle(load_policies([shipped_policies_dir()]), "MAIN")
    guards = compile_bundle(bundle)
    # An ordinary moment, as the engine's document describes it, and what is special about this one.
    facts = {name: text.text for name, text in bundle.baseline.items()} | {"order.side": "BUY", "order.qty": 250}
    moment = read_facts(facts, guards, Point.ORDER, lenient=True)
    decision = guards.order.decide(moment.views, moment.problems)
    print(f"{decision.outcome} by {', '.join(decision.deciding)}, under bundle {decision.bundle[:12]}")
    for finding in decision.findings:
        print(f"  {finding.rule}: {finding.message}")
        print(f"    limit {finding.limit}, headroom {finding.headroom}, set by {finding.layer}, line {finding.line}")


if __name__ == "__main__":
    main()
