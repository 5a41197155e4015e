"""What a risk officer's editor says: nothing about the policies that ship, the faults where mqk has them, and help.

The server is the one that editors run (yaml-language-server), with the schemas that the files themselves name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editor.server import ROOT, Server, running

POLICIES = ROOT / "policies"
BROKEN = ROOT / "tests" / "policy" / "broken"
# One file for each kind of fault that a schema alone can find.
SAME_PLACE = (
    "confirm_at_order",
    "dotted_key",
    "duplicate_key",
    "duration_without_unit",
    "empty_list",
    "item_twice",
    "kind_of_state",
    "lower_case_symbol",
    "malformed_rule_id",
    "mapping_for_value",
    "missing_key",
    "mode_misspelt",
    "no_for_boolean",
    "outcome_of_another_point",
    "ratio_without_unit",
    "time_for_ratio",
    "time_without_zero",
    "trailing_space_key",
    "unknown_key_in_rule",
    "yaml_odd_indentation",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as found:
        yield found


def lines_of(path: Path) -> list[str]:
    return path.read_text("utf-8").split("\n")


def place_of(path: Path, text: str) -> tuple[int, int]:
    """Line and character of a text in a file, counted from 0."""
    line = next(number for number, each in enumerate(lines_of(path)) if text in each)
    return line, lines_of(path)[line].index(text)


def test_every_shipped_policy_names_the_schema_of_its_kind() -> None:
    for path in POLICIES.rglob("*.yaml"):
        kind = re.search("^kind: ([a-z]+)$", path.read_text("utf-8"), flags=re.MULTILINE)
        assert kind is not None
        first = lines_of(path)[0]
        assert first.startswith("# yaml-language-server: $schema="), path
        schema = (path.parent / first.partition("=")[2]).resolve()
        assert schema == ROOT / "schemas" / f"{kind[1]}.schema.json", path


def test_the_editor_has_nothing_against_what_ships(server: Server) -> None:
    said = {path.name: server.diagnostics(path) for path in sorted(POLICIES.rglob("*.yaml"))}
    assert {name: found for name, found in said.items() if found} == {}


def test_the_editor_finds_faults_where_mqk_does(server: Server) -> None:
    missed = {}
    for name in SAME_PLACE:
        path = BROKEN / f"{name}.yaml"
        text = path.read_text("utf-8")
        kind = re.search("^kind: ([a-z]+)$", text, flags=re.MULTILINE)
        assert kind is not None
        # The line in front moves everything down by one: the server counts from 0 and mqk from 1.
        modeline = f"# yaml-language-server: $schema=../../../schemas/{kind[1]}.schema.json\n"
        theirs = {each["range"]["start"]["line"] for each in server.diagnostics(path, modeline + text)}
        ours = {int(line) for line in re.findall(r"^#! (\d+):", text, flags=re.MULTILINE)}
        if not ours <= theirs:
            missed[name] = (ours, theirs)
    assert missed == {}


@pytest.mark.parametrize("text", ["max_position:", "otherwise:", "owner:", "at: order"])
def test_hovering_over_a_key_tells_what_it_means(server: Server, text: str) -> None:
    path = POLICIES / "controls" / "exposure.yaml"
    line, character = place_of(path, text)
    said = server.hover(server.open(path), line, character + 1)
    assert "Example" in said, "what it is, and an example of it"


def test_the_editor_offers_the_limits_that_are_not_written_yet(server: Server) -> None:
    path = POLICIES / "profiles" / "tier_a_consistent.yaml"
    text = path.read_text("utf-8").partition("limits:\n")[0] + "limits:\n  max_position: 20%\n  \n"
    uri = server.open(path, text)
    offered = server.completions(uri, text.count("\n") - 1, 2)
    assert {"max_gross", "daily_loss", "max_drawdown"} <= set(offered)
    assert "max_position" not in offered


def test_the_editor_offers_the_guard_points(server: Server) -> None:
    path = POLICIES / "profiles" / "tier_a_consistent.yaml"
    text = path.read_text("utf-8") + "rules:\n  - id: X-01\n    title: A rule\n    at: \n"
    offered = server.completions(server.open(path, text), text.count("\n") - 1, 8)
    assert {"order", "account", "bar", "feed", "transition"} <= set(offered)


def test_the_editor_offers_the_kinds_of_rule_outcomes(server: Server) -> None:
    path = POLICIES / "profiles" / "tier_a_consistent.yaml"
    text = path.read_text("utf-8") + "rules:\n  - id: X-01\n    title: A rule\n    at: order\n    otherwise: \n"
    offered = server.completions(server.open(path, text), text.count("\n") - 1, 15)
    assert "deny" in offered
