"""The schemas: valid, explained, truthful in their examples, and the same for editors as for mqk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from mqk.policy import Node, Scalar, Sequence, schemas_dir, shipped_policies_dir
from mqk.policy.formats import format_checker
from mqk.policy.loader import load_bytes
from mqk.policy.schemas import KINDS, schema_set
from mqk.policy.validate import validate
from mqk.policy.wording import flow
from tests.policy.support import SOUND

FILES = sorted(schemas_dir().glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def properties(schema: object, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property that a document may have, below a schema with references written out."""
    if isinstance(schema, dict):
        for name, below in schema.get("properties", {}).items():
            yield f"{where}.{name}", below
            yield from properties(below, f"{where}.{name}")
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                yield f"{where}.*", schema[key]
                yield from properties(schema[key], f"{where}.*")


def of(kind: str) -> list[tuple[str, dict[str, Any]]]:
    return list(properties(schema_set().schemas[kind], kind))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_schema_is_valid_draft_2020_12(path: Path) -> None:
    Draft202012Validator.check_schema(read(path))
    assert read(path)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_schema_points_outside_its_folder(path: Path) -> None:
    for target in re.findall(r'"\$ref": "([^"#]*)', path.read_text(encoding="utf-8")):
        assert target == "" or (path.parent / target).is_file()
    assert '"$id"' not in path.read_text(encoding="utf-8"), "an editor would try to fetch it"


def test_every_kind_has_a_schema_of_its_own() -> None:
    names = {path.name.removesuffix(".schema.json") for path in FILES}
    assert names == {*KINDS, "common", "limits", "rule"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_property_is_explained(kind: str) -> None:
    for where, schema in of(kind):
        for word in ("title", "description", "examples"):
            assert schema.get(word), f"{where} has no {word}"


# The formats of what is measured; how much of what a value is, its unit says.
MEASURED = {"ratio", "money", "price", "duration", "span", "count", "quantity", "rate", "commission", "date"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_property_that_is_measured_has_a_unit(kind: str) -> None:
    for where, schema in of(kind):
        assert schema.get("format") not in MEASURED or schema.get("x-mqk-unit"), where


def test_every_limit_has_a_unit() -> None:
    for name in schema_set().known_limits():
        assert schema_set().at("risk", ("limits", name))["x-mqk-unit"], name


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_keeps_the_schema_it_explains(kind: str) -> None:
    examples = [(where, schema, each) for where, schema in of(kind) for each in schema["examples"]]
    for where, schema, example in examples:
        validator = schema_set().validators[kind].evolve(schema=schema)
        text = f"value: {flow(example)}\n"
        loaded = load_bytes(text.encode(), where)
        assert loaded.root is not None
        assert not loaded.diagnostics
        value = loaded.root.get("value")
        assert value is not None
        assert [error.message for error in validator.iter_errors(as_mqk(value))] == [], where


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_each_kind_is_a_document_of_that_kind(kind: str) -> None:
    for example in schema_set().schemas[kind]["examples"]:
        loaded = load_bytes(json.dumps(example).encode(), kind)
        assert loaded.root is not None
        assert [each.message for each in validate(loaded.root, kind, schema_set())] == []


def test_every_format_in_a_schema_is_checked() -> None:
    known = set(format_checker().checkers)
    for path in FILES:
        assert set(re.findall(r'"format": "([^"]+)"', path.read_text(encoding="utf-8"))) <= known


def test_a_word_of_ours_in_a_schema_is_one_that_mqk_reads() -> None:
    ours = {
        "x-mqk-what",
        "x-mqk-why",
        "x-mqk-hint",
        "x-mqk-unit",
        "x-mqk-sign",
        "x-mqk-at-most",
        "x-mqk-noun",
        "x-mqk-keys",
    }
    for path in FILES:
        assert set(re.findall(r'"(x-[^"]+)"', path.read_text(encoding="utf-8"))) <= ours


def as_mqk(node: Node) -> Any:
    """A node as mqk gives it to jsonschema."""
    match node:
        case Scalar(text=text):
            return text
        case Sequence(items=items):
            return [as_mqk(item) for item in items]
        case _:
            return {key: as_mqk(entry.value) for key, entry in node.entries.items()}


def as_editors(node: Node) -> Any:
    """A node as an editor types it: by the core schema of YAML 1.2."""
    match node:
        case Scalar(text=text, quoted=False) if re.fullmatch(r"[-+]?[0-9]+", text):
            return int(text)
        case Scalar(text=text, quoted=False) if re.fullmatch(r"[-+]?[0-9]*\.[0-9]+", text):
            return float(text)
        case Scalar(text="true" | "false" as text, quoted=False):
            return text == "true"
        case Scalar(text=text):
            return text
        case Sequence(items=items):
            return [as_editors(item) for item in items]
        case _:
            return {key: as_editors(entry.value) for key, entry in node.entries.items()}


@pytest.mark.parametrize(
    "path",
    [*sorted(shipped_policies_dir().rglob("*.yaml")), *sorted(SOUND.glob("*.yaml"))],
    ids=lambda path: path.stem,
)
def test_editors_and_other_validators_accept_what_mqk_accepts(path: Path) -> None:
    loaded = load_bytes(path.read_bytes(), path.name)
    assert loaded.root is not None
    kind = loaded.root.scalar("kind")
    assert kind is not None
    registry: Registry[Any] = Registry().with_resources(
        (each.name, Resource.from_contents(read(each), default_specification=DRAFT202012)) for each in FILES
    )
    plain = Draft202012Validator({"$ref": f"{kind.text}.schema.json"}, registry=registry)
    assert [error.message for error in plain.iter_errors(as_editors(loaded.root))] == []


@pytest.mark.parametrize("value", ["0.20", "20", "false", "[20%]", "twenty percent", "20 %"])
def test_editors_refuse_what_mqk_refuses(value: str) -> None:
    loaded = load_bytes(f"max_position: {value}\n".encode(), "limits")
    assert loaded.root is not None
    registry: Registry[Any] = Registry().with_resources(
        (each.name, Resource.from_contents(read(each), default_specification=DRAFT202012)) for each in FILES
    )
    plain = Draft202012Validator({"$ref": "limits.schema.json"}, registry=registry)
    assert not plain.is_valid(as_editors(loaded.root))


def test_schemas_are_compiled_once() -> None:
    assert schema_set() is schema_set()
