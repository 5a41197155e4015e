"""Where the bars of a run came from: files by name and hash, found again by hash, whatever they are called by then.

What lives here: names and hashes of files. What does not: reading bars out of them (mqk.market).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

from mqk.backtest.errors import BacktestError

SAMPLE: Final = "sample"
"""The name of the bars that come with the extra `mqk[demo]`."""

_NAMED: Final = re.compile(r"([A-Z][A-Z0-9.\-]{0,14})=(.+)", re.DOTALL)
_ENDINGS: Final = (".csv", ".csv.gz")


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """A file of bars: a name without any folder of this machine, the symbol it was given, the hash of its bytes."""

    name: str
    symbol: str | None
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """As a manifest holds it."""
        return {"name": self.name, "symbol": self.symbol, "sha256": self.sha256}


def sources_of(paths: Sequence[str | Path], *, sample: Iterable[Path] = ()) -> tuple[Source, ...]:
    """The files behind `--bars`, sorted by name. A relative path is its own name, an absolute one its last part.

    `sample` are files of the sample data, which are named after it. A file that is not there is left to its reader.
    """
    made = {str(path) for path in sample}
    found = []
    for given in paths:
        named = _NAMED.fullmatch(str(given))
        symbol, path = (named[1], Path(named[2])) if named and not Path(given).exists() else (None, Path(given))
        for file in _files(path):
            name = f"{SAMPLE}:{file.name}" if str(given) in made else _name(file)
            if file.is_file():
                found.append(Source(name, symbol, _sha256(file)))
    return tuple(sorted(found, key=lambda each: (each.name, each.symbol or "", each.sha256)))


def find(sources: Sequence[Source], places: Sequence[Path]) -> list[str]:
    """The files with these hashes, wherever in the places they lie, whatever they are called, as `--bars` takes them.

    Raises BacktestError "data" with every source that is nowhere.
    """
    by_name: dict[str, list[Path]] = {}
    files = [file for place in places for file in _files(place, deep=True)]
    for file in files:
        by_name.setdefault(file.name, []).append(file)
    hashes: dict[Path, str] = {}
    found, missing = [], []
    for source in sources:
        # Those of the right name first: hashing all files of a large folder for one of them would take its time.
        likely = by_name.get(PurePath(source.name.rpartition(":")[2]).name, [])
        others = (file for file in files if file not in likely)
        match = next((file for file in (*likely, *others) if _hash_of(file, hashes) == source.sha256), None)
        if match is None:
            missing.append(f"`{source.name}` (SHA-256 {source.sha256[:12]})")
        else:
            found.append(str(match) if source.symbol is None else f"{source.symbol}={match}")
    if missing:
        where = ", ".join(f"`{place}`" for place in places) or "no place"
        help_ = "name the folder that holds the bars of the run by `--data`; files are known by their bytes"
        raise BacktestError("data", f"{where} does not hold {', '.join(missing)}", help_)
    return found


def _hash_of(file: Path, known: dict[Path, str]) -> str:
    if file not in known:
        known[file] = _sha256(file)
    return known[file]


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _files(path: Path, *, deep: bool = False) -> list[Path]:
    if not path.is_dir():
        return [path] if path.is_file() or not deep else []
    inside = path.rglob("*") if deep else path.iterdir()
    return sorted(file for file in inside if file.name.endswith(_ENDINGS) and file.is_file())


def _name(file: Path) -> str:
    # A path from elsewhere in this machine, or from above this folder, says more than a name should.
    pure = PurePath(file)
    return pure.name if pure.is_absolute() or ".." in pure.parts else pure.as_posix()
