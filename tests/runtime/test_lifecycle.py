"""How a run comes to trade and how it stops: only as the policy says, under one leader, and always accounted for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import Connection
from sqlalchemy.pool import NullPool

from mqk.runtime import (
    FeedError,
    LeadLost,
    LifecycleRefused,
    PaperSummary,
    Progress,
    ReplayDiffers,
    Step,
    lifecycle,
    move_run,
    run_status,
)
from mqk.runtime.leader import lives, this_process
from mqk.store import audit, lease, runs
from mqk.store.database import open_engine
from mqk.strategies import Context, StrategyHost
from tests.runtime.harness import MINUTES, RUN, SECOND, Crash, Faults, Player, record
from tests.runtime.world import desk_bars, desk_guards

if TYPE_CHECKING:
    from mqk.store.tables import Run

Undisturbed = tuple[PaperSummary, dict[str, Any]]
Begin = Callable[[], AbstractContextManager[Connection]]
TRADES = ("outbox", "decisions", "latches", "broker_orders", "broker_messages", "broker_positions", "broker_account")


@pytest.fixture
def begin(player: Player) -> Callable[[], AbstractContextManager[Connection]]:
    """Begins transactions of its own."""
    return open_engine(player.url, poolclass=NullPool).begin


def the_run(conn: Connection) -> Run:
    run = runs.get(conn, RUN)
    assert run is not None
    return run


class At:
    """A probe that does something at the first passing of a step."""

    def __init__(self, step: Step, do: Callable[[], object], passing: int = 1) -> None:
        self._step, self._do, self._left = step, do, passing

    def passed(self, step: Step, _detail: str = "") -> None:
        if step is self._step:
            self._left -= 1
            if self._left == 0:
                self._do()


def test_a_run_is_created_armed_started_and_stopped_and_the_audit_chain_says_by_whom(
    player: Player, begin: Begin
) -> None:
    summary = player.play(actor="ada")
    with begin() as conn:
        moves = [(move.event, move.to_state, move.actor, move.role) for move in runs.history(conn, RUN)]
        assert audit.verify(conn, RUN).sound
        kinds = [event.kind for event in audit.events(conn, RUN)]
    assert moves == [
        ("create", "CREATED", "ada", "operator"),
        ("arm", "ARMED", "ada", "operator"),
        ("start", "RUNNING", "ada", "operator"),
        ("stop", "STOPPED", "ada", "operator"),
    ]
    assert kinds.index("reconcile") < kinds.index("run.moved") < kinds.index("submit")
    assert kinds[-2:] == ["reconcile", "run.moved"]
    assert summary.to_json()["state"] == "STOPPED"


def test_without_a_name_what_was_left_unfinished_goes_on_and_what_is_over_does_not(player: Player) -> None:
    player.crash(Step.TICK_COMMITTED, 5)
    assert player.play(run_id=None).run_id == RUN
    second = player.play(run_id=None)
    assert second.run_id != RUN
    assert not second.resumed
    assert player.play(run_id=None, fresh=True).run_id not in {RUN, second.run_id}


def test_a_run_that_nobody_takes_up_makes_way_for_the_one_that_begins(player: Player, begin: Begin) -> None:
    player.crash(Step.TICK_DONE, 5)
    player.play(run_id=None, fresh=True)
    with begin() as conn:
        left = the_run(conn)
        assert (left.state, left.feed_cursor) == ("STOPPED", 5)
        assert runs.history(conn, RUN)[-1].reason == "another run takes its place"


def test_a_run_goes_on_only_under_its_policy_and_on_its_bars(player: Player) -> None:
    player.crash(Step.TICK_COMMITTED, 5)
    bars, guards = player.bars, player.guards
    player.bars, player.guards = desk_bars(MINUTES, seed=9), desk_guards("latency_high")
    with pytest.raises(LifecycleRefused) as refused:
        player.play()
    told = " ".join(refused.value.reasons)
    assert "the policy bundle" in told
    assert "data_sha256" in told
    player.bars, player.guards = bars, guards
    assert player.play().state == "STOPPED"


def test_a_halted_run_blocks_its_engine_until_the_right_person_clears_it(player: Player, begin: Begin) -> None:
    player.crash(Step.TICK_COMMITTED, 5)
    with begin() as conn:
        lifecycle.halt(conn, the_run(conn), actor="bob", reason="it smells of smoke", wall=player.wall.now(), market=0)
    with pytest.raises(LifecycleRefused, match="smells of smoke"):
        player.play(run_id=None)

    def clear(role: str, confirmation: str | None) -> str:
        return move_run(
            player.url,
            player.guards,
            RUN,
            "clear",
            actor="carol",
            role=role,
            reason="it was the toaster",
            confirmation=confirmation,
        )

    sentence = f"CLEAR {RUN}"
    for role, confirmation, why in (
        ("operator", sentence, "risk_officer"),
        ("risk_officer", None, sentence),
        ("risk_officer", "CLEAR", sentence),
    ):
        with pytest.raises(LifecycleRefused, match=why):
            clear(role, confirmation)
    assert clear("risk_officer", sentence) == "STOPPED"
    with pytest.raises(LifecycleRefused, match="not possible from STOPPED"):
        clear("risk_officer", sentence)
    summary = player.play()
    assert (summary.state, summary.ticks, summary.resumed) == ("STOPPED", MINUTES, True)


def test_one_process_leads_an_engine_at_a_time(player: Player, begin: Begin) -> None:
    at = player.wall.now()
    with begin() as conn:
        assert lease.acquire(conn, "DESK", holder="elsewhere/1/1", ttl=3_600 * SECOND, at=at) == 1
    with pytest.raises(LifecycleRefused, match="led by `elsewhere/1/1`"):
        player.play()
    with begin() as conn:
        assert lease.release(conn, "DESK", holder="elsewhere/1/1", epoch=1, at=at + 1)
    player.play()


def test_the_lease_of_a_process_that_died_on_this_machine_is_not_waited_for(player: Player, begin: Begin) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "from mqk.runtime.leader import this_process; print(this_process())"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert not lives(ended)
    assert lives(this_process())
    assert lives("elsewhere/1/1")
    host, pid, started = this_process().split("/")
    assert not lives(f"{host}/{pid}/{int(started) + 1000}"), "the number was given to a later process"
    with begin() as conn:
        lease.acquire(conn, "DESK", holder=ended, ttl=3_600 * SECOND, at=player.wall.now())
    assert player.play().state == "STOPPED"


def test_who_lost_the_lead_writes_nothing_more_and_leaves_the_run_to_the_next(player: Player, begin: Begin) -> None:
    def take_over() -> None:
        ahead = player.wall.now() + 3_600 * SECOND
        with begin() as conn:
            epoch = lease.acquire(conn, "DESK", holder="elsewhere/1/1", ttl=1, at=ahead)
            assert epoch is not None
            assert runs.adopt(conn, RUN, epoch=epoch)

    with pytest.raises(LeadLost):
        player.play(At(Step.TICK_DONE, take_over, 5))  # type: ignore[arg-type]
    with begin() as conn:
        run = the_run(conn)
    assert (run.state, run.feed_cursor) == ("RUNNING", 5)


def test_a_lease_that_expired_without_an_heir_halts_the_run(player: Player) -> None:
    def freeze() -> None:
        player.wall.pass_(3_600)
        for _ in range(1_000):
            if run_status(player.url, run_id=RUN)[0].state == "HALTED":  # by the heartbeat, or the deadman
                return
            threading.Event().wait(0.02)

    summary = player.play(At(Step.TICK_DONE, freeze, 5))  # type: ignore[arg-type]
    assert summary.state == "HALTED"
    assert "lease had expired" in str(summary.halt_reason) or "no sign of life" in str(summary.halt_reason)


def test_the_deadman_halts_a_run_whose_loop_hangs(player: Player) -> None:
    player.guards = desk_guards(changes=(("deadman: 30s", "deadman: 300ms"),))
    stuck, released = threading.Event(), threading.Event()

    def hang(method: str, _subject: str) -> None:
        if method == "on_market" and len(player.sent) > 2 and not stuck.is_set():
            stuck.set()
            released.wait(20)

    player.before = hang
    sent = len(player.sent)
    summary = player.play()
    sent = len(player.sent)
    released.set()
    assert summary.state == "HALTED"
    assert "no sign of life for more than 300ms" in str(summary.halt_reason)
    (status,) = run_status(player.url, run_id=RUN)
    assert status.state == "HALTED"
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and "ThreadPool" in thread.name:
            thread.join(10)
    assert len(player.sent) == sent, "what woke up again must not trade"


def test_a_run_that_somebody_else_stops_stops(player: Player, begin: Begin) -> None:
    def stop() -> None:
        with begin() as conn:
            run = the_run(conn)
            lifecycle.move(
                conn,
                player.guards,
                run,
                "stop",
                judged_by=lifecycle.facts(run, 0, None, None),
                actor="dave",
                role="operator",
                reason="lunch",
                wall=player.wall.now(),
                market=None,
            )

    summary = player.play(At(Step.TICK_DONE, stop, 5))  # type: ignore[arg-type]
    assert (summary.state, summary.ticks) == ("STOPPED", 5)
    again = player.play(run_id=None)
    assert (again.run_id, again.state, again.ticks) == (RUN, "STOPPED", MINUTES)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_is_stopped_and_goes_on_as_if_nothing_had_been(
    player: Player, undisturbed: Undisturbed
) -> None:
    with pytest.raises(KeyboardInterrupt):
        player.play(At(Step.TICK_DONE, lambda: os.kill(os.getpid(), signal.SIGINT), 5), pace=400_000)  # type: ignore[arg-type]
    (status,) = run_status(player.url)
    assert (status.state, status.leader) == ("STOPPED", None)
    assert 5 <= status.position < MINUTES
    summary = player.play()
    expected, kept = undisturbed
    found = record(player.url)
    assert {part: aside(found[part]) for part in TRADES} == {part: aside(kept[part]) for part in TRADES}
    assert (summary.final_equity, summary.state_sha256) == (expected.final_equity, expected.state_sha256)


def aside(rows: Any) -> list[Any]:
    """Rows without since when the run is armed, which an interruption changes and which no rule of these reads."""
    return [
        tuple(
            {name: value for name, value in each.items() if name != "run.armed_for"} if isinstance(each, dict) else each
            for each in row
        )
        for row in rows
    ]


def test_a_record_is_not_continued_with_strategies_that_would_have_traded_otherwise(player: Player) -> None:
    player.crash(Step.TICK_COMMITTED, 20)
    bundle = player.guards.bundle
    spec = bundle.strategies[0]
    other = replace(spec, params={**spec.params, "size": "1%"})
    with pytest.raises(ReplayDiffers, match="where the outbox has"):
        player.play(host=StrategyHost([other], bundle.timeframes))
    assert player.play().state == "STOPPED"


def test_an_engine_of_another_mode_does_not_play_on_paper(player: Player) -> None:
    player.guards = replace(player.guards, bundle=replace(player.guards.bundle, mode="LIVE"))
    with pytest.raises(LifecycleRefused, match="mode LIVE"):
        player.play()


def test_bars_that_nobody_can_run_on_are_all_named(player: Player) -> None:
    player.bars = ()
    with pytest.raises(FeedError, match="no bars"):
        player.play()
    bar = desk_bars(1)[0]
    player.bars = (bar, replace(bar, timeframe="5m"), replace(bar, symbol="BBB", timeframe="1D"))
    with pytest.raises(FeedError) as refused:
        player.play()
    assert len(refused.value.reasons) == 3


def test_progress_is_told_after_every_instant(player: Player) -> None:
    told: list[tuple[int, int]] = []

    def note(progress: Progress) -> None:
        told.append((progress.done, progress.total))

    summary = player.play(on_progress=note)
    assert [done for done, _ in told if done] == sorted(done for done, _ in told if done)
    assert told[-1] == (MINUTES, MINUTES)
    assert summary.ticks == MINUTES


def test_the_status_tells_a_dead_run_from_a_living_one(player: Player) -> None:
    assert run_status(player.url) == []
    seen: list[str] = []
    player.play(
        At(Step.TICK_DONE, lambda: seen.append(run_status(player.url, wall=player.wall)[0].sign_of_life), 3),  # type: ignore[arg-type]
        run_id=UUID(int=2),
    )
    assert seen == ["alive"]
    player.crash(Step.ORDER_DISPATCHING, 2)
    (status,) = run_status(player.url, run_id=RUN, wall=player.wall)
    assert (status.state, status.sign_of_life, status.leads) == ("RUNNING", "alive", True)
    assert status.outbox["DISPATCHING"] == 1
    player.wall.pass_(60)
    (status,) = run_status(player.url, run_id=RUN, wall=player.wall)
    assert (status.sign_of_life, status.to_json()["silence"] is not None) == ("overdue", True)
    player.play()
    first, second = run_status(player.url, engine="DESK")
    assert {first.run_id, second.run_id} == {RUN, UUID(int=2)}
    assert (first.state, first.sign_of_life, first.position, first.instants) == ("STOPPED", "none", MINUTES, MINUTES)
    assert run_status(player.url, engine="MAIN") == []


def test_a_crash_in_a_callback_ends_the_run_where_it_stands(player: Player) -> None:
    def fail(progress: Progress) -> None:
        if progress.done == 7:
            raise Crash

    with pytest.raises(Crash):
        player.play(on_progress=fail)
    assert player.play(Faults()).ticks == MINUTES


def test_a_strategy_that_fails_halts_the_run_and_says_how(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose process failed must not look as if it were alive."""
    strategy = type(StrategyHost.of(player.guards.bundle).strategy)
    asked = strategy.on_bar
    fails_at = sorted({bar.end for bar in player.bars})[20]

    def on_bar(self: object, context: Context) -> object:
        if context.now >= fails_at:
            raise ZeroDivisionError("nothing to divide by")
        return asked(self, context)

    monkeypatch.setattr(strategy, "on_bar", on_bar)
    summary = player.play()
    assert summary.state == "HALTED"
    assert summary.halt_reason is not None
    assert "ZeroDivisionError: nothing to divide by" in summary.halt_reason
    (status,) = run_status(player.url)
    assert (status.state, status.leader) == ("HALTED", None)
