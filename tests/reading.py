"""Policies in folders that a test has made: read under the places that files have in them.

A document of the same text at the same place is read once in a process, wherever its folder is; that of a whole copy of
the shipped policies takes longer than most of what is asked of it.
"""

from __future__ import annotations

from pathlib import Path

from mqk.policy import PolicySet, load_policies


def read(folder: Path) -> PolicySet:
    """The policies of a folder, whatever is wrong with them."""
    return load_policies([folder], lambda path: path.relative_to(folder).as_posix())
