"""Rules about one thing at a time to a Python loop over many of them: what a guard would say, for a whole series.

What lives here: the loop around the rules of emit_python.py. Where each fact is read is the caller's word: a field of
the thing itself, something remembered from the thing before, or a constant. What does not: what is wrong with what does
not pass; whoever wants to know asks the guard itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mqk.dsl.emit_python import FAULTS, Rule, emit_body
from mqk.dsl.missing import MISSING, MissingFact


def emit_scan(rules: Sequence[Rule], facts: Mapping[str, str], before: Mapping[str, str]) -> Callable[..., bytearray]:
    """A function of things, and of what was known before the first: a byte for each, 1 when every rule passes.

    `facts` says for each fact the code that reads it; the thing is called `it`. `before` names what is remembered from
    one thing to the next, in the order of the further arguments: each with the code that takes it from a thing.
    """
    lines = emit_body([(number, rule) for number, rule in enumerate(rules)], None, 3, facts)
    source = "\n".join(
        [
            f"def scan({', '.join(['things', *before])}):",
            "    found = bytearray(len(things))",
            "    for place, it in enumerate(things):",
            "        mask = 0",
            "        try:",
            *(lines or ["            pass"]),
            "        except FAULTS:",
            "            mask = 1",
            "        if not mask: found[place] = 1",
            *(f"        {name} = {code}" for name, code in before.items()),
            "    return found",
            "",
        ]
    )
    namespace: dict[str, Any] = {"MISSING": MISSING, "MissingFact": MissingFact, "FAULTS": FAULTS}
    exec(compile(source, "<scan>", "exec"), namespace)  # noqa: S102 - generated from a checked tree, never from text
    scan: Callable[..., bytearray] = namespace["scan"]
    return scan
