"""The tables of change control, as SQLModel models: revisions, proposals, verdicts, approvals, rejections, activations.

What lives here: their columns, constraints and keys, beside those of tables.py. What does not: triggers (migrations),
queries (policies.py).
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from mqk.store.tables import Table, one_of
from mqk.store.values import EpochMicros

NAME_FORM: Final = "^(?=.{1,64}$)[a-z0-9]+([ ._@+-][a-z0-9]+)*$"
"""How the name of a person is written: in one way, so that nobody is two."""
_NAMED: Final = f"~ '{NAME_FORM}'"
_LETTERS: Final = "regexp_replace({}, '[^a-z0-9]', '', 'g')"


class PolicyRevision(Table, table=True):
    """A whole set of policies under a number that only grows, as it was packed; its hash is checked by the database."""

    __tablename__ = "policy_revisions"
    __table_args__ = (
        UniqueConstraint("revision", "sha256"),
        CheckConstraint("revision > 0", name="revision"),
        CheckConstraint("sha256 = encode(sha256(convert_to(payload, 'UTF8')), 'hex')", name="sha256"),
        CheckConstraint("(payload::jsonb ->> 'revision') = revision::text", name="payload"),
    )

    revision: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    sha256: str = Field(sa_column=Column(Text, nullable=False))
    payload: str = Field(sa_column=Column(Text, nullable=False))
    signatures: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    kept_at: int = Field(sa_column=Column(EpochMicros, nullable=False))


class PolicyProposal(Table, table=True):
    """That somebody wants a revision to rule, and why; a user of the system (`account`) says to be `proposer`."""

    __tablename__ = "policy_proposals"
    __table_args__ = (
        UniqueConstraint("id", "revision"),
        UniqueConstraint("id", "sha256", "proposer"),
        CheckConstraint(f"proposer {_NAMED}", name="proposer"),
        CheckConstraint("reason <> '' AND account <> ''", name="reason"),
        ForeignKeyConstraint(
            ["revision", "sha256"],
            ["policy_revisions.revision", "policy_revisions.sha256"],
            name="fk_policy_proposals_revision",
        ),
    )

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    sha256: str = Field(sa_column=Column(Text, nullable=False))
    proposer: str = Field(sa_column=Column(Text, nullable=False))
    account: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    at: int = Field(sa_column=Column(EpochMicros, nullable=False))


class PolicyVerdict(Table, table=True):
    """What a proposal means for one engine against what was active then (`base_seq`, 0: nothing): who has to approve.

    Only what is no looser than something that rules already needs a single approval.
    """

    __tablename__ = "policy_verdicts"
    __table_args__ = (
        UniqueConstraint("proposal_id", "engine_id", "base_seq", "revision"),
        CheckConstraint("engine_id <> ''", name="engine_id"),
        CheckConstraint("base_seq >= 0", name="base_seq"),
        CheckConstraint(one_of("verdict", "EQUAL", "TIGHTER", "LOOSER", "INCOMPARABLE", "UNDECIDED"), name="verdict"),
        CheckConstraint(
            "needs = CASE WHEN verdict IN ('EQUAL', 'TIGHTER') AND base_seq > 0 THEN 1 ELSE 2 END", name="needs"
        ),
        ForeignKeyConstraint(
            ["proposal_id", "revision"],
            ["policy_proposals.id", "policy_proposals.revision"],
            name="fk_policy_verdicts_proposal",
        ),
    )

    proposal_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    engine_id: str = Field(sa_column=Column(Text, primary_key=True))
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    base_seq: int = Field(sa_column=Column(Integer, nullable=False))
    verdict: str = Field(sa_column=Column(Text, nullable=False))
    needs: int = Field(sa_column=Column(Integer, nullable=False))
    changes: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))


class PolicyApproval(Table, table=True):
    """That somebody else than the proposer approves of a proposal's content, named by its hash.

    `letters` are those of the name, by which people are told apart; `account` the user of the system who gave it.
    """

    __tablename__ = "policy_approvals"
    __table_args__ = (
        UniqueConstraint("proposal_id", "letters"),
        CheckConstraint(f"approver {_NAMED} AND account <> ''", name="approver"),
        CheckConstraint(f"letters = {_LETTERS.format('approver')}", name="letters"),
        CheckConstraint(f"letters <> {_LETTERS.format('proposer')}", name="of_another"),
        ForeignKeyConstraint(
            ["proposal_id", "sha256", "proposer"],
            ["policy_proposals.id", "policy_proposals.sha256", "policy_proposals.proposer"],
            name="fk_policy_approvals_proposal",
        ),
    )

    proposal_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    approver: str = Field(sa_column=Column(Text, primary_key=True))
    letters: str = Field(sa_column=Column(Text, nullable=False))
    proposer: str = Field(sa_column=Column(Text, nullable=False))
    account: str = Field(sa_column=Column(Text, nullable=False))
    sha256: str = Field(sa_column=Column(Text, nullable=False))
    at: int = Field(sa_column=Column(EpochMicros, nullable=False))


class PolicyRejection(Table, table=True):
    """That a proposal will not be: nothing more can become of it."""

    __tablename__ = "policy_rejections"
    __table_args__ = (CheckConstraint(f"actor {_NAMED} AND reason <> ''", name="accounted_for"),)

    proposal_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("policy_proposals.id"), primary_key=True, autoincrement=False)
    )
    actor: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    at: int = Field(sa_column=Column(EpochMicros, nullable=False))


class PolicyActivation(Table, table=True):
    """That a revision rules an engine from now on. The last one of an engine is the active one.

    It follows the one that its proposal was compared with, by foreign key, so that only one proposal can follow each.
    """

    __tablename__ = "policy_activations"
    __table_args__ = (
        CheckConstraint(f"actor {_NAMED}", name="actor"),
        CheckConstraint(
            "seq = base_seq + 1 AND base_seq = coalesce(previous_seq, 0) AND (seq = 1) = (previous_seq IS NULL)",
            name="follows",
        ),
        ForeignKeyConstraint(
            ["engine_id", "previous_seq"],
            ["policy_activations.engine_id", "policy_activations.seq"],
            name="fk_policy_activations_previous",
        ),
        ForeignKeyConstraint(
            ["proposal_id", "engine_id", "base_seq", "revision"],
            [
                "policy_verdicts.proposal_id",
                "policy_verdicts.engine_id",
                "policy_verdicts.base_seq",
                "policy_verdicts.revision",
            ],
            name="fk_policy_activations_verdict",
        ),
    )

    engine_id: str = Field(sa_column=Column(Text, primary_key=True))
    seq: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    previous_seq: int | None = Field(sa_column=Column(Integer))
    proposal_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    base_seq: int = Field(sa_column=Column(Integer, nullable=False))
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))
    actor: str = Field(sa_column=Column(Text, nullable=False))
    at: int = Field(sa_column=Column(EpochMicros, nullable=False))
