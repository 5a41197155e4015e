"""Change control in the database: revisions of policies, proposals, who approved, what is active for each engine.

Everything is only added to, in the caller's transaction. The invariants are the database's own constraints and
triggers; what is refused here is refused there as well, and said here in words. What a change means is not decided
here (mqk.runtime.change_control).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from mqk.store.errors import Refused, StoreError
from mqk.store.policy_tables import (
    NAME_FORM,
    PolicyActivation,
    PolicyApproval,
    PolicyProposal,
    PolicyRejection,
    PolicyRevision,
    PolicyVerdict,
)
from mqk.store.rows import many, one, reading
from mqk.store.values import canonical_json, instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sqlalchemy import Connection

FURTHEST: Final = 1000  # how far a revision may be after the newest
CONTROL: Final = "policy control"  # the lock under which what is active changes, and runs begin

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_NEWEST = text("SELECT max(revision) FROM policy_revisions")
_KEEP = text(
    "INSERT INTO policy_revisions (revision, sha256, payload, signatures, kept_at)"
    " VALUES (:revision, :sha256, :payload, CAST(:signatures AS jsonb), :at)"
)
_PROPOSE = text(
    "INSERT INTO policy_proposals (revision, sha256, proposer, account, reason, at)"
    " VALUES (:revision, :sha256, :proposer, :account, :reason, :at) RETURNING id"
)
_VERDICT = text(
    "INSERT INTO policy_verdicts (proposal_id, engine_id, revision, base_seq, verdict, needs, changes)"
    " VALUES (:proposal_id, :engine_id, :revision, :base_seq, :verdict, :needs, CAST(:changes AS jsonb))"
)
_HOLD = text("SELECT FROM policy_proposals WHERE id = :id FOR UPDATE")
_APPROVE = text(
    "INSERT INTO policy_approvals (proposal_id, approver, letters, proposer, account, sha256, at)"
    " VALUES (:id, :approver, :letters, :proposer, :account, :sha256, :at)"
)
_REJECT = text("INSERT INTO policy_rejections (proposal_id, actor, reason, at) VALUES (:id, :actor, :reason, :at)")
_ACTIVATE = text(
    "INSERT INTO policy_activations (engine_id, seq, previous_seq, proposal_id, base_seq, revision, actor, at)"
    " VALUES (:engine_id, :base_seq + 1, nullif(:base_seq, 0), :id, :base_seq, :revision, :actor, :at)"
)
_ANY = text("SELECT EXISTS (SELECT FROM policy_activations)")
_BUNDLE = text("SELECT mqk_active_bundle(:engine_id, :day)")
_REVISION = reading(PolicyRevision, "SELECT {columns} FROM policy_revisions WHERE revision = :revision")
_PROPOSAL = reading(PolicyProposal, "SELECT {columns} FROM policy_proposals WHERE id = :id")
_PROPOSALS = reading(PolicyProposal, "SELECT {columns} FROM policy_proposals ORDER BY id")
_VERDICTS = reading(PolicyVerdict, "SELECT {columns} FROM policy_verdicts WHERE proposal_id = :id ORDER BY engine_id")
_APPROVALS = reading(
    PolicyApproval, "SELECT {columns} FROM policy_approvals WHERE proposal_id = :id ORDER BY at, approver"
)
_REJECTION = reading(PolicyRejection, "SELECT {columns} FROM policy_rejections WHERE proposal_id = :id")
_ACTIVE = reading(
    PolicyActivation,
    "SELECT {columns} FROM policy_activations WHERE engine_id = :engine_id ORDER BY seq DESC LIMIT 1",
)
_ACTIVATIONS = reading(PolicyActivation, "SELECT {columns} FROM policy_activations ORDER BY engine_id, seq")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a proposal means for one engine, against what was active as `base_seq` (0: nothing)."""

    engine_id: str
    base_seq: int
    verdict: str
    changes: Sequence[Mapping[str, Any]]

    @property
    def needs(self) -> int:
        """How many people have to approve: one where nothing becomes possible that was not, else two."""
        return 1 if self.verdict in {"EQUAL", "TIGHTER"} and self.base_seq else 2


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal with all that became of it."""

    row: PolicyProposal
    verdicts: tuple[PolicyVerdict, ...]
    approvals: tuple[PolicyApproval, ...]
    rejection: PolicyRejection | None

    @property
    def needs(self) -> int:
        """How many approvals the whole of it takes."""
        return max(each.needs for each in self.verdicts)


def person(name: str) -> str:
    """The name of a person as it is kept: without capitals, so that nobody is two. Raises StoreError MQK-1574."""
    plain = " ".join(name.split()).lower()
    if not re.fullmatch(NAME_FORM, plain):
        raise StoreError(
            "MQK-1574",
            f"`{name}` cannot stand for a person",
            "a name is letters from a to z and digits, and between them spaces or any of `._@+-`, at most 64 of all",
        )
    return plain


def letters(name: str) -> str:
    """The letters and digits of a name: `bo`, `b.o` and `b o` are one person."""
    return re.sub("[^a-z0-9]", "", name)


def lock(conn: Connection) -> None:
    """Let nobody else change what is active, and no run begin, until the caller's transaction ends."""
    conn.execute(_LOCK, {"name": CONTROL})


def next_revision(conn: Connection) -> int:
    """The number after the newest revision."""
    return (conn.scalar(_NEWEST) or 0) + 1


def keep(
    conn: Connection, *, revision: int, sha256: str, payload: bytes, signatures: Sequence[Mapping[str, str]], at: int
) -> bool:
    """Keep a revision. False when that very one is kept already.

    Raises Refused MQK-1575 when the number is taken by other content, is not after the newest, or far after it.
    """
    conn.execute(_LOCK, {"name": "policy revisions"})
    there = get_revision(conn, revision)
    if there is not None and there.sha256 == sha256:
        return False
    newest = next_revision(conn) - 1
    if revision <= newest:
        found = (
            f"revision {revision} is other content than" if there is not None else f"revision {revision} is older than"
        )
        than = f"the one kept here ({there.sha256[:16]}…)" if there is not None else f"the newest one, {newest}"
        raise Refused("MQK-1575", f"{found} {than}", f"pack it as revision {newest + 1} or later")
    if revision > newest + FURTHEST:
        message = f"revision {revision} is more than {FURTHEST:_} after the newest one, {newest}"
        raise Refused(
            "MQK-1575", message, f"pack it as revision {newest + 1}: numbers that are used up do not come back"
        )
    values = {
        "revision": revision,
        "sha256": sha256,
        "payload": payload.decode(),
        "signatures": canonical_json(list(signatures)),
        "at": instant(at),
    }
    conn.execute(_KEEP, values)
    return True


def propose(
    conn: Connection,
    *,
    revision: int,
    sha256: str,
    proposer: str,
    account: str,
    reason: str,
    judged: Sequence[Judged],
    at: int,
) -> int:
    """Record that somebody wants a revision to rule, with what that means for each engine; returns the proposal.

    `account` is the user of the system who said to be `proposer`.
    """
    values = {
        "revision": revision,
        "sha256": sha256,
        "proposer": proposer,
        "account": account,
        "reason": reason,
        "at": instant(at),
    }
    proposal: int = conn.execute(_PROPOSE, values).scalar_one()
    rows = [
        {
            "proposal_id": proposal,
            "engine_id": each.engine_id,
            "revision": revision,
            "base_seq": each.base_seq,
            "verdict": each.verdict,
            "needs": each.needs,
            "changes": canonical_json(list(each.changes)),
        }
        for each in judged
    ]
    conn.execute(_VERDICT, rows)
    return proposal


def approve(conn: Connection, proposal: Proposal, *, approver: str, account: str, at: int) -> None:
    """Record an approval of exactly the content proposed, given by a user of the system under a name.

    Raises Refused MQK-1576 when it would not count: by the proposer, a second one by the same person, or of a proposal
    that was rejected or is active already.
    """
    _open(proposal, active=_activated(conn, proposal.row.id))
    if letters(approver) == letters(proposal.row.proposer):
        message = f"`{approver}` proposed it, and nobody approves of a proposal of their own"
        raise Refused("MQK-1576", message, "have somebody else approve it: their name goes with `--as`")
    if letters(approver) in {each.letters for each in proposal.approvals}:
        message = f"`{approver}` has approved of proposal {proposal.row.id} already"
        raise Refused("MQK-1576", message, "the approvals of two people are those of two names")
    row = proposal.row
    values = {
        "id": row.id,
        "approver": approver,
        "letters": letters(approver),
        "proposer": row.proposer,
        "account": account,
        "sha256": row.sha256,
        "at": instant(at),
    }
    conn.execute(_APPROVE, values)


def reject(conn: Connection, proposal: Proposal, *, actor: str, reason: str, at: int) -> None:
    """Record that nothing will become of a proposal. Raises Refused MQK-1576 when something has, or nothing will."""
    _open(proposal, active=_activated(conn, proposal.row.id))
    conn.execute(_REJECT, {"id": proposal.row.id, "actor": actor, "reason": reason, "at": instant(at)})


def activate(conn: Connection, proposal: Proposal, engines: Sequence[str], *, actor: str, at: int) -> None:
    """Let a proposal rule engines from now on. The caller holds the `lock`.

    Raises Refused MQK-1577 when approvals are missing, MQK-1578 when something else was activated since the proposal
    was compared, MQK-1576 when it was rejected or is active already.
    """
    verdicts = {each.engine_id: each for each in proposal.verdicts}
    given = [each.approver for each in proposal.approvals]
    _open(proposal, active=False)
    for engine in engines:
        verdict, now = verdicts[engine], active(conn, engine)
        if now is not None and now.proposal_id == proposal.row.id:
            raise Refused("MQK-1576", f"proposal {proposal.row.id} is active for `{engine}` already")
        seq = 0 if now is None else now.seq
        if seq != verdict.base_seq:
            what = "nothing" if not verdict.base_seq else f"activation {verdict.base_seq} of `{engine}`"
            by = "nothing" if now is None else f"revision {now.revision} (activation {now.seq}, by `{now.actor}`)"
            message = f"proposal {proposal.row.id} was compared with {what}, and active by now is {by}"
            raise Refused("MQK-1578", message, "propose it again: it is compared with what is active then")
        if len(given) < verdict.needs:
            people = "one person" if verdict.needs == 1 else "two people"
            found = (
                f"approved by {' and '.join(f'`{name}`' for name in given)} alone" if given else "approved by nobody"
            )
            message = (
                f"proposal {proposal.row.id} is {verdict.verdict} for `{engine}`, which takes the approval of {people}"
                f" other than `{proposal.row.proposer}`: it is {found}"
            )
            raise Refused("MQK-1577", message, f"`mqk policy approve {proposal.row.id} --as NAME`, by another person")
        values = {
            "engine_id": engine,
            "base_seq": seq,
            "id": proposal.row.id,
            "revision": proposal.row.revision,
            "actor": actor,
            "at": instant(at),
        }
        conn.execute(_ACTIVATE, values)


def get(conn: Connection, id_: int, *, hold: bool = False) -> Proposal:
    """A proposal; with `hold` nobody else decides on it until the caller's transaction ends.

    Raises StoreError MQK-1580 when there is none.
    """
    if hold:
        conn.execute(_HOLD, {"id": id_})
    row = one(conn, PolicyProposal, _PROPOSAL, {"id": id_})
    if row is None:
        raise StoreError("MQK-1580", f"there is no proposal {id_}", "`mqk policy log` lists them")
    return _whole(conn, row)


def proposals(conn: Connection) -> list[Proposal]:
    """Every proposal, the oldest first."""
    return [_whole(conn, row) for row in many(conn, PolicyProposal, _PROPOSALS, {})]


def get_revision(conn: Connection, revision: int) -> PolicyRevision | None:
    """A revision as it was kept, or None."""
    return one(conn, PolicyRevision, _REVISION, {"revision": revision})


def active(conn: Connection, engine_id: str) -> PolicyActivation | None:
    """What rules an engine now; None when nothing was ever activated for it."""
    return one(conn, PolicyActivation, _ACTIVE, {"engine_id": engine_id})


def activations(conn: Connection) -> list[PolicyActivation]:
    """Every activation, by engine, the oldest first."""
    return many(conn, PolicyActivation, _ACTIVATIONS, {})


def ruling(conn: Connection) -> list[PolicyActivation]:
    """What is active, by engine."""
    return list({each.engine_id: each for each in activations(conn)}.values())


def controlled(conn: Connection) -> bool:
    """Whether the desk is under change control: from its first activation on, for all engines and for good."""
    return bool(conn.scalar(_ANY))


def active_bundle(conn: Connection, engine_id: str, day: date) -> str | None:
    """The hash of the bundle that binds an engine's new runs on a day; None when there is none."""
    found: str | None = conn.scalar(_BUNDLE, {"engine_id": engine_id, "day": day})
    return found


def _whole(conn: Connection, row: PolicyProposal) -> Proposal:
    return Proposal(
        row,
        tuple(many(conn, PolicyVerdict, _VERDICTS, {"id": row.id})),
        tuple(many(conn, PolicyApproval, _APPROVALS, {"id": row.id})),
        one(conn, PolicyRejection, _REJECTION, {"id": row.id}),
    )


def _activated(conn: Connection, proposal: int) -> bool:
    return any(each.proposal_id == proposal for each in activations(conn))


def _open(proposal: Proposal, *, active: bool) -> None:
    """Raise Refused unless something can still become of a proposal."""
    rejection = proposal.rejection
    if rejection is not None:
        message = f"proposal {proposal.row.id} was rejected by `{rejection.actor}`: {rejection.reason}"
        raise Refused("MQK-1576", message, "propose it anew if that no longer stands")
    if active:
        raise Refused("MQK-1576", f"proposal {proposal.row.id} was activated already", "propose the next change")
