"""What an engine is told of the desk around it: its other engines, its clocks, and what came of comparing its books.

Told through the inbox, like all that is no bar, so that a run taken up again is told the same at the same instant. What
no rule of the engine reads is not told. What lives here: telling. What does not: what rules make of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from mqk.engine import FirmSeen, Reconciled, SkewMeasured
from mqk.engine.figures import reads_firm, stands
from mqk.runtime.desk import tell
from mqk.store import engine_accounts
from mqk.store.values import micros_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mqk.runtime.books import Reconciliation
    from mqk.runtime.desk import Desk
    from mqk.runtime.feed import Instant

_NOW = text("SELECT clock_timestamp()")


class DeskFacts:
    """Tells one run's engine of its desk, and keeps what the engine itself comes to for the others."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept: tuple[int, int] | None = None
        reads = desk.state.reads
        self._of_firm = reads_firm(desk.guards)
        self._of_books = bool(reads & {"reconcile.clean", "reconcile.age", "reconcile.differences"})
        self._of_clocks = "clock.skew" in reads

    def tell(self, conn: Connection, instant: Instant) -> None:
        """Leave in the inbox what the engine does not know yet, to be taken in at this instant."""
        desk, at = self._desk, instant.at
        if self._of_firm:
            seen = engine_accounts.others(conn, desk.state.engine, mode=desk.state.run.mode)
            if seen != desk.state.other_engines:
                tell(conn, desk.run_id, f"firm:{instant.position}", FirmSeen(*seen, at), at)
        if self._of_clocks:
            skew = abs(micros_of(conn.execute(_NOW).scalar_one()) - desk.wall.now())
            tell(conn, desk.run_id, f"skew:{instant.position}", SkewMeasured(skew, at), at)

    def reconciled(self, conn: Connection, found: Reconciliation) -> None:
        """Leave in the inbox what came of comparing the books, to be taken in at the next instant."""
        if self._of_books:
            event = Reconciled(found.clean, len(found.differences), found.at)
            tell(conn, self._desk.run_id, f"reconciled:{self._desk.lead.epoch}:{found.at}", event, found.at)

    def keep(self, conn: Connection, instant: Instant) -> None:
        """Record what the engine comes to after an instant, for the desk's other engines."""
        comes_to = stands(self._desk.state)
        if comes_to != self._kept:
            equity, gross = comes_to
            engine_accounts.record(conn, self._desk.run_id, equity=equity, gross_exposure=gross, at=instant.at)
            self._kept = comes_to
