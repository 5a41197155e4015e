"""Change control: from a set of policies to what binds the desk's runs, by people who are named.

    propose (compared with what is active) | approve, by two where it may loosen | activate | runs begun from then on

What lives here: the order of these and what is asked at each. What does not: the record and its invariants
(mqk.store.policies), the comparison (weighing.py), bundle files (mqk.policy.packing). Each step is one transaction:
wherever a process ends, what was active before it still is, or what it activated is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mqk.policy import PolicySet
from mqk.policy.packing import Packed, check_hashes, laid_out, load_laid_out, stored, verify_packed
from mqk.policy.signing import configured, trust_of, verify
from mqk.quantity import format_instant
from mqk.runtime.weighing import require_sound, weigh
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


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the name that somebody gives, which is claimed, and the user of the system who gives it."""

    name: str
    account: str


def unwatched(_step: str) -> None:
    """Nobody watches."""


def propose(
    conn: Connection,
    packed: Packed,
    *,
    file: str,
    by: Asker,
    reason: str,
    at: int,
    keys: Path | None = None,
    watch: Watch = unwatched,
) -> Proposal:
    """Propose a bundle for the whole desk, and record what it means for each engine against what is active.

    Engines share capital, symbols and promises, so that one revision rules them all; one that the bundle does not have
    is gone. `file` is what messages call it, `keys` the configuration of keys beside MQK_POLICY_KEYS. Raises
    PolicyError when the bundle is not trusted or cannot rule; StoreError and Refused with a code when it may not be
    proposed.
    """
    who = policies.person(by.name)
    _trusted(conn, packed, file, keys)
    with laid_out(packed) as folder:
        head = check_hashes(packed, folder, file)
    require_sound(head, instant(at).date())
    signatures = [{"key": each.key, "signature": each.signature} for each in packed.signatures]
    revision, sha256 = packed.revision, packed.sha256
    policies.keep(conn, revision=revision, sha256=sha256, payload=packed.payload, signatures=signatures, at=at)
    watch("revision kept")
    engines = sorted({*head.ids("engine"), *(each.engine_id for each in policies.activations(conn))})
    judged = [_judged(conn, head, name, at) for name in engines]
    id_ = policies.propose(
        conn,
        revision=revision,
        sha256=sha256,
        proposer=who,
        account=by.account,
        reason=reason.strip(),
        judged=judged,
        at=at,
    )
    watch("proposed")
    told = {
        "proposal": id_,
        "revision": revision,
        "sha256": sha256,
        "verdicts": {each.engine_id: each.verdict for each in judged},
        "reason": reason.strip(),
        "account": by.account,
    }
    audit.append(conn, None, [audit.Event("policy.proposed", who, at, told)])
    watch("audited")
    return policies.get(conn, id_)


def roll_back(
    conn: Connection,
    revision: int,
    *,
    by: Asker,
    reason: str,
    at: int,
    keys: Path | None = None,
    watch: Watch = unwatched,
) -> Proposal:
    """Propose an earlier revision again: a change like any other, whose direction says who has to approve."""
    packed = revision_of(conn, revision)
    return propose(conn, packed, file=f"revision {revision}", by=by, reason=reason, at=at, keys=keys, watch=watch)


def approve(
    conn: Connection,
    id_: int,
    *,
    by: Asker,
    at: int,
    shared: bool = False,
    keys: Path | None = None,
    watch: Watch = unwatched,
) -> Proposal:
    """Record that somebody else than the proposer approves. Raises StoreError and Refused with a code otherwise.

    Somebody else is another user of the system as well, unless it is said, for the record, that one account is `shared`
    by several people.
    """
    who = policies.person(by.name)
    proposal = policies.get(conn, id_, hold=True)
    _another_account(proposal, by, shared=shared)
    _trusted(conn, revision_of(conn, proposal.row.revision), f"revision {proposal.row.revision}", keys)
    policies.approve(conn, proposal, approver=who, account=by.account, at=at)
    watch("approved")
    told = {
        "proposal": id_,
        "revision": proposal.row.revision,
        "sha256": proposal.row.sha256,
        "account": by.account,
        "shared_account": shared,
    }
    audit.append(conn, None, [audit.Event("policy.approved", who, at, told)])
    watch("audited")
    return policies.get(conn, id_)


def reject(conn: Connection, id_: int, *, by: Asker, reason: str, at: int, watch: Watch = unwatched) -> Proposal:
    """Record that nothing will become of a proposal. Raises StoreError and Refused with a code otherwise."""
    who = policies.person(by.name)
    proposal = policies.get(conn, id_, hold=True)
    policies.reject(conn, proposal, actor=who, reason=reason.strip(), at=at)
    watch("rejected")
    told = {"proposal": id_, "reason": reason.strip(), "account": by.account}
    audit.append(conn, None, [audit.Event("policy.rejected", who, at, told)])
    watch("audited")
    return policies.get(conn, id_)


def activate(
    conn: Connection, id_: int, *, by: Asker, at: int, keys: Path | None = None, watch: Watch = unwatched
) -> list[PolicyActivation]:
    """Let an approved proposal rule every engine of the desk, from the next run on.

    What is to be activated with a single approval is compared anew, and not only looked up. Raises StoreError and
    Refused with a code, PolicyError when the bundle is no longer trusted.
    """
    who = policies.person(by.name)
    proposal = policies.get(conn, id_)
    packed, file = revision_of(conn, proposal.row.revision), f"revision {proposal.row.revision}"
    _trusted(conn, packed, file, keys)
    # Asked before the lock is taken: it may take its time, and what is active then is checked under the lock.
    if len(proposal.approvals) < MOST_NEEDED:
        _weigh_again(conn, proposal, packed, at)
    policies.lock(conn)
    proposal = policies.get(conn, id_, hold=True)
    engines = [each.engine_id for each in proposal.verdicts]
    policies.activate(conn, proposal, engines, actor=who, at=at)
    watch("activated")
    told = {
        "proposal": id_,
        "revision": proposal.row.revision,
        "sha256": proposal.row.sha256,
        "engines": engines,
        "approved_by": [each.approver for each in proposal.approvals],
        "account": by.account,
    }
    audit.append(conn, None, [audit.Event("policy.activated", who, at, told)])
    watch("audited")
    return [found for name in engines if (found := policies.active(conn, name)) is not None]


MOST_NEEDED: Final = 2
"""The approvals with which any change may be activated."""


def require_active(conn: Connection, guards: GuardSet, *, wall: int) -> None:
    """Make sure that an engine's run begins, or is taken up, on what is active for it today.

    A desk that never activated anything is not under control, unless keys are configured here: then only what is
    active, and signed by them, runs. Raises Refused MQK-1579, PolicyError MQK-1572.
    """
    trusted = configured()
    if not policies.controlled(conn):
        if trusted:
            message = f"keys are configured ({trusted[0].source}), and no policy is active that they could have signed"
            raise Refused("MQK-1579", message, "propose a signed bundle file, have it approved, and activate it")
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
    if trusted:
        verify_packed(revision_of(conn, now.revision), f"revision {now.revision}")


def going_on(conn: Connection, engine: str) -> list[Run]:
    """The runs of an engine that go on under what they began with."""
    return runs.active(conn, engine)


def revision_of(conn: Connection, revision: int) -> Packed:
    """A revision as it was packed. Raises StoreError MQK-1580 when it is not kept here."""
    row = policies.get_revision(conn, revision)
    if row is None:
        raise StoreError("MQK-1580", f"there is no revision {revision}", "`mqk policy log` lists them")
    return stored(row.payload, row.signatures, f"revision {revision}")


def _another_account(proposal: Proposal, by: Asker, *, shared: bool) -> None:
    """Make sure that two names are two users of the system, or that it was said that they are not."""
    known = {
        proposal.row.account: proposal.row.proposer,
        **{each.account: each.approver for each in proposal.approvals},
    }
    if by.account in known and not shared and policies.letters(by.name) != policies.letters(known[by.account]):
        message = f"`{by.name}` and `{known[by.account]}` are one user of this system, `{by.account}`"
        help_ = "approve from an account of your own; that one serves several people is said by `--shared-account`"
        raise Refused("MQK-1576", message, help_)


def _trusted(conn: Connection, packed: Packed, file: str, keys: Path | None) -> None:
    """Make sure that those who have to have signed a bundle: all keys that are configured, and the desk's own.

    Whoever signed what is active has to sign what follows it, whether or not this process has heard of keys. A key
    takes another's place by signing beside it once. Raises PolicyError MQK-1572.
    """
    verify_packed(packed, file, keys)
    for number in sorted({each.revision for each in policies.ruling(conn)}):
        now = revision_of(conn, number)
        own = trust_of(now.payload, now.signatures, f"revision {number}")
        if own is not None:
            verify(packed.payload, packed.signatures, [own], file)


def _judged(conn: Connection, head: PolicySet, engine: str, at: int) -> policies.Judged:
    now = policies.active(conn, engine)
    base = None if now is None else _loaded(revision_of(conn, now.revision))
    found = weigh(base, head, engine, instant(at).date())
    return policies.Judged(engine, 0 if now is None else now.seq, found.verdict, found.changes)


def _weigh_again(conn: Connection, proposal: Proposal, packed: Packed, at: int) -> None:
    """Make sure that what is recorded as no loosening is none. Others are for the count of approvals to refuse."""
    verdicts: dict[str, PolicyVerdict] = {each.engine_id: each for each in proposal.verdicts}
    single = [name for name in verdicts if verdicts[name].needs < MOST_NEEDED]
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
