"""Which named parts of a policy differ between two bundles, and which of them a rule rests on.

What lives here: names and where they are written. What does not: what a difference means (tightening.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mqk.policy import Bundle, RuleSource, Span

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*")


@dataclass(frozen=True, slots=True)
class Part:
    """A named part of a policy, such as `limits.max_position`: what it says as written, and where."""

    name: str
    text: str
    span: Span
    meaning: object


def parts(bundle: Bundle) -> Mapping[str, Part]:
    """The named values that conditions may rest on."""
    return {
        f"limits.{name}": Part(f"limits.{name}", limit.text, limit.span, limit.value)
        for name, limit in bundle.limits.items()
    }


def changed(low: Bundle, high: Bundle) -> dict[str, tuple[Part | None, Part | None]]:
    """The named values that are not the same in both, with what they are in each."""
    before, after = parts(low), parts(high)
    return {
        name: (before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
        if name not in before or name not in after or before[name].meaning != after[name].meaning
    }


def rests_on(bundle: Bundle, texts: Iterable[str]) -> frozenset[str]:
    """The named values that expressions rest on, through other named values too."""
    known = parts(bundle)
    found: set[str] = set()
    pending = list(texts)
    while pending:
        for word in _WORD.findall(pending.pop()):
            name = ".".join(word.split(".")[:2]) if "." in word else word
            if name in known and name not in found:
                found.add(name)
                if not name.startswith("limits."):
                    pending.append(known[name].text)
    return frozenset(found)


def texts_of(rule: RuleSource) -> list[str]:
    """What a rule says, as written."""
    return [rule.require.text] + ([rule.when.text] if rule.when is not None else [])
