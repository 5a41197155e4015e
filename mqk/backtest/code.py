"""Which code a run was made by: a hash over the sources of mqk and of the strategies that a policy names.

What lives here: the hash. What does not: judging by it (mqk.promotion).
"""

from __future__ import annotations

import hashlib
from functools import cache
from inspect import getsourcefile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import mqk
from mqk.strategies import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mqk.policy import Bundle

_OURS: Final = Path(mqk.__file__).resolve().parent


def code_sha256(bundle: Bundle) -> str:
    """The hash of all that decides what a bundle does: equal exactly when every line of it is.

    Raises StrategyError for a strategy that is not installed.
    """
    registry = Registry.installed()
    digest = hashlib.sha256(_package().encode())
    for name in sorted({spec.id for spec in bundle.strategies}):
        source = getsourcefile(registry.strategy(name))
        digest.update(f"{name}\0".encode())
        if source is not None and not Path(source).resolve().is_relative_to(_OURS):
            digest.update(Path(source).read_bytes())
    return digest.hexdigest()


@cache
def _package() -> str:
    """The hash of mqk itself, wherever it is installed."""
    return _hash((path.relative_to(_OURS).as_posix(), path.read_bytes()) for path in sorted(_OURS.rglob("*.py")))


def _hash(files: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
