"""How the engines of a desk share it: capital, symbols and keys, and waivers that say the same twice.

Across documents, whatever engine is asked about. What binds one engine is effective.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from mqk.policy.diagnostics import Diagnostic, error, quoted, warning
from mqk.policy.nodes import Mapping as MappingNode
from mqk.policy.nodes import Scalar
from mqk.policy.suggest import did_you_mean
from mqk.quantity import Money, QuantityError, parse_money

if TYPE_CHECKING:
    from mqk.policy.documents import Document

    Versions = Mapping[tuple[str, str], Sequence[Document]]


def check_desk(versions: Versions, unread: Collection[str]) -> Iterator[Diagnostic]:
    """Everything wrong between engines, and between the waivers of one rule."""
    for (kind, _), same in versions.items():
        for document in same:
            if kind == "allocation":
                yield from _engines_known(document.node.mapping("engines"), versions, unread)
                yield from _used(document, versions)
                yield from _sum(document)
                yield from _exclusive(document, versions)
            elif kind == "waiver":
                for name in document.node.scalars("engines"):
                    yield from _engine_known(name, versions, unread)
            for claim in document.node.mappings("claims"):
                for key in ("engine", "no_more_permissive_than"):
                    engine = claim.scalar(key)
                    if engine is not None:
                        yield from _engine_known(engine, versions, unread)
    yield from _keys(versions)
    yield from _waivers(versions)


def _engine_known(name: Scalar, versions: Versions, unread: Collection[str]) -> Iterator[Diagnostic]:
    known = sorted(id_ for kind, id_ in versions if kind == "engine")
    if name.text and name.text not in known and name.text not in unread:
        message = f"there is no engine {quoted(name.text)}"
        help_ = did_you_mean(name.text, known) or ("check the spelling" if known else "no engine was loaded")
        yield error("MQK-1201", message, name.span, help_)


def _engines_known(parts: MappingNode, versions: Versions, unread: Collection[str]) -> Iterator[Diagnostic]:
    for entry in parts.entries.values():
        yield from _engine_known(entry.key, versions, unread)


def _used(document: Document, versions: Versions) -> Iterator[Diagnostic]:
    """Engines that have a part and do not use the allocation: nothing would hold them to it."""
    for entry in document.node.mapping("engines").entries.values():
        for engine in versions.get(("engine", entry.key.text), ()):
            used = {each.text for each in engine.node.mapping("uses").scalars("allocation")}
            if document.id not in used:
                message = f"{quoted(engine.id)} has a part of {quoted(document.id)}, and does not use it"
                notes = [("the engine", engine.span)]
                help_ = f"write `allocation: [{document.id}]` under its `uses:`, or remove the part"
                yield error("MQK-1225", message, entry.key.span, help_, notes=notes)


def _sum(document: Document) -> Iterator[Diagnostic]:
    """Parts that add up to more than there is, or that are in another currency."""
    whole = _money(document.node, "capital")
    if whole is None:
        return
    total = 0
    for entry in document.node.mapping("engines").entries.values():
        part = _money(entry.value, "capital") if isinstance(entry.value, MappingNode) else None
        if part is None or not isinstance(entry.value, MappingNode):
            continue
        total += part.micros
        capital = entry.value.entries["capital"].value
        if part.currency != whole.currency:
            message = f"{quoted(entry.key.text)} has its part in {part.currency}, and the capital is in"
            yield error("MQK-1224", f"{message} {whole.currency}", capital.span, f"write it in {whole.currency}")
            return
    if total > whole.micros:
        capital = document.node.entries["capital"].value
        message = f"the engines' parts add up to {Money(total, whole.currency)}, and there is {whole}"
        yield error("MQK-1224", message, capital.span, "lower the parts, or raise the capital")


def _money(node: MappingNode, key: str) -> Money | None:
    text = node.scalar(key)
    try:
        return None if text is None else parse_money(text.text)
    except QuantityError:
        return None  # the schema has said so


def _exclusive(document: Document, versions: Versions) -> Iterator[Diagnostic]:
    """Engines that may trade one symbol where the allocation says that none may."""
    flag = document.node.scalar("exclusive_symbols")
    if flag is None or flag.text != "true":
        return
    taken: dict[str, Scalar] = {}
    for name, entry in document.node.mapping("engines").entries.items():
        part = entry.value if isinstance(entry.value, MappingNode) else MappingNode({}, document.span)
        symbols = part.scalars("symbols")
        if "symbols" not in part.entries:
            # An engine that is not confined may trade what its own document says.
            latest = versions.get(("engine", name), ())[-1:]
            symbols = tuple(each for engine in latest for each in engine.node.scalars("universe"))
        mine = {each.text: each for each in symbols}
        shared = sorted(mine.keys() & taken.keys())
        if shared:
            notes = [("the other engine's", taken[shared[0]].span)]
            where = mine[shared[0]].span if "symbols" in part.entries else entry.key.span
            message = f"{quoted(name)} shares {quoted(shared[0])} with another engine"
            yield error("MQK-1227", message, where, "give each symbol to one engine", notes=notes)
        taken |= mine


def _keys(versions: Versions) -> Iterator[Diagnostic]:
    """A key that two engines would use."""
    taken: dict[str, tuple[str, Scalar]] = {}
    for (kind, id_), same in versions.items():
        for document in same if kind == "engine" else ():
            for entry in document.node.mapping("keys").entries.values():
                if not isinstance(entry.value, Scalar) or entry.value.empty:
                    continue
                owner, first = taken.setdefault(entry.value.text, (id_, entry.value))
                if owner != id_:
                    message = f"the key {quoted(entry.value.text)} is also one of {quoted(owner)}"
                    notes = [("used here", first.span)]
                    help_ = "two engines never share a key: give each its own"
                    yield error("MQK-1228", message, entry.value.span, help_, notes=notes)


def _waivers(versions: Versions) -> Iterator[Diagnostic]:
    """Two waivers of one rule and scope that hold at once: when one of them ends, nothing changes."""
    by_rule: dict[str, list[Document]] = {}
    for (kind, _), same in versions.items():
        for document in same if kind == "waiver" else ():
            rule = document.node.scalar("rule")
            if rule is not None:
                by_rule.setdefault(rule.text, []).append(document)
    for rule_id, waivers in by_rule.items():
        for one, other in combinations(waivers, 2):
            if one.id != other.id and _scope(one) == _scope(other) and _engines(one) & _engines(other):
                starts, ends = zip(*((each.period.start, each.period.end) for each in (one, other)), strict=True)
                dated = None not in starts and None not in ends
                if dated and max(filter(None, starts)) < min(filter(None, ends)):
                    message = f"{quoted(other.id)} sets aside {quoted(rule_id)} while {quoted(one.id)} does so already"
                    notes = [("the other waiver", one.span)]
                    yield warning("MQK-1222", message, other.span, "keep one of them", notes=notes)


def _scope(document: Document) -> str:
    scope = document.node.scalar("scope")
    return "" if scope is None else " ".join(scope.text.split())


def _engines(document: Document) -> set[str]:
    return {each.text for each in document.node.scalars("engines")}
