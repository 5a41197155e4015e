"""The tables, as SQLModel models: the single source of their columns, constraints and indexes.

Triggers (append-only tables, legal moves) are written in the migrations. Queries live in the repositories beside this
file. No column has a default that reads a clock: every instant is given, as epoch microseconds.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from mqk.store.values import EpochMicros

SHA256_FORM = "~ '^[0-9a-f]{64}$'"


def one_of(column: str, *values: str) -> str:
    """The condition of a CHECK that allows only these values."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Table(SQLModel):
    """The base of all tables; the names of constraints follow one convention, so that migrations can say them."""

    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


class PolicyBundle(Table, table=True):
    """A compiled policy bundle that some run was bound to: its canonical content under its hash."""

    __tablename__ = "policy_bundles"
    __table_args__ = (CheckConstraint(f"sha256 {SHA256_FORM}", name="sha256"),)

    sha256: str = Field(sa_column=Column(Text, primary_key=True))
    engine_id: str = Field(sa_column=Column(Text, nullable=False))
    canonical: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: int = Field(sa_column=Column(EpochMicros, nullable=False))


class LifecycleEdge(Table, table=True):
    """One move that a bundle's state machine allows. The state `''` is where a thing is before it exists."""

    __tablename__ = "lifecycle_edges"
    __table_args__ = (CheckConstraint("event <> '' AND to_state <> ''", name="named"),)

    bundle_sha256: str = Field(sa_column=Column(Text, ForeignKey("policy_bundles.sha256"), primary_key=True))
    machine: str = Field(sa_column=Column(Text, primary_key=True))
    from_state: str = Field(sa_column=Column(Text, primary_key=True))
    event: str = Field(sa_column=Column(Text, primary_key=True))
    to_state: str = Field(sa_column=Column(Text, primary_key=True))


class Run(Table, table=True):
    """One run of an engine under one bundle. Its state is whatever its last transition led to, by foreign key."""

    __tablename__ = "runs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_id", "transition_seq", "state"],
            ["run_transitions.run_id", "run_transitions.seq", "run_transitions.to_state"],
            name="fk_runs_last_transition",
            deferrable=True,
            initially="DEFERRED",
            use_alter=True,
        ),
        UniqueConstraint("run_id", "bundle_sha256", "machine"),
        UniqueConstraint("run_id", "bundle_sha256"),
        CheckConstraint(one_of("mode", "PAPER", "LIVE"), name="mode"),
        CheckConstraint("engine_id <> ''", name="engine_id"),
        CheckConstraint("(state = 'HALTED') = (halt_reason IS NOT NULL)", name="halt_reason"),
        CheckConstraint("fencing_epoch >= 0", name="fencing_epoch"),
        CheckConstraint("feed_cursor >= 0", name="feed_cursor"),
        CheckConstraint("feed_part BETWEEN 0 AND 2", name="feed_part"),
        Index(
            "uq_runs_one_active_live_run_per_engine",
            "engine_id",
            unique=True,
            postgresql_where=text("mode = 'LIVE' AND state IN ('ARMED', 'RUNNING')"),
        ),
        Index(None, "engine_id", "created_at"),
    )

    run_id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    engine_id: str = Field(sa_column=Column(Text, nullable=False))
    mode: str = Field(sa_column=Column(Text, nullable=False))
    bundle_sha256: str = Field(sa_column=Column(Text, ForeignKey("policy_bundles.sha256"), nullable=False))
    machine: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    transition_seq: int = Field(sa_column=Column(Integer, nullable=False))
    config: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    fencing_epoch: int = Field(sa_column=Column(BigInteger, nullable=False))
    feed_cursor: int = Field(sa_column=Column(BigInteger, nullable=False))
    created_at: int = Field(sa_column=Column(EpochMicros, nullable=False))
    armed_at: int | None = Field(sa_column=Column(EpochMicros))
    running_at: int | None = Field(sa_column=Column(EpochMicros))
    stopped_at: int | None = Field(sa_column=Column(EpochMicros))
    halted_at: int | None = Field(sa_column=Column(EpochMicros))
    heartbeat_at: int | None = Field(sa_column=Column(EpochMicros))
    halt_reason: str | None = Field(sa_column=Column(Text))
    feed_part: int = Field(sa_column=Column(SmallInteger, nullable=False))


class RunTransition(Table, table=True):
    """One move of a run, append-only. Each starts where the one before it ended, on an edge of the run's own bundle."""

    __tablename__ = "run_transitions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_id", "bundle_sha256", "machine"],
            ["runs.run_id", "runs.bundle_sha256", "runs.machine"],
            name="fk_run_transitions_run",
        ),
        ForeignKeyConstraint(
            ["bundle_sha256", "machine", "from_state", "event", "to_state"],
            [
                "lifecycle_edges.bundle_sha256",
                "lifecycle_edges.machine",
                "lifecycle_edges.from_state",
                "lifecycle_edges.event",
                "lifecycle_edges.to_state",
            ],
            name="fk_run_transitions_edge",
        ),
        ForeignKeyConstraint(
            ["run_id", "previous_seq", "from_state"],
            ["run_transitions.run_id", "run_transitions.seq", "run_transitions.to_state"],
            name="fk_run_transitions_previous",
        ),
        UniqueConstraint("run_id", "seq", "to_state"),
        CheckConstraint("(seq = 0) = (from_state = '')", name="first_creates"),
        CheckConstraint("(seq = 0) = (previous_seq IS NULL) AND previous_seq = seq - 1", name="previous"),
        CheckConstraint("actor <> '' AND role <> '' AND reason <> ''", name="accounted_for"),
    )

    run_id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    seq: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    previous_seq: int | None = Field(sa_column=Column(Integer))
    bundle_sha256: str = Field(sa_column=Column(Text, nullable=False))
    machine: str = Field(sa_column=Column(Text, nullable=False))
    from_state: str = Field(sa_column=Column(Text, nullable=False))
    event: str = Field(sa_column=Column(Text, nullable=False))
    to_state: str = Field(sa_column=Column(Text, nullable=False))
    actor: str = Field(sa_column=Column(Text, nullable=False))
    role: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    at: int = Field(sa_column=Column(EpochMicros, nullable=False))


class Lease(Table, table=True):
    """Who leads an engine. The row is never deleted and its epoch only grows: a stale leader can always be told."""

    __tablename__ = "leases"
    __table_args__ = (
        CheckConstraint("epoch > 0", name="epoch"),
        CheckConstraint("(holder IS NULL) = (expires_at IS NULL)", name="held_until"),
        CheckConstraint("expires_at > updated_at", name="expires_later"),
    )

    engine_id: str = Field(sa_column=Column(Text, primary_key=True))
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False))
    holder: str | None = Field(sa_column=Column(Text))
    expires_at: int | None = Field(sa_column=Column(EpochMicros))
    updated_at: int = Field(sa_column=Column(EpochMicros, nullable=False))


class Decision(Table, table=True):
    """What the guards decided at one point, with the facts they saw: the record alone reproduces it. Append-only."""

    __tablename__ = "decisions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_id", "bundle_sha256"], ["runs.run_id", "runs.bundle_sha256"], name="fk_decisions_run"
        ),
        UniqueConstraint("run_id", "decision_id"),
        CheckConstraint(
            one_of("point", "order", "account", "feed", "bar", "transition", "difference", "candidate"), name="point"
        ),
        CheckConstraint("outcome ~ '^[a-z_]+$'", name="outcome"),
        Index(None, "run_id", "at"),
    )

    decision_id: str = Field(sa_column=Column(Text, primary_key=True))
    run_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    bundle_sha256: str = Field(sa_column=Column(Text, nullable=False))
    point: str = Field(sa_column=Column(Text, nullable=False))
    outcome: str = Field(sa_column=Column(Text, nullable=False))
    facts: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    findings: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    at: int = Field(sa_column=Column(EpochMicros, nullable=False))


class OutboxMessage(Table, table=True):
    """An intent on its way to the broker. It is here, committed, before any call to the broker is made."""

    __tablename__ = "outbox"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_id", "decision_id"], ["decisions.run_id", "decisions.decision_id"], name="fk_outbox_decision"
        ),
        UniqueConstraint("client_order_id"),
        UniqueConstraint("run_id", "broker_order_id"),
        CheckConstraint(
            one_of("status", "PENDING", "CLAIMED", "DISPATCHING", "SENT", "ACKED", "FAILED", "AMBIGUOUS"),
            name="status",
        ),
        CheckConstraint("(claimed_by IS NULL) = (claimed_at IS NULL)", name="claim"),
        CheckConstraint("(status = 'PENDING') = (claimed_by IS NULL)", name="claimed"),
        CheckConstraint(
            "status NOT IN ('DISPATCHING', 'SENT', 'ACKED', 'AMBIGUOUS') OR dispatching_at IS NOT NULL",
            name="dispatched",
        ),
        CheckConstraint("status <> 'SENT' OR sent_at IS NOT NULL", name="sent"),
        CheckConstraint("(status = 'ACKED') = (acked_at IS NOT NULL)", name="acked"),
        CheckConstraint("(status = 'FAILED') = (failed_at IS NOT NULL)", name="failed"),
        CheckConstraint("status NOT IN ('FAILED', 'AMBIGUOUS') OR reason IS NOT NULL", name="reason"),
        CheckConstraint("attempt >= 0", name="attempt"),
        Index("ix_outbox_pending", "run_id", "id", postgresql_where=text("status = 'PENDING'")),
        Index("ix_outbox_unresolved", "run_id", "id", postgresql_where=text("status NOT IN ('ACKED', 'FAILED')")),
    )

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    run_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("runs.run_id"), nullable=False))
    client_order_id: str = Field(sa_column=Column(Text, nullable=False))
    decision_id: str = Field(sa_column=Column(Text, nullable=False))
    payload: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))
    created_at: int = Field(sa_column=Column(EpochMicros, nullable=False))
    claimed_by: str | None = Field(sa_column=Column(Text))
    claimed_at: int | None = Field(sa_column=Column(EpochMicros))
    dispatching_at: int | None = Field(sa_column=Column(EpochMicros))
    broker_order_id: str | None = Field(sa_column=Column(Text))
    sent_at: int | None = Field(sa_column=Column(EpochMicros))
    acked_at: int | None = Field(sa_column=Column(EpochMicros))
    failed_at: int | None = Field(sa_column=Column(EpochMicros))
    reason: str | None = Field(sa_column=Column(Text))


class InboxMessage(Table, table=True):
    """A message from the broker, kept as received. `fill_id` names the economic event, however often it is told."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("run_id", "message_id"),
        CheckConstraint("message_id <> '' AND fill_id <> ''", name="named"),
        CheckConstraint(
            "applied_part IS NULL OR applied_part BETWEEN 0 AND 2 AND applied_at IS NOT NULL", name="applied_part"
        ),
        Index(
            "uq_inbox_run_id_fill_id", "run_id", "fill_id", unique=True, postgresql_where=text("fill_id IS NOT NULL")
        ),
        Index("ix_inbox_unapplied", "run_id", "id", postgresql_where=text("applied_at IS NULL")),
        Index(None, "run_id", "id"),
    )

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    run_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("runs.run_id"), nullable=False))
    message_id: str = Field(sa_column=Column(Text, nullable=False))
    fill_id: str | None = Field(sa_column=Column(Text))
    payload: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    received_at: int = Field(sa_column=Column(EpochMicros, nullable=False))
    applied_at: int | None = Field(sa_column=Column(EpochMicros))
    applied_part: int | None = Field(sa_column=Column(SmallInteger))


class AuditEvent(Table, table=True):
    """One event of an audit chain: a run's, or `system` for what happens outside any run. Append-only."""

    __tablename__ = "audit"
    __table_args__ = (
        CheckConstraint("chain = coalesce(run_id::text, 'system')", name="chain"),
        CheckConstraint("seq > 0", name="seq"),
        CheckConstraint(f"hash {SHA256_FORM} AND prev_hash {SHA256_FORM}", name="hash"),
        CheckConstraint("actor <> '' AND kind <> ''", name="accounted_for"),
    )

    chain: str = Field(sa_column=Column(Text, primary_key=True))
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    run_id: UUID | None = Field(sa_column=Column(Uuid, ForeignKey("runs.run_id")))
    at: int = Field(sa_column=Column(EpochMicros, nullable=False))
    actor: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    payload: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    prev_hash: str = Field(sa_column=Column(Text, nullable=False))
    hash: str = Field(sa_column=Column(Text, nullable=False))


class Latch(Table, table=True):
    """An outcome that holds until released. Released ones stay, as history; one per run and rule is open at a time."""

    __tablename__ = "latches"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_id", "decision_id"], ["decisions.run_id", "decisions.decision_id"], name="fk_latches_decision"
        ),
        CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name="released"),
        CheckConstraint("released_at >= since", name="released_later"),
        CheckConstraint("outcome ~ '^[a-z_]+$'", name="outcome"),
        Index("uq_latches_open", "run_id", "rule_id", unique=True, postgresql_where=text("released_at IS NULL")),
    )

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    run_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("runs.run_id"), nullable=False))
    rule_id: str = Field(sa_column=Column(Text, nullable=False))
    outcome: str = Field(sa_column=Column(Text, nullable=False))
    decision_id: str = Field(sa_column=Column(Text, nullable=False))
    until: str = Field(sa_column=Column(Text, nullable=False))
    until_at: int | None = Field(sa_column=Column(EpochMicros))
    since: int = Field(sa_column=Column(EpochMicros, nullable=False))
    released_at: int | None = Field(sa_column=Column(EpochMicros))
    released_by: str | None = Field(sa_column=Column(Text))


class EngineAccount(Table, table=True):
    """What the desk's others are told of an engine, as last recorded, in micros; one row for each engine and mode."""

    __tablename__ = "engine_accounts"
    __table_args__ = (
        CheckConstraint(one_of("mode", "PAPER", "LIVE"), name="mode"),
        CheckConstraint("gross_exposure >= 0", name="gross_exposure"),
    )

    engine_id: str = Field(sa_column=Column(Text, primary_key=True))
    mode: str = Field(sa_column=Column(Text, primary_key=True))
    run_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("runs.run_id", name="fk_engine_accounts_runs"), nullable=False)
    )
    equity: int = Field(sa_column=Column(BigInteger, nullable=False))
    gross_exposure: int = Field(sa_column=Column(BigInteger, nullable=False))
    at: int = Field(sa_column=Column(EpochMicros, nullable=False))
