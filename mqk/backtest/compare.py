"""Two finished runs side by side: what they were given, what they did, and where they part.

What lives here: the comparison of two folders. What does not: whether either can be believed (replay.py, promotion).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.artifacts import MANIFEST, NAMES, PROVENANCE
from mqk.backtest.errors import BacktestError
from mqk.backtest.replay import Difference, first_difference

if TYPE_CHECKING:
    from pathlib import Path

# What says which run a line belongs to, and nothing of what happened in it.
_NAMES_OF_RUNS: Final = frozenset({"client_order_id", "fill_id"})
_TABLES: Final = ("orders.csv", "fills.csv", "equity_curve.csv")


@dataclass(frozen=True, slots=True)
class Change:
    """A figure or a setting that the two runs have differently; None on the side that does not have it."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs. `given` are differences of inputs, `figures` of metrics; `parts` says at which row each table parts.

    `same_bytes` is whether every artifact is byte for byte the same, provenance aside.
    """

    names: tuple[str, str]
    given: tuple[Change, ...]
    figures: tuple[Change, ...]
    parts: tuple[Difference, ...]
    same_bytes: bool

    def to_json(self) -> dict[str, Any]:
        """As other tools read it."""
        return {
            "same_bytes": self.same_bytes,
            "runs": list(self.names),
            "given": [{"name": c.name, "before": c.before, "after": c.after} for c in self.given],
            "figures": [{"name": c.name, "before": c.before, "after": c.after} for c in self.figures],
            "parts": [each.to_json() for each in self.parts],
        }


def compare(before: Path, after: Path) -> Comparison:
    """Compare two folders of backtests. Raises BacktestError "run" for a folder that is none."""
    sides = [_read(folder) for folder in (before, after)]
    manifests = [json.loads(side[MANIFEST]) for side in sides]
    for manifest in manifests:
        manifest.pop(PROVENANCE, None)
        manifest.pop("artifacts", None)
    _name_alone(*(manifest.get("others", {}) for manifest in manifests))
    metrics = [json.loads(side["metrics.json"]) for side in sides]
    parts = [each for name in _TABLES if (each := _parting(name, sides[0][name], sides[1][name])) is not None]
    same = manifests[0] == manifests[1] and all(sides[0][name] == sides[1][name] for name in NAMES if name != MANIFEST)
    return Comparison(
        (str(before), str(after)),
        _changes(_flat(manifests[0]), _flat(manifests[1])),
        _changes(_flat(metrics[0]), _flat(metrics[1])),
        tuple(parts),
        same,
    )


def _name_alone(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Leave no more than the hashes of an engine that only one of two desks has: the rest is no change of anything."""
    for name in before.keys() ^ after.keys():
        for others in (before, after):
            if name in others:
                told = others[name]
                hashes = {part: {"sha256": told[part]["sha256"]} for part in ("bundle", "data")}
                others[name] = {"code": told["code"], **hashes}


def _read(folder: Path) -> dict[str, bytes]:
    missing = [name for name in NAMES if not (folder / name).is_file()]
    if missing:
        help_ = "name two folders that `mqk backtest --out` wrote"
        raise BacktestError("run", f"`{folder}` has no `{missing[0]}`", help_)
    return {name: (folder / name).read_bytes() for name in NAMES}


def _parting(name: str, before: bytes, after: bytes) -> Difference | None:
    """The first row that says something else happened; ids carry the name of the run, and say nothing of it."""
    plain = [_without_ids(content) for content in (before, after)]
    return first_difference(name, *plain)


def _without_ids(content: bytes) -> bytes:
    rows = list(csv.reader(io.StringIO(content.decode())))
    if not rows:
        return b""
    kept = [i for i, column in enumerate(rows[0]) if column not in _NAMES_OF_RUNS]
    return "".join(",".join(row[i] for i in kept) + "\n" for row in rows).encode()


def _flat(value: object, path: str = "") -> dict[str, str]:
    return dict(_leaves(value, path))


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if set(value) == {"type", "value"}:
            yield path, str(value["value"])
            return
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        yield path, ", ".join(each if isinstance(each, str) else json.dumps(each, sort_keys=True) for each in value)
    elif value is not None:
        yield path, str(value)


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    names = [*before, *(name for name in after if name not in before)]
    return tuple(
        Change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    )
