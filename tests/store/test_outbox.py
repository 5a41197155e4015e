"""The outbox: an intent is there before the broker is called, is dispatched by one dispatcher, and never repeated."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from mqk.store import StoreError, outbox
from tests.store.world import MINUTE, SECOND, T0, World, sqlstate

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine


def status_of(conn: Connection, key: str) -> str:
    message = outbox.get(conn, key)
    assert message is not None
    return message.status


def dispatching(world: World, key: str) -> None:
    """Bring a new message to DISPATCHING, as the one that is dispatched next."""
    world.order(key)
    claimed = outbox.claim_next(world.conn, world.run_id, dispatcher="A", at=T0)
    assert claimed is not None
    assert claimed.client_order_id == key
    assert outbox.begin_dispatch(world.conn, key, dispatcher="A", at=T0)


def test_an_intent_is_enqueued_once(world: World) -> None:
    """DB-9: the same key twice is true, then false, and one row."""
    assert world.order("MAIN_1")
    assert not world.order("MAIN_1")
    assert outbox.counts(world.conn, world.run_id) == {"PENDING": 1}


def test_an_intent_is_pending_before_any_call_to_the_broker(world: World) -> None:
    """DB-10: outbox first."""
    world.order("MAIN_1")
    message = outbox.get(world.conn, "MAIN_1")
    assert message is not None
    assert (message.status, message.attempt, message.created_at) == ("PENDING", 0, T0)
    assert message.payload == {"symbol": "SPY", "side": "BUY", "qty": 10}
    assert message.claimed_by is message.claimed_at is message.dispatching_at is message.sent_at is None


def test_a_released_claim_is_free_for_another_dispatcher(world: World) -> None:
    """DB-12: A claims and releases, B claims."""
    world.order("MAIN_1")
    outbox.claim_next(world.conn, world.run_id, dispatcher="A", at=T0)
    assert outbox.release(world.conn, "MAIN_1")
    free = outbox.get(world.conn, "MAIN_1")
    assert free is not None
    assert (free.status, free.claimed_by, free.claimed_at) == ("PENDING", None, None)
    taken = outbox.claim_next(world.conn, world.run_id, dispatcher="B", at=T0 + SECOND)
    assert taken is not None
    assert (taken.claimed_by, taken.claimed_at, taken.attempt) == ("B", T0 + SECOND, 2)


def test_nothing_is_marked_sent_that_was_not_being_dispatched(world: World) -> None:
    """DB-13: PENDING stays PENDING."""
    world.order("MAIN_1")
    assert not outbox.mark_sent(world.conn, "MAIN_1", broker_order_id="b1", at=T0)
    assert status_of(world.conn, "MAIN_1") == "PENDING"


def test_a_restart_finds_everything_not_settled_in_order(world: World) -> None:
    """DB-14: of two rows, one of them sent, both are listed; what is acknowledged or failed is not."""
    dispatching(world, "MAIN_1")
    outbox.mark_sent(world.conn, "MAIN_1", broker_order_id="b1", at=T0)
    world.order("MAIN_2")
    assert [message.client_order_id for message in outbox.unresolved(world.conn, world.run_id)] == ["MAIN_1", "MAIN_2"]
    outbox.mark_acked(world.conn, "MAIN_1", at=T0)
    assert [message.client_order_id for message in outbox.unresolved(world.conn, world.run_id)] == ["MAIN_2"]
    assert [message.client_order_id for message in outbox.all_of(world.conn, world.run_id)] == ["MAIN_1", "MAIN_2"]


def test_a_run_claims_only_its_own_messages_oldest_first(world: World) -> None:
    other = world.run(2)
    for key, run_id in (("EXP_1", other), ("MAIN_1", world.run_id), ("MAIN_2", world.run_id)):
        world.order(key, run_id=run_id)
    claimed = [outbox.claim_next(world.conn, world.run_id, dispatcher="A", at=T0) for _ in range(3)]
    assert [message and message.client_order_id for message in claimed] == ["MAIN_1", "MAIN_2", None]


def test_only_stale_claims_are_reaped(world: World) -> None:
    """DB-24, DB-25, DB-26: a claim of ten minutes goes back, a fresh one stays, what was sent always stays."""
    dispatching(world, "MAIN_1")
    outbox.mark_sent(world.conn, "MAIN_1", broker_order_id="b1", at=T0)
    world.order("MAIN_2")
    outbox.claim_next(world.conn, world.run_id, dispatcher="dead", at=T0)
    world.order("MAIN_3")
    outbox.claim_next(world.conn, world.run_id, dispatcher="alive", at=T0 + 9 * MINUTE)
    assert outbox.reap(world.conn, world.run_id, claimed_before=T0 + 5 * MINUTE) == 1
    reaped = outbox.get(world.conn, "MAIN_2")
    assert reaped is not None
    assert (reaped.status, reaped.claimed_by, reaped.claimed_at) == ("PENDING", None, None)
    assert (status_of(world.conn, "MAIN_1"), status_of(world.conn, "MAIN_3")) == ("SENT", "CLAIMED")
    assert outbox.reap(world.conn, world.run_id, claimed_before=T0 + 60 * MINUTE) == 1
    assert status_of(world.conn, "MAIN_1") == "SENT"


def test_only_the_dispatcher_that_claimed_a_message_dispatches_it(world: World) -> None:
    world.order("MAIN_1")
    outbox.claim_next(world.conn, world.run_id, dispatcher="A", at=T0)
    assert not outbox.begin_dispatch(world.conn, "MAIN_1", dispatcher="B", at=T0)
    assert outbox.begin_dispatch(world.conn, "MAIN_1", dispatcher="A", at=T0)


def test_a_message_in_doubt_is_not_sent_again_until_the_broker_is_known_not_to_have_it(world: World) -> None:
    """RUN-6: AMBIGUOUS is never claimed; requeued it is PENDING and claimable."""
    dispatching(world, "MAIN_1")
    assert outbox.mark_ambiguous(world.conn, "MAIN_1", reason="no answer in 10 s")
    assert outbox.claim_next(world.conn, world.run_id, dispatcher="A", at=T0) is None
    assert not outbox.release(world.conn, "MAIN_1")
    assert outbox.requeue(world.conn, "MAIN_1", reason="the broker has no such order")
    assert outbox.claim_next(world.conn, world.run_id, dispatcher="A", at=T0) is not None


@pytest.mark.parametrize("doubtful", [False, True])
def test_the_brokers_own_word_settles_a_dispatch(world: World, *, doubtful: bool) -> None:
    """RUN-7: found at the broker after a crash, it becomes SENT or ACKED without being sent again."""
    for key, settle in (
        ("MAIN_1", lambda: outbox.mark_sent(world.conn, "MAIN_1", broker_order_id="b1", at=T0)),
        ("MAIN_2", lambda: outbox.mark_acked(world.conn, "MAIN_2", at=T0)),
        ("MAIN_3", lambda: outbox.mark_failed(world.conn, "MAIN_3", reason="rejected", at=T0)),
    ):
        dispatching(world, key)
        if doubtful:
            outbox.mark_ambiguous(world.conn, key, reason="no answer")
        assert settle()
    assert outbox.counts(world.conn, world.run_id) == {"ACKED": 1, "FAILED": 1, "SENT": 1}


def test_a_settled_message_never_moves_again(world: World) -> None:
    dispatching(world, "MAIN_1")
    outbox.mark_failed(world.conn, "MAIN_1", reason="rejected", at=T0)
    assert not outbox.mark_sent(world.conn, "MAIN_1", broker_order_id="b1", at=T0)
    assert not outbox.mark_acked(world.conn, "MAIN_1", at=T0)
    assert not outbox.requeue(world.conn, "MAIN_1", reason="again")
    with pytest.raises(DBAPIError) as refusal:
        world.conn.execute(text("UPDATE outbox SET status = 'PENDING', claimed_by = NULL, claimed_at = NULL"))
    assert sqlstate(refusal.value) == "23001"


def test_the_brokers_id_belongs_to_one_order(world: World) -> None:
    """DB-21: the same broker id for another order violates uniqueness; distinct ones are fine."""
    for number in (1, 2, 3):
        dispatching(world, f"MAIN_{number}")
    assert outbox.mark_sent(world.conn, "MAIN_1", broker_order_id="b1", at=T0)
    assert outbox.mark_sent(world.conn, "MAIN_2", broker_order_id="b2", at=T0)
    with pytest.raises(IntegrityError) as refusal:
        outbox.mark_sent(world.conn, "MAIN_3", broker_order_id="b1", at=T0)
    assert sqlstate(refusal.value) == "23505"


def test_nothing_enters_the_outbox_undecided(world: World) -> None:
    """DB-22: the parent must exist, here the decision, and must be of the same run."""
    world.decide("of another run", run_id=world.run(2))
    for decision_id in ("none", "of another run"):
        with pytest.raises(IntegrityError) as refusal, world.conn.begin_nested():
            outbox.enqueue(
                world.conn, world.run_id, client_order_id="MAIN_1", payload={}, decision_id=decision_id, at=T0
            )
        assert sqlstate(refusal.value) == "23503"


def test_an_unknown_status_or_a_claim_without_claimant_is_refused(world: World) -> None:
    """DB-20 for the outbox. The triggers are put aside: the constraints alone must hold."""
    world.order("MAIN_1")
    world.conn.execute(text("ALTER TABLE outbox DISABLE TRIGGER USER"))
    for assignment in (
        "status = 'LOST'",
        "status = 'CLAIMED'",
        "claimed_by = 'A'",
        "status = 'CLAIMED', claimed_by = 'A'",
        "status = 'DISPATCHING', claimed_by = 'A', claimed_at = created_at",
        "status = 'FAILED', claimed_by = 'A', claimed_at = created_at, failed_at = created_at",
        "acked_at = created_at",
        "attempt = -1",
    ):
        with pytest.raises(IntegrityError) as refusal, world.conn.begin_nested():
            world.conn.execute(text(f"UPDATE outbox SET {assignment}"))
        assert sqlstate(refusal.value) == "23514", assignment


def test_what_was_enqueued_is_neither_rewritten_nor_removed(world: World) -> None:
    world.order("MAIN_1")
    for statement in (
        "UPDATE outbox SET payload = '{}'",
        "UPDATE outbox SET client_order_id = 'MAIN_9'",
        "DELETE FROM outbox",
        "TRUNCATE outbox",
    ):
        with pytest.raises(DBAPIError) as refusal, world.conn.begin_nested():
            world.conn.execute(text(statement))
        assert sqlstate(refusal.value) == "23001", statement


def test_a_payload_holds_no_float(world: World) -> None:
    world.decide("d")
    with pytest.raises(StoreError, match=r"a float is not stored: `1.5` at `\$.legs\[0\].price`"):
        outbox.enqueue(
            world.conn,
            world.run_id,
            client_order_id="MAIN_1",
            payload={"legs": [{"price": 1.5}]},
            decision_id="d",
            at=T0,
        )


def test_two_open_transactions_never_claim_the_same_message(world: World, connect: Callable[[], Connection]) -> None:
    world.order("MAIN_1")
    world.order("MAIN_2")
    world.conn.commit()
    first, second = connect(), connect()
    one = outbox.claim_next(first, world.run_id, dispatcher="A", at=T0)
    two = outbox.claim_next(second, world.run_id, dispatcher="B", at=T0)
    assert one is not None
    assert two is not None
    assert (one.client_order_id, two.client_order_id) == ("MAIN_1", "MAIN_2")
    assert outbox.claim_next(second, world.run_id, dispatcher="B", at=T0) is None
    first.rollback()
    regained = outbox.claim_next(second, world.run_id, dispatcher="B", at=T0)
    assert regained is not None
    assert regained.client_order_id == "MAIN_1"


def test_competing_dispatchers_claim_every_message_exactly_once(world: World, engine: Engine) -> None:
    keys = {f"MAIN_{number}" for number in range(60)}
    for key in keys:
        world.order(key)
    world.conn.commit()
    claims: dict[str, list[str]] = {"A": [], "B": [], "C": []}

    def drain(dispatcher: str) -> None:
        with engine.connect() as conn:
            while message := outbox.claim_next(conn, world.run_id, dispatcher=dispatcher, at=T0):
                conn.commit()
                claims[dispatcher].append(message.client_order_id)

    threads = [threading.Thread(target=drain, args=(dispatcher,)) for dispatcher in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    claimed = [key for each in claims.values() for key in each]
    assert sorted(claimed) == sorted(keys)


STEPS = {
    "claim": lambda conn, run_id: outbox.claim_next(conn, run_id, dispatcher="A", at=T0) is not None,
    "dispatch": lambda conn, _: outbox.begin_dispatch(conn, "K", dispatcher="A", at=T0),
    "sent": lambda conn, _: outbox.mark_sent(conn, "K", broker_order_id="b", at=T0),
    "acked": lambda conn, _: outbox.mark_acked(conn, "K", at=T0),
    "failed": lambda conn, _: outbox.mark_failed(conn, "K", reason="r", at=T0),
    "ambiguous": lambda conn, _: outbox.mark_ambiguous(conn, "K", reason="r"),
    "release": lambda conn, _: outbox.release(conn, "K"),
    "requeue": lambda conn, _: outbox.requeue(conn, "K", reason="r"),
}
MOVES = {
    "claim": ({"PENDING"}, "CLAIMED"),
    "dispatch": ({"CLAIMED"}, "DISPATCHING"),
    "sent": ({"DISPATCHING", "AMBIGUOUS"}, "SENT"),
    "acked": ({"SENT", "DISPATCHING", "AMBIGUOUS"}, "ACKED"),
    "failed": ({"CLAIMED", "DISPATCHING", "AMBIGUOUS"}, "FAILED"),
    "ambiguous": ({"DISPATCHING"}, "AMBIGUOUS"),
    "release": ({"CLAIMED"}, "PENDING"),
    "requeue": ({"DISPATCHING", "AMBIGUOUS"}, "PENDING"),
}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_every_sequence_of_calls_follows_the_table_of_moves(world: World, steps: list[str]) -> None:
    """Every function moves a message from exactly the statuses it says, and otherwise leaves it untouched."""
    world.order("K")
    status = "PENDING"
    for step in steps:
        origins, target = MOVES[step]
        moved = STEPS[step](world.conn, world.run_id)
        assert moved == (status in origins)
        status = target if moved else status
        assert status_of(world.conn, "K") == status
    world.conn.rollback()


def test_a_message_nobody_enqueued_is_nowhere(world: World) -> None:
    assert outbox.get(world.conn, "MAIN_1") is None
    assert outbox.unresolved(world.conn, UUID(int=99)) == []
    assert not outbox.mark_acked(world.conn, "MAIN_1", at=T0)
