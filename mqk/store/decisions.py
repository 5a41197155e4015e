"""Decisions of the guards, as they were made: the facts, the findings, the bundle. Append-only.

What the facts and findings look like inside is the guards' business; here they are JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from mqk.store.rows import many, one, reading
from mqk.store.tables import Decision
from mqk.store.values import canonical_json, instant, micros_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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


_OF_BUNDLE = text("""
SELECT d.decision_id, d.run_id, r.engine_id, r.mode, d.bundle_sha256, d.point, d.outcome, d.facts, d.findings, d.at,
       o.client_order_id
FROM decisions d JOIN runs r ON r.run_id = d.run_id
LEFT JOIN outbox o ON o.run_id = d.run_id AND o.decision_id = d.decision_id
WHERE d.bundle_sha256 = :bundle AND (CAST(:run_id AS uuid) IS NULL OR d.run_id = :run_id)
ORDER BY d.at, d.decision_id
""")
_NAMES = text("""
SELECT DISTINCT d.bundle_sha256, key
FROM decisions d, jsonb_object_keys(d.facts) AS key
WHERE CAST(:run_id AS uuid) IS NULL OR d.run_id = :run_id
ORDER BY 1, 2
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


def of_bundle(conn: Connection, bundle: str, *, run_id: UUID | None = None) -> Iterator[dict[str, Any]]:
    """All decisions made under a bundle, or those of one run, in the order of their instants, each with its order.

    They are read a few at a time, whatever their number.
    """
    rows = conn.execution_options(yield_per=1_000).execute(_OF_BUNDLE, {"bundle": bundle, "run_id": run_id})
    for row in rows:
        yield {**row._mapping, "at": micros_of(row.at)}


def names_by_bundle(conn: Connection, *, run_id: UUID | None = None) -> dict[str, set[str]]:
    """The names of all facts that were recorded, by the bundle they were recorded under."""
    found: dict[str, set[str]] = {}
    for row in conn.execute(_NAMES, {"run_id": run_id}):
        found.setdefault(row.bundle_sha256, set()).add(row.key)
    return found


def breaches_by_rule(conn: Connection, run_id: UUID, *, outcome: str) -> dict[str, int]:
    """How many decisions of a run with this outcome each rule breached or erred in, the most frequent first."""
    return {row.rule: row.decisions for row in conn.execute(_BY_RULE, {"run_id": run_id, "outcome": outcome})}
