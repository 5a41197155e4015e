"""The schemas serve any other validator: they are valid themselves, and plain JSON Schema accepts what mqk accepts.

A plain validator knows nothing of mqk's own keywords and formats, so it may accept more than mqk.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mqk.policy.schemas import KINDS
from tests.editor.server import ROOT

SCHEMAS = ROOT / "schemas"


def check_jsonschema(*arguments: str | Path) -> tuple[int, str]:
    # A program of its own, as a user's CI runs it: nothing of mqk is loaded in it.
    command = [sys.executable, "-m", "check_jsonschema", "--no-cache", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def documents_of(kind: str, folder: Path) -> list[Path]:
    marked = re.compile(f"^kind: {kind}$", re.MULTILINE)
    return [path for path in sorted(folder.rglob("*.yaml")) if marked.search(path.read_text("utf-8"))]


def test_every_schema_is_valid_against_the_standard() -> None:
    code, said = check_jsonschema("--check-metaschema", *sorted(SCHEMAS.glob("*.json")))
    assert code == 0, said


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_validator_accepts_the_documents_that_mqk_accepts(kind: str) -> None:
    documents = [
        *documents_of(kind, ROOT / "policies"),
        *documents_of(kind, ROOT / "tests" / "policy" / "sound"),
        *documents_of(kind, ROOT / "mqk" / "explanations" / "desk"),
    ]
    code, said = check_jsonschema("--schemafile", SCHEMAS / f"{kind}.schema.json", *documents) if documents else (0, "")
    assert code == 0, said


def test_a_plain_validator_refuses_a_mistyped_key() -> None:
    broken = ROOT / "tests" / "policy" / "broken" / "unknown_key_in_rule.yaml"
    code, said = check_jsonschema("--schemafile", SCHEMAS / "risk.schema.json", broken)
    assert code == 1
    assert "requires" in said
