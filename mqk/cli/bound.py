"""From the arguments of a command to an engine with its policies: loaded, layered and compiled.

What lives here: the steps that every command takes before its own work. What does not: what each step means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from mqk.analysis.soundness import refuse_loosening
from mqk.guards import GuardSet, compile_bundle
from mqk.policy import Bundle, PolicySet, effective_bundle, load_policies, shipped_policies_dir
from mqk.policy.documents import SUFFIXES
from mqk.policy.packing import load_laid_out, unpacked

_OWN: Final = Path("policies")


@dataclass(frozen=True, slots=True)
class Bound:
    """An engine with everything that binds it."""

    policies: PolicySet
    bundle: Bundle
    guards: GuardSet


def policies_at(given: Path | None) -> Path:
    """The policies meant: those given, those in the current folder, or those that come with mqk."""
    if given is not None:
        return given
    return _OWN if _OWN.is_dir() else shipped_policies_dir()


def load(path: Path) -> PolicySet:
    """The policies of a file or folder, or of a bundle file that those who have to have signed."""
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        with unpacked(path) as folder:
            return load_laid_out(folder)
    return load_policies([path])


def bind(policies: Path | None, engine: str, *, as_of: date | None, overlays: Sequence[str] = ()) -> Bound:
    """An engine's compiled policies on a day. Raises PolicyError with everything that is in the way."""
    loaded = load(policies_at(policies))
    bundle = effective_bundle(loaded, engine, as_of=as_of, overlays=overlays)
    guards = compile_bundle(bundle)
    refuse_loosening(bundle)
    return Bound(loaded, bundle, guards)
