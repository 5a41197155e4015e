"""Decisions of the guards, as they were made: the facts, the findings, the bundle. Append-only.

What the facts and findings look like inside is the guards' business; here they are JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from mqk.store.rows import many, one, reading
from mqk.store.tables import Decision
from mqk.store.values import canonical_json, instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Connection

_RECORD = text(
    "INSERT INTO decisions (decision_id, run_id, bundle_sha256, point, outcome, facts, findings, at)"
    " VALUES (:decision_id, :run_id, :bundle_sha256, :point, :outcome, CAST(:facts AS jsonb),"
    " CAST(:findings AS jsonb), :at) ON CONFLICT (decision_id) DO NOTHING"
)
_GET = reading(Decision, "SELECT {columns} FROM decisions WHERE decision_id = :decision_id")
_OF_RUN = reading(
    Decision,
    "SELECT {columns} FROM decisions WHERE run_id = :run_id AND (CAST(:outcome AS text) IS NULL OR outcome = :outcome)"
    " ORDER BY at, decision_id LIMIT :limit",
)
_BY_RULE = text("""
SELECT finding ->> 'rule' AS rule, count(*) AS decisions
FROM decisions, jsonb_array_elements(findings) AS finding
WHERE run_id = :run_id AND outcome = :outcome AND finding ->> 'result' <> 'PASS'
GROUP BY 1 ORDER BY 2 DESC, 1
""")


def record(
    conn: Connection,
    *,
    decision_id: str,
    run_id: UUID,
    bundle_sha256: str,
    point: str,
    outcome: str,
    facts: Mapping[str, Any],
    findings: Sequence[Mapping[str, Any]],
    at: int,
) -> bool:
    """Keep a decision. False when its id is kept already.

    `facts` and `findings` are JSON without floats; `at` in epoch microseconds. The bundle must be the run's.
    """
    values = {
        "decision_id": decision_id,
        "run_id": run_id,
        "bundle_sha256": bundle_sha256,
        "point": point,
        "outcome": outcome,
        "facts": canonical_json(facts),
        "findings": canonical_json(list(findings)),
        "at": instant(at),
    }
    return conn.execute(_RECORD, values).rowcount == 1


def get(conn: Connection, decision_id: str) -> Decision | None:
    """The decision, or None."""
    return one(conn, Decision, _GET, {"decision_id": decision_id})


def of_run(conn: Connection, run_id: UUID, *, outcome: str | None = None, limit: int | None = None) -> list[Decision]:
    """A run's decisions in the order of their instants, those with one outcome or all, at most `limit`."""
    return many(conn, Decision, _OF_RUN, {"run_id": run_id, "outcome": outcome, "limit": limit})


def breaches_by_rule(conn: Connection, run_id: UUID, *, outcome: str) -> dict[str, int]:
    """How many decisions of a run with this outcome each rule breached or erred in, the most frequent first."""
    return {row.rule: row.decisions for row in conn.execute(_BY_RULE, {"run_id": run_id, "outcome": outcome})}
