"""What `mqk init` sets up around policies: git shows what they mean, and a commit that spoils them does not happen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mqk.cli import starter
from mqk.cli.main import main
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


def test_a_file_that_is_no_policy_is_shown_as_it_is(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    broken = tmp_path / "risk.yaml"
    broken.write_bytes(b"kind: risk\n\tid: [\n\xff\n")
    assert main(["policy", "textconv", str(broken)]) == 0
    assert capfdbinary.readouterr().out == broken.read_bytes()


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


def test_the_hooks_for_other_repositories_are_whole_and_the_same(tmp_path: Path) -> None:
    manifest = ROOT / ".pre-commit-hooks.yaml"
    git(tmp_path, "init", "-q")
    checked = pre_commit(tmp_path, "validate-manifest", str(manifest))
    assert checked.returncode == 0, checked.stdout
    hooks = yaml.safe_load(manifest.read_text("utf-8"))
    own = yaml.safe_load(starter.files()[Path(".pre-commit-config.yaml")])["repos"][0]["hooks"]
    # Those that were run in the test above.
    assert [(each["id"], f"{each['entry']} {' '.join(each['args'])}") for each in hooks] == [
        (each["id"], each["entry"]) for each in own
    ]
