"""The starter set that `mqk init` copies: the shipped policies and schemas, and the templates of mqk.

What lives here: which files there are, and putting them in place, all or none. What does not: their content.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import mqk
from mqk.policy import schemas_dir, shipped_policies_dir

_VERSION: Final = b"@MQK_VERSION@"
_AROUND: Final = (".github", ".gitattributes", ".pre-commit-config.yaml")


def files() -> dict[Path, bytes]:
    """The content of every file of the starter set, by its place in the target."""
    version = mqk.__version__.encode()
    templates = Path(__file__).resolve().parents[1] / "_templates"
    found = {path: content.replace(_VERSION, version) for path, content in _below(templates, Path())}
    found.update(_below(shipped_policies_dir(), Path("policies")))
    found.update(_below(schemas_dir(), Path("schemas")))
    return dict(sorted(found.items()))


def around(wanted: Mapping[Path, bytes]) -> dict[Path, bytes]:
    """Those files of the set that stand around policies: for CI, for pre-commit and for git."""
    return {path: content for path, content in wanted.items() if path.parts[0] in _AROUND}


def has_policies(target: Path) -> bool:
    """Whether somebody's own policies are there already."""
    return any((target / "policies").rglob("*.yaml"))


def taken(target: Path, wanted: Mapping[Path, bytes]) -> list[Path]:
    """What stands in the way: files of the set that exist already, and files where a folder has to be."""
    blocked = {target / path for path in wanted if os.path.lexists(target / path)}
    folders = {target / folder for path in wanted for folder in path.parents}
    return sorted(blocked | {folder for folder in folders if os.path.lexists(folder) and not folder.is_dir()})


def put(target: Path, wanted: Mapping[Path, bytes]) -> None:
    """Write the files into `target`, which is made if need be.

    Raises OSError, FileExistsError for a file that appeared meanwhile; whatever had been written is then gone again.
    """
    with ExitStack() as undo:
        for path, content in wanted.items():
            final = target / path
            for folder in reversed([each for each in final.parents if not each.exists()]):
                folder.mkdir()
                undo.callback(folder.rmdir)
            with final.open("xb") as file:
                undo.callback(final.unlink)
                file.write(content)
        undo.pop_all()


def _below(folder: Path, place: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield place / path.relative_to(folder), path.read_bytes()
