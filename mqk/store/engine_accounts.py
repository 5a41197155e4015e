"""What the engines of the desk came to when they were last recorded: one row for each engine and mode.

What rules make of the sum is the policy's to say; here it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from mqk.store.values import instant

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

_RECORD = text(
    "INSERT INTO engine_accounts (engine_id, mode, run_id, equity, gross_exposure, at)"
    " SELECT engine_id, mode, run_id, :equity, :gross_exposure, :at FROM runs WHERE run_id = :run_id"
    " ON CONFLICT (engine_id, mode) DO UPDATE SET run_id = excluded.run_id, equity = excluded.equity,"
    " gross_exposure = excluded.gross_exposure, at = excluded.at"
)
# Sums of bigint are numeric, so that nothing overflows on the way.
_OTHERS = text(
    "SELECT coalesce(sum(equity), 0), coalesce(sum(gross_exposure), 0) FROM engine_accounts"
    " WHERE mode = :mode AND engine_id <> :engine_id"
)


def record(conn: Connection, run_id: UUID, *, equity: int, gross_exposure: int, at: int) -> None:
    """Keep what the engine of a run comes to, in micros, at an instant of the run's own clock."""
    values = {"run_id": run_id, "equity": equity, "gross_exposure": gross_exposure, "at": instant(at)}
    conn.execute(_RECORD, values)


def others(conn: Connection, engine_id: str, *, mode: str) -> tuple[int, int]:
    """The equity and the gross exposure of all other engines of a mode, in micros, as they were last recorded."""
    equity, gross_exposure = conn.execute(_OTHERS, {"engine_id": engine_id, "mode": mode}).one()
    return int(equity), int(gross_exposure)
