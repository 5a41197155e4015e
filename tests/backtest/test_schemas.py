"""The artifacts keep to their published schemas: every key, every column in its place, every value in its form."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from mqk.backtest import run_battery
from mqk.backtest.artifacts import NAMES, WALK_FORWARD
from mqk.cli.reference_artifacts import FILES, load
from mqk.guards.record_table import arrow_schema
from tests.backtest.test_run import restless
from tests.backtest.worlds import walk
from tests.engine.worlds import guards, host

TABLES = ("equity_curve", "orders", "fills", "corporate_actions")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that trades, is refused, and is watched by a shadow."""
    out = tmp_path_factory.mktemp("schemas") / "run"
    bars = walk(["AAPL", "SPY"], 80, 11, swing=6)
    watching = {"watching": lambda _: {"SPY": 7}}
    run_battery(guards(), {}, bars, out=out, host=lambda: host(restless, 2, shadows=watching))
    return out


def problems(schema: dict[str, Any], value: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)]


@pytest.mark.parametrize("name", FILES)
def test_every_schema_is_one_and_says_what_everything_means(name: str) -> None:
    schema = load(name)
    Draft202012Validator.check_schema(schema)
    assert all(each.get("description") for each in schema["properties"].values())
    assert schema["additionalProperties"] is False


def test_every_artifact_has_a_schema() -> None:
    assert sorted(load(name)["x-file"] for name in FILES) == sorted([*NAMES, WALK_FORWARD])


@pytest.mark.parametrize("name", ["manifest", "metrics"])
def test_documents_keep_to_their_schema(folder: Path, name: str) -> None:
    assert problems(load(name), json.loads((folder / f"{name}.json").read_text())) == []


def test_every_line_of_the_audit_trail_keeps_to_its_schema(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "audit.jsonl").read_bytes().splitlines()]
    validator = Draft202012Validator(load("audit"))
    assert [line for line in lines if not validator.is_valid(line)] == []
    assert {"start", "submit", "fill", "refused", "shadowed", "end"} <= {line["kind"] for line in lines}


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_a_table_keeps_to_its_schema(folder: Path, name: str) -> None:
    schema = load(name)
    reader = csv.DictReader(io.StringIO((folder / schema["x-file"]).read_text()))
    assert reader.fieldnames == schema["x-columns"] == list(schema["properties"])
    validator = Draft202012Validator(schema)
    rows = list(reader)
    assert [row for row in rows if not validator.is_valid(row)] == []
    assert rows or name == "corporate_actions"


def test_every_column_of_decisions_is_published(folder: Path) -> None:
    schema = load("decisions")
    published = [name for name in arrow_schema().names if not name.startswith(("facts.", "ages."))]
    assert list(schema["properties"]) == published
    found = pq.read_schema(folder / "decisions.parquet").names
    assert [name for name in found if name not in published and not name.startswith(("facts.", "ages."))] == []
    validator = Draft202012Validator(schema)
    rows = pq.read_table(folder / "decisions.parquet").to_pylist()
    told = [{key: str(value) if key in {"at", "day"} else value for key, value in row.items()} for row in rows[:50]]
    assert [list(validator.iter_errors(row)) for row in told if not validator.is_valid(row)] == []


def test_a_value_of_the_wrong_form_is_noticed(folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_text())
    assert problems(load("metrics"), {**metrics, "final_equity": "about 100"})
    assert problems(load("metrics"), {**metrics, "more": 1})
    assert problems(load("metrics"), {key: metrics[key] for key in metrics if key != "halts"})
