"""What `mqk init` sets up around policies: git shows what they mean, and a commit that spoils them does not happen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.analysis.assess.desk import change
from tests.desk.repository import WHO, environment, git, repository

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def desk_repository(tmp_path: Path) -> Path:
    return repository(tmp_path)


def test_git_shows_a_value_that_changed_with_its_path_and_no_layout(desk_repository: Path) -> None:
    risk = desk_repository / "policies" / "risk.yaml"
    text = risk.read_text("utf-8")
    first, second = text.index("  - id: CAP-01"), text.index("  - id: LOSS-01")
    # The rules change places, a comment comes, a value is written another way: nothing of it means anything.
    risk.write_text(text[:first] + text[second:] + "\n  # a comment\n" + text[first:second], "utf-8")
    change(desk_repository / "policies", "risk", "daily_loss: 2%", "daily_loss: 2.0%")
    assert git(desk_repository, "diff", "--stat") != ""
    assert git(desk_repository, "diff") == ""
    change(desk_repository / "policies", "risk", "limits.daily_loss of", "3 * limits.daily_loss of")
    changed = [line for line in git(desk_repository, "diff", "-U0").splitlines() if line[:1] in "+-"]
    says = "rules[LOSS-01].require: account.day_start_equity - account.equity <"
    of = "limits.daily_loss of account.day_start_equity"
    assert changed[2:] == [f"-{says} {of}", f"+{says} 3 * {of}"]


def test_a_file_that_is_no_policy_is_shown_as_it_is(desk_repository: Path) -> None:
    broken = desk_repository / "policies" / "risk.yaml"
    broken.write_bytes(b"kind: risk\n\tid: [\n\xff\n")
    assert "+\tid: [" in subprocess.run(
        ["git", "-C", str(desk_repository), "diff"], capture_output=True, check=True, env=environment(desk_repository)
    ).stdout.decode("utf-8", "replace")


def pre_commit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("pre-commit"))
    env = environment(folder) | {"PRE_COMMIT_HOME": str(folder / ".git" / "hooks-cache")}
    return subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False, env=env)


def test_the_hooks_let_sound_policies_pass_and_stop_a_commit_that_spoils_them(desk_repository: Path) -> None:
    assert pre_commit(desk_repository, "install").returncode == 0
    sound = pre_commit(desk_repository, "run", "--all-files")
    assert (sound.returncode, sound.stdout.count("Passed")) == (0, 3), sound.stdout + sound.stderr
    change(desk_repository / "policies", "risk", "otherwise: deny", "otherwise: dany")
    git(desk_repository, "add", "-A")
    refused = subprocess.run(
        ["git", "-C", str(desk_repository), *WHO, "commit", "-m", "spoilt"],
        capture_output=True, text=True, check=False, env=environment(desk_repository),
    )  # fmt: skip
    assert refused.returncode == 1
    assert "did you mean `deny`" in refused.stdout + refused.stderr


def test_the_hooks_for_other_repositories_are_whole_and_run(desk_repository: Path) -> None:
    manifest = ROOT / ".pre-commit-hooks.yaml"
    assert pre_commit(desk_repository, "validate-manifest", str(manifest)).returncode == 0
    hooks = yaml.safe_load(manifest.read_text("utf-8"))
    assert [each["id"] for each in hooks] == ["mqk-policy-fmt", "mqk-policy-check", "mqk-policy-test"]
    # The mqk under test stands for the one that pre-commit would install.
    local = [{**each, "language": "system"} for each in hooks if each["id"] != "mqk-policy-fmt"]
    config = desk_repository / ".pre-commit-config.yaml"
    config.write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": local}]}), "utf-8")
    git(desk_repository, "add", "-A")
    ended = pre_commit(desk_repository, "run", "--all-files")
    assert (ended.returncode, ended.stdout.count("Passed")) == (0, 2), ended.stdout + ended.stderr
