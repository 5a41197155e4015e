"""Who may allow what, and for how long: what a single document must keep in its loosenings, waivers, claims and keys.

Whether what they name exists, and how engines share a desk, is desk.py.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from typing import Final

from mqk.policy.dates import read_period
from mqk.policy.diagnostics import Diagnostic, error, listed, quoted
from mqk.policy.nodes import Mapping as MappingNode
from mqk.policy.nodes import Scalar
from mqk.policy.schemas import schema_set
from mqk.policy.suggest import did_you_mean

# A waiver that lasts longer is a change of policy.
LONGEST_WAIVER: Final = timedelta(days=90)
# Where a document says what a loosening of it names.
_SECTIONS: Final = {"limit": "limits", "let": "let", "rule": "rules", "table": "tables"}


def same_person(one: str, other: str) -> bool:
    """Whether two names mean one person: neither case, spaces and dots nor another way to encode makes it two."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKC", name).casefold() if char.isalnum())


def check_loosenings(root: MappingNode) -> Iterator[Diagnostic]:
    """A loosening that its own owner approves, that is written twice, or that loosens nothing the document says."""
    owner = root.scalar("owner")
    seen: dict[tuple[str, str], Scalar] = {}
    for node in root.mappings("loosen"):
        by = node.scalar("approved_by")
        if by is not None and owner is not None and same_person(by.text, owner.text):
            message = f"{quoted(by.text)} owns the document, and cannot approve that it loosens anything"
            notes = [("the owner", owner.span)]
            yield error("MQK-1125", message, by.span, "have somebody else approve it", notes=notes)
        named = [each for each in (*_SECTIONS, "mandatory") if each in node.entries]
        for what in named if len(named) == 1 else ():
            name = node.scalar(what)
            if name is None:
                continue
            first = seen.setdefault((what, name.text), name)
            if first is not name:
                notes = [("first written here", first.span)]
                message = f"a second loosening of {quoted(name.text)}"
                yield error("MQK-1118", message, name.span, "keep one of them", notes=notes)
            elif what != "mandatory" and name.text not in (said := _said(root, what)):
                message = f"the document says nothing of {quoted(name.text)} that could loosen it"
                help_ = did_you_mean(name.text, said) or "remove it, or write what is to hold instead"
                yield error("MQK-1126", message, name.span, help_)


def _said(root: MappingNode, what: str) -> list[str]:
    if what in ("limit", "let"):
        return list(root.mapping(_SECTIONS[what]).entries)
    ids = [id_.text for node in root.mappings(_SECTIONS[what]) if (id_ := node.scalar("id")) is not None]
    return [*ids, *root.mapping("enforce").entries] if what == "rule" else ids


def check_waiver(root: MappingNode) -> Iterator[Diagnostic]:
    """A waiver that lasts too long, or that is approved by those who asked for it."""
    period = read_period(root)
    until = root.mapping("effective").scalar("until")
    if until is not None and period.start and period.end and period.end - period.start > LONGEST_WAIVER:
        message = f"a waiver lasts at most {LONGEST_WAIVER.days} days, and this one {(period.end - period.start).days}"
        help_ = f"end it on {period.start + LONGEST_WAIVER} at the latest; what must last longer is a rule"
        yield error("MQK-1124", message, until.span, help_)
    by, asked = root.scalar("approved_by"), root.scalar("requested_by")
    if by is not None and asked is not None and same_person(by.text, asked.text):
        message = f"{quoted(by.text)} asked for the waiver, and cannot approve it"
        notes = [("asked for here", asked.span)]
        yield error("MQK-1125", message, by.span, "have somebody else approve it", notes=notes)


def check_once(root: MappingNode, key: str, what: str) -> Iterator[Diagnostic]:
    """Two items of a list with one id."""
    seen: dict[str, Scalar] = {}
    for node in root.mappings(key):
        id_ = node.scalar("id")
        if id_ is not None and seen.setdefault(id_.text, id_) is not id_:
            notes = [("first written here", seen[id_.text].span)]
            message = f"the {what} {quoted(id_.text)} is written twice"
            yield error("MQK-1118", message, id_.span, "give one of them another id, or remove it", notes=notes)


def check_claims(root: MappingNode) -> Iterator[Diagnostic]:
    """A claim about an outcome that its point does not have, or a claim of an engine against itself."""
    yield from check_once(root, "claims", "claim")
    for node in root.mappings("claims"):
        at = node.scalar("at")
        known = outcomes().get(at.text, ()) if at is not None else ()
        for key in ("never", "always"):
            for outcome in node.scalars(key):
                if at is not None and known and outcome.text not in known and outcome.text in _all_outcomes():
                    message = f"`{outcome.text}` is not an outcome at the point `{at.text}`"
                    yield error("MQK-1123", message, outcome.span, f"the outcomes there are {listed(known, 'and')}")
        engine, than = node.scalar("engine"), node.scalar("no_more_permissive_than")
        if engine is not None and than is not None and engine.text == than.text:
            message = f"{quoted(than.text)} is compared with itself"
            yield error("MQK-1123", message, than.span, "name another engine")


@cache
def outcomes() -> Mapping[str, tuple[str, ...]]:
    """The outcomes that rules may have at each point, as the schema of rules tells, and `allow`."""
    rule = schema_set().at("risk", ("rules", 0))
    return {
        branch["if"]["properties"]["at"]["const"]: ("allow", *branch["then"]["properties"]["otherwise"]["enum"])
        for branch in rule["allOf"]
    }


def _all_outcomes() -> frozenset[str]:
    return frozenset(name for names in outcomes().values() for name in names)


def check_keys(root: MappingNode) -> Iterator[Diagnostic]:
    """A key's environment variable that does not carry the engine's id, or that two keys share."""
    id_ = root.scalar("id")
    if id_ is None:
        return
    seen: dict[str, Scalar] = {}
    for entry in root.mapping("keys").entries.values():
        name = entry.value
        if not isinstance(name, Scalar) or name.empty:
            continue
        first = seen.setdefault(name.text, name)
        if first is not name:
            notes = [("first used here", first.span)]
            message = f"{quoted(name.text)} is used for two keys"
            yield error("MQK-1122", message, name.span, "give each key a variable of its own", notes=notes)
        elif f"_{id_.text.upper()}_" not in f"_{name.text}_":
            message = f"{quoted(name.text)} does not say that it is a key of {quoted(id_.text)}"
            help_ = f"name the variable with the engine's id, as `{id_.text.upper()}_{entry.key.text.upper()}`"
            yield error("MQK-1122", message, name.span, help_)
