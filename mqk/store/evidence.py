"""What the decisions of all runs add up to: how many there are of each run, and how often each rule stood against one.

Added up in the database, so that a long history costs one row a rule. One decision alone is decisions.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, BigInteger, Text, text

from mqk.store.values import EpochMicros, instant

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

# 1900-01-01: where no start is given, before anything that was recorded.
_EARLIEST: Final = -2_208_988_800_000_000
_RUNS = text("""
SELECT r.run_id, r.engine_id, r.mode, d.bundle_sha256 AS bundle, count(*) AS decisions,
       array_agg(DISTINCT d.point ORDER BY d.point) AS points, min(d.at) AS first, max(d.at) AS last
FROM decisions d JOIN runs r USING (run_id)
WHERE d.at >= :start AND d.at < :end
GROUP BY r.run_id, r.engine_id, r.mode, d.bundle_sha256
ORDER BY min(d.at), r.run_id, d.bundle_sha256
""").columns(decisions=BigInteger, points=ARRAY(Text), first=EpochMicros, last=EpochMicros)
_OUTSIDE = text("SELECT count(*) FROM decisions WHERE at < :start OR at >= :end")
_RULES = text("""
SELECT r.engine_id, finding ->> 'rule' AS rule, r.run_id, count(*) AS fired,
       count(*) FILTER (WHERE finding ->> 'result' = 'ERROR') AS errors,
       count(*) FILTER (WHERE finding ->> 'enforcement' = 'shadow') AS shadowed,
       max(d.at) AS last, (array_agg(d.decision_id ORDER BY d.at DESC, d.decision_id DESC))[1] AS decision_id
FROM decisions d JOIN runs r USING (run_id), jsonb_array_elements(d.findings) AS finding
WHERE finding ->> 'result' <> 'PASS' AND d.at >= :start AND d.at < :end
GROUP BY r.engine_id, finding ->> 'rule', r.run_id
ORDER BY r.engine_id, finding ->> 'rule', max(d.at), r.run_id
""").columns(fired=BigInteger, errors=BigInteger, shadowed=BigInteger, last=EpochMicros)


@dataclass(frozen=True, slots=True)
class RunDecisions:
    """The decisions of one run under one bundle: how many, at which points, the first and the last instant."""

    run_id: UUID
    engine_id: str
    mode: str
    bundle: str
    decisions: int
    points: tuple[str, ...]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class RuleFired:
    """How often a rule stood against something in a run, errors and shadows among it, and the last decision."""

    engine_id: str
    rule: str
    run_id: UUID
    fired: int
    errors: int
    shadowed: int
    last: int
    decision_id: str


def decided(conn: Connection, start: int | None, end: int) -> list[RunDecisions]:
    """The decisions of every run from `start` (None: the first) to before `end`, in epoch micros."""
    rows = conn.execute(_RUNS, _between(start, end))
    return [RunDecisions(**{**row._mapping, "points": tuple(row.points)}) for row in rows]


def fired(conn: Connection, start: int | None, end: int) -> list[RuleFired]:
    """What every rule did in every run between the same instants."""
    return [RuleFired(**row._mapping) for row in conn.execute(_RULES, _between(start, end))]


def outside(conn: Connection, start: int | None, end: int) -> int:
    """How many decisions lie outside of them."""
    return int(conn.scalar(_OUTSIDE, _between(start, end)) or 0)


def _between(start: int | None, end: int) -> dict[str, object]:
    return {"start": instant(_EARLIEST if start is None else start), "end": instant(end)}
