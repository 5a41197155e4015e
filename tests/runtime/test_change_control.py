"""Change control and runs: what is active changes whole or not at all, and for the runs that begin afterwards."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.pool import NullPool

from mqk.policy import PolicyError, load_policies
from mqk.policy.explanations import explanations_dir
from mqk.policy.packing import Packed, pack, write_packed
from mqk.policy.timeline import spell_on
from mqk.runtime import Step, change_control
from mqk.runtime.change_control import Asker
from mqk.runtime.weighing import weigh
from mqk.store import Refused, audit, policies
from mqk.store.database import open_engine
from mqk.store.policies import Judged
from mqk.store.values import canonical_json, instant, sha256
from tests.runtime.control_victim import COMMITTED, STEPS, act
from tests.runtime.harness import RUN, Crash, Faults, Player
from tests.runtime.world import T0, desk_guards

if TYPE_CHECKING:
    from mqk.guards import GuardSet

DAY = instant(T0).date()


def desk(folder: Path, *changes: tuple[str, str, str], more: str | None = None) -> Path:
    """A small desk's policies with texts of its files changed, and perhaps one more document."""
    shutil.copytree(explanations_dir() / "desk", folder)
    for file, this, that in changes:
        written = (folder / file).read_text()
        assert this in written
        (folder / file).write_text(written.replace(this, that))
    if more is not None:
        (folder / "more.yaml").write_text(more)
    return folder


TIGHTER = ("engine.yaml", "max_position: 15%", "max_position: 10%")


@pytest.fixture
def begin(database_url: str) -> Callable[[], Any]:
    return beginning(database_url)


def beginning(url: str) -> Callable[[], Any]:
    """Begins transactions of its own on a database."""

    @contextmanager
    def transaction() -> Iterator[Connection]:
        engine = open_engine(url, poolclass=NullPool)
        with engine.begin() as conn:
            yield conn
        engine.dispose()

    return transaction


def test_killed_at_any_step_exactly_one_revision_is_active(
    database_url: str, begin: Callable[[], Any], tmp_path: Path
) -> None:
    packed: dict[int, Packed] = {}
    for revision, changes in ((1, ()), (2, (TIGHTER,))):
        packed[revision] = pack(desk(tmp_path / str(revision), *changes), revision)
        write_packed(packed[revision], tmp_path / f"{revision}.mqk")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.runtime.control_victim", "mqk.analysis.diff"])

    def killed(action: str, subject: str, at: str) -> None:
        victim = context.Process(target=act, args=(database_url, action, subject, at))
        victim.start()
        victim.join(120)
        assert victim.exitcode == -signal.SIGKILL, (action, at)

    def found() -> tuple[list[int], str | None, int, int]:
        """The revisions that were activated, the bundle that binds, how many proposals and approvals there are."""
        with begin() as conn:
            assert audit.verify(conn, None).sound
            rows = policies.activations(conn)
            assert [each.seq for each in rows] == list(range(1, len(rows) + 1))
            asked = policies.proposals(conn)
            bundle = policies.active_bundle(conn, "DESK", DAY)
            return [each.revision for each in rows], bundle, len(asked), sum(len(each.approvals) for each in asked)

    file = {revision: str(tmp_path / f"{revision}.mqk") for revision in packed}
    story = [
        ("propose", file[1]),
        ("approve", "bo"),
        ("approve", "cy"),
        ("activate", "ana"),
        ("propose", file[2]),
        ("approve", "bo"),
        ("activate", "bo"),
    ]
    for action, subject in story:
        before = found()
        for step in STEPS[action]:
            killed(action, subject, step)
            assert found() == before, (action, step)
        killed(action, subject, COMMITTED)
        assert found() != before
    revisions, bundle, _, _ = found()
    assert revisions == [1, 2]
    assert bundle == spell_on(packed[2].engines["DESK"], DAY).sha256


def test_what_begins_later_is_weighed_today(tmp_path: Path) -> None:
    """A waiver of next month loosens, and one that is over by then does not: the days to come are approved as well."""
    waiver = (explanations_dir() / "desk" / "risk.yaml").read_text()
    rule = next(line.split("id: ")[1] for line in waiver.splitlines() if line.strip().startswith("- id:"))
    text_ = (
        f"kind: waiver\nid: june\ntitle: Later\nowner: risk\nrule: {rule}\nengines: [DESK]\nwhy: a trial\n"
        "requested_by: desk\napproved_by: chief\neffective: {from: 2026-06-01, until: 2026-07-01}\n"
    )
    base, head = (load_policies([desk(tmp_path / name, more=more)]) for name, more in (("a", None), ("b", text_)))
    assert not head.errors
    for day, verdict in (
        (date(2026, 3, 1), "LOOSER"),
        (date(2026, 6, 30), "LOOSER"),
        (date(2026, 7, 1), "EQUAL"),
    ):
        found = weigh(base, head, "DESK", day)
        assert found.verdict == verdict
        canonical_json(list(found.changes))  # all of it can be kept
        assert bool(found.changes) is (verdict == "LOOSER")
    assert weigh(head, base, "DESK", date(2026, 3, 1)).verdict == "TIGHTER"
    assert weigh(None, base, "DESK", date(2026, 3, 1)).verdict == "LOOSER"


def test_what_cannot_run_today_is_not_proposed(tmp_path: Path) -> None:
    dated = ("engine.yaml", "mode: PAPER", "mode: PAPER\neffective: {from: 2027-01-01}")
    head = load_policies([desk(tmp_path / "a", dated)])
    with pytest.raises(PolicyError):
        weigh(None, head, "DESK", date(2026, 3, 1))


LOOSE_LAYER = ("engine.yaml", "max_position: 15%", "max_position: 30%")
WRONG_CLAIM = """kind: risk
id: claims
title: What the desk promises
owner: risk
claims:
  - {id: CLAIM-01, title: Nothing is ever denied, at: order, when: order.qty > 0, never: [deny]}
"""


@pytest.mark.parametrize(
    ("changes", "more", "code"),
    [
        ((LOOSE_LAYER,), None, "MQK-1420"),
        ((("engine.yaml", "risk: [desk_risk", "risk: [desk_risk, claims"),), WRONG_CLAIM, "MQK-1428"),
    ],
)
def test_what_check_and_prove_refuse_is_not_proposed(
    begin: Callable[[], Any], tmp_path: Path, changes: tuple[tuple[str, str, str], ...], more: str | None, code: str
) -> None:
    packed = pack(desk(tmp_path / "desk", *changes, more=more), 1)
    with begin() as conn:
        with pytest.raises(PolicyError) as refused:
            change_control.propose(conn, packed, file="x", by=Asker("ana", "ana"), reason="r", at=T0)
        assert code in {each.code for each in refused.value.diagnostics}
        assert policies.proposals(conn) == []


def test_a_verdict_that_was_written_down_wrongly_does_not_activate_a_loosening(
    begin: Callable[[], Any], tmp_path: Path
) -> None:
    """Whoever can write proposals can write a verdict into one; what a single approval would activate is asked anew."""
    with begin() as conn:
        for revision, changes in ((1, (TIGHTER,)), (2, ())):
            packed = pack(desk(tmp_path / str(revision), *changes), revision)
            made = change_control.propose(conn, packed, file="x", by=Asker("ana", "ana"), reason="r", at=T0)
            for name in ("bo", "cy")[: 2 if revision == 1 else 1]:
                change_control.approve(conn, made.row.id, by=Asker(name, name), at=T0)
            if revision == 1:
                change_control.activate(conn, made.row.id, by=Asker("ana", "ana"), at=T0)
        row = made.row
        forged = policies.propose(
            conn,
            revision=2,
            sha256=row.sha256,
            proposer="eve",
            account="eve",
            reason="all well",
            judged=[Judged("DESK", 1, "TIGHTER", [])],
            at=T0,
        )
        change_control.approve(conn, forged, by=Asker("bo", "bo"), at=T0)
        with pytest.raises(Refused) as refused:
            change_control.activate(conn, forged, by=Asker("eve", "eve"), at=T0)
        assert refused.value.code == "MQK-1577"
        assert "is recorded as TIGHTER for `DESK`, and comes out LOOSER now" in refused.value.message
        now = policies.active(conn, "DESK")
        assert now is not None
        assert now.revision == 1


def activated(conn: Connection, revision: int, guards: GuardSet) -> None:
    """Have a made-up revision rule the engine of these guards, under their very bundle."""
    engine, bundle = guards.bundle.engine, guards.bundle.sha256
    payload = canonical_json(
        {"revision": revision, "engines": {engine: [{"since": "0001-01-01", "sha256": bundle}]}, "files": {}}
    )
    digest = sha256(payload)
    policies.keep(conn, revision=revision, sha256=digest, payload=payload.encode(), signatures=[], at=T0)
    judged = [Judged(engine, revision - 1, "LOOSER", [])]
    id_ = policies.propose(
        conn, revision=revision, sha256=digest, proposer="ana", account="ana", reason="r", judged=judged, at=T0
    )
    for name in ("bo", "cy"):
        policies.approve(conn, policies.get(conn, id_), approver=name, account=name, at=T0)
    policies.lock(conn)
    policies.activate(conn, policies.get(conn, id_), [engine], actor="ana", at=T0)


OTHER = (("capital: 100_000 USD", "capital: 90_000 USD"),)


class Activating(Faults):
    """A probe that has another revision activated in the middle of a run, and perhaps crashes later."""

    def __init__(self, begin: Callable[[], Any], guards: GuardSet, at: list[tuple[Step, int]]) -> None:
        super().__init__(at)
        self._begin, self._guards = begin, guards

    def passed(self, step: Step, detail: str = "") -> None:
        super().passed(step, detail)
        if (step, self.seen[step]) == (Step.TICK_COMMITTED, 5):
            with self._begin() as conn:
                activated(conn, 2, self._guards)


@pytest.fixture
def other() -> GuardSet:
    guards = desk_guards(changes=OTHER)
    assert guards.bundle.sha256 != desk_guards().bundle.sha256
    return guards


def test_a_run_that_is_going_on_ends_as_it_began_and_the_next_one_is_on_what_is_active(
    player: Player, other: GuardSet
) -> None:
    begin = beginning(player.url)
    with begin() as conn:
        activated(conn, 1, player.guards)
    summary = player.play(Activating(begin, other, []))
    assert (summary.state, summary.ticks, summary.bundle) == ("STOPPED", 36, player.guards.bundle.sha256)
    for settings in ({}, {"run_id": None, "fresh": True}):
        with pytest.raises(Refused) as refused:
            player.play(**settings)
        assert refused.value.code == "MQK-1579"
        assert "active is revision 2" in refused.value.message
        assert refused.value.help is not None
    player.guards = other
    again = player.play(run_id=None)
    assert (again.state, again.bundle) == ("STOPPED", other.bundle.sha256)
    assert again.run_id != RUN


def test_a_run_whose_process_died_is_not_taken_up_on_what_is_no_longer_active(player: Player, other: GuardSet) -> None:
    """Taking a run up is a boundary too: else a looser policy would last for as long as somebody keeps restarting."""
    begin = beginning(player.url)
    with begin() as conn:
        activated(conn, 1, player.guards)
    with pytest.raises(Crash):
        player.play(Activating(begin, other, [(Step.TICK_COMMITTED, 9)]))
    with pytest.raises(Refused, match="active is revision 2"):
        player.play()
    player.guards = other
    assert player.play(run_id=None, fresh=True).state == "STOPPED"
    with begin() as conn:
        states = dict(tuple(row) for row in conn.execute(text("SELECT bundle_sha256, state FROM runs")))
    assert states[other.bundle.sha256] == "STOPPED"
    assert set(states.values()) == {"STOPPED"}, "the one that was left behind made way"


def test_a_desk_that_never_activated_anything_runs_as_before(player: Player) -> None:
    assert player.play().state == "STOPPED"
