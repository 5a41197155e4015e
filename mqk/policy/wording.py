"""What diagnostics say about keys and values: one small function for each thing a schema can have against them.

Style: lower case, the user's text between back-quotes, the mend apart from the fault, never a dump of the schema.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from mqk.dsl import DslError
from mqk.policy.codes import EXPRESSION_CODES, QUANTITY_CODES
from mqk.policy.diagnostics import Diagnostic, Span, error, listed, quoted
from mqk.policy.formats import MalformedError
from mqk.policy.nodes import Mapping as MappingNode
from mqk.policy.nodes import Node, Scalar, Sequence, Text
from mqk.policy.schemas import Schema
from mqk.policy.suggest import closest, did_you_mean
from mqk.policy.values import respelled_boolean
from mqk.quantity import QuantityError

_SHAPES = {"object": "a mapping", "array": "a list"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What a keyword of a schema has against a value: its name, demand and schema, and the cause of a format."""

    keyword: str
    wanted: Any
    schema: Schema
    cause: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in a document: its key (None for an item of a list), its node, and what the schema says about it."""

    key: Scalar | None
    node: Node
    schema: Schema
    path: tuple[str | int, ...]

    @property
    def name(self) -> str:
        """How a message names it."""
        what = self.schema.get("x-mqk-what")
        if self.key is None:
            within = next((step for step in reversed(self.path) if isinstance(step, str)), "the list")
            return str(what) if isinstance(self.node, MappingNode) and what else f"an item of {quoted(within)}"
        return str(what) if what and isinstance(self.node, MappingNode) else quoted(self.key.text)

    @property
    def span(self) -> Span:
        """What to underline: a value when it has a text of its own, else its key, else where it begins."""
        if isinstance(self.node, Scalar) and not self.node.empty:
            return self.node.span
        if self.key is not None:
            return self.key.span
        return _beginning(self.node)


def expression_fault(fault: DslError, text: Text) -> Diagnostic:
    """The diagnostic for a fault in an expression, at its very characters."""
    return error(EXPRESSION_CODES[fault.code], fault.message, text.part(fault.start, fault.end), fault.help)


def dotted_key(key: Scalar) -> Diagnostic:
    """A key such as `risk.pdt`, which looks as if it reached into another mapping and does not."""
    first, _, rest = key.text.partition(".")
    help_ = f"write {quoted(first + ':')} and, indented under it, {quoted(rest + ':')}"
    return error("MQK-1015", f"a dotted key, {quoted(key.text)}", key.span, help_)


def unknown_key(
    place: Place, owner: Schema, missing: Collection[tuple[str | int, ...]]
) -> tuple[Diagnostic, str | None]:
    """The diagnostic for a key that the schema does not know, and the missing key that it is a slip of, if any."""
    assert place.key is not None
    key = place.key
    if "." in key.text and not is_rest_of_a_value(place):
        return dotted_key(key), None
    known = list(owner.get("properties", {}))
    wanted = [str(path[-1]) for path in missing if path[:-1] == place.path[:-1]]
    meant = closest(key.text, wanted)
    found = meant or closest(key.text, known)
    inside = next((name for name in known if _has(owner["properties"][name], key.text)), None)
    if is_rest_of_a_value(place):
        help_ = "a comma ends a value inside `{…}`: put the whole text in quotes"
    elif found is not None:
        help_ = f"did you mean `{found}`?"
    elif inside is not None:
        help_ = f"it belongs under `{inside}:`"
    else:
        help_ = f"the keys here are {listed(known, 'and')}"
    return error("MQK-1101", f"unknown key {quoted(key.text)}", key.span, help_), meant


def is_rest_of_a_value(place: Place) -> bool:
    """Whether a key is what follows a comma in a text that lacks quotes: `{why: one thing, and another}`."""
    torn = place.key is not None and not re.fullmatch(r"[A-Za-z_][\w.-]*", place.key.text)
    return torn and isinstance(place.node, Scalar) and place.node.empty


def _has(schema: Schema, key: str) -> bool:
    return key in schema.get("properties", {})


def missing_key(owner: Place, key: str, schema: Schema) -> Diagnostic:
    """The diagnostic for a key that must be there, at the key that holds the mapping or at its beginning."""
    span = owner.key.span if owner.key is not None else _beginning(owner.node)
    examples = schema.get("examples")
    help_ = f"add `{key}: {flow(examples[0])}`" if examples else f"add `{key}:`"
    return error("MQK-1102", f"{owner.name} needs `{key}`", span, help_)


def value_fault(fault: Fault, place: Place, *, on_key: bool) -> Diagnostic:
    """The diagnostic for a value, or for the name of a key, that its schema does not accept."""
    subject: Node = place.key if on_key and place.key is not None else place.node
    if isinstance(subject, Scalar) and subject.empty:
        what = quoted(place.key.text) if place.key is not None else "an item"
        return error("MQK-1107", f"{what} is empty", place.span, _such_as(place.schema) or "write a value")
    if isinstance(subject, Scalar) and fault.keyword in _SCALAR_FAULTS:
        return _SCALAR_FAULTS[fault.keyword](fault, subject, place)
    return _SHAPE_FAULTS.get(fault.keyword, _shape)(fault, place)


def _format(fault: Fault, value: Scalar, place: Place) -> Diagnostic:
    match fault.cause:
        case QuantityError(code=code, message=message, help=help_):
            noun = place.schema.get("x-mqk-noun")
            number = re.match("[0-9]+", value.text)
            if code == "unit" and noun and number:
                help_ = f"write `{number[0]} {noun}`"
            return error(QUANTITY_CODES[code], message.replace("\n", " "), value.span, help_ or _such_as(place.schema))
        case DslError() as cause:
            return expression_fault(cause, value)
        case MalformedError(message=message, help=help_):
            return error("MQK-1106", message, value.span, help_)
        case _:
            return _pattern(fault, value, place)


def _pattern(fault: Fault, value: Scalar, place: Place) -> Diagnostic:
    schema = fault.schema
    what = schema.get("x-mqk-what") or f"written as {str(place.schema.get('title', 'such a value')).lower()} is"
    return error(
        "MQK-1106",
        f"{quoted(value.text)} is not {what}",
        value.span,
        schema.get("x-mqk-hint") or _such_as(place.schema),
    )


def _enum(fault: Fault, value: Scalar, place: Place) -> Diagnostic:
    choices = [choice for choice in fault.wanted if isinstance(choice, str)]
    what = fault.schema.get("x-mqk-what") or place.schema.get("x-mqk-what") or "one of the choices"
    help_ = did_you_mean(value.text, choices) or f"write {listed(choices)}"
    return error("MQK-1105", f"{quoted(value.text)} is not {what}", value.span, help_)


def _type(fault: Fault, value: Scalar, place: Place) -> Diagnostic:
    if fault.wanted == "boolean":
        meant = respelled_boolean(value.text)
        if value.quoted:
            message = f"{quoted(value.text)} in quotes is text, not a yes or no"
            return error("MQK-1115", message, value.span, f"write `{meant}` without quotes")
        return error("MQK-1115", f"{quoted(value.text)} is neither `true` nor `false`", value.span, f"write `{meant}`")
    return _shape(fault, place)


def _too_short(_: Fault, value: Scalar, place: Place) -> Diagnostic:
    what = quoted(place.key.text) if place.key is not None else "an item"
    return error("MQK-1107", f"{what} is empty", value.span, _such_as(place.schema) or "write a value")


def _noun(fault: Fault, value: Scalar, _: Place) -> Diagnostic:
    number = value.text.partition(" ")[0]
    message = f"{quoted(value.text)} does not count {fault.wanted}"
    return error("MQK-1111", message, value.span, f"write `{number} {fault.wanted}`")


def _sign(fault: Fault, value: Scalar, place: Place) -> Diagnostic:
    what = quoted(place.key.text) if place.key is not None else "it"
    must = "must be above zero" if fault.wanted == "positive" else "cannot be negative"
    return error("MQK-1114", f"{what} {must}, found {quoted(value.text)}", value.span, _such_as(place.schema))


def _at_most(fault: Fault, value: Scalar, place: Place) -> Diagnostic:
    what = quoted(place.key.text) if place.key is not None else "it"
    message = f"{what} is at most `{fault.wanted}`, found {quoted(value.text)}"
    return error("MQK-1114", message, value.span, _such_as(place.schema))


def _not(fault: Fault, place: Place) -> Diagnostic:
    span = place.key.span if place.key is not None else place.span
    return error("MQK-1116", f"{place.name} has no place here", span, fault.schema.get("x-mqk-why"))


def _too_few(_: Fault, place: Place) -> Diagnostic:
    size = len(place.node.entries) if isinstance(place.node, MappingNode) else 0
    message = f"{place.name} is empty" if not size else f"{place.name} has too few entries"
    return error("MQK-1109", message, place.span, _such_as(place.schema) or "fill it, or remove the key")


def _repeated(_: Fault, place: Place) -> Diagnostic:
    seen: dict[str, Scalar] = {}
    for item in place.node.items if isinstance(place.node, Sequence) else ():
        if isinstance(item, Scalar):
            if item.text in seen:
                notes = [("first written here", seen[item.text].span)]
                message = f"{quoted(item.text)} is written twice"
                return error("MQK-1108", message, item.span, "keep one of them", notes=notes)
            seen[item.text] = item
    return error("MQK-1108", f"{place.name} holds an item twice", place.span, "keep one of them")


def _shape(fault: Fault, place: Place) -> Diagnostic:
    wanted = fault.wanted if fault.keyword == "type" else "string"
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    expected = [_SHAPES.get(name, "a single value") for name in names]
    expected = list(dict.fromkeys(expected))
    found = {MappingNode: "a mapping", Sequence: "a list"}.get(type(place.node), quoted(_text(place.node)))
    message = f"{place.name} takes {' or '.join(expected)}, found {found}"
    return error("MQK-1104", message, place.span, _such_as(place.schema))


def _text(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""


_SCALAR_FAULTS = {
    "format": _format,
    "pattern": _pattern,
    "enum": _enum,
    "type": _type,
    "minLength": _too_short,
    "x-mqk-noun": _noun,
    "x-mqk-sign": _sign,
    "x-mqk-at-most": _at_most,
}
_SHAPE_FAULTS = {
    "not": _not,
    "minItems": _too_few,
    "minProperties": _too_few,
    "uniqueItems": _repeated,
}


def _such_as(schema: Schema) -> str | None:
    examples = schema.get("examples")
    return f"for example `{flow(examples[0])}`" if examples else None


def flow(example: object) -> str:
    """A JSON value as a person would write it on one line of YAML."""
    match example:
        case bool():
            return "true" if example else "false"
        case dict():
            return "{" + ", ".join(f"{key}: {flow(value)}" for key, value in example.items()) + "}"
        case list():
            return "[" + ", ".join(flow(value) for value in example) + "]"
        case str() if re.search(r"[\[\]{},#]|: ", example):
            return f'"{example}"'
        case _:
            return str(example)


def _beginning(node: Node) -> Span:
    """The first key of a mapping, the first line's start of anything else."""
    if isinstance(node, MappingNode) and node.entries:
        return next(iter(node.entries.values())).key.span
    span = node.span
    return Span(span.file, span.line, span.column, span.line, span.column + 1)
