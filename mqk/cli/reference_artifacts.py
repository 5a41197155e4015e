"""The reference page of artifacts: what a backtest leaves behind, file by file, from the schemas of its results.

What lives here: the page. What does not: the schemas (schemas/results), and writing the files (mqk.backtest).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mqk.cli.reference_facts import table
from mqk.policy import schemas_dir

INTRODUCTION: Final = """\
# Artifacts

What `mqk backtest --out DIR` leaves in DIR: the same bytes for the same policy, bars, strategies and code. Each file
has a JSON Schema under `schemas/results/`; a table has one for its rows, in the order of its columns. Columns and keys
stay; new columns come last. `report.html` shows all of it on one page and is no source of anything; runs under stress
lie in `stress/NAME/` with the same files; `walk_forward.json` is there where it was asked for.
"""
# In the order in which a reader wants them.
FILES: Final = (
    "manifest",
    "metrics",
    "equity_curve",
    "orders",
    "fills",
    "corporate_actions",
    "audit",
    "decisions",
    "walk_forward",
)


def page() -> str:
    """The whole page, in Markdown."""
    lines = [INTRODUCTION]
    for name in FILES:
        schema = load(name)
        told = f"{schema['title']}. {schema['description']} Schema: `schemas/results/{name}.schema.json`."
        lines += [f"## `{schema['x-file']}`", "", told, ""]
        lines += table(("Name", "Type", "Meaning"), _rows(schema))
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def load(name: str) -> dict[str, Any]:
    """The schema of a result."""
    found: dict[str, Any] = json.loads((schemas_dir() / "results" / f"{name}.schema.json").read_text("utf-8"))
    return found


def _rows(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str, str]]:
    for name, each in schema["properties"].items():
        yield f"`{path}{name}`", _kind(each), each.get("description", "")
        if "properties" in each:
            yield from _rows(each, f"{path}{name}.")
    for pattern, each in schema.get("patternProperties", {}).items():
        yield f"`{pattern.strip('^').replace(chr(92), '')}…`", _kind(each), each["description"]


def _kind(each: Mapping[str, Any]) -> str:
    if "const" in each:
        return f"`{each['const']}`"
    if "enum" in each:
        return ", ".join(f"`{value}`" for value in each["enum"])
    kinds = each.get("type", "any")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
