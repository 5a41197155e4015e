"""Recorded decisions read as evidence: audit files of backtests, `decisions.parquet`, the database of runs.

What lives here: finding and reading records, between two instants. What does not: what they add up to
(mqk.analysis.assess).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mqk.analysis.assess import Counter, Evidence, Firing, Source
from mqk.backtest.audit import verify_audit
from mqk.cli.exits import Failure
from mqk.quantity import QuantityError, parse_instant

AUDIT: Final = "audit.jsonl"
DECISIONS: Final = "decisions.parquet"
_MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Between:
    """The instants that count, in epoch micros: from `start` (None: from ever) to before `end`."""

    start: int | None
    end: int

    def has(self, at: int) -> bool:
        """Whether an instant counts."""
        return (self.start is None or self.start <= at) and at < self.end


def read_records(where: Path, between: Between, evidence: Evidence) -> None:
    """Add what a file, or a folder with all that is below it, tells. Of two records of one run the audit is read.

    Raises Failure when there is no record at all.
    """
    found = list(_records(where))
    if not found:
        help_ = f"give the `--out` of a backtest, a folder of them, or a file `{AUDIT}` or `{DECISIONS}`"
        raise Failure(f"`{where}` holds no recorded decisions", help_)
    for path in found:
        (_read_audit if path.suffix == ".jsonl" else _read_parquet)(path, between, evidence)


def _records(where: Path) -> Iterator[Path]:
    if where.is_file():
        if where.suffix in (".jsonl", ".parquet"):
            yield where
        return
    audits = sorted(where.rglob(AUDIT))
    told = {path.parent for path in audits}
    yield from audits
    yield from (path for path in sorted(where.rglob("*.parquet")) if path.is_file() and path.parent not in told)


def _read_audit(path: Path, between: Between, evidence: Evidence) -> None:
    content = path.read_bytes()
    wrong = verify_audit(content)
    if wrong is not None:
        evidence.unread.append(f"`{path.as_posix()}` is not as it was written, and was left out: {wrong}")
        return
    name, counters = path.as_posix(), dict[tuple[str, str], Counter]()
    whose = _engine_of(path.parent / _MANIFEST)
    bundle = ""
    try:
        for line in content.splitlines():
            record = json.loads(line)
            data, at = record["data"], parse_instant(record["at"])
            if record["kind"] == "start":
                bundle = data["bundle"]
            made = data if "findings" in data else data.get("decision")
            engine = made["engine"] if made else whose
            if engine is None:
                continue
            if not between.has(at):
                evidence.outside += made is not None or record["kind"] == "submit"
                continue
            key = (engine, made["bundle"] if made else bundle)
            counter = counters.setdefault(key, Counter(name, "backtest", *key))
            if made:
                counter.add(evidence, at, made["point"], f"{name}:{record['seq']}", made["findings"])
            elif record["kind"] == "submit":
                counter.add(evidence, at, "order", f"{name}:{record['seq']}", ())
            elif record["kind"] == "refused_again":
                again = [{"rule": rule, "result": "", "enforcement": "block"} for rule in data["rules"]]
                counter.add(evidence, at, "order", f"{name}:{record['seq']}", again, data["times"])
    except (KeyError, TypeError, ValueError, QuantityError) as fault:
        evidence.unread.append(f"`{name}` is no audit of this mqk, and was left out from some line on: {fault}")
    evidence.sources += (counter.source() for counter in counters.values())


def _engine_of(manifest: Path) -> str | None:
    try:
        return str(json.loads(manifest.read_bytes())["bundle"]["content"]["engine"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read_parquet(path: Path, between: Between, evidence: Evidence) -> None:
    import pyarrow as pa  # noqa: PLC0415 - only those who have such files pay for it
    import pyarrow.parquet as pq  # noqa: PLC0415

    wanted = ["decision_id", "engine", "bundle", "point", "at", "outcome", "deciding"]
    name, counters = path.as_posix(), dict[tuple[str, str], Counter]()
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=wanted):
                micros = batch.column("at").cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
                for row, at in zip(batch.drop_columns(["at"]).to_pylist(), micros, strict=True):
                    if not between.has(at):
                        evidence.outside += 1
                    else:
                        key = (row["engine"], row["bundle"])
                        counter = counters.setdefault(key, Counter(name, "decisions", *key, deciding_only=True))
                        counter.add(evidence, at, row["point"], row["decision_id"], _deciding(row))
    except (OSError, KeyError, ValueError, pa.ArrowException) as fault:
        evidence.unread.append(f"`{name}` holds no decisions of this mqk, and was left out: {fault}")
        return
    evidence.sources += (counter.source() for counter in counters.values())


def _deciding(row: Mapping[str, Any]) -> list[dict[str, str]]:
    """The rules that decided; whether in breach or in error is not kept there."""
    return [{"rule": rule, "result": "", "enforcement": "block"} for rule in row["deciding"] or ()]


def read_database(data_dir: Path, between: Between, evidence: Evidence) -> None:
    """Add what the runs of the database tell. Raises DatabaseUnavailable when there is none."""
    from mqk.cli.database import reading  # noqa: PLC0415 - only those who ask it pay for the database
    from mqk.store import evidence as kept  # noqa: PLC0415

    with reading(data_dir) as connection:
        evidence.outside += kept.outside(connection, between.start, between.end)
        for run in kept.decided(connection, between.start, between.end):
            evidence.sources.append(
                Source(
                    name=f"run {run.run_id}",
                    kind=f"{run.mode.lower()} run",
                    engine=run.engine_id,
                    bundle=run.bundle,
                    decisions=run.decisions,
                    points=run.points,
                    first=run.first,
                    last=run.last,
                )
            )
        for each in kept.fired(connection, between.start, between.end):
            firing = Firing(each.fired, each.errors, each.shadowed, each.last, each.decision_id, f"run {each.run_id}")
            evidence.fired(each.engine_id, each.rule, firing)
