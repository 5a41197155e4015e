"""Change control against a small model: whatever is tried in whatever order, also by raw statements, both agree.

The model is what the desk was promised, in twenty lines; the database is PostgreSQL with its constraints and triggers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from mqk.store import Refused, policies
from mqk.store.database import open_engine
from mqk.store.policies import Judged
from mqk.store.values import canonical_json, sha256
from tests.store.test_policies import ACTIVATE, APPROVE
from tests.store.world import T0

if TYPE_CHECKING:
    from collections.abc import Callable

ENGINES = ("EXP", "MAIN")
PEOPLE = ("ana", "bo", "cy", "dy")
SINGLE = {"EQUAL", "TIGHTER"}

people = st.sampled_from(PEOPLE)
engines = st.sampled_from(ENGINES)
verdicts = st.sampled_from(("EQUAL", "TIGHTER", "LOOSER", "INCOMPARABLE", "UNDECIDED"))


@dataclass
class Asked:
    """A proposal as the model knows it: against what it was compared, and how many people it takes, by engine."""

    revision: int
    proposer: str
    bases: dict[str, int]
    needs: dict[str, int]
    approvals: set[str] = field(default_factory=set)
    rejected: bool = False
    active: set[str] = field(default_factory=set)


@dataclass
class Model:
    """What was promised."""

    contents: dict[int, str] = field(default_factory=dict)
    active: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in ENGINES})
    asked: dict[int, Asked] = field(default_factory=dict)

    def may_keep(self, revision: int, content: str) -> bool:
        return self.contents.get(revision) == content or revision > max(self.contents, default=0)

    def may_approve(self, id_: int, name: str) -> bool:
        asked = self.asked[id_]
        return not (asked.rejected or asked.active or name == asked.proposer or name in asked.approvals)

    def may_activate(self, id_: int, engines: list[str]) -> bool:
        asked = self.asked[id_]
        others = {ruled[-1] for name, ruled in self.active.items() if ruled and name not in engines}
        return (
            not asked.rejected
            and others <= {asked.revision}
            and all(
                name in asked.bases
                and asked.bases[name] == len(self.active[name])
                and len(asked.approvals) >= asked.needs[name]
                for name in engines
            )
        )


class ChangeControl(RuleBasedStateMachine):
    """The repository and raw statements on one side, the model on the other."""

    database: ClassVar[Engine]
    proposals: Bundle[int] = Bundle("proposals")

    @initialize(target=proposals, which=st.sets(engines), proposer=people)
    def begin(self, which: set[str], proposer: str) -> object:
        """Some engines are under control already: what follows is about changes, and not only about first policies."""
        self.conn: Connection = self.database.connect()
        self.model = Model()
        self.keep(1, "x")
        if not which:
            return multiple()
        id_ = self.propose(proposer, "LOOSER", which, 0)
        assert isinstance(id_, int)
        self.approve_by_all(id_)
        self.activate(id_)
        return id_

    def teardown(self) -> None:
        self.conn.rollback()
        self.conn.close()

    def tried(self, attempt: Callable[[], object]) -> bool:
        """Whether it was done; what is refused leaves nothing behind."""
        try:
            with self.conn.begin_nested():
                attempt()
                # What is asked when a transaction ends.
                self.conn.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
                self.conn.execute(text("SET CONSTRAINTS ALL DEFERRED"))
        except (Refused, DBAPIError):
            return False
        return True

    @rule(revision=st.integers(1, 6), content=st.sampled_from("xy"))
    def keep(self, revision: int, content: str) -> None:
        payload = canonical_json(
            {"revision": revision, "files": {"a": content}, "engines": {name: [] for name in ENGINES}}
        )
        expected = self.model.may_keep(revision, content)

        def attempt() -> None:
            policies.keep(
                self.conn,
                revision=revision,
                sha256=sha256(payload),
                payload=payload.encode(),
                signatures=[],
                at=T0,
            )

        assert self.tried(attempt) is expected
        if expected:
            self.model.contents[revision] = content

    @rule(
        target=proposals, proposer=people, verdict=verdicts, which=st.sets(engines, min_size=1), pick=st.integers(0, 5)
    )
    def propose(self, proposer: str, verdict: str, which: set[str], pick: int) -> object:
        if not self.model.contents:
            return multiple()
        revision = sorted(self.model.contents)[pick % len(self.model.contents)]
        row = policies.get_revision(self.conn, revision)
        assert row is not None
        bases = {name: len(self.model.active[name]) for name in which}
        judged = [Judged(name, base, verdict, []) for name, base in bases.items()]
        id_ = policies.propose(
            self.conn,
            revision=revision,
            sha256=row.sha256,
            proposer=proposer,
            account="root",
            reason="r",
            judged=judged,
            at=T0,
        )
        needs = {name: 1 if verdict in SINGLE and base else 2 for name, base in bases.items()}
        self.model.asked[id_] = Asked(revision, proposer, bases, needs)
        return id_

    @rule(id_=proposals, name=people, raw=st.booleans())
    def approve(self, id_: int, name: str, raw: bool) -> None:
        whole = policies.get(self.conn, id_)
        values = {
            "id": id_,
            "approver": name,
            "letters": name,
            "proposer": whole.row.proposer,
            "sha256": whole.row.sha256,
        }
        expected = self.model.may_approve(id_, name)

        def attempt() -> None:
            if raw:
                self.conn.execute(text(APPROVE), values)
            else:
                policies.approve(self.conn, whole, approver=name, account="root", at=T0)

        assert self.tried(attempt) is expected
        if expected:
            self.model.asked[id_].approvals.add(name)

    @rule(id_=proposals)
    def approve_by_all(self, id_: int) -> None:
        for name in PEOPLE:
            self.approve(id_, name, raw=False)

    @rule(
        target=proposals,
        proposer=people,
        verdict=verdicts,
        which=st.sets(engines, min_size=1),
        approvers=st.lists(people, max_size=3),
        raw=st.booleans(),
    )
    def change(self, proposer: str, verdict: str, which: set[str], approvers: list[str], raw: bool) -> object:
        """The whole way at once, by too few people or enough."""
        id_ = self.propose(proposer, verdict, which, 5)
        assert isinstance(id_, int)
        for name in approvers:
            self.approve(id_, name, raw=raw)
        if raw:
            self.activate_raw(id_, min(which), 0, 0)
        else:
            self.activate(id_)
        return id_

    @rule(id_=proposals, name=people)
    def reject(self, id_: int, name: str) -> None:
        asked = self.model.asked[id_]
        expected = not (asked.rejected or asked.active)
        whole = policies.get(self.conn, id_)
        assert self.tried(lambda: policies.reject(self.conn, whole, actor=name, reason="no", at=T0)) is expected
        asked.rejected = asked.rejected or expected

    @rule(id_=proposals)
    def activate(self, id_: int) -> None:
        """All engines of a proposal or none."""
        asked = self.model.asked[id_]
        wanted = sorted(asked.bases)
        expected = self.model.may_activate(id_, wanted)
        whole = policies.get(self.conn, id_)
        assert self.tried(lambda: policies.activate(self.conn, whole, wanted, actor="ana", at=T0)) is expected
        if expected:
            self._active(id_, wanted)

    @rule(id_=proposals, engine=engines, off=st.integers(-1, 1), revision=st.integers(0, 6))
    def activate_raw(self, id_: int, engine: str, off: int, revision: int) -> None:
        """As anybody could write it, mostly not quite right; `revision` 0 is the one that was proposed."""
        asked = self.model.asked[id_]
        base = len(self.model.active[engine]) + off
        values = {
            "engine": engine,
            "seq": base + 1,
            "previous": base or None,
            "id": id_,
            "base": base,
            "revision": revision or asked.revision,
        }
        right = off == 0 and values["revision"] == asked.revision
        expected = right and self.model.may_activate(id_, [engine])
        assert self.tried(lambda: self.conn.execute(text(ACTIVATE), values)) is expected
        if expected:
            self._active(id_, [engine])

    def _active(self, id_: int, names: list[str]) -> None:
        asked = self.model.asked[id_]
        for name in names:
            self.model.active[name].append(asked.revision)
            asked.active.add(name)

    @invariant()
    def one_revision_is_active_for_each_engine(self) -> None:
        rows = policies.activations(self.conn)
        found: dict[str, list[int]] = {name: [] for name in ENGINES}
        for each in rows:
            found[each.engine_id].append(each.revision)
            assert each.seq == len(found[each.engine_id])
        assert found == self.model.active
        assert policies.controlled(self.conn) is bool(rows)
        # Approvals are only added to, so that it is enough to look at what is active.
        for last in {each.engine_id: each for each in rows}.values():
            whole = policies.get(self.conn, last.proposal_id)
            (needs,) = [each.needs for each in whole.verdicts if each.engine_id == last.engine_id]
            assert len({each.approver for each in whole.approvals} - {whole.row.proposer}) >= needs


@pytest.fixture
def machine(database_url: str) -> type[ChangeControl]:
    ChangeControl.database = open_engine(database_url, poolclass=NullPool)
    return ChangeControl


def test_nothing_rules_but_what_was_approved_for_what_it_changes(machine: type[ChangeControl]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=15, stateful_step_count=25, deadline=None))
    machine.database.dispose()
