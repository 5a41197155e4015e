"""Which named parts of a policy differ between two bundles, and which of them a rule rests on.

What lives here: names and where they are written. What does not: what a difference means (tightening.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from mqk.policy import Bundle, RuleSource, Scalar, Sequence, Span, Text
from mqk.policy.sources import TableSource

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*")


@dataclass(frozen=True, slots=True)
class Part:
    """A named part of a policy, such as `limits.max_position`: what it says as written, and where."""

    name: str
    text: str
    span: Span
    meaning: object


class _Of(NamedTuple):
    """A bundle as something to remember by: it is the same only as itself."""

    bundle: Bundle

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Of) and self.bundle is other.bundle

    def __hash__(self) -> int:
        return id(self.bundle)


def parts(bundle: Bundle) -> Mapping[str, Part]:
    """The named values that conditions may rest on."""
    return _parts(_Of(bundle))


# Each rule of a bundle is asked what it rests on, and many times over.
@lru_cache(maxsize=64)
def _parts(of: _Of) -> Mapping[str, Part]:
    bundle = of.bundle
    place = next((layer.span for layer in reversed(bundle.layers.get("universe", ()))), Span.nowhere("engine"))
    limits = {
        f"limits.{name}": Part(f"limits.{name}", limit.text, limit.span, limit.value)
        for name, limit in bundle.limits.items()
    }
    lets = {
        name: Part(name, let.text.text, let.span, " ".join(let.text.text.split())) for name, let in bundle.lets.items()
    }
    tables = {
        f"tables.{name}": Part(f"tables.{name}", " ".join(_words(table)), table.span, _table(table))
        for name, table in bundle.tables.items()
    }
    engine = {
        "engine.universe": Part(
            "engine.universe", f"[{', '.join(bundle.universe)}]", place, frozenset(bundle.universe)
        ),
        "engine.capital": Part("engine.capital", str(bundle.capital), place, bundle.capital),
    }
    return MappingProxyType({**limits, **lets, **tables, **engine})


def _table(table: TableSource) -> object:
    rows = tuple((_cells(row.cells), _cells(row.outputs)) for row in table.rows)
    otherwise = None if table.otherwise is None else _cells(table.otherwise)
    inputs = tuple((name, text.text) for name, text in table.inputs)
    return (table.hit, table.collect, inputs, table.outputs, rows, otherwise)


def _cells(cells: Mapping[str, Text | Sequence]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, _written(cell)) for name, cell in cells.items()))


def _written(cell: Text | Sequence) -> str:
    if isinstance(cell, Text):
        return " ".join(cell.text.split())
    return f"[{', '.join(item.text for item in cell.items if isinstance(item, Scalar))}]"


def _words(table: TableSource) -> Iterator[str]:
    """Every expression in a table, as written."""
    yield from (text.text for _, text in table.inputs)
    for row in table.rows:
        yield from (_written(cell) for cell in (*row.cells.values(), *row.outputs.values()))
    yield from (text.text for text in (table.otherwise or {}).values())


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
                if not name.startswith(("limits.", "engine.")):
                    pending.append(known[name].text)
    return frozenset(found)


def texts_of(rule: RuleSource) -> list[str]:
    """What a rule says, as written, and where it is waived."""
    scopes = [waiver.scope for waiver in rule.waivers]
    return [text.text for text in (rule.require, rule.when, *scopes) if text is not None]


def with_rules(bundle: Bundle, names: Collection[str]) -> Bundle:
    """A bundle with some of its rules, what they rest on, and nothing else: quick to compile, and it judges alike."""
    rules = tuple(rule for rule in bundle.rules if rule.id in names)
    read = rests_on(bundle, [text for rule in rules for text in texts_of(rule)])
    return replace(
        bundle,
        rules=rules,
        limits={name: limit for name, limit in bundle.limits.items() if f"limits.{name}" in read},
        lets={name: let for name, let in bundle.lets.items() if name in read},
        tables={name: table for name, table in bundle.tables.items() if f"tables.{name}" in read},
        lifecycles={},
    )
