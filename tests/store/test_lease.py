"""The lease: one leader per engine, whose epoch is greater than that of every leader before."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mqk.store import LeaseLost, lease
from tests.store.world import SECOND, T0, sqlstate

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

TTL = 30 * SECOND


def acquire(conn: Connection, holder: str, at: int, dead_holder: str | None = None) -> int | None:
    return lease.acquire(conn, "MAIN", holder=holder, ttl=TTL, at=at, dead_holder=dead_holder)


def test_a_second_leader_waits_until_the_first_has_expired(conn: Connection) -> None:
    assert acquire(conn, "A", T0) == 1
    assert acquire(conn, "B", T0 + TTL - 1) is None
    assert acquire(conn, "B", T0 + TTL) == 2
    assert not lease.renew(conn, "MAIN", holder="A", epoch=1, ttl=TTL, at=T0 + TTL)
    with pytest.raises(LeaseLost, match="epoch 1 no longer leads engine `MAIN`"):
        lease.fence(conn, "MAIN", epoch=1, at=T0 + TTL)


def test_a_leader_that_renews_in_time_keeps_its_epoch(conn: Connection) -> None:
    acquire(conn, "A", T0)
    assert lease.renew(conn, "MAIN", holder="A", epoch=1, ttl=TTL, at=T0 + 20 * SECOND)
    assert acquire(conn, "B", T0 + 49 * SECOND) is None
    lease.fence(conn, "MAIN", epoch=1, at=T0 + 49 * SECOND)
    assert not lease.renew(conn, "MAIN", holder="A", epoch=1, ttl=TTL, at=T0 + 50 * SECOND)


def test_a_released_lease_does_not_begin_again_at_one(conn: Connection) -> None:
    acquire(conn, "A", T0)
    assert not lease.release(conn, "MAIN", holder="B", epoch=1, at=T0)
    assert lease.release(conn, "MAIN", holder="A", epoch=1, at=T0 + SECOND)
    found = lease.current(conn, "MAIN")
    assert found is not None
    assert (found.epoch, found.holder, found.expires_at) == (1, None, None)
    with pytest.raises(LeaseLost):
        lease.fence(conn, "MAIN", epoch=1, at=T0 + SECOND)
    assert acquire(conn, "B", T0 + SECOND) == 2


def test_a_leader_known_to_be_dead_need_not_be_waited_for(conn: Connection) -> None:
    acquire(conn, "A", T0)
    assert acquire(conn, "B", T0, dead_holder="C") is None
    assert acquire(conn, "B", T0, dead_holder="A") == 2


def test_engines_are_led_apart(conn: Connection) -> None:
    assert acquire(conn, "A", T0) == 1
    assert lease.acquire(conn, "EXP", holder="B", ttl=TTL, at=T0) == 1
    assert lease.current(conn, "NONE") is None
    with pytest.raises(LeaseLost):
        lease.fence(conn, "NONE", epoch=1, at=T0)


def test_the_epoch_cannot_be_turned_back_nor_the_lease_removed(conn: Connection) -> None:
    acquire(conn, "A", T0)
    for statement in ("UPDATE leases SET epoch = 0", "DELETE FROM leases", "TRUNCATE leases"):
        with pytest.raises(DBAPIError) as refusal, conn.begin_nested():
            conn.execute(text(statement))
        assert sqlstate(refusal.value) == "23001", statement


def test_a_fenced_transaction_is_not_overtaken(connect: Callable[[], Connection]) -> None:
    leader, contender = connect(), connect()
    acquire(leader, "A", T0)
    leader.commit()
    lease.fence(leader, "MAIN", epoch=1, at=T0)
    contender.execute(text("SET LOCAL lock_timeout = '100ms'"))
    with pytest.raises(DBAPIError) as refusal:
        acquire(contender, "B", T0 + TTL)
    assert sqlstate(refusal.value) == "55P03"
    contender.rollback()
    leader.commit()
    assert acquire(contender, "B", T0 + TTL) == 2


def test_of_contenders_at_once_one_leads(engine: Engine) -> None:
    epochs: list[int | None] = []

    def contend(holder: str) -> None:
        with engine.begin() as conn:
            epochs.append(acquire(conn, holder, T0))

    threads = [threading.Thread(target=contend, args=(holder,)) for holder in "ABCD"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(epochs, key=str) == [1, None, None, None]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["acquire", "renew", "release"]), st.sampled_from("AB"), st.integers(0, 60)),
        max_size=12,
    )
)
def test_epochs_only_grow_and_at_most_one_holder_leads(conn: Connection, steps: list[tuple[str, str, int]]) -> None:
    now, epoch, leader, expires = T0, 0, None, T0
    mine = {"A": 0, "B": 0}
    for action, who, wait in steps:
        now += wait * SECOND
        if action == "acquire":
            got = acquire(conn, who, now)
            assert (got is not None) == (leader is None or expires <= now)
            if got is not None:
                assert got == epoch + 1
                epoch = mine[who] = got
                leader, expires = who, now + TTL
        elif mine[who]:
            leads = leader == who and mine[who] == epoch
            if action == "renew":
                renewed = lease.renew(conn, "MAIN", holder=who, epoch=mine[who], ttl=TTL, at=now)
                assert renewed == (leads and expires > now)
                expires = now + TTL if renewed else expires
            else:
                assert lease.release(conn, "MAIN", holder=who, epoch=mine[who], at=now) == leads
                leader = None if leads else leader
    conn.rollback()
