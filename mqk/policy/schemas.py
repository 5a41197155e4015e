"""The JSON Schemas, compiled once: one validator for each kind of document, and what the schemas say about a place.

The schemas speak of JSON; our scalars are text. The type checker and the extra keywords here bridge that. Turning what
a validator finds into diagnostics is validate.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType, NoneType
from typing import Any, Final, cast

from jsonschema import Draft202012Validator, TypeChecker, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from mqk.policy.formats import format_checker
from mqk.policy.resources import schemas_dir
from mqk.quantity import QuantityError, parse_ratio

KINDS: Final = (
    "risk", "integrity", "margin", "lifecycle", "allocation", "reconcile", "promotion", "execution", "schedule",
    "engine", "waiver", "obligation", "test",
)  # fmt: skip
# The kinds that hold limits, rules, names and tables, in the order in which an engine lays them; its own come last.
RULING: Final = ("risk", "integrity", "margin", "reconcile", "promotion", "engine")
_SHARED: Final = ("common", "limits", "rule")
# `$schema` inside would make jsonschema change to its own validator there, without our keywords.
_LEFT_OUT: Final = ("$ref", "$defs", "$schema")

# A subschema, as JSON gives it.
Schema = Mapping[str, Any]


class QuotedText(str):
    """Text that was written in quotes: never a number, never a yes or no."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class SchemaSet:
    """All schemas, references written out, with a compiled validator for each kind of document."""

    schemas: Mapping[str, Schema]
    validators: Mapping[str, Validator]

    def at(self, kind: str, path: Sequence[str | int]) -> Schema:
        """What the schema of `kind` says about the value at `path`; empty where it says nothing."""
        schema: Any = self.schemas[kind]
        for step in path:
            if isinstance(step, int):
                schema = schema.get("items")
            else:
                schema = schema.get("properties", {}).get(step, schema.get("additionalProperties"))
            if not isinstance(schema, Mapping):
                return {}
        return cast("Schema", schema)

    def limit_format(self, name: str) -> str:
        """The format of a limit's value: its own when the schema knows it, else "limit"."""
        schema = self.at("risk", ("limits", name))
        # A yes or no has a type where other values have a format.
        return "boolean" if schema.get("type") == "boolean" else str(schema["format"])

    def known_limits(self) -> tuple[str, ...]:
        """The names of the limits that the schema types."""
        return tuple(self.at("risk", ("limits",))["properties"])


@cache
def schema_set() -> SchemaSet:
    """The schemas that ship, read and compiled on first use."""
    folder = schemas_dir()
    files = {
        f"{name}.schema.json": json.loads((folder / f"{name}.schema.json").read_text(encoding="utf-8"))
        for name in (*KINDS, *_SHARED)
    }
    schemas = {kind: _written_out(files[f"{kind}.schema.json"], f"{kind}.schema.json", files) for kind in KINDS}
    checker = format_checker()
    cls = _validator_class()
    validators = {kind: cls(schema, format_checker=checker) for kind, schema in schemas.items()}
    return SchemaSet(MappingProxyType(schemas), MappingProxyType(validators))


def _written_out(schema: Any, file: str, files: Mapping[str, Any]) -> Any:
    """A schema with every reference replaced by what it refers to, under the words that stand beside the reference.

    References never form a circle, and following them anew for every value would double the cost of validating.
    """
    if isinstance(schema, list):
        return [_written_out(item, file, files) for item in schema]
    if not isinstance(schema, dict):
        return schema
    below = {key: _written_out(value, file, files) for key, value in schema.items() if key not in _LEFT_OUT}
    if "$ref" not in schema:
        return below
    target, _, pointer = schema["$ref"].partition("#")
    found = files[target or file]
    for step in filter(None, pointer.split("/")):
        found = found[step]
    return {**_written_out(found, target or file, files), **below}


def _validator_class() -> type[Validator]:
    types = TypeChecker(
        {
            "string": _is_a(str),
            "boolean": _is_plain(re.compile("true|false")),
            "integer": _is_plain(re.compile(r"-?[0-9](?:_?[0-9])*")),
            "number": _is_plain(re.compile(r"-?[0-9](?:_?[0-9])*(?:\.[0-9]+)?")),
            "object": _is_a(dict),
            "array": _is_a(list),
            "null": _is_a(NoneType),
        }
    )
    keywords = {
        "pattern": _pattern,
        "uniqueItems": _unique,
        "x-mqk-sign": _sign,
        "x-mqk-at-most": _at_most,
        "x-mqk-noun": _noun,
    }
    made = extend(Draft202012Validator, validators=keywords, type_checker=types)  # type: ignore[no-untyped-call]
    return cast("type[Validator]", made)


def _is_a(cls: type) -> Any:
    return lambda _, value: isinstance(value, cls)


def _is_plain(pattern: re.Pattern[str]) -> Any:
    """A check for text without quotes that looks like a value of a type."""

    def check(_: object, value: object) -> bool:
        return isinstance(value, str) and not isinstance(value, QuotedText) and pattern.fullmatch(value) is not None

    return check


def _pattern(_: object, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
    # In JSON Schema `$` is the end of the text; in Python it would let a line break pass behind it.
    exact = pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
    if isinstance(value, str) and re.search(exact, value) is None:
        yield ValidationError("pattern")


def _unique(_: object, wanted: bool, items: object, __: object) -> Iterator[ValidationError]:
    # The lists of policies hold words; jsonschema's own check is quadratic where items are of several types.
    words = [item for item in items if isinstance(item, str)] if isinstance(items, list) else []
    if wanted and len(set(words)) < len(words):
        yield ValidationError("unique")


def _sign(_: object, wanted: str, value: object, __: object) -> Iterator[ValidationError]:
    if not isinstance(value, str):
        return
    number = re.match(r"-?[0-9_.]+", value)
    if number is None:
        return
    negative, zero = value.startswith("-"), not re.search("[1-9]", number[0])
    if negative or (zero and wanted == "positive"):
        yield ValidationError("sign")


def _at_most(_: object, most: str, value: object, __: object) -> Iterator[ValidationError]:
    try:
        above = isinstance(value, str) and parse_ratio(value) > parse_ratio(most)
    except QuantityError:
        return  # the format says what is wrong with it
    if above:
        yield ValidationError("at most")


def _noun(_: object, noun: str, value: object, __: object) -> Iterator[ValidationError]:
    found = re.fullmatch(r"[0-9_]+ ([a-z]+)", value) if isinstance(value, str) else None
    if found and found[1].removesuffix("s") != noun.removesuffix("s"):
        yield ValidationError("noun")
