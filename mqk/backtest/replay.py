"""A finished run made again from its manifest, and held against what it left behind, byte for byte.

What lives here: the manifest read back, the run repeated, the first difference of two files. What does not: finding
files of bars (sources.py) and reading them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.artifacts import KIND, MANIFEST, PROVENANCE, REPORT, STRESS
from mqk.backtest.battery import gathered, shifted
from mqk.backtest.code import code_sha256
from mqk.backtest.desk import run_desk
from mqk.backtest.errors import BacktestError
from mqk.backtest.host import host_fingerprint
from mqk.backtest.inputs import RunInput
from mqk.backtest.sources import Source
from mqk.guards import compile_bundle
from mqk.market import Bar, data_sha256
from mqk.policy.restored import restored_bundle
from mqk.quantity import parse_date, parse_instant

if TYPE_CHECKING:
    from pathlib import Path

    from mqk.policy import Bundle

_WIDTH: Final = 100
_HELP: Final = "name the folder that `mqk backtest --out` wrote"


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two files first differ: the line (from 1), or the byte (from 0) where they are no text, and both sides."""

    file: str
    place: str
    recorded: str
    replayed: str

    def __str__(self) -> str:
        return f"{self.file}, {self.place}: recorded {self.recorded}, replayed {self.replayed}"

    def to_json(self) -> dict[str, str]:
        """As other tools read it."""
        return {"file": self.file, "place": self.place, "recorded": self.recorded, "replayed": self.replayed}


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a replay: every file that differs, at its first difference; `notes` say what may be behind it."""

    run_id: str
    engine: str
    bars: int
    files: tuple[str, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every byte is what it was."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """As other tools read it."""
        return {
            "same": self.same,
            "run_id": self.run_id,
            "engine": self.engine,
            "bars": self.bars,
            "files": list(self.files),
            "differences": [each.to_json() for each in self.differences],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run's folder as far as it is needed to run it again. `others` are the engines that it took turns with."""

    folder: Path
    manifest: Mapping[str, Any]
    bundle: Bundle
    sources: tuple[Source, ...]
    others: tuple[Seated, ...]

    @property
    def host(self) -> Mapping[str, str]:
        """The fingerprint of the machine that made it."""
        found: Mapping[str, str] = self.manifest[PROVENANCE]["host"]
        return found

    @property
    def bars(self) -> int:
        """How many bars are played to make it again, those of the other engines included."""
        return sum(int(data["bars"]) for data in (self.manifest["data"], *(other.data for other in self.others)))

    def chosen(self, bars: Sequence[Bar]) -> list[Bar]:
        """The bars of the run among those of its files. Raises BacktestError "data" when they do not add up to it."""
        return _chosen(self.manifest["data"], bars)

    def inputs(self, chosen: Sequence[Bar], others: Mapping[str, Sequence[Bar]]) -> list[RunInput]:
        """The run on its own bars, and the engines that it took turns with on theirs, among bars given by engine."""
        given = [(self.bundle, chosen), *((o.bundle, _chosen(o.data, others[o.bundle.engine])) for o in self.others)]
        return [RunInput.of(compile_bundle(bundle), theirs) for bundle, theirs in given]


@dataclass(frozen=True, slots=True)
class Seated:
    """Another engine of the desk, as a manifest names it."""

    bundle: Bundle
    data: Mapping[str, Any]
    code: str


def _chosen(data: Mapping[str, Any], bars: Sequence[Bar]) -> list[Bar]:
    first, last = parse_instant(data["first"]), parse_instant(data["last"])
    symbols, timeframes = set(data["symbols"]), set(data["timeframes"])
    kept = [b for b in bars if first <= b.end <= last and b.symbol in symbols and b.timeframe in timeframes]
    if data_sha256(kept) != data["sha256"]:
        count = "" if len(kept) == data["bars"] else f": they are {len(kept):,}, and it had {data['bars']:,}"
        message = f"these bars are not those of the run{count}"
        raise BacktestError("data", message, "give the files that it was made on, and no others, by `--data`")
    return kept


def read_run(folder: Path) -> Recorded:
    """A run's folder. Raises BacktestError "run" when it is none, and PolicyError when its policy cannot be bound."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise BacktestError("run", f"`{folder}` has no `{MANIFEST}`", _HELP) from None
    except ValueError:
        raise BacktestError("run", f"`{folder}/{MANIFEST}` is not JSON", _HELP) from None
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise BacktestError("run", f"`{folder}/{MANIFEST}` is no backtest's", _HELP)
    try:
        sources = tuple(
            Source(each["name"], each["symbol"], each["sha256"]) for each in manifest[PROVENANCE]["sources"]
        )
        bundle = _bundle(manifest["bundle"])
        others = tuple(
            Seated(_bundle(other["bundle"]), other["data"], other["code"]) for other in manifest["others"].values()
        )
    except (AttributeError, KeyError, TypeError) as fault:
        message = f"`{folder}/{MANIFEST}` does not say all that a replay needs"
        help_ = "it was written by an earlier version of mqk: run the backtest again"
        raise BacktestError("run", message, help_) from fault
    return Recorded(folder, manifest, bundle, sources, others)


def _bundle(told: Mapping[str, Any]) -> Bundle:
    as_of = None if told["as_of"] is None else parse_date(told["as_of"])
    return replace(restored_bundle(told["content"]), as_of=as_of, overlays=tuple(told["overlays"]))


def replay(
    run: Recorded,
    bars: Sequence[Bar],
    *,
    others: Mapping[str, Sequence[Bar]] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Replay:
    """Run it again on its bars, under the policy of its manifest, and compare all files.

    The engines that it took turns with are run beside it, on the same bars or those of `others`, by engine.

    Raises BacktestError "data" for other bars, and StrategyError for strategies that are not installed.
    """
    chosen, engine = run.chosen(bars), run.bundle.engine
    under = {folder.name: read_run(folder) for folder in _stresses(run.folder)}
    named = [other.bundle.engine for each in (run, *under.values()) for other in each.others]
    theirs = dict.fromkeys(named, bars) | dict(others or {})
    again: dict[str, dict[str, bytes]] = {}
    done, total = 0, sum(each.bars for each in (run, *under.values()))
    for name, each in {"": run, **under}.items():
        ran = run_desk(
            each.inputs(chosen, theirs),
            on_progress=shifted(on_progress, done, total),
            sources=each.sources,
            machines={engine: each.host},
        )
        done += each.bars
        again[name] = ran[engine][1]
    files = gathered(again.pop(""), again, chosen)
    if run.folder.resolve().parent.name == STRESS:
        # There is one report, on a run and all its stresses.
        del files[REPORT]
    differences = []
    for name, content in files.items():
        try:
            recorded = (run.folder / name).read_bytes()
        except FileNotFoundError:
            differences.append(Difference(name, "the whole file", "nothing", f"{len(content):,} bytes"))
            continue
        found = first_difference(name, recorded, content)
        if found is not None:
            differences.append(found)
    return Replay(run.manifest["run_id"], run.bundle.engine, len(chosen), tuple(files), tuple(differences), _notes(run))


def _stresses(folder: Path) -> list[Path]:
    place = folder / STRESS
    return sorted(each for each in place.iterdir() if each.is_dir()) if place.is_dir() else []


def first_difference(name: str, recorded: bytes, replayed: bytes) -> Difference | None:
    """The first line, or byte where there are no lines, in which two contents differ; None when they are the same."""
    if recorded == replayed:
        return None
    if name.endswith(".parquet"):
        at = next((i for i, (a, b) in enumerate(zip(recorded, replayed, strict=False)) if a != b), None)
        at = min(len(recorded), len(replayed)) if at is None else at
        sides = [content[at : at + 8].hex() or "nothing" for content in (recorded, replayed)]
        return Difference(name, f"byte {at}", *sides)
    before, after = recorded.splitlines(), replayed.splitlines()
    for number, (one, other) in enumerate(zip(before, after, strict=False), 1):
        if one != other:
            return Difference(name, f"line {number}", *_shown(one, other))
    if len(before) == len(after):
        return Difference(name, "the end", *(_text(content[-1:]) for content in (recorded, replayed)))
    number = min(len(before), len(after)) + 1
    sides = [_text(lines[number - 1]) if len(lines) >= number else "nothing" for lines in (before, after)]
    return Difference(name, f"line {number}", *sides)


def _shown(one: bytes, other: bytes) -> tuple[str, str]:
    """Two lines around the first character in which they differ."""
    first, second = one.decode(errors="replace"), other.decode(errors="replace")
    at = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
    start = max(at - _WIDTH // 2, 0)
    return _cut(first, start), _cut(second, start)


def _cut(text: str, start: int) -> str:
    head, tail = "…" if start else "", "…" if len(text) > start + _WIDTH else ""
    return f"`{head}{text[start : start + _WIDTH]}{tail}`"


def _text(line: bytes) -> str:
    return _cut(line.decode(errors="replace"), 0)


def _notes(run: Recorded) -> tuple[str, ...]:
    """What is not as it was when the run was made."""
    notes = []
    made_by = [(run.manifest["code"], run.bundle), *((other.code, other.bundle) for other in run.others)]
    if any(code != code_sha256(bundle) for code, bundle in made_by):
        notes.append("the code is not the one that made the run: mqk or a strategy has changed since")
    here = host_fingerprint()
    notes += [
        f"the run was made with {name} `{before}`, and this is `{here.get(name, 'nothing')}`"
        for name, before in run.host.items()
        if name != "sha256" and before != here.get(name)
    ]
    return tuple(notes)
