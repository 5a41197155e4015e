"""A document against the schema of its kind: every fault of jsonschema as one clear diagnostic at its key or value.

Which words a diagnostic uses is wording.py; what the schemas demand is in the schemas.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jsonschema import ValidationError

from mqk.policy.diagnostics import Diagnostic, error, listed, quoted
from mqk.policy.nodes import Mapping, Node, Scalar, Sequence, walk
from mqk.policy.schemas import KINDS, QuotedText, SchemaSet
from mqk.policy.suggest import closest, did_you_mean
from mqk.policy.wording import Fault, Place, dotted_key, is_rest_of_a_value, missing_key, unknown_key, value_fault

# When several keywords fault one value, the first of these that did tells it best.
_RANKS = {
    keyword: rank
    for rank, keyword in enumerate(
        ("not", "type", "minLength", "enum", "format", "pattern", "x-mqk-noun", "x-mqk-sign", "x-mqk-at-most")
    )
}


@dataclass(slots=True)
class _Faults:
    """What was found, sorted by what it is about: unknown, missing and malformed keys, and values by their path."""

    unknown: dict[tuple[str | int, ...], str] = field(default_factory=dict)
    missing: set[tuple[str | int, ...]] = field(default_factory=set)
    malformed: dict[tuple[str | int, ...], Fault] = field(default_factory=dict)
    values: dict[tuple[str | int, ...], Fault] = field(default_factory=dict)


def kind_of(root: Mapping) -> tuple[str | None, list[Diagnostic]]:
    """The kind of a document, or None and why there is none."""
    entry = root.entries.get("kind")
    if entry is None:
        slip = next((each for name, each in root.entries.items() if closest(name, ["kind"])), None)
        if slip is not None:
            message = f"unknown key {quoted(slip.key.text)}"
            return None, [error("MQK-1101", message, slip.key.span, "did you mean `kind`?")]
        first = next(iter(root.entries.values()), None)
        span = root.span if first is None else first.key.span
        return None, [error("MQK-1102", "a policy needs `kind`", span, "add `kind: risk`, or another kind of policy")]
    value = entry.value
    if isinstance(value, Scalar) and value.text in KINDS:
        return value.text, []
    span = value.span if isinstance(value, Scalar) and not value.empty else entry.key.span
    text = value.text if isinstance(value, Scalar) else "this"
    help_ = did_you_mean(text, KINDS) or f"the kinds are {listed(KINDS, 'and')}"
    message = f"{quoted(text)} is not a kind of policy" if text else "`kind` is empty"
    return None, [error("MQK-1103", message, span, help_)]


def dotted_keys(root: Mapping) -> Iterator[Diagnostic]:
    """Every dotted key of a document whose schema is not known; those of a baseline are names of facts."""
    rest = Mapping({name: entry for name, entry in root.entries.items() if name != "baseline"}, root.span)
    for node in walk(rest):
        if isinstance(node, Mapping):
            yield from (dotted_key(entry.key) for name, entry in node.entries.items() if "." in name)


def validate(root: Mapping, kind: str, schemas: SchemaSet) -> list[Diagnostic]:
    """Everything the schema of `kind` has against a document."""
    faults = _Faults()
    for each in schemas.validators[kind].iter_errors(_instance(root)):
        _sort(each, faults)
    return list(_diagnostics(root, kind, schemas, faults))


def _instance(node: Node) -> Any:
    match node:
        case Mapping(entries=entries):
            return {key: _instance(entry.value) for key, entry in entries.items()}
        case Scalar(text=text, quoted=True):
            return QuotedText(text)
        case Scalar(text=text):
            return text or None
        case _:
            return [_instance(item) for item in node.items]


def _sort(each: ValidationError, faults: _Faults) -> None:
    path = tuple(each.absolute_path)
    schema = each.schema if isinstance(each.schema, dict) else {}
    fault = Fault(str(each.validator), each.validator_value, schema, each.cause)
    steps = list(each.relative_schema_path)
    if len(steps) > 1 and steps[-2] == "propertyNames":
        _keep(fault, (*path, str(each.instance)), faults.malformed)
    elif fault.keyword == "additionalProperties":
        faults.unknown |= {(*path, key): key for key in _keys(each.instance) if key not in schema.get("properties", {})}
    elif fault.keyword == "required":
        faults.missing |= {(*path, key) for key in fault.wanted if key not in _keys(each.instance)}
    else:
        _keep(fault, path, faults.values)


def _keep(fault: Fault, path: tuple[str | int, ...], among: dict[tuple[str | int, ...], Fault]) -> None:
    """Keep the fault of a value that tells it best."""
    earlier = among.get(path)
    # Of two equal keywords the later is the narrower: conditions come after the plain properties.
    if earlier is None or _RANKS.get(fault.keyword, 99) <= _RANKS.get(earlier.keyword, 99):
        among[path] = fault


def _keys(instance: object) -> list[str]:
    return list(instance) if isinstance(instance, dict) else []


def _diagnostics(root: Mapping, kind: str, schemas: SchemaSet, faults: _Faults) -> Iterator[Diagnostic]:
    refused = set(faults.unknown) | set(faults.malformed)

    def beneath_refused(path: tuple[str | int, ...]) -> bool:
        return any(path[:size] in refused for size in range(1, len(path) + 1))

    slips: set[tuple[str | int, ...]] = set()
    torn: set[tuple[str | int, ...]] = set()
    for path in faults.unknown:
        place = _place(root, kind, schemas, path)
        if is_rest_of_a_value(place):
            # However many commas an unquoted text has, and whatever is wrong with its first part: it is one fault.
            before = _key_before(root, path)
            torn.add(path)
            if (*path[:-1], before) in torn:
                continue
            torn.add((*path[:-1], before))
        if not beneath_refused(path[:-1]):
            diagnostic, meant = unknown_key(place, schemas.at(kind, path[:-1]), faults.missing)
            if meant is not None:
                slips.add((*path[:-1], meant))
            yield diagnostic
    for path, each in faults.malformed.items():
        if not beneath_refused(path[:-1]):
            place = _place(root, kind, schemas, path)
            facts = schemas.at(kind, path[:-1]).get("x-mqk-keys") == "facts"
            if "." in str(path[-1]) and place.key is not None and not facts:
                yield dotted_key(place.key)
            else:
                yield value_fault(each, place, on_key=True)
    for path in faults.missing:
        owner = _place(root, kind, schemas, path[:-1])
        partial = isinstance(owner.node, Mapping) and owner.node.partial
        # A mistyped key is one fault, not an unknown key and a missing one; so is a merge that was refused.
        if path not in slips and not partial and not beneath_refused(path[:-1]):
            yield missing_key(owner, str(path[-1]), schemas.at(kind, path))
    for path, each in faults.values.items():
        if not beneath_refused(path) and path not in torn:
            yield value_fault(each, _place(root, kind, schemas, path), on_key=False)


def _key_before(root: Mapping, path: tuple[str | int, ...]) -> str:
    """The key that stands before the one at a path, in the same mapping."""
    node: Node = root
    for step in path[:-1]:
        node = node.entries[str(step)].value if isinstance(node, Mapping) else _item(node, step)
    keys = list(node.entries) if isinstance(node, Mapping) else []
    index = keys.index(str(path[-1]))
    return keys[index - 1] if index else ""


def _item(node: Node, step: str | int) -> Node:
    return node.items[int(step)] if isinstance(node, Sequence) else node


def _place(root: Mapping, kind: str, schemas: SchemaSet, path: tuple[str | int, ...]) -> Place:
    """The key and the node at a path; every path of a jsonschema error leads somewhere."""
    node: Node = root
    key: Scalar | None = None
    for step in path:
        if isinstance(node, Mapping):
            entry = node.entries[str(step)]
            key, node = entry.key, entry.value
        else:
            key, node = None, _item(node, step)
    return Place(key, node, schemas.at(kind, path), path)
