"""Runs: one way through the lifecycle that the bundle declares, one live run per engine, one leader that writes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from mqk.store import Refused, StoreError, bundles, runs
from tests.store.world import EDGES, SECOND, STATES, T0, World, sqlstate

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

    from mqk.store.tables import Run


def fetched(conn: Connection, run_id: UUID) -> Run:
    run = runs.get(conn, run_id)
    assert run is not None
    return run


def test_a_run_begins_in_the_initial_state_of_its_bundle(world: World) -> None:
    run = fetched(world.conn, world.run_id)
    assert (run.state, run.mode, run.engine_id, run.created_at) == ("CREATED", "PAPER", "MAIN", T0)
    assert (run.config, run.feed_cursor, run.fencing_epoch) == ({"seed": 7}, 0, 0)
    assert run.armed_at is run.heartbeat_at is run.halt_reason is None
    first = runs.history(world.conn, world.run_id)[0]
    assert (first.from_state, first.event, first.to_state, first.actor) == ("", "create", "CREATED", "ana")


def test_a_run_without_a_kept_bundle_is_not_created(conn: Connection) -> None:
    with pytest.raises(StoreError, match="declares no lifecycle `run`"):
        World(conn).run()


def test_every_move_is_recorded_with_who_made_it_and_why(world: World) -> None:
    world.start(at=T0 + SECOND)
    assert world.move("halt", "RUNNING", "HALTED", at=T0 + 2 * SECOND)
    run = fetched(world.conn, world.run_id)
    assert (run.state, run.halt_reason) == ("HALTED", "to halt")
    assert (run.armed_at, run.running_at, run.halted_at) == (T0 + SECOND, T0 + SECOND, T0 + 2 * SECOND)
    history = [
        (step.seq, step.from_state, step.to_state, step.role, step.at)
        for step in runs.history(world.conn, world.run_id)
    ]
    assert history == [
        (0, "", "CREATED", "operator", T0),
        (1, "CREATED", "ARMED", "operator", T0 + SECOND),
        (2, "ARMED", "RUNNING", "operator", T0 + SECOND),
        (3, "RUNNING", "HALTED", "operator", T0 + 2 * SECOND),
    ]
    assert world.move("clear", "HALTED", "STOPPED")
    assert fetched(world.conn, world.run_id).halt_reason is None


def test_a_move_from_a_state_left_meanwhile_changes_nothing(world: World) -> None:
    assert world.move("arm", "CREATED", "ARMED")
    assert not world.move("arm", "CREATED", "ARMED")
    assert len(runs.history(world.conn, world.run_id)) == 2


def test_of_two_who_move_a_run_at_once_one_succeeds(world: World, engine: Engine) -> None:
    world.start()
    world.conn.commit()
    outcomes: list[bool] = []

    def stop() -> None:
        with engine.begin() as conn:
            other = World(conn)
            outcomes.append(other.move("stop", "RUNNING", "STOPPED"))

    threads = [threading.Thread(target=stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(outcomes) == [False, False, False, True]


@pytest.mark.parametrize("origin", STATES)
@pytest.mark.parametrize("target", STATES)
def test_only_declared_moves_exist(world: World, origin: str, target: str) -> None:
    """Every pair of states, under every event: declared ones pass, all others violate a foreign key (23503)."""
    paths = {
        "CREATED": [],
        "ARMED": ["arm"],
        "RUNNING": ["arm", "start"],
        "STOPPED": ["arm", "stop"],
        "HALTED": ["halt"],
    }
    state = "CREATED"
    for event in paths[origin]:
        reached = next(end for begin, name, end in EDGES if (begin, name) == (state, event))
        assert world.move(event, state, reached)
        state = reached
    for event in ("arm", "start", "stop", "halt", "clear", "create"):
        attempt = world.conn.begin_nested()
        if (origin, event, target) in EDGES:
            assert world.move(event, origin, target)
        else:
            with pytest.raises(Refused) as refusal:
                world.move(event, origin, target)
            assert refusal.value.code == "edge"
            assert isinstance(refusal.value.__cause__, IntegrityError)
            assert sqlstate(refusal.value.__cause__) == "23503"
            assert fetched(world.conn, world.run_id).state == origin
        attempt.rollback()


def test_no_state_is_reached_past_the_transitions(world: World) -> None:
    """The state, the number of the last transition, or a forged one: none can be written without a declared path."""
    columns = "run_id, seq, previous_seq, bundle_sha256, machine, from_state, event, to_state, actor, role, reason, at"
    forged = (
        f"INSERT INTO run_transitions ({columns}) SELECT run_id, {{}}, bundle_sha256, machine, {{}}, 'eve', 'operator',"
        " 'forged', created_at FROM runs"
    )
    for statement in (
        "UPDATE runs SET state = 'RUNNING'",
        "UPDATE runs SET state = 'RUNNING', transition_seq = 1",
        forged.format("1, 0", "'ARMED', 'start', 'RUNNING'"),  # does not begin where the last one ended
        forged.format("2, 1", "'ARMED', 'start', 'RUNNING'"),  # leaves one out
        forged.format("1, 0", "'CREATED', 'start', 'RUNNING'"),  # is no edge
    ):
        with pytest.raises(IntegrityError) as refusal, world.conn.begin_nested():
            world.conn.execute(text(statement + "; SET CONSTRAINTS ALL IMMEDIATE"))
        assert sqlstate(refusal.value) == "23503", statement


def test_an_engine_has_one_active_live_run(world: World) -> None:
    """23505 on the partial unique index; other engines, paper runs and stopped ones do not count."""
    world.run(10, mode="LIVE")
    world.run(11, mode="LIVE")
    world.run(12, mode="LIVE", engine_id="EXP")
    assert world.move("arm", "CREATED", "ARMED", run_id=UUID(int=10))
    assert world.move("arm", "CREATED", "ARMED", run_id=UUID(int=12))
    assert world.move("arm", "CREATED", "ARMED")
    with pytest.raises(Refused, match="another LIVE run of this engine") as refusal:
        world.move("arm", "CREATED", "ARMED", run_id=UUID(int=11))
    assert refusal.value.code == "live_exclusive"
    assert isinstance(refusal.value.__cause__, IntegrityError)
    assert sqlstate(refusal.value.__cause__) == "23505"
    world.move("stop", "ARMED", "STOPPED", run_id=UUID(int=10))
    assert world.move("arm", "CREATED", "ARMED", run_id=UUID(int=11))
    assert [run.run_id.int for run in runs.active(world.conn, "MAIN")] == [1, 11]
    assert [run.run_id.int for run in runs.active(world.conn)] == [1, 11, 12]


def test_two_live_runs_armed_at_once_leave_one(world: World, engine: Engine) -> None:
    for number in (10, 11):
        world.run(number, mode="LIVE")
    world.conn.commit()
    outcomes: list[str] = []

    def arm(number: int) -> None:
        with engine.begin() as conn:
            try:
                World(conn).move("arm", "CREATED", "ARMED", run_id=UUID(int=number))
                outcomes.append("armed")
            except Refused as refusal:
                outcomes.append(refusal.code)

    threads = [threading.Thread(target=arm, args=(number,)) for number in (10, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(outcomes) == ["armed", "live_exclusive"]


def test_after_a_refused_move_the_transaction_goes_on(world: World) -> None:
    with pytest.raises(Refused):
        world.move("start", "CREATED", "RUNNING")
    assert world.move("arm", "CREATED", "ARMED")
    world.conn.commit()
    assert fetched(world.conn, world.run_id).state == "ARMED"


@pytest.mark.parametrize(("field", "value"), [("engine_id", "EXP"), ("mode", "LIVE"), ("bundle_sha256", "f" * 64)])
def test_a_run_bound_to_something_else_is_not_continued(world: World, field: str, value: str) -> None:
    """DB-4: the error names the field that differs."""
    binding = {"engine_id": "MAIN", "mode": "PAPER", "bundle_sha256": world.bundle_sha256}
    assert runs.bind(world.conn, world.run_id, **binding).run_id == world.run_id
    with pytest.raises(StoreError, match=f"has {field} `.*`, not `{value}`"):
        runs.bind(world.conn, world.run_id, **binding | {field: value})
    with pytest.raises(StoreError, match="there is no run"):
        runs.bind(world.conn, UUID(int=99), **binding)


def test_a_running_run_without_a_heartbeat_is_overdue(world: World) -> None:
    """DB-8: running, 3600 s without a heartbeat, ttl 10 s; one that is not running is not overdue."""
    assert runs.overdue(world.conn, ttl=10 * SECOND, at=T0 + 3600 * SECOND) == []
    world.start(at=T0)
    runs.adopt(world.conn, world.run_id, epoch=1)
    assert runs.overdue(world.conn, ttl=10 * SECOND, at=T0 + 10 * SECOND) == []
    late = runs.overdue(world.conn, ttl=10 * SECOND, at=T0 + 3600 * SECOND)
    assert [run.run_id for run in late] == [world.run_id]
    assert runs.heartbeat(world.conn, world.run_id, epoch=1, at=T0 + 3595 * SECOND)
    assert runs.overdue(world.conn, ttl=10 * SECOND, at=T0 + 3600 * SECOND) == []
    world.move("halt", "RUNNING", "HALTED")
    assert not runs.heartbeat(world.conn, world.run_id, epoch=1, at=T0 + 3600 * SECOND)


def test_a_leader_of_an_older_epoch_can_write_nothing(world: World) -> None:
    world.start()
    assert runs.adopt(world.conn, world.run_id, epoch=1)
    assert runs.advance_feed(world.conn, world.run_id, epoch=1, expected=0, to=5)
    assert runs.adopt(world.conn, world.run_id, epoch=2)
    assert not runs.adopt(world.conn, world.run_id, epoch=1)
    assert not runs.adopt(world.conn, world.run_id, epoch=2)
    assert not runs.heartbeat(world.conn, world.run_id, epoch=1, at=T0)
    assert not runs.advance_feed(world.conn, world.run_id, epoch=1, expected=5, to=6)
    assert runs.heartbeat(world.conn, world.run_id, epoch=2, at=T0)


def test_the_feed_is_advanced_from_where_it_is_and_never_back(world: World) -> None:
    runs.adopt(world.conn, world.run_id, epoch=1)
    assert runs.advance_feed(world.conn, world.run_id, epoch=1, expected=0, to=5)
    assert not runs.advance_feed(world.conn, world.run_id, epoch=1, expected=0, to=6)
    assert fetched(world.conn, world.run_id).feed_cursor == 5
    for column in ("feed_cursor", "fencing_epoch", "transition_seq"):
        with pytest.raises(DBAPIError) as refusal, world.conn.begin_nested():
            world.conn.execute(text(f"UPDATE runs SET {column} = {column} - 1"))
        assert sqlstate(refusal.value) == "23001", column


def test_what_a_run_is_never_changes(world: World) -> None:
    for statement in (
        "UPDATE runs SET mode = 'LIVE'",
        "UPDATE runs SET engine_id = 'EXP'",
        "UPDATE runs SET config = '{}'",
        "UPDATE run_transitions SET actor = 'eve'",
        "UPDATE lifecycle_edges SET to_state = 'RUNNING'",
        "UPDATE policy_bundles SET canonical = '{}'",
        "DELETE FROM runs",
        "DELETE FROM run_transitions",
        "DELETE FROM lifecycle_edges",
        "TRUNCATE policy_bundles CASCADE",
    ):
        with pytest.raises(DBAPIError) as refusal, world.conn.begin_nested():
            world.conn.execute(text(statement))
        assert sqlstate(refusal.value) == "23001", statement


def test_a_mode_nobody_knows_is_refused(world: World) -> None:
    """DB-20 for the mode."""
    with pytest.raises(IntegrityError) as refusal:
        world.run(2, mode="LIVE-CAPITAL")
    assert sqlstate(refusal.value) == "23514"


def test_the_latest_run_of_an_engine_is_the_one_created_last(world: World) -> None:
    world.run(3, at=T0 + SECOND)
    world.run(2, engine_id="EXP", at=T0 + 2 * SECOND)
    latest = runs.latest(world.conn, "MAIN")
    assert latest is not None
    assert latest.run_id.int == 3
    assert runs.latest(world.conn, "NONE") is None


def test_a_bundle_is_kept_once_and_under_its_own_hash(world: World) -> None:
    assert not world.bundle()
    assert bundles.get(world.conn, world.bundle_sha256) == {"engine": "MAIN", "limits": {"max_position": "20%"}}
    assert bundles.get(world.conn, "0" * 64) is None
    with pytest.raises(StoreError, match="does not have that hash"):
        bundles.save(world.conn, sha256_="0" * 64, engine_id="MAIN", canonical=b"{}", machines={}, at=T0)


def test_a_transition_nobody_saw_does_not_exist(world: World, connect: Callable[[], Connection]) -> None:
    """The move and its record are one: rolled back together."""
    world.move("arm", "CREATED", "ARMED")
    other = connect()
    assert fetched(other, world.run_id).state == "CREATED"
    world.conn.rollback()
    assert fetched(world.conn, world.run_id).state == "CREATED"
    assert len(runs.history(world.conn, world.run_id)) == 1
