"""Letting go of what a rule holds: by the role that may, through the inbox, once, and on the record."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.pool import NullPool

from mqk.engine import LatchReleased, event_from_json, event_to_json
from mqk.runtime import LifecycleRefused, ReleaseRefused, Step, release_latch
from mqk.runtime.desk import tell
from mqk.store import audit
from mqk.store.database import open_engine
from tests.runtime.harness import MINUTES, RUN, Crash, Faults, Player, record
from tests.runtime.world import desk_guards

if TYPE_CHECKING:
    from collections.abc import Callable

    from mqk.guards import GuardSet

RULES = """rules:
  - id: STOP-01
    title: Nothing new in the twelfth minute
    at: account
    require: clock.now < 2024-02-16T00:11:00Z or clock.now > 2024-02-16T00:12:00Z
    otherwise: reduce_only
    latch: {until: released, by: risk_officer}
  - id: STOP-02
    title: Nothing new in the last minutes
    at: account
    require: clock.now < 2024-02-16T00:32:00Z
    otherwise: reduce_only
    latch: {until: session_end}

baseline:"""


def stopping() -> GuardSet:
    """An engine that one rule stops until a risk officer releases it, and another until the session ends."""
    return desk_guards(changes=(("baseline:", RULES),))


class Asking(Faults):
    """Asks for a release after a turn, as any other process may; may crash as well."""

    def __init__(
        self, player: Player, after: int, *crash: tuple[Step, int], ask: Callable[[], None] | None = None
    ) -> None:
        super().__init__(list(crash))
        self._player, self._after, self._ask = player, str(after), ask

    def passed(self, step: Step, detail: str = "") -> None:
        if (step, detail) == (Step.TICK_DONE, self._after):
            (self._ask or self.release)()
        super().passed(step, detail)

    def release(self) -> None:
        release(self._player)


def release(player: Player, rule: str = "STOP-01", role: str = "risk_officer", *, run_id: UUID = RUN) -> None:
    release_latch(player.url, player.guards, run_id, rule, actor="ada", role=role, wall=player.wall)


def released(url: str) -> list[tuple[object, ...]]:
    with open_engine(url, poolclass=NullPool).connect() as conn:
        query = "SELECT rule_id, released_by FROM latches WHERE released_at IS NOT NULL ORDER BY id"
        return [tuple(row) for row in conn.execute(text(query))]


@pytest.fixture
def stopped(player: Player) -> Player:
    player.guards = stopping()
    return player


def test_what_is_released_holds_no_longer_and_the_chain_says_who_asked(stopped: Player) -> None:
    held = stopped.play(run_id=UUID(int=2))
    summary = stopped.play(Asking(stopped, 20))
    assert summary.orders > held.orders or summary.denied < held.denied
    assert released(stopped.url) == [("STOP-01", "risk_officer")]
    with open_engine(stopped.url, poolclass=NullPool).connect() as conn:
        assert audit.verify(conn, RUN).sound
        found = {event.kind: event for event in audit.events(conn, RUN)}
    asked, told = found["latch.release_asked"], found["told.latchreleased"]
    assert (asked.actor, asked.payload["rule"], asked.payload["role"]) == ("ada", "STOP-01", "risk_officer")
    assert (told.payload["by"], told.payload["rule"]) == ("ada", "STOP-01")
    assert asked.seq < told.seq < found["latch_lifted"].seq


@pytest.mark.parametrize("crash", [(Step.TICK_BEGUN, 22), (Step.TICK_DONE, 22)])
def test_a_release_counts_once_across_a_restart(
    stopped: Player, new_database: Callable[[], str], crash: tuple[Step, int]
) -> None:
    undisturbed = stopped.play(Asking(stopped, 20))
    again = Player(new_database(), guards=stopping())
    with pytest.raises(Crash):
        again.play(Asking(again, 20, crash))
    summary = again.play(Asking(again, MINUTES))
    assert summary.state_sha256 == undisturbed.state_sha256
    assert record(again.url)["outbox"] == record(stopped.url)["outbox"]


def test_asking_twice_is_asking_once(stopped: Player) -> None:
    def twice() -> None:
        release(stopped)
        release(stopped)

    stopped.play(Asking(stopped, 20, ask=twice))
    told = [row for row in record(stopped.url)["inbox"] if row[0].startswith("release:")]
    assert len(told) == 1


def test_a_release_of_what_has_ended_meanwhile_changes_nothing(stopped: Player) -> None:
    """The session may end between the asking and the turn; that must not stop a run."""

    def late() -> None:
        with open_engine(stopped.url, poolclass=NullPool).begin() as conn:
            tell(conn, RUN, "release:late", LatchReleased("LOSS-03", "risk_officer", 0, by="ada"), 0)

    assert stopped.play(Asking(stopped, 20, ask=late)).state == "STOPPED"


@pytest.mark.parametrize(
    ("rule", "role", "reasons"),
    [
        ("STOP-01", "operator", ["`STOP-01` is released by the role `risk_officer`, not `operator`"]),
        (
            "STOP-02",
            "risk_officer",
            ["`STOP-02` holds nothing", "`STOP-02` is released by nobody: what it holds lasts until `session_end`"],
        ),
        ("STOP-1", "risk_officer", ["the policy of `DESK` has no rule `STOP-1`"]),
        (
            "LOSS-03",
            "operator",
            ["`LOSS-03` holds nothing", "`LOSS-03` is released by the role `risk_officer`, not `operator`"],
        ),
        (
            "CAP-01",
            "operator",
            ["`CAP-01` holds nothing", "`CAP-01` is released by nobody: what it holds lasts while its reason stands"],
        ),
    ],
)
def test_what_may_not_be_released_is_refused_with_every_reason(
    stopped: Player, rule: str, role: str, reasons: list[str]
) -> None:
    refused: list[ReleaseRefused] = []

    def ask() -> None:
        with pytest.raises(ReleaseRefused) as fault:
            release(stopped, rule, role)
        refused.append(fault.value)

    assert stopped.play(Asking(stopped, 20, ask=ask)).state == "STOPPED"
    assert list(refused[0].reasons) == reasons
    assert refused[0].help is not None
    assert released(stopped.url) == []


def test_only_a_running_engine_lets_go(stopped: Player) -> None:
    stopped.play()
    with pytest.raises(ReleaseRefused, match=f"run `{RUN}` is STOPPED"):
        release(stopped)
    with pytest.raises(ReleaseRefused, match="has no run"):
        release(stopped, run_id=UUID(int=9))


def test_a_run_that_died_lets_go_when_it_is_taken_up(stopped: Player) -> None:
    stopped.crash(Step.TICK_DONE, 21)
    release(stopped)
    assert released(stopped.url) == []
    assert stopped.play().state == "STOPPED"
    assert released(stopped.url) == [("STOP-01", "risk_officer")]


def test_the_event_keeps_who_it_was() -> None:
    event = LatchReleased("R-01", "operator", 1, True, "ada")
    assert event_from_json(event_to_json(event)) == event
    older = {name: value for name, value in event_to_json(event).items() if name != "by"}
    assert event_from_json(older) == LatchReleased("R-01", "operator", 1, True)
    assert issubclass(ReleaseRefused, Exception)
    assert not issubclass(ReleaseRefused, LifecycleRefused)
