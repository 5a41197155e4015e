"""Where policies are read from: a folder or a file as it lies there, a bundle, or a revision in a git repository.

What lives here: finding the files that a word on the command line means. What does not: reading policies
(documents.py), what a bundle file is and whether it is trusted (packing.py).

Files of a revision are taken from git's own objects and not through its attributes or filters: what a revision says
must not depend on what the repository says about exporting it.
"""

from __future__ import annotations

import os
import posixpath
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

from mqk.policy.diagnostics import PolicyError, Span, error, listed, quoted, shown_path
from mqk.policy.documents import SUFFIXES, PolicySet, load_policies

# Where a revision keeps its policies, when nothing else is said.
USUAL: Final = Path("policies")


@dataclass(frozen=True, slots=True)
class Opened:
    """Policies that can be read: where they lie now, how they were asked for, and what their places are told from."""

    path: Path
    label: str
    root: Path | None = None

    def shown(self, path: Path) -> str:
        """A path as people see it: within the repository for a revision, from the current folder otherwise."""
        return shown_path(path) if self.root is None else path.relative_to(self.root).as_posix()

    def load(self) -> PolicySet:
        """The policies, with all that is wrong with them."""
        return load_policies([self.path], shown=self.shown)


@contextmanager
def opened(where: str, repository: Path | None = None, folder: Path = USUAL) -> Iterator[Opened]:
    """The policies that `where` means, readable until this ends.

    `where` is a folder, a file of policies, a signed bundle of them, or a git revision: `REV` for `folder` as it was
    then, `REV:path` for another one, told from the top of the repository or, as `REV:./path`, from the current folder.
    `repository` is a folder in it (None: the one in which `folder` lies). What exists as a folder or file is that.
    Raises PolicyError when it is nothing of all this.
    """
    path = Path(where)
    if where and path.is_file() and not where.lower().endswith(SUFFIXES):
        from mqk.policy.packing import unpacked  # noqa: PLC0415 - only bundle files pay for signatures

        with unpacked(path) as laid_out:
            yield Opened(laid_out, where, laid_out.parent)
        return
    if where and path.exists():
        yield Opened(path, where)
        return
    revision, colon, inside = where.partition(":")
    start = repository or (folder if folder.is_dir() else Path.cwd())
    commit = _commit(start, revision, where)
    top = Path(_asked(start, "rev-parse", "--show-toplevel"))
    if not colon:
        inside = _within(folder, top)
    elif inside.startswith(("./", "../")):
        inside = posixpath.join(_within(Path.cwd(), top), inside)
    with TemporaryDirectory(prefix="mqk-") as temporary:
        root = Path(temporary).resolve()
        yield Opened(_extracted(top, commit, posixpath.normpath(inside or "."), root, where), where, root)


def last_before(day: date, folder: Path = USUAL) -> str | None:
    """The revision that `folder` stood at when a day began (UTC); None when there was none, or there is no git."""
    try:
        said = _asked(folder, "rev-list", "-1", f"--before={day.isoformat()}T00:00:00Z", "HEAD")
    except FileNotFoundError:
        return None
    return said or None


def day_of(revision: str, folder: Path = USUAL) -> date:
    """The day (UTC) on which a revision was committed. Raises PolicyError when there is no such revision."""
    said = _asked(folder, "show", "--no-patch", "--format=%ct", _commit(folder, revision, revision))
    return datetime.fromtimestamp(int(said), tz=UTC).date()


def _within(folder: Path, top: Path) -> str:
    """A folder as the repository knows it; one that lies elsewhere is looked for under its name at the top."""
    absolute = folder.resolve()
    return absolute.relative_to(top.resolve()).as_posix() if absolute.is_relative_to(top.resolve()) else folder.name


def _commit(start: Path, revision: str, where: str) -> str:
    """The commit that a revision names."""
    try:
        done = _git(start, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except FileNotFoundError:
        raise _nothing(where, "git is not installed, so that it was not looked for as a revision") from None
    if not revision or done.returncode:
        within = _git(start, "rev-parse", "--git-dir").returncode == 0
        raise _nothing(where, None if within else f"{quoted(shown_path(start))} is in no git repository")
    return done.stdout.decode().strip()


def _nothing(where: str, why: str | None) -> PolicyError:
    message = f"there is no folder, no file and no git revision {quoted(where)}"
    help_ = "check the spelling; a revision that lies elsewhere is fetched first"
    return PolicyError([error("MQK-1018", message, Span.nowhere(where), why or help_)])


def _extracted(top: Path, commit: str, folder: str, root: Path, where: str) -> Path:
    """The policy files of a folder at a commit, written below `root`; the folder there."""
    at = "" if folder == "." else f"{folder}/"
    listed_ = [] if folder.startswith("..") else _entries(top, commit, at)
    names = [name for name in listed_ if _is_policy(PurePosixPath(name[len(at) :]))]
    if not names:
        tops = sorted({name.partition("/")[0] for name in _entries(top, commit, "") if _is_policy(PurePosixPath(name))})
        message = f"there are no policy files below {quoted(at or './')} at {quoted(where.partition(':')[0])}"
        help_ = f"write `REVISION:FOLDER`; policy files are below {listed(tops, 'and')}" if tops else None
        raise PolicyError([error("MQK-1018", message, Span.nowhere(where), help_)])
    for name, content in zip(names, _contents(top, commit, names), strict=True):
        if content is None:
            continue  # a link to a folder, which is not followed on disk either
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root / folder


def _entries(top: Path, commit: str, at: str) -> list[str]:
    """Every file below a folder at a commit, by its path from the top of the repository."""
    paths = ["--", at] if at else []
    said = _git(top, "--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", "--name-only", commit, *paths)
    return [os.fsdecode(name) for name in said.stdout.split(b"\0") if name]


def _is_policy(path: PurePosixPath) -> bool:
    # Hidden files and folders are no policies, as on disk.
    return path.name.lower().endswith(SUFFIXES) and not any(part.startswith(".") for part in path.parts)


def _contents(top: Path, commit: str, names: Sequence[str]) -> Iterator[bytes | None]:
    """What files hold, links within the repository followed; None for a link to a folder."""
    for name in names:
        if "\n" in name:
            raise _unread(name, commit, "has a line break in its name")
    asked = b"".join(os.fsencode(f"{commit}:{name}\n") for name in names)
    told = _git(top, "cat-file", "--batch", "--follow-symlinks", given=asked).stdout
    at = 0
    for name in names:
        end = told.index(b"\n", at)
        kind, _, size = told[at:end].rpartition(b" ")
        if not size.isdigit() or kind.split(b" ")[-1] not in (b"blob", b"tree"):
            raise _unread(name, commit, "is a link to something outside of it")
        content = told[end + 1 : end + 1 + int(size)]
        at = end + 1 + int(size) + 1
        yield content if kind.endswith(b"blob") else None


def _unread(name: str, commit: str, why: str) -> PolicyError:
    return PolicyError([error("MQK-1018", f"`{name}` {why} at {commit[:12]}", Span.nowhere(name))])


def _asked(start: Path, *arguments: str) -> str:
    return os.fsdecode(_git(start, *arguments).stdout).rstrip("\n")


def _git(start: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    folder = start if start.is_dir() else start.parent
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],  # noqa: S607 - the git that people use is the one on their path
        input=given,
        capture_output=True,
        check=False,
    )
