"""What the engine is told by others than its broker: it counts at the next turn, once, and when it is replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.pool import NullPool

import mqk.runtime.dispatch
from mqk.engine import KillSwitch
from mqk.engine.gate import authorise
from mqk.runtime import Step
from mqk.runtime.desk import tell
from mqk.store.database import open_engine
from tests.runtime.harness import MINUTES, RUN, Crash, Faults, Player, record
from tests.runtime.world import MINUTE, T0

if TYPE_CHECKING:
    from collections.abc import Callable

    from mqk.engine import EngineState, Permit
    from mqk.guards import Decision
    from mqk.orders import Order


class Switch(Faults):
    """Throws the kill switch after the tenth turn, through the inbox, as any other process may."""

    def __init__(self, url: str, crash: tuple[Step, int] | None) -> None:
        super().__init__([] if crash is None else [crash])
        self._url = url

    def passed(self, step: Step, detail: str = "") -> None:
        if (step, detail) == (Step.TICK_DONE, "9"):
            at = T0 + 10 * MINUTE
            with open_engine(self._url, poolclass=NullPool).begin() as conn:
                tell(conn, RUN, "kill:1", KillSwitch(True, "eve", at), at)
        super().passed(step, detail)


def test_a_kill_left_in_the_inbox_counts_from_the_next_turn_on_and_after_a_crash(
    player: Player, new_database: Callable[[], str]
) -> None:
    undisturbed = player.play(Switch(player.url, None))
    kept = record(player.url)
    assert undisturbed.denied_by_rule["KILL-01"] > 0
    placed = {order[0] for order in kept["outbox"]}
    assert placed
    for passing in (10, 11, 12, 25):
        again = Player(new_database())
        with pytest.raises(Crash):
            again.play(Switch(again.url, (Step.TICK_STAGED, passing)))
        # Thrown again, it is the same switch: the message is kept once.
        summary = again.play(Switch(again.url, None))
        assert record(again.url)["outbox"] == kept["outbox"]
        assert summary.state_sha256 == undisturbed.state_sha256


def test_an_order_that_the_gate_keeps_back_never_leaves_and_the_engine_hears_of_it(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def strict(state: EngineState, order: Order, *, epoch: int, now: int, ttl: int) -> Permit | Decision:
        asked.append(order.client_order_id)
        if len(asked) == 3:
            # What a switch thrown between placing and sending would do.
            state.run.killed = True
        try:
            return authorise(state, order, epoch=epoch, now=now, ttl=ttl)
        finally:
            state.run.killed = False

    monkeypatch.setattr(mqk.runtime.dispatch, "authorise", strict)
    summary = player.play()
    kept_back = asked[2]
    assert kept_back not in player.sent
    assert (summary.state, summary.withdrawn, summary.ticks) == ("STOPPED", 1, MINUTES)
    assert summary.reconcile.clean
    with open_engine(player.url, poolclass=NullPool).begin() as conn:
        status = conn.execute(
            text("SELECT status, reason FROM outbox WHERE client_order_id = :key"), {"key": kept_back}
        ).one()
        decision = conn.execute(
            text("SELECT outcome, findings -> 0 ->> 'rule' FROM decisions WHERE decision_id = :key"),
            {"key": f"{kept_back}.gate"},
        ).one()
        heard = conn.scalar(
            text("SELECT applied_at IS NOT NULL FROM inbox WHERE message_id = :key"), {"key": f"{kept_back}:withdrawn"}
        )
    assert tuple(status) == ("FAILED", "kept back by KILL-01")
    assert tuple(decision) == ("deny", "KILL-01")
    assert heard
    # And played again, without the gate, it comes to the same.
    assert player.play().state_sha256 == summary.state_sha256
