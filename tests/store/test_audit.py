"""The audit trail: nothing in it can be changed unseen."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from mqk.store import StoreError, audit
from tests.store.world import SECOND, T0, World, sqlstate

if TYPE_CHECKING:
    from sqlalchemy import Engine


def event(number: int) -> audit.Event:
    return audit.Event("ORDER", "engine MAIN", T0 + number * SECOND, {"number": number, "symbol": "SPY"})


def tamper(world: World, statement: str) -> None:
    """What somebody could do who owns the tables."""
    world.conn.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
    world.conn.execute(text(statement))
    world.conn.execute(text("ALTER TABLE audit ENABLE TRIGGER USER"))


def test_a_chain_as_it_was_written_is_sound(world: World) -> None:
    """AUD-1, AUD-4: N events, one, none."""
    assert audit.verify(world.conn, world.run_id) == audit.Verification(audit.Tail(0, audit.GENESIS), None)
    for number in (1, 2, 3):
        end = audit.append(world.conn, world.run_id, [event(number)])
        found = audit.verify(world.conn, world.run_id)
        assert found.sound
        assert found.tail == end == audit.tail(world.conn, world.run_id)
        assert end.seq == number


def test_many_events_at_once_make_the_same_chain_as_one_by_one(world: World) -> None:
    """AUD-8: the chain depends on what happened, not on how it was written."""
    attempt = world.conn.begin_nested()
    together = audit.append(world.conn, world.run_id, [event(number) for number in range(5)])
    attempt.rollback()
    for number in range(5):
        one_by_one = audit.append(world.conn, world.run_id, [event(number)])
    assert one_by_one == together
    assert audit.append(world.conn, world.run_id, []) == together


def test_events_read_back_as_they_were_written(world: World) -> None:
    payload = {"z": 1, "a": {"ü": [None, True, -3]}, "": "text"}
    audit.append(world.conn, world.run_id, [replace(event(1), payload=payload), event(2)])
    first, second = audit.events(world.conn, world.run_id)
    assert (first.kind, first.actor, first.at, first.payload) == ("ORDER", "engine MAIN", T0 + SECOND, payload)
    assert second.prev_hash == first.hash
    assert [each.seq for each in audit.events(world.conn, world.run_id, after=1)] == [2]


def test_the_trail_refuses_to_be_changed(world: World) -> None:
    audit.append(world.conn, world.run_id, [event(1)])
    for statement in ("UPDATE audit SET actor = 'eve'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(DBAPIError, match="audit keeps its history") as refusal, world.conn.begin_nested():
            world.conn.execute(text(statement))
        assert sqlstate(refusal.value) == "23001", statement


@pytest.mark.parametrize(
    "change",
    [
        """payload = jsonb_set(payload, '{symbol}', '"QQQ"')""",
        "actor = 'eve'",
        "kind = 'CANCEL'",
        "at = at + interval '1 microsecond'",
        f"hash = '{'a' * 64}'",
        f"prev_hash = '{'a' * 64}'",
    ],
)
@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_changed_event_is_found(world: World, change: str, seq: int) -> None:
    """AUD-2: broken at that event."""
    audit.append(world.conn, world.run_id, [event(number) for number in range(1, 6)])
    tamper(world, f"UPDATE audit SET {change} WHERE seq = {seq}")
    found = audit.verify(world.conn, world.run_id)
    assert found.first_broken == seq
    assert found.tail.seq == seq - 1


def test_a_missing_event_is_found(world: World) -> None:
    audit.append(world.conn, world.run_id, [event(number) for number in range(1, 6)])
    tamper(world, "DELETE FROM audit WHERE seq = 3")
    assert audit.verify(world.conn, world.run_id).first_broken == 3


def test_a_chain_cut_short_or_written_anew_differs_from_its_anchor(world: World) -> None:
    """AUD-5: the end of the chain, noted elsewhere, holds everything before it."""
    audit.append(world.conn, world.run_id, [event(number) for number in range(1, 5)])
    anchor = audit.append(world.conn, world.run_id, [event(5)])
    audit.append(world.conn, world.run_id, [event(6)])
    assert audit.verify(world.conn, world.run_id, anchor=anchor).sound
    tamper(world, "DELETE FROM audit WHERE seq > 3")
    assert audit.verify(world.conn, world.run_id).sound
    assert audit.verify(world.conn, world.run_id, anchor=anchor).first_broken == 4
    audit.append(world.conn, world.run_id, [event(40), event(50)])
    assert audit.verify(world.conn, world.run_id).sound
    assert audit.verify(world.conn, world.run_id, anchor=anchor).first_broken == 5


def test_every_run_has_its_own_chain_and_so_has_what_belongs_to_none(world: World) -> None:
    other = world.run(2)
    for chain in (world.run_id, other, None):
        assert audit.append(world.conn, chain, [event(1)]).seq == 1
    assert len({audit.tail(world.conn, chain).hash for chain in (world.run_id, other, None)}) == 3
    tamper(world, f"UPDATE audit SET actor = 'eve' WHERE run_id = '{other}'")
    assert [audit.verify(world.conn, chain).sound for chain in (world.run_id, other, None)] == [True, False, True]


def test_an_event_of_an_unknown_run_or_of_nobody_is_refused(world: World) -> None:
    for run_id, actor, state in ((UUID(int=99), "ana", "23503"), (world.run_id, "", "23514")):
        with pytest.raises(IntegrityError) as refusal, world.conn.begin_nested():
            audit.append(world.conn, run_id, [replace(event(1), actor=actor)])
        assert sqlstate(refusal.value) == state


@pytest.mark.parametrize("value", [1.0, float("nan"), 2**53, {1, 2}, b"bytes"])
def test_what_would_not_read_back_the_same_is_not_written(world: World, value: object) -> None:
    with pytest.raises(StoreError):
        audit.append(world.conn, world.run_id, [replace(event(1), payload={"value": value})])


def test_writers_at_once_make_one_chain(world: World, engine: Engine) -> None:
    def write(writer: int) -> None:
        for number in range(10):
            with engine.begin() as conn:
                audit.append(conn, world.run_id, [event(writer * 100 + number)])

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    found = audit.verify(world.conn, world.run_id)
    assert found.sound
    assert found.tail.seq == 30
