"""The inbox: what the broker says is kept once and applied once, in the order it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mqk.store import inbox
from tests.store.world import SECOND, T0, World, sqlstate

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from sqlalchemy import Connection


def receive(world: World, message_id: str, fill_id: str | None = None, run_id: UUID | None = None) -> bool:
    payload = {"type": "FILL" if fill_id else "ACK", "qty": 10}
    return inbox.receive(
        world.conn, run_id or world.run_id, message_id=message_id, fill_id=fill_id, payload=payload, at=T0
    )


def test_distinct_fills_are_each_applied_once(world: World) -> None:
    """DB-16: a second insert is a no-op, and so is a second application."""
    for number in (1, 2, 3):
        assert receive(world, f"m{number}", f"f{number}")
        assert not receive(world, f"m{number}", f"f{number}")
    for message in inbox.unapplied(world.conn, world.run_id):
        assert inbox.mark_applied(world.conn, world.run_id, message_id=message.message_id, at=T0 + SECOND)
        assert not inbox.mark_applied(world.conn, world.run_id, message_id=message.message_id, at=T0 + SECOND)
    assert inbox.unapplied(world.conn, world.run_id) == []
    applied = inbox.applied(world.conn, world.run_id)
    assert [(each.message_id, each.fill_id, each.received_at, each.applied_at) for each in applied] == [
        ("m1", "f1", T0, T0 + SECOND),
        ("m2", "f2", T0, T0 + SECOND),
        ("m3", "f3", T0, T0 + SECOND),
    ]


def test_message_ids_are_the_runs_own(world: World) -> None:
    """DB-17: the same message id in another run is another message."""
    other = world.run(2)
    assert receive(world, "m1", "f1")
    assert receive(world, "m1", "f1", run_id=other)


def test_a_fill_told_in_two_envelopes_counts_once(world: World) -> None:
    """DB-18 and RUN-14: the same fill under another message id is rejected; messages without one are not compared."""
    assert receive(world, "websocket-1", "f1")
    assert not receive(world, "rest-1", "f1")
    assert receive(world, "ack-1")
    assert receive(world, "ack-2")
    assert [message.message_id for message in inbox.unapplied(world.conn, world.run_id)] == [
        "websocket-1",
        "ack-1",
        "ack-2",
    ]


def test_a_crash_between_receiving_and_applying_applies_once(world: World, connect: Callable[[], Connection]) -> None:
    """RUN-7, W6: received and committed, the application rolled back, then applied by the next process, once."""
    receive(world, "m1", "f1")
    world.conn.commit()
    inbox.mark_applied(world.conn, world.run_id, message_id="m1", at=T0)
    world.conn.rollback()
    restarted = connect()
    assert [message.message_id for message in inbox.unapplied(restarted, world.run_id)] == ["m1"]
    inbox.mark_applied(restarted, world.run_id, message_id="m1", at=T0)
    restarted.commit()
    assert inbox.unapplied(connect(), world.run_id) == []


def test_what_the_broker_said_is_neither_rewritten_nor_removed(world: World) -> None:
    receive(world, "m1", "f1")
    inbox.mark_applied(world.conn, world.run_id, message_id="m1", at=T0)
    for statement in (
        "UPDATE inbox SET payload = '{}'",
        "UPDATE inbox SET fill_id = 'f2'",
        "UPDATE inbox SET applied_at = NULL",
        "DELETE FROM inbox",
        "TRUNCATE inbox",
    ):
        with pytest.raises(DBAPIError) as refusal, world.conn.begin_nested():
            world.conn.execute(text(statement))
        assert sqlstate(refusal.value) == "23001", statement


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=st.lists(st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 3))), max_size=14),
    applied_of=st.integers(0, 14),
)
def test_any_telling_and_retelling_leaves_each_message_and_fill_once(
    world: World, told: list[tuple[int, int | None]], applied_of: int
) -> None:
    messages: set[int] = set()
    fills: set[int] = set()
    kept: list[str] = []
    for message, fill in told:
        new = message not in messages and fill not in fills
        assert receive(world, f"m{message}", None if fill is None else f"f{fill}") == new
        if new:
            messages.add(message)
            fills.update(() if fill is None else (fill,))
            kept.append(f"m{message}")
    for message_id in kept[:applied_of]:
        assert inbox.mark_applied(world.conn, world.run_id, message_id=message_id, at=T0)
    assert [each.message_id for each in inbox.applied(world.conn, world.run_id)] == kept[:applied_of]
    assert [each.message_id for each in inbox.unapplied(world.conn, world.run_id)] == kept[applied_of:]
    world.conn.rollback()
