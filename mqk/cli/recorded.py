"""Finding a recorded decision: in the database, or in the audit file of a backtest.

What lives here: the record, and the policies it was made under where they are at hand. What does not: what is told of
it (why.py, policy_whatif.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from mqk.cli.bound import Bound, bind
from mqk.cli.exits import Exit, Failure
from mqk.guards import Moment, Point, read_facts
from mqk.policy import PolicyError
from mqk.quantity import format_instant, parse_date

_AUDIT: Final = "audit.jsonl"
_MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as it was kept, with what its policies were bound with: a day, and overlays."""

    found: dict[str, Any]
    as_of: date | None
    overlays: tuple[str, ...] = ()

    @property
    def point(self) -> Point:
        """Where it was made."""
        return Point(self.found["point"])

    def bound(self, policies: Path | None) -> Bound:
        """The policies at hand, bound as they were for the decision. Raises PolicyError."""
        return bind(policies, self.found["engine"], as_of=self.as_of, overlays=self.overlays)

    def same(self, policies: Path | None) -> Bound | None:
        """The policies of the decision; None when those at hand are others, or are none."""
        try:
            bound = self.bound(policies)
        except PolicyError:
            return None
        return bound if bound.bundle.sha256 == self.found["bundle"] else None

    def moment(self, bound: Bound) -> Moment:
        """The moment that was recorded."""
        return read_facts(self.found["facts"], bound.guards, self.point)


def recorded(decision_id: str, data_dir: Path, run_dir: Path | None) -> Recorded:
    """A decision by its id, or by its line in an audit file. Raises Failure when there is none."""
    return _in_database(decision_id, data_dir) if run_dir is None else _in_audit(decision_id, run_dir)


def _in_database(decision_id: str, data_dir: Path) -> Recorded:
    # A backtest's decisions are explained without a database, and without the time it takes to import one.
    from mqk.cli.database import reading  # noqa: PLC0415
    from mqk.store import decisions, runs  # noqa: PLC0415

    with reading(data_dir) as connection:
        record = decisions.get(connection, decision_id)
        if record is None:
            help_ = "`mqk run status RUN_ID` names some; `--run-dir` looks into a backtest"
            raise Failure(f"there is no decision `{decision_id}`", help_)
        run = runs.get(connection, record.run_id)
        found = {
            "decision_id": record.decision_id,
            "at": format_instant(record.at),
            "run_id": str(record.run_id),
            "engine": "" if run is None else run.engine_id,
            "point": record.point,
            "outcome": record.outcome,
            "symbol": record.facts.get("order.symbol"),
            "findings": record.findings,
            "bundle": record.bundle_sha256,
            "facts": record.facts,
        }
        # A run trades under the rules of the day on which it was made.
        return Recorded(found, None if run is None else parse_date(format_instant(run.created_at)[:10]))


def _in_audit(wanted: str, run_dir: Path) -> Recorded:
    """The decision on a line of the audit file, or the first one that a rule brought about."""
    for line in _lines(run_dir / _AUDIT):
        data = line["data"]
        made = data.get("decision") or (data if "findings" in data else None)
        if made is None:
            if wanted == str(line["seq"]):
                raise Failure(f"line {wanted} of the audit is `{line['kind']}`, and carries no decision")
            continue
        if wanted in (str(line["seq"]), *_deciding(made)):
            found = {"decision_id": str(line["seq"]), "at": line["at"], "symbol": data.get("symbol"), **made}
            return Recorded(found, *_bound_with(run_dir))
    raise Failure(f"no decision `{wanted}` in `{run_dir / _AUDIT}`", "give a line's number, or the id of a rule")


def _bound_with(run_dir: Path) -> tuple[date | None, tuple[str, ...]]:
    """The day and the overlays that a backtest's policies were bound with; neither, where its manifest is gone."""
    try:
        manifest = json.loads((run_dir / _MANIFEST).read_bytes())["bundle"]
        return None if manifest["as_of"] is None else parse_date(manifest["as_of"]), tuple(manifest["overlays"])
    except (OSError, ValueError, KeyError):
        return None, ()


def _deciding(made: dict[str, Any]) -> list[str]:
    return [finding["rule"] for finding in made["findings"] if finding["outcome"] == made["outcome"]]


def _lines(audit: Path) -> Iterator[dict[str, Any]]:
    try:
        with audit.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as fault:
                    raise Failure(f"line {number} of `{audit}` is not JSON: {fault.msg.lower()}") from fault
    except OSError as fault:
        message = f"`{audit}` cannot be read: {(fault.strerror or 'unknown reason').lower()}"
        raise Failure(message, "`--run-dir` is the `--out` of a backtest", code=Exit.BAD_INPUT) from fault
