"""Policies are found where a word on the command line means: a folder, a file, or a revision, read without filters."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mqk.policy import PolicyError
from mqk.policy.revisions import opened

RISK = "kind: risk\nid: floor\ntitle: {title}\nowner: risk\n"


def git(folder: Path, *arguments: str) -> str:
    told = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", "-C", str(folder), *told, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with policies at its top and elsewhere, changed since its first revision, which is tagged `v1`."""
    root = tmp_path / "desk"
    for folder in ("policies/base", "other"):
        (root / folder).mkdir(parents=True)
        (root / folder / "floor.yaml").write_text(RISK.format(title=f"First of {folder}"))
    git(tmp_path, "init", "--quiet", str(root))
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "first")
    git(root, "tag", "v1")
    (root / "policies/base/floor.yaml").write_text(RISK.format(title="Second"))
    monkeypatch.chdir(root)
    return root


def titles(where: str, **more: Path) -> dict[str, str]:
    with opened(where, **more) as found:
        loaded = found.load()
        assert not loaded.diagnostics
        return {document.file: document.title for document in loaded.documents.values()}


def message_of(where: str, **more: Path) -> str:
    with pytest.raises(PolicyError) as refused, opened(where, **more):
        pass
    (fault,) = refused.value.diagnostics
    return f"{fault.message}: {fault.help}"


@pytest.mark.usefixtures("repository")
def test_a_folder_is_itself_and_a_revision_is_what_was_there() -> None:
    assert titles("policies") == {"policies/base/floor.yaml": "Second"}
    assert titles("v1") == titles("HEAD") == {"policies/base/floor.yaml": "First of policies/base"}
    assert titles("v1:other") == {"other/floor.yaml": "First of other"}
    assert titles("policies/base/floor.yaml") == {"policies/base/floor.yaml": "Second"}


def test_a_path_is_told_from_the_top_or_with_a_dot_from_here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "policies")
    assert titles("v1:policies/base") == titles("v1:./base") == {"policies/base/floor.yaml": "First of policies/base"}
    assert titles("v1:./../other") == titles("v1:other/")


def test_a_revision_alone_means_the_folder_that_it_is_compared_with(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert titles("v1", folder=Path("other")) == {"other/floor.yaml": "First of other"}
    monkeypatch.chdir(tmp_path)
    assert titles("v1", folder=repository / "other") == {"other/floor.yaml": "First of other"}
    assert titles("v1", repository=repository) == {"policies/base/floor.yaml": "First of policies/base"}


def test_a_folder_of_that_name_wins_over_a_revision(repository: Path) -> None:
    (repository / "v1").mkdir()
    (repository / "v1" / "floor.yaml").write_text(RISK.format(title="Of the folder"))
    assert titles("v1") == {"v1/floor.yaml": "Of the folder"}


def test_what_is_neither_is_told_with_both_tried(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no folder, no file and no git revision `v2`" in message_of("v2")
    assert "no folder, no file and no git revision `--all`" in message_of("--all")
    assert "no git revision ``" in message_of("")
    assert "below `none/` at `v1`: write `REVISION:FOLDER`; policy files are below `other`" in message_of("v1:none")
    assert "no policy files below" in message_of("v1:../..")
    monkeypatch.chdir(repository.parent)
    assert "is in no git repository" in message_of("v1")
    monkeypatch.setenv("PATH", "")
    assert "git is not installed" in message_of("v1")


def test_nothing_that_a_repository_says_about_exporting_keeps_a_policy_out(repository: Path) -> None:
    (repository / ".gitattributes").write_text("policies export-ignore\n*.yaml export-subst\n")
    (repository / "policies/base/floor.yaml").write_text(RISK.format(title='"$Format:%H$"'))
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "second")
    assert titles("HEAD") == {"policies/base/floor.yaml": "$Format:%H$"}


def test_links_are_followed_within_the_repository_and_no_further(repository: Path) -> None:
    (repository / "policies/linked.yaml").symlink_to("../other/floor.yaml")
    (repository / "policies/folder.yaml").symlink_to("../other")
    (repository / "policies/base/floor.yaml").unlink()
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "links")
    assert titles("HEAD") == {"policies/linked.yaml": "First of other"}
    (repository / "policies/outside.yaml").symlink_to("/etc/passwd")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "outside")
    assert "`policies/outside.yaml` is a link to something outside of it" in message_of("HEAD")


def test_hidden_files_are_no_policies_and_nothing_is_left_behind(repository: Path) -> None:
    (repository / "policies/.hidden").mkdir()
    (repository / "policies/.hidden/floor.yaml").write_text("not: a policy\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "hidden")
    with opened("HEAD") as found:
        assert not (found.path / ".hidden").exists()
        assert found.label == "HEAD"
    assert not found.path.exists()
