"""Change control: from a set of policies to what binds the desk's runs, by people who are named.

    propose (compared with what is active) | approve, by two where it may loosen | activate | runs begun from then on

What lives here: the order of these and what is asked at each. What does not: the record and its invariants
(mqk.store.policies), the comparison (weighing.py), bundle files (mqk.policy.packing). Each step is one transaction:
wherever a process ends, what was active before it still is, or what it activated is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mqk.policy import PolicySet
from mqk.policy.packing import Packed, check_hashes, laid_out, load_laid_out, stored, verify_packed
from mqk.policy.suggest import did_you_mean
from mqk.quantity import format_instant
from mqk.runtime.weighing import weigh
from mqk.store import Refused, StoreError, audit, policies, runs
from mqk.store.values import instant

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mqk.guards import GuardSet
    from mqk.store.policies import Proposal
    from mqk.store.policy_tables import PolicyActivation, PolicyVerdict
    from mqk.store.tables import Run

Watch = Callable[[str], None]
"""Told each step once it is written, before it is committed: where tests put their faults."""


def unwatched(_step: str) -> None:
    """Nobody watches."""


def propose(
    conn: Connection,
    packed: Packed,
    *,
    file: str,
    proposer: str,
    reason: str,
    at: int,
    engines: Sequence[str] = (),
    keys: Path | None = None,
    watch: Watch = unwatched,
) -> Proposal:
    """Propose a bundle for its engines, or for those named, and record what it means against what is active.

    `file` is what messages call it, `keys` the configuration of keys beside MQK_POLICY_KEYS. Raises PolicyError when
    the bundle is not trusted or cannot rule; StoreError and Refused with a code when it may not be proposed.
    """
    who = policies.person(proposer)
    verify_packed(packed, file, keys)
    with laid_out(packed) as folder:
        head = check_hashes(packed, folder, file)
    wanted = tuple(sorted(set(engines))) or head.ids("engine")
    for name in wanted:
        if name not in head.ids("engine"):
            help_ = did_you_mean(name, head.ids("engine"))
            raise StoreError("MQK-1580", f"revision {packed.revision} has no engine `{name}`", help_)
    signatures = [{"key": each.key, "signature": each.signature} for each in packed.signatures]
    revision, sha256 = packed.revision, packed.sha256
    policies.keep(conn, revision=revision, sha256=sha256, payload=packed.payload, signatures=signatures, at=at)
    watch("revision kept")
    judged = [_judged(conn, head, name, at) for name in wanted]
    id_ = policies.propose(
        conn, revision=revision, sha256=sha256, proposer=who, reason=reason.strip(), judged=judged, at=at
    )
    watch("proposed")
    verdicts = {each.engine_id: each.verdict for each in judged}
    told = {"proposal": id_, "revision": revision, "sha256": sha256, "verdicts": verdicts, "reason": reason.strip()}
    audit.append(conn, None, [audit.Event("policy.proposed", who, at, told)])
    watch("audited")
    return policies.get(conn, id_)


def roll_back(
    conn: Connection,
    revision: int,
    *,
    proposer: str,
    reason: str,
    at: int,
    engines: Sequence[str] = (),
    keys: Path | None = None,
    watch: Watch = unwatched,
) -> Proposal:
    """Propose an earlier revision again: a change like any other, whose direction says who has to approve."""
    packed = revision_of(conn, revision)
    file = f"revision {revision}"
    return propose(
        conn, packed, file=file, proposer=proposer, reason=reason, at=at, engines=engines, keys=keys, watch=watch
    )


def approve(
    conn: Connection, id_: int, *, approver: str, at: int, keys: Path | None = None, watch: Watch = unwatched
) -> Proposal:
    """Record that somebody else than the proposer approves. Raises StoreError and Refused with a code otherwise."""
    who = policies.person(approver)
    proposal = policies.get(conn, id_, hold=True)
    verify_packed(revision_of(conn, proposal.row.revision), f"revision {proposal.row.revision}", keys)
    policies.approve(conn, proposal, approver=who, at=at)
    watch("approved")
    told = {"proposal": id_, "revision": proposal.row.revision, "sha256": proposal.row.sha256}
    audit.append(conn, None, [audit.Event("policy.approved", who, at, told)])
    watch("audited")
    return policies.get(conn, id_)


def reject(conn: Connection, id_: int, *, actor: str, reason: str, at: int, watch: Watch = unwatched) -> Proposal:
    """Record that nothing will become of a proposal. Raises StoreError and Refused with a code otherwise."""
    who = policies.person(actor)
    proposal = policies.get(conn, id_, hold=True)
    policies.reject(conn, proposal, actor=who, reason=reason.strip(), at=at)
    watch("rejected")
    audit.append(conn, None, [audit.Event("policy.rejected", who, at, {"proposal": id_, "reason": reason.strip()})])
    watch("audited")
    return policies.get(conn, id_)


def activate(
    conn: Connection,
    id_: int,
    *,
    actor: str,
    at: int,
    engines: Sequence[str] = (),
    keys: Path | None = None,
    watch: Watch = unwatched,
) -> list[PolicyActivation]:
    """Let an approved proposal rule its engines, or those named, from the next run on; all of them or none.

    Whatever is to be activated with a single approval is compared anew, and not only looked up. Raises StoreError and
    Refused with a code, PolicyError when the bundle is no longer trusted.
    """
    who = policies.person(actor)
    proposal = policies.get(conn, id_)
    packed, file = revision_of(conn, proposal.row.revision), f"revision {proposal.row.revision}"
    verify_packed(packed, file, keys)
    known = [each.engine_id for each in proposal.verdicts]
    wanted = sorted(set(engines)) or known
    for name in wanted:
        if name not in known:
            message = f"proposal {id_} does not propose anything for `{name}`"
            raise StoreError("MQK-1580", message, did_you_mean(name, known))
    # Asked before the lock is taken: it may take its time, and what is active then is checked under the lock.
    if len(proposal.approvals) < MOST_NEEDED:
        _weigh_again(conn, proposal, packed, wanted, at)
    policies.lock(conn)
    proposal = policies.get(conn, id_, hold=True)
    policies.activate(conn, proposal, wanted, actor=who, at=at)
    watch("activated")
    told = {
        "proposal": id_,
        "revision": proposal.row.revision,
        "sha256": proposal.row.sha256,
        "engines": wanted,
        "approved_by": [each.approver for each in proposal.approvals],
    }
    audit.append(conn, None, [audit.Event("policy.activated", who, at, told)])
    watch("audited")
    return [found for name in wanted if (found := policies.active(conn, name)) is not None]


MOST_NEEDED: Final = 2
"""The approvals with which any change may be activated."""


def require_active(conn: Connection, guards: GuardSet, *, wall: int) -> None:
    """Make sure that an engine's run begins, or is taken up, on what is active for it today.

    A desk that never activated anything is not under control. Raises Refused MQK-1579.
    """
    if not policies.controlled(conn):
        return
    engine, bundle = guards.bundle.engine, guards.bundle.sha256
    now = policies.active(conn, engine)
    if now is None:
        message = f"no policy is active for engine `{engine}`, and this desk is under change control"
        help_ = "`mqk policy propose` it, have it approved, and `mqk policy activate` it"
        raise Refused("MQK-1579", message, help_)
    expected = policies.active_bundle(conn, engine, instant(wall).date())
    if expected != bundle:
        since = format_instant(now.at)
        comes_to = "no effective policy today" if expected is None else f"bundle {expected[:16]}"
        message = (
            f"these policies of engine `{engine}` are bundle {bundle[:16]}, and active is revision {now.revision}"
            f" since {since}: {comes_to}"
        )
        help_ = (
            f"run on it (`mqk policy export {now.revision} --out FILE`, `--policies FILE`), or propose these policies"
        )
        raise Refused("MQK-1579", message, help_)


def going_on(conn: Connection, engine: str) -> list[Run]:
    """The runs of an engine that go on under what they began with."""
    return runs.active(conn, engine)


def revision_of(conn: Connection, revision: int) -> Packed:
    """A revision as it was packed. Raises StoreError MQK-1580 when it is not kept here."""
    row = policies.get_revision(conn, revision)
    if row is None:
        raise StoreError("MQK-1580", f"there is no revision {revision}", "`mqk policy log` lists them")
    return stored(row.payload, row.signatures, f"revision {revision}")


def _judged(conn: Connection, head: PolicySet, engine: str, at: int) -> policies.Judged:
    now = policies.active(conn, engine)
    base = None if now is None else _loaded(revision_of(conn, now.revision))
    found = weigh(base, head, engine, instant(at).date())
    return policies.Judged(engine, 0 if now is None else now.seq, found.verdict, found.changes)


def _weigh_again(conn: Connection, proposal: Proposal, packed: Packed, engines: Sequence[str], at: int) -> None:
    """Make sure that what is recorded as no loosening is none. Others are for the count of approvals to refuse."""
    verdicts: dict[str, PolicyVerdict] = {each.engine_id: each for each in proposal.verdicts}
    single = [name for name in engines if verdicts[name].needs < MOST_NEEDED]
    if not single or not proposal.approvals:
        return
    head = _loaded(packed)
    for name in single:
        found = _judged(conn, head, name, at)
        if found.base_seq == verdicts[name].base_seq and found.needs > len(proposal.approvals):
            message = (
                f"proposal {proposal.row.id} is recorded as {verdicts[name].verdict} for `{name}`, and comes out"
                f" {found.verdict} now"
            )
            raise Refused("MQK-1577", message, f"`mqk policy approve {proposal.row.id} --as NAME`, by another person")


def _loaded(packed: Packed) -> PolicySet:
    with laid_out(packed) as folder:
        return load_laid_out(folder)
