"""`mqk policy diff`: what a change of policies means, for people, programs and pull requests, and by the exit code."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mqk.policy import schemas_dir
from tests.analysis.diff.sides import TEST
from tests.analysis.testing.desk import desk
from tests.cli.shell import Ended, Mqk, change, line_of
from tests.policy.test_revisions import git

CAP = "projected.position_value <= limits.max_position of account.equity"
WITNESS = "BUY 51 SPY at 400.00 USD: was denied by CAP-01 (`projected.position_value` is 20_400 USD, must be at most"


@pytest.fixture
def sides(tmp_path: Path) -> Path:
    """Two copies of a small desk, `before` and `policies`, of which the second is given back to be changed."""
    desk(tmp_path / "before")
    return Path(shutil.copytree(tmp_path / "before", tmp_path / "policies"))


@pytest.fixture
def raised(sides: Path) -> Path:
    """The second copy with a limit raised, a rule in shadow, and another limit lowered."""
    change(sides / "risk.yaml", "max_position: 20%", "max_position: 25%")
    change(sides / "risk.yaml", "rejects: 5 per 300s", "rejects: 4 per 300s")
    change(sides / "bars.yaml", "outlier: 20%", "outlier: 20.0%   # as before")
    return sides


def test_the_same_is_equal_and_ends_well(mqk: Mqk, sides: Path) -> None:
    assert sides.is_dir()
    ended = mqk("policy", "diff", "before", "--fail-on", "looser")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("EQUAL: nothing that was stopped may pass")


def test_a_raised_limit_is_looser_with_an_order_that_flips_and_both_places(mqk: Mqk, raised: Path) -> None:
    ended = mqk("policy", "diff", "before")
    assert (ended.code, ended.err) == (0, "")
    verdict, engine, _, *changes = ended.out.splitlines()
    assert verdict.startswith("INCOMPARABLE: ")
    assert engine.split() == ["DESK", "INCOMPARABLE", "order", "LOOSER,", "account", "TIGHTER,", "bar", "EQUAL"]
    line = line_of(raised / "risk.yaml", "max_position: 25%")
    assert changes[:3] == [
        "LOOSER limits.max_position (DESK)",
        "  20% -> 25%",
        f"  before/risk.yaml:{line} -> policies/risk.yaml:{line}",
    ]
    assert changes[3].startswith(f"  DESK: {WITNESS}")
    assert changes[4:6] == ["TIGHTER limits.rejects (DESK)", "  5 per 300s -> 4 per 300s"]
    assert mqk("policy", "diff", "before", "--fail-on", "looser").code == 1


def test_the_json_is_as_its_schema_says(mqk: Mqk, raised: Path) -> None:
    assert raised.is_dir()
    found = mqk("policy", "diff", "before", "--format", "json").json
    validator(found)
    assert (found["verdict"], list(found["engines"])) == ("INCOMPARABLE", ["DESK"])
    points = found["engines"]["DESK"]["points"]
    assert {name: each["verdict"] for name, each in points.items()} == {
        "order": "LOOSER",
        "account": "TIGHTER",
        "bar": "EQUAL",
    }
    looser, tighter = found["changes"]
    assert (looser["path"], looser["kind"], looser["before"], looser["after"]) == (
        "limits.max_position",
        "limit",
        "20%",
        "25%",
    )
    assert (looser["direction"], looser["after_at"]["file"]) == ("LOOSER", "policies/risk.yaml")
    assert looser["witness"]["before"]["rules"] == ["CAP-01"]
    assert looser["witness"]["after"] == {"outcome": "allow", "rules": [], "says": ""}
    assert looser["witness"]["facts"]["order.qty"] == "51"
    assert (tighter["direction"], tighter["witness"]) == ("TIGHTER", None)
    assert points["account"]["tighter"]["after"]["outcome"] == "reduce_only"
    validator(mqk("policy", "diff", "before", "before", "--format", "json").json)


def validator(found: object) -> None:
    Draft202012Validator(json.loads((schemas_dir() / "results/diff.schema.json").read_text("utf-8"))).validate(found)


def test_a_pull_request_is_told_the_verdict_first_and_then_what_shows_it(mqk: Mqk, raised: Path) -> None:
    assert raised.is_dir()
    lines = mqk("policy", "diff", "before", "--format", "markdown").out.splitlines()
    assert lines[0] == "### Policies: INCOMPARABLE"
    rows = [line for line in lines if line.startswith("| **")]
    assert [row.split(" | ")[1] for row in rows[:2]] == ["`limits.max_position`", "`limits.rejects`"]
    assert any(line.startswith("- `limits.max_position`: BUY 51 SPY at 400.00 USD: was denied") for line in lines)
    assert lines.index("**What shows it**") > lines.index(rows[1])
    assert len([line for line in lines if line]) < 30


def test_nothing_that_a_policy_says_means_anything_to_markdown_or_html(mqk: Mqk, sides: Path) -> None:
    change(sides / "engine.yaml", "{lookback: 50}", '{lookback: 50, note: "<b>|*x*[y](z)@me`"}')
    told = mqk("policy", "diff", "before", "--format", "markdown").out
    assert r"\<b\>\|\*x\*\[y\](z)\@me'" in told
    page = mqk("policy", "diff", "before", "--format", "html").out
    assert "<b>|" not in page
    assert "&lt;b&gt;|*x*" in page


def test_a_page_is_one_file_that_needs_nothing_else(mqk: Mqk, raised: Path) -> None:
    assert raised.is_dir()
    page = mqk("policy", "diff", "before", "--format", "html").out
    asked: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            asked.extend(f"{tag} {name}" for name, _ in attrs if name in ("src", "href"))

    Reader().feed(page)
    assert asked == []
    assert "BUY 51 SPY at 400.00 USD" in page


def test_code_scanning_and_annotations_have_one_result_for_each_loosening(mqk: Mqk, raised: Path) -> None:
    log = mqk("policy", "diff", "before", "--format", "sarif").json
    (result,) = log["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("MQK-1530", "warning")
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "policies/risk.yaml"
    line = line_of(raised / "risk.yaml", "max_position: 25%")
    assert (place["region"]["startLine"], place["region"]["snippet"]["text"]) == (line, "25%")
    ended = mqk("policy", "diff", "before", "--format", "github", "--fail-on", "looser")
    assert ended.code == 1
    command, *_ = ended.out.splitlines()
    assert command.startswith(f"::error file=policies/risk.yaml,line={line},")
    assert "BUY 51 SPY" in command


def test_what_has_gone_is_annotated_where_it_was(mqk: Mqk, sides: Path) -> None:
    text = (sides / "risk.yaml").read_text("utf-8")
    line = line_of(sides / "risk.yaml", "id: CAP-07")
    begin, end = text.index("  - id: CAP-07"), text.index("  - id: LOSS-01")
    (sides / "risk.yaml").write_text(text[:begin] + text[end:], "utf-8")
    said = mqk("policy", "diff", "before", "--format", "github").out
    assert f"::warning file=policies/risk.yaml,line={line}," in said
    assert "`rules.CAP-07`" in said
    (sides.parent / "before" / "cases.test.yaml").write_text(TEST, "utf-8")
    said = mqk("policy", "diff", "before", "--format", "github").out
    (command,) = (each for each in said.splitlines() if "`tests." in each)
    assert command.startswith("::warning file=policies/cases.test.yaml,line=")


def in_repository(mqk: Mqk, folder: Path, *arguments: str) -> Ended:
    """The command in a repository whose first revision is tagged `v1`."""
    git(folder, "init", "--quiet", ".")
    git(folder, "add", "policies")
    git(folder, "commit", "--quiet", "--message", "first")
    git(folder, "tag", "v1")
    change(folder / "policies/risk.yaml", "max_position: 20%", "max_position: 25%")
    return mqk("policy", "diff", *arguments)


def test_a_revision_is_compared_with_the_working_tree_and_places_are_of_the_repository(mqk: Mqk, sides: Path) -> None:
    ended = in_repository(mqk, sides.parent, "v1", "--fail-on", "looser")
    assert ended.code == 1
    assert "LOOSER limits.max_position (DESK)\n  20% -> 25%\n  policies/risk.yaml:7\n" in ended.out
    git(sides.parent, "commit", "--quiet", "--all", "--message", "second")
    assert mqk("policy", "diff", "v1", "HEAD", "--fail-on", "looser").code == 1
    assert mqk("policy", "diff", "HEAD", "v1", "--fail-on", "looser").code == 0


def test_what_cannot_be_read_is_bad_input(mqk: Mqk, sides: Path) -> None:
    ended = mqk("policy", "diff", "befor")
    assert (ended.code, ended.out) == (2, "")
    assert "there is no folder, no file and no git revision `befor`" in ended.err
    ended = mqk("policy", "diff", "before", "--engine", "DESC")
    assert ended.code == 2
    assert "did you mean `DESK`?" in ended.err
    change(sides / "risk.yaml", "max_position: 20%", "max_position: 20")
    ended = mqk("policy", "diff", "before")
    assert ended.code == 2
    assert "policies/risk.yaml:7:17" in ended.err
    assert mqk("policy", "diff", "before", "--as-of", "2026-06-31..2026-07-01").code == 2
