"""Change control in the database: whoever asks, by whatever statement, nothing rules that was not approved.

Contents are made up here: what a change means is weighed elsewhere.
"""

from __future__ import annotations

import threading
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mqk.store import Refused, StoreError, policies, runs
from mqk.store.policies import Judged
from mqk.store.values import canonical_json, sha256
from tests.store.world import T0, World, sqlstate

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

DAY = date(2024, 2, 16)  # the day of T0
BUNDLE = "b" * 64


def kept(conn: Connection, revision: int, *, bundle: str = BUNDLE, engines: tuple[str, ...] = ("MAIN", "EXP")) -> str:
    """Keep a made-up revision in which every engine has one bundle for ever; returns its hash."""
    spells = {name: [{"since": "0001-01-01", "sha256": bundle}] for name in engines}
    payload = canonical_json({"revision": revision, "files": {"a.yaml": bundle}, "engines": spells, "format": 1})
    digest = sha256(payload)
    policies.keep(conn, revision=revision, sha256=digest, payload=payload.encode(), signatures=[], at=T0)
    return digest


def proposed(
    conn: Connection, revision: int = 1, *, base: int = 0, verdict: str = "LOOSER", engines: tuple[str, ...] = ("MAIN",)
) -> int:
    row = policies.get_revision(conn, revision)
    digest = kept(conn, revision) if row is None else row.sha256
    judged = [Judged(each, base, verdict, []) for each in engines]
    return policies.propose(
        conn, revision=revision, sha256=digest, proposer="ana", account="root", reason="wider", judged=judged, at=T0
    )


def approve(conn: Connection, id_: int, *names: str) -> None:
    for name in names:
        policies.approve(conn, policies.get(conn, id_), approver=name, account="root", at=T0)


def activate(conn: Connection, id_: int, *engines: str) -> None:
    policies.activate(conn, policies.get(conn, id_), engines or ("MAIN",), actor="ana", at=T0)


def refused(attempt: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(StoreError) as refusal:
        attempt(*arguments, **named)
    assert refusal.value.message
    return refusal.value.code


@pytest.fixture
def raw(conn: Connection) -> Any:
    """Runs a statement as anybody with a connection could; returns PostgreSQL's code of the refusal, or None."""

    def run(statement: str, **values: object) -> str | None:
        try:
            with conn.begin_nested():
                conn.execute(text(statement), values)
        except DBAPIError as error:
            return sqlstate(error)
        return None

    return run


def test_two_people_other_than_the_proposer_let_a_loosening_rule(conn: Connection) -> None:
    id_ = proposed(conn)
    assert refused(activate, conn, id_) == "MQK-1577"
    assert refused(approve, conn, id_, "ana") == "MQK-1576"
    approve(conn, id_, "bo")
    assert refused(approve, conn, id_, "bo") == "MQK-1576"
    assert refused(activate, conn, id_) == "MQK-1577"
    approve(conn, id_, "cy")
    assert not policies.controlled(conn)
    activate(conn, id_)
    assert refused(activate, conn, id_) == "MQK-1576"
    assert policies.controlled(conn)
    found = policies.active(conn, "MAIN")
    assert found is not None
    assert (found.seq, found.revision) == (1, 1)
    assert policies.active_bundle(conn, "MAIN", DAY) == BUNDLE
    assert policies.active_bundle(conn, "EXP", DAY) is None


@pytest.mark.parametrize(
    ("verdict", "base", "needs"),
    [("EQUAL", 1, 1), ("TIGHTER", 1, 1), ("LOOSER", 1, 2), ("INCOMPARABLE", 1, 2), ("UNDECIDED", 1, 2)]
    + [(verdict, 0, 2) for verdict in ("EQUAL", "TIGHTER", "LOOSER")],
)
def test_only_what_is_proven_to_loosen_nothing_takes_one_approval(verdict: str, base: int, needs: int) -> None:
    """The first policy of an engine permits what nothing permitted before: it counts as a loosening."""
    assert Judged("MAIN", base, verdict, []).needs == needs


def test_a_second_proposal_on_the_same_base_is_stale(conn: Connection) -> None:
    first, second = proposed(conn, 1), proposed(conn, 2)
    for id_ in (first, second):
        approve(conn, id_, "bo", "cy")
    activate(conn, first)
    assert refused(activate, conn, second) == "MQK-1578"
    again = proposed(conn, 2, base=1, verdict="TIGHTER")
    approve(conn, again, "bo")
    activate(conn, again)
    assert [each.revision for each in policies.activations(conn)] == [1, 2]


def test_nothing_becomes_of_what_was_rejected(conn: Connection) -> None:
    id_ = proposed(conn)
    approve(conn, id_, "bo", "cy")
    policies.reject(conn, policies.get(conn, id_), actor="dy", reason="not now", at=T0)
    for attempt in (lambda: approve(conn, id_, "eli"), lambda: activate(conn, id_)):
        assert refused(attempt) == "MQK-1576"
    whole = policies.get(conn, id_)
    assert refused(policies.reject, conn, whole, actor="dy", reason="again", at=T0) == "MQK-1576"


def test_a_revision_only_grows(conn: Connection, raw: Any) -> None:
    digest = kept(conn, 5)
    assert kept(conn, 5) == digest, "the very same again is no other"
    for revision, bundle in ((5, "c" * 64), (4, BUNDLE), (1, BUNDLE)):
        assert refused(kept, conn, revision, bundle=bundle) == "MQK-1575"
    kept(conn, 9)
    assert policies.next_revision(conn) == 10
    for revision in (3, 5, 9):
        payload = canonical_json({"revision": revision, "engines": {}})
        values = {"revision": revision, "sha256": sha256(payload), "payload": payload}
        insert = (
            "INSERT INTO policy_revisions (revision, sha256, payload, signatures, kept_at)"
            " VALUES (:revision, :sha256, :payload, '[]', now())"
        )
        assert raw(insert, **values) == "23001"
    # Nor does it run away: a number that is used up does not come back.
    assert refused(kept, conn, 1_010) == "MQK-1575"
    payload = canonical_json({"revision": 1_010, "engines": {}})
    assert raw(insert, revision=1_010, sha256=sha256(payload), payload=payload) == "23001"
    # Its hash and its number are those of its content, whoever writes it.
    payload = canonical_json({"revision": 11, "engines": {}})
    assert raw(insert, revision=11, sha256="0" * 64, payload=payload) == "23514"
    assert raw(insert, revision=12, sha256=sha256(payload), payload=payload) == "23514"


ACTIVATE = (
    "INSERT INTO policy_activations (engine_id, seq, previous_seq, proposal_id, base_seq, revision, actor, at)"
    " VALUES (:engine, :seq, :previous, :id, :base, :revision, 'eve', now())"
)
APPROVE = (
    "INSERT INTO policy_approvals (proposal_id, approver, letters, proposer, account, sha256, at)"
    " VALUES (:id, :approver, :letters, :proposer, 'root', :sha256, now())"
)
VERDICT = (
    "INSERT INTO policy_verdicts (proposal_id, engine_id, revision, base_seq, verdict, needs, changes)"
    " VALUES (:id, :engine, :revision, :base, :verdict, :needs, '[]')"
)


def test_no_statement_activates_what_was_not_approved(conn: Connection, raw: Any) -> None:
    first = proposed(conn, 1)
    row = {"engine": "MAIN", "seq": 1, "previous": None, "id": first, "base": 0, "revision": 1}
    assert raw(ACTIVATE, **row) == "23001"
    approve(conn, first, "bo")
    assert raw(ACTIVATE, **row) == "23001"
    approve(conn, first, "cy")
    for other in (
        {"engine": "EXP"},  # not proposed for it
        {"revision": 2},  # other content than approved
        {"seq": 2, "base": 1, "previous": 1},  # after one that there is not
        {"seq": 2},
        {"base": 1},
        {"seq": 0, "base": -1},
        {"id": first + 1},
    ):
        assert raw(ACTIVATE, **{**row, **other}) in {"23001", "23503", "23514"}, other
    activate(conn, first)

    looser, tighter = proposed(conn, 2, base=1), proposed(conn, 3, base=1, verdict="TIGHTER")
    row = {"engine": "MAIN", "seq": 2, "previous": 1, "id": looser, "base": 1, "revision": 2}
    approve(conn, looser, "bo")
    assert raw(ACTIVATE, **row) == "23001"
    approve(conn, tighter, "bo")
    # The approvals of one are not those of another.
    assert raw(ACTIVATE, **{**row, "id": tighter}) == "23503"
    assert raw(ACTIVATE, **{**row, "id": tighter, "revision": 3}) is None
    approve(conn, looser, "cy")
    # Compared with what is no longer active: its place is taken, and no other is left.
    assert raw(ACTIVATE, **row) == "23505"
    assert raw(ACTIVATE, **{**row, "seq": 3, "previous": 2, "base": 2}) == "23503"
    now = policies.active(conn, "MAIN")
    assert now is not None
    assert now.revision == 3


def test_no_statement_makes_an_approval_that_does_not_count(conn: Connection, raw: Any) -> None:
    id_ = proposed(conn)
    row = policies.get(conn, id_).row
    given = {"id": id_, "approver": "bo", "letters": "bo", "proposer": "ana", "sha256": row.sha256}
    assert raw(APPROVE, **{**given, "approver": "ana", "letters": "ana"}) == "23514"
    # Who proposed it is not the approver's to say, nor what was approved.
    assert raw(APPROVE, **{**given, "approver": "ana", "letters": "ana", "proposer": "bo"}) == "23503"
    # Nor do other signs between the letters make another person.
    assert raw(APPROVE, **{**given, "approver": "a.na", "letters": "ana"}) == "23514"
    assert raw(APPROVE, **{**given, "approver": "b.o", "letters": "b.o"}) == "23514"
    assert raw(APPROVE, **{**given, "sha256": "0" * 64}) == "23503"
    for nobody in ("Bo", " bo", "", "bó", "b\n", "bo.", "-bo", "b..o", "b" * 65):
        assert raw(APPROVE, **{**given, "approver": nobody, "letters": nobody}) == "23514"
    assert raw(APPROVE, **given) is None
    for again in ("bo", "b o", "b.o"):
        assert raw(APPROVE, **{**given, "approver": again}) == "23505"
        assert refused(approve, conn, id_, again) == "MQK-1576"
    assert refused(approve, conn, id_, "a-na") == "MQK-1576"


def test_no_statement_makes_a_loosening_cheap(conn: Connection, raw: Any) -> None:
    approve(conn, first := proposed(conn, 1), "bo", "cy")
    activate(conn, first)
    id_ = proposed(conn, 2, base=1, engines=("EXP",))
    given = {"id": id_, "engine": "MAIN", "revision": 2, "base": 1, "verdict": "LOOSER", "needs": 2}
    for other in (
        {"needs": 1},
        {"needs": 0},
        {"verdict": "UNDECIDED", "needs": 1},
        {"verdict": "TIGHTER", "base": 0, "needs": 1},
        {"verdict": "FINE", "needs": 1},
        {"revision": 1},
        {"engine": "OTHER"},
        {"engine": ""},
    ):
        assert raw(VERDICT, **{**given, **other}) in {"23514", "23503", "23001"}, other
    assert raw(VERDICT, **given) is None


def test_one_revision_rules_all_engines(conn: Connection) -> None:
    """They share capital, symbols and promises, which were checked for a revision as a whole."""
    both = ("MAIN", "EXP")
    approve(conn, first := proposed(conn, 1, engines=both), "bo", "cy")
    activate(conn, first, *both)
    conn.commit()
    approve(conn, second := proposed(conn, 2, base=1, engines=both), "bo", "cy")
    conn.commit()
    activate(conn, second, "MAIN")
    with pytest.raises(DBAPIError) as refusal:
        conn.commit()
    assert sqlstate(refusal.value) == "23001"
    conn.rollback()
    activate(conn, second, *both)
    conn.commit()
    assert {each.revision for name in both if (each := policies.active(conn, name))} == {2}


@pytest.mark.parametrize("table", ["revisions", "proposals", "verdicts", "approvals", "rejections", "activations"])
def test_nothing_of_it_is_ever_changed_or_removed(conn: Connection, raw: Any, table: str) -> None:
    approve(conn, id_ := proposed(conn), "bo", "cy")
    activate(conn, id_)
    policies.reject(conn, policies.get(conn, proposed(conn, 2, base=1)), actor="dy", reason="no", at=T0)
    conn.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))  # no table is emptied while one waits to be asked
    for statement in ("UPDATE policy_{} SET {}", "DELETE FROM policy_{}", "TRUNCATE policy_{} CASCADE"):
        column = {"revisions": "kept_at = now()", "verdicts": "needs = 1"}.get(table, "at = now()")
        assert raw(statement.format(table, column)) == "23001"


def test_a_run_begins_and_is_taken_up_on_what_is_active_alone(world: World) -> None:
    """Also by raw statements: the trigger is on the table of runs."""
    conn = world.conn
    world.run(7, engine_id="MAIN")  # before anything was activated nobody asks
    kept(conn, 1, bundle=world.bundle_sha256)
    kept(conn, 2, bundle="c" * 64)
    approve(conn, first := proposed(conn, 1), "bo", "cy")
    activate(conn, first)
    world.run(8, engine_id="MAIN")
    assert runs.adopt(conn, UUID(int=8), epoch=1)
    approve(conn, second := proposed(conn, 2, base=1, verdict="TIGHTER"), "bo")
    activate(conn, second)
    for engine, number in (("MAIN", 9), ("EXP", 10)):  # another hash; and an engine that nothing is active for
        with pytest.raises(DBAPIError) as refusal, conn.begin_nested():
            world.run(number, engine_id=engine)
        assert sqlstate(refusal.value) == "23001"
    with pytest.raises(DBAPIError) as refusal, conn.begin_nested():
        runs.adopt(conn, UUID(int=8), epoch=2)
    assert sqlstate(refusal.value) == "23001"
    # What goes on is left alone.
    assert world.move("arm", "CREATED", "ARMED", run_id=UUID(int=8))


@pytest.mark.parametrize(
    ("written", "kept_as"), [("Ana", "ana"), ("  Ana  Maria ", "ana maria"), ("a.b+c@desk-1", "a.b+c@desk-1")]
)
def test_a_person_is_written_in_one_way(written: str, kept_as: str) -> None:
    assert policies.person(written) == kept_as


@pytest.mark.parametrize(
    "written", ["", " ", "bob.", "bob-", "b..b", "ána", "a/b", "-ana", "a" * 65, "a\tb\x00", "\u0430na"]
)
def test_what_cannot_be_told_apart_is_no_name(written: str) -> None:
    with pytest.raises(StoreError) as refusal:
        policies.person(written)
    assert refusal.value.code == "MQK-1574"
    assert not isinstance(refusal.value, Refused)


def test_two_activations_at_once_are_one_and_a_refusal(conn: Connection, connect: Callable[[], Connection]) -> None:
    first, second = proposed(conn, 1), proposed(conn, 2)
    for id_ in (first, second):
        approve(conn, id_, "bo", "cy")
    conn.commit()
    other, ended = connect(), []

    def too_late() -> None:
        policies.lock(other)
        ended.append(refused(activate, other, second))
        other.rollback()

    policies.lock(conn)
    activate(conn, first)
    thread = threading.Thread(target=too_late)
    thread.start()
    thread.join(0.3)
    assert not ended, "it waits for what is being decided"
    conn.commit()
    thread.join(30)
    assert ended == ["MQK-1578"]


def test_a_run_that_begins_while_the_first_policy_is_activated_is_asked_as_well(
    world: World, connect: Callable[[], Connection]
) -> None:
    id_ = proposed(world.conn, engines=("MAIN", "EXP"))
    approve(world.conn, id_, "bo", "cy")
    world.conn.commit()
    other, ended = World(connect()), []

    def begin() -> None:
        try:
            other.run(9, engine_id="EXP")
        except DBAPIError as error:
            ended.append(sqlstate(error))

    activate(world.conn, id_, "MAIN", "EXP")
    thread = threading.Thread(target=begin)
    thread.start()
    thread.join(0.3)
    assert not ended
    world.conn.commit()
    thread.join(30)
    assert ended == ["23001"]
