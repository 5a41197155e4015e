"""Letting go of what a rule holds, from outside a run: asked for here, taken in by the engine at its next turn.

What lives here: who may ask, and the record of it. What does not: what letting go leads to (mqk.engine), or holding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.pool import NullPool

from mqk.engine import LatchReleased, event_to_json
from mqk.policy import did_you_mean
from mqk.runtime.clock import SystemClock
from mqk.runtime.errors import ReleaseRefused
from mqk.store import audit, inbox, latches, runs
from mqk.store.database import open_engine, require_current

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from mqk.guards import GuardSet
    from mqk.guards.guard import GuardRule
    from mqk.runtime.clock import WallClock
    from mqk.store.tables import Latch, Run

RUNNING = "RUNNING"


def release_latch(
    url: str,
    guards: GuardSet,
    run_id: UUID,
    rule: str,
    *,
    actor: str,
    role: str,
    new_peak: bool = False,
    wall: WallClock | None = None,
) -> None:
    """Ask the engine of a run to let go of what a rule holds; it does so at its next turn, also after a restart.

    `new_peak` lets drawdown count from the equity of that turn. Asking twice is asking once. Raises ReleaseRefused with
    every reason, DatabaseUnavailable.
    """
    require_current(url)
    at = (wall or SystemClock()).now()
    database = open_engine(url, poolclass=NullPool)
    try:
        with database.begin() as conn:
            run = runs.get(conn, run_id)
            if run is None or run.engine_id != guards.bundle.engine:
                raise ReleaseRefused([f"engine `{guards.bundle.engine}` has no run `{run_id}`"])
            held = {latch.rule_id: latch for latch in latches.held(conn, run_id)}
            reasons = list(_against(run, _rules(guards), rule, role, held))
            if reasons:
                raise ReleaseRefused(reasons, _help(guards, rule, held))
            # The clock of the engine is the market's, which this does not move.
            asked = LatchReleased(rule, role, 0, new_peak, actor)
            payload = {"event": event_to_json(asked), "cursor": 0}
            message_id = f"release:{held[rule].id}"
            if inbox.receive(conn, run_id, message_id=message_id, fill_id=None, payload=payload, at=at):
                said = {"rule": rule, "outcome": held[rule].outcome, "role": role, "new_peak": new_peak}
                audit.append(conn, run_id, [audit.Event("latch.release_asked", actor, at, said)])
    finally:
        database.dispose()


def _rules(guards: GuardSet) -> dict[str, GuardRule]:
    return {rule.id: rule for guard in guards.guards.values() for rule in guard.rules}


def _against(run: Run, rules: dict[str, GuardRule], rule: str, role: str, held: dict[str, Latch]) -> Iterator[str]:
    """Everything that stands against it."""
    if run.state != RUNNING:
        yield f"run `{run.run_id}` is {run.state}, and only an engine that is RUNNING lets go of anything"
    declared = rules.get(rule)
    if declared is None:
        yield f"the policy of `{run.engine_id}` has no rule `{rule}`"
        return
    if rule not in held:
        yield f"`{rule}` holds nothing"
    if declared.latch is None or declared.latch.by is None:
        until = "while its reason stands" if declared.latch is None else f"until `{declared.latch.until}`"
        yield f"`{rule}` is released by nobody: what it holds lasts {until}"
    elif declared.latch.by != role:
        yield f"`{rule}` is released by the role `{declared.latch.by}`, not `{role}`"


def _help(guards: GuardSet, rule: str, held: dict[str, Latch]) -> str:
    meant = None if rule in _rules(guards) else did_you_mean(rule, _rules(guards))
    return meant or (f"held are {', '.join(f'`{name}`' for name in sorted(held))}" if held else "nothing is held")
