"""The review action, run step by step: one comment that follows the pull request, and marks on the changed lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mqk.cli import starter
from tests.analysis.assess.desk import change
from tests.desk.github import GitHub, github
from tests.desk.repository import commit, git, repository
from tests.desk.runner import Ended, Runner

MARK = "<!-- mqk policy review -->"


@pytest.fixture
def api() -> Iterator[GitHub]:
    with github() as state:
        yield state


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    return repository(folder)


def reviewed(workspace: Path, api: GitHub, base: str, **given: str) -> Ended:
    temporary = workspace.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    context = {"event.pull_request.base.sha": base, "event.pull_request.number": "7", "token": "secret"}
    environment = {"GITHUB_API_URL": api.url, "GITHUB_REPOSITORY": "desk/policies"}
    action = workspace / ".github" / "actions" / "policy-review"
    return Runner(action, workspace, temporary, context, environment).run(**given)


def test_a_looser_limit_is_told_in_one_comment_that_every_push_brings_up_to_date(workspace: Path, api: GitHub) -> None:
    base = git(workspace, "rev-parse", "HEAD").strip()
    api.comments += [{"id": number, "body": "somebody's"} for number in range(100)]  # a page of others comes first
    change(workspace / "policies", "engine", "max_position: 15%", "max_position: 16%")
    commit(workspace, "more")
    ended = reviewed(workspace, api, base)
    assert (ended.failed, ended.outputs) == (None, {"verdict": "LOOSER"}), ended.printed
    (mine,) = [each for each in api.comments if each["body"].startswith(MARK)]
    assert "| 🔴 **LOOSER** | `limits.max_position` | 15% | 16% | policies/engine.yaml:" in mine["body"]
    assert re.search(r"BUY \d+ SPY at 470\.00 USD: was denied by CAP-01 .*, now allowed", mine["body"])
    assert "::warning file=policies/engine.yaml,line=20,endLine=20," in ended.printed
    assert ended.summary == mine["body"]
    assert api.tokens == {"Bearer secret"}

    change(workspace / "policies", "engine", "max_position: 16%", "max_position: 14%")
    commit(workspace, "less")
    ended = reviewed(workspace, api, base, fail_on="looser")
    assert (ended.failed, ended.outputs) == (None, {"verdict": "TIGHTER"}), ended.printed
    (mine,) = [each for each in api.comments if each["body"].startswith(MARK)]
    assert mine["body"].startswith(f"{MARK}\n## 🟢 Policies: TIGHTER\n")
    assert "::warning" not in ended.printed
    assert [method for method, _ in api.calls] == ["GET", "GET", "POST", "GET", "GET", "PATCH"]


def test_what_loosens_fails_where_that_is_asked_after_it_was_told(workspace: Path, api: GitHub) -> None:
    base = git(workspace, "rev-parse", "HEAD").strip()
    change(workspace / "policies", "engine", "max_position: 15%", "max_position: 16%")
    ended = reviewed(workspace, api, base, fail_on="looser")
    assert (ended.failed, ended.outputs["verdict"], len(api.comments)) == ("Judge", "LOOSER", 1)


def test_what_is_compared_with_is_fetched_where_a_checkout_is_shallow(workspace: Path, api: GitHub) -> None:
    base = git(workspace, "rev-parse", "HEAD").strip()
    change(workspace / "policies", "engine", "max_position: 15%", "max_position: 16%")
    commit(workspace, "more")
    shallow = workspace.parent / "shallow"
    git(workspace, "clone", "-q", "--depth=1", workspace.as_uri(), str(shallow))
    ended = reviewed(shallow, api, base)
    assert (ended.failed, ended.outputs["verdict"]) == (None, "LOOSER"), ended.printed


def test_recorded_decisions_are_looked_for_where_they_are_said_to_be(workspace: Path, api: GitHub) -> None:
    base = git(workspace, "rev-parse", "HEAD").strip()
    ended = reviewed(workspace, api, base, decisions="no such folder")
    assert (ended.failed, api.comments) == ("Compare", [])
    assert "no such folder" in ended.printed


def test_without_leave_to_comment_the_summary_has_it(workspace: Path, api: GitHub) -> None:
    base = git(workspace, "rev-parse", "HEAD").strip()
    api.refuse = 403
    ended = reviewed(workspace, api, base)
    assert (ended.failed, api.comments) == (None, [])
    assert "::warning::the comment cannot be written (403 " in ended.printed
    assert ended.summary.startswith(f"{MARK}\n## ⚪ Policies: EQUAL\n")


def test_the_first_policies_are_compared_with_nothing(workspace: Path, api: GitHub) -> None:
    git(workspace, "checkout", "-q", "--orphan", "empty")
    git(workspace, "rm", "-q", "-r", "--cached", "policies")
    git(workspace, "commit", "-q", "-m", "no policies")
    base = git(workspace, "rev-parse", "HEAD").strip()
    ended = reviewed(workspace, api, base, fail_on="looser")
    assert (ended.failed, ended.outputs) == (None, {"verdict": "NEW"}), ended.printed
    assert "there is nothing to compare them with" in api.comments[0]["body"]


def test_policies_that_do_not_hold_together_fail_and_are_not_commented_on(workspace: Path, api: GitHub) -> None:
    base = git(workspace, "rev-parse", "HEAD").strip()
    change(workspace / "policies", "engine", "max_position: 15%", "max_position: 16")
    ended = reviewed(workspace, api, base)
    assert (ended.failed, api.comments) == ("Compare", [])
    assert "MQK-1" in ended.printed


def test_the_workflow_uses_the_action_and_nothing_of_others_that_is_not_pinned() -> None:
    files = starter.files()
    workflow = yaml.safe_load(files[Path(".github/workflows/policies.yml")])
    used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert "./.github/actions/policy-review" in used
    assert all(each.startswith("./") or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each) for each in used)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["review"]["permissions"] == {"contents": "read", "pull-requests": "write"}
    # What a pull request writes never stands in a script: it comes by the environment.
    action = yaml.safe_load(files[Path(".github/actions/policy-review/action.yml")])
    assert not [step["name"] for step in action["runs"]["steps"] if "${{" in step["run"]]
