"""Runs and their lifecycle, leases, decisions, outbox, inbox, audit chain, latches.

Plain SQL, so that what is reviewed is what runs. Forward only: taking it back would destroy the audit trail. The tables
mirror mqk/store/tables.py (a test compares them); the triggers are written here alone.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

POLICY = """
CREATE TABLE policy_bundles (
    sha256      text NOT NULL,
    engine_id   text NOT NULL,
    canonical   jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT pk_policy_bundles PRIMARY KEY (sha256),
    CONSTRAINT ck_policy_bundles_sha256 CHECK (sha256 ~ '^[0-9a-f]{64}$')
);

CREATE TABLE lifecycle_edges (
    bundle_sha256  text NOT NULL,
    machine        text NOT NULL,
    from_state     text NOT NULL,
    event          text NOT NULL,
    to_state       text NOT NULL,
    CONSTRAINT pk_lifecycle_edges PRIMARY KEY (bundle_sha256, machine, from_state, event, to_state),
    CONSTRAINT ck_lifecycle_edges_named CHECK (event <> '' AND to_state <> ''),
    CONSTRAINT fk_lifecycle_edges_policy_bundles FOREIGN KEY (bundle_sha256) REFERENCES policy_bundles (sha256)
);
"""

# A run's state is its last transition's target; each transition starts where the one before ended, on an edge that the
# run's own bundle declared. The three foreign keys together leave no way to a state that no policy allows.
RUNS = """
CREATE TABLE runs (
    run_id          uuid NOT NULL,
    engine_id       text NOT NULL,
    mode            text NOT NULL,
    bundle_sha256   text NOT NULL,
    machine         text NOT NULL,
    state           text NOT NULL,
    transition_seq  integer NOT NULL,
    config          jsonb NOT NULL,
    fencing_epoch   bigint NOT NULL,
    feed_cursor     bigint NOT NULL,
    created_at      timestamptz NOT NULL,
    armed_at        timestamptz,
    running_at      timestamptz,
    stopped_at      timestamptz,
    halted_at       timestamptz,
    heartbeat_at    timestamptz,
    halt_reason     text,
    CONSTRAINT pk_runs PRIMARY KEY (run_id),
    CONSTRAINT uq_runs_run_id_bundle_sha256_machine UNIQUE (run_id, bundle_sha256, machine),
    CONSTRAINT uq_runs_run_id_bundle_sha256 UNIQUE (run_id, bundle_sha256),
    CONSTRAINT ck_runs_mode CHECK (mode IN ('PAPER', 'LIVE')),
    CONSTRAINT ck_runs_engine_id CHECK (engine_id <> ''),
    CONSTRAINT ck_runs_halt_reason CHECK ((state = 'HALTED') = (halt_reason IS NOT NULL)),
    CONSTRAINT ck_runs_fencing_epoch CHECK (fencing_epoch >= 0),
    CONSTRAINT ck_runs_feed_cursor CHECK (feed_cursor >= 0),
    CONSTRAINT fk_runs_policy_bundles FOREIGN KEY (bundle_sha256) REFERENCES policy_bundles (sha256)
);

CREATE INDEX ix_runs_engine_id_created_at ON runs (engine_id, created_at);

CREATE UNIQUE INDEX uq_runs_one_active_live_run_per_engine ON runs (engine_id)
    WHERE mode = 'LIVE' AND state IN ('ARMED', 'RUNNING');

CREATE TABLE run_transitions (
    run_id         uuid NOT NULL,
    seq            integer NOT NULL,
    previous_seq   integer,
    bundle_sha256  text NOT NULL,
    machine        text NOT NULL,
    from_state     text NOT NULL,
    event          text NOT NULL,
    to_state       text NOT NULL,
    actor          text NOT NULL,
    role           text NOT NULL,
    reason         text NOT NULL,
    at             timestamptz NOT NULL,
    CONSTRAINT pk_run_transitions PRIMARY KEY (run_id, seq),
    CONSTRAINT uq_run_transitions_run_id_seq_to_state UNIQUE (run_id, seq, to_state),
    CONSTRAINT ck_run_transitions_first_creates CHECK ((seq = 0) = (from_state = '')),
    CONSTRAINT ck_run_transitions_previous CHECK ((seq = 0) = (previous_seq IS NULL) AND previous_seq = seq - 1),
    CONSTRAINT ck_run_transitions_accounted_for CHECK (actor <> '' AND role <> '' AND reason <> ''),
    CONSTRAINT fk_run_transitions_run FOREIGN KEY (run_id, bundle_sha256, machine)
        REFERENCES runs (run_id, bundle_sha256, machine),
    CONSTRAINT fk_run_transitions_edge FOREIGN KEY (bundle_sha256, machine, from_state, event, to_state)
        REFERENCES lifecycle_edges (bundle_sha256, machine, from_state, event, to_state),
    CONSTRAINT fk_run_transitions_previous FOREIGN KEY (run_id, previous_seq, from_state)
        REFERENCES run_transitions (run_id, seq, to_state)
);

ALTER TABLE runs ADD CONSTRAINT fk_runs_last_transition FOREIGN KEY (run_id, transition_seq, state)
    REFERENCES run_transitions (run_id, seq, to_state) DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE leases (
    engine_id   text NOT NULL,
    epoch       bigint NOT NULL,
    holder      text,
    expires_at  timestamptz,
    updated_at  timestamptz NOT NULL,
    CONSTRAINT pk_leases PRIMARY KEY (engine_id),
    CONSTRAINT ck_leases_epoch CHECK (epoch > 0),
    CONSTRAINT ck_leases_held_until CHECK ((holder IS NULL) = (expires_at IS NULL)),
    CONSTRAINT ck_leases_expires_later CHECK (expires_at > updated_at)
);
"""

ORDERS = """
CREATE TABLE decisions (
    decision_id    text NOT NULL,
    run_id         uuid NOT NULL,
    bundle_sha256  text NOT NULL,
    point          text NOT NULL,
    outcome        text NOT NULL,
    facts          jsonb NOT NULL,
    findings       jsonb NOT NULL,
    at             timestamptz NOT NULL,
    CONSTRAINT pk_decisions PRIMARY KEY (decision_id),
    CONSTRAINT uq_decisions_run_id_decision_id UNIQUE (run_id, decision_id),
    CONSTRAINT ck_decisions_point
        CHECK (point IN ('order', 'account', 'feed', 'bar', 'transition', 'difference', 'candidate')),
    CONSTRAINT ck_decisions_outcome CHECK (outcome ~ '^[a-z_]+$'),
    CONSTRAINT fk_decisions_run FOREIGN KEY (run_id, bundle_sha256) REFERENCES runs (run_id, bundle_sha256)
);

CREATE INDEX ix_decisions_run_id_at ON decisions (run_id, at);

CREATE TABLE outbox (
    id               bigint GENERATED ALWAYS AS IDENTITY,
    run_id           uuid NOT NULL,
    client_order_id  text NOT NULL,
    decision_id      text NOT NULL,
    payload          jsonb NOT NULL,
    status           text NOT NULL,
    attempt          integer NOT NULL,
    created_at       timestamptz NOT NULL,
    claimed_by       text,
    claimed_at       timestamptz,
    dispatching_at   timestamptz,
    broker_order_id  text,
    sent_at          timestamptz,
    acked_at         timestamptz,
    failed_at        timestamptz,
    reason           text,
    CONSTRAINT pk_outbox PRIMARY KEY (id),
    CONSTRAINT uq_outbox_client_order_id UNIQUE (client_order_id),
    CONSTRAINT uq_outbox_run_id_broker_order_id UNIQUE (run_id, broker_order_id),
    CONSTRAINT ck_outbox_status
        CHECK (status IN ('PENDING', 'CLAIMED', 'DISPATCHING', 'SENT', 'ACKED', 'FAILED', 'AMBIGUOUS')),
    CONSTRAINT ck_outbox_claim CHECK ((claimed_by IS NULL) = (claimed_at IS NULL)),
    CONSTRAINT ck_outbox_claimed CHECK ((status = 'PENDING') = (claimed_by IS NULL)),
    CONSTRAINT ck_outbox_dispatched
        CHECK (status NOT IN ('DISPATCHING', 'SENT', 'ACKED', 'AMBIGUOUS') OR dispatching_at IS NOT NULL),
    CONSTRAINT ck_outbox_sent CHECK (status <> 'SENT' OR sent_at IS NOT NULL),
    CONSTRAINT ck_outbox_acked CHECK ((status = 'ACKED') = (acked_at IS NOT NULL)),
    CONSTRAINT ck_outbox_failed CHECK ((status = 'FAILED') = (failed_at IS NOT NULL)),
    CONSTRAINT ck_outbox_reason CHECK (status NOT IN ('FAILED', 'AMBIGUOUS') OR reason IS NOT NULL),
    CONSTRAINT ck_outbox_attempt CHECK (attempt >= 0),
    CONSTRAINT fk_outbox_runs FOREIGN KEY (run_id) REFERENCES runs (run_id),
    CONSTRAINT fk_outbox_decision FOREIGN KEY (run_id, decision_id) REFERENCES decisions (run_id, decision_id)
);

CREATE INDEX ix_outbox_pending ON outbox (run_id, id) WHERE status = 'PENDING';
CREATE INDEX ix_outbox_unresolved ON outbox (run_id, id) WHERE status NOT IN ('ACKED', 'FAILED');

CREATE TABLE inbox (
    id           bigint GENERATED ALWAYS AS IDENTITY,
    run_id       uuid NOT NULL,
    message_id   text NOT NULL,
    fill_id      text,
    payload      jsonb NOT NULL,
    received_at  timestamptz NOT NULL,
    applied_at   timestamptz,
    CONSTRAINT pk_inbox PRIMARY KEY (id),
    CONSTRAINT uq_inbox_run_id_message_id UNIQUE (run_id, message_id),
    CONSTRAINT ck_inbox_named CHECK (message_id <> '' AND fill_id <> ''),
    CONSTRAINT fk_inbox_runs FOREIGN KEY (run_id) REFERENCES runs (run_id)
);

CREATE UNIQUE INDEX uq_inbox_run_id_fill_id ON inbox (run_id, fill_id) WHERE fill_id IS NOT NULL;
CREATE INDEX ix_inbox_unapplied ON inbox (run_id, id) WHERE applied_at IS NULL;
CREATE INDEX ix_inbox_run_id_id ON inbox (run_id, id);
"""

RECORDS = """
CREATE TABLE audit (
    chain      text NOT NULL,
    seq        bigint NOT NULL,
    run_id     uuid,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    kind       text NOT NULL,
    payload    jsonb NOT NULL,
    prev_hash  text NOT NULL,
    hash       text NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (chain, seq),
    CONSTRAINT ck_audit_chain CHECK (chain = coalesce(run_id::text, 'system')),
    CONSTRAINT ck_audit_seq CHECK (seq > 0),
    CONSTRAINT ck_audit_hash CHECK (hash ~ '^[0-9a-f]{64}$' AND prev_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT ck_audit_accounted_for CHECK (actor <> '' AND kind <> ''),
    CONSTRAINT fk_audit_runs FOREIGN KEY (run_id) REFERENCES runs (run_id)
);

CREATE TABLE latches (
    id           bigint GENERATED ALWAYS AS IDENTITY,
    run_id       uuid NOT NULL,
    rule_id      text NOT NULL,
    outcome      text NOT NULL,
    decision_id  text NOT NULL,
    until        text NOT NULL,
    until_at     timestamptz,
    since        timestamptz NOT NULL,
    released_at  timestamptz,
    released_by  text,
    CONSTRAINT pk_latches PRIMARY KEY (id),
    CONSTRAINT ck_latches_released CHECK ((released_at IS NULL) = (released_by IS NULL)),
    CONSTRAINT ck_latches_released_later CHECK (released_at >= since),
    CONSTRAINT ck_latches_outcome CHECK (outcome ~ '^[a-z_]+$'),
    CONSTRAINT fk_latches_runs FOREIGN KEY (run_id) REFERENCES runs (run_id),
    CONSTRAINT fk_latches_decision FOREIGN KEY (run_id, decision_id) REFERENCES decisions (run_id, decision_id)
);

CREATE UNIQUE INDEX uq_latches_open ON latches (run_id, rule_id) WHERE released_at IS NULL;
"""

# What a constraint cannot say, because it is about the change and not about the row. All refuse with
# restrict_violation (SQLSTATE 23001).
CHANGES = """
CREATE FUNCTION mqk_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % keeps its history: % is refused', TG_TABLE_NAME, lower(TG_OP)
        USING ERRCODE = 'restrict_violation';
END $$;

-- Everything but the columns named by the trigger stays as it was written.
CREATE FUNCTION mqk_refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - TG_ARGV IS DISTINCT FROM to_jsonb(OLD) - TG_ARGV THEN
        RAISE EXCEPTION 'table % may change only in %', TG_TABLE_NAME, array_to_string(TG_ARGV, ', ')
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION mqk_only_forward() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := to_jsonb(OLD);
    after jsonb := to_jsonb(NEW);
    counter text;
BEGIN
    FOREACH counter IN ARRAY TG_ARGV LOOP
        IF (after ->> counter)::bigint < (before ->> counter)::bigint THEN
            RAISE EXCEPTION 'table %: % may only grow', TG_TABLE_NAME, counter USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN NEW;
END $$;

CREATE FUNCTION mqk_outbox_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('PENDING', 'CLAIMED'),
        ('CLAIMED', 'PENDING'), ('CLAIMED', 'DISPATCHING'), ('CLAIMED', 'FAILED'),
        ('DISPATCHING', 'SENT'), ('DISPATCHING', 'ACKED'), ('DISPATCHING', 'FAILED'), ('DISPATCHING', 'AMBIGUOUS'),
        ('DISPATCHING', 'PENDING'),
        ('AMBIGUOUS', 'SENT'), ('AMBIGUOUS', 'ACKED'), ('AMBIGUOUS', 'FAILED'), ('AMBIGUOUS', 'PENDING'),
        ('SENT', 'ACKED')
    ) THEN
        RAISE EXCEPTION 'an outbox message does not move from % to %', OLD.status, NEW.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION mqk_inbox_applied_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.applied_at IS NOT NULL THEN
        RAISE EXCEPTION 'inbox message % was already applied', OLD.message_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER runs_keep_identity BEFORE UPDATE ON runs FOR EACH ROW EXECUTE FUNCTION mqk_refuse_rewriting(
    'state', 'transition_seq', 'fencing_epoch', 'feed_cursor', 'armed_at', 'running_at', 'stopped_at', 'halted_at',
    'heartbeat_at', 'halt_reason');
CREATE TRIGGER runs_only_forward BEFORE UPDATE ON runs
    FOR EACH ROW EXECUTE FUNCTION mqk_only_forward('transition_seq', 'fencing_epoch', 'feed_cursor');
CREATE TRIGGER leases_only_forward BEFORE UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION mqk_only_forward('epoch');
CREATE TRIGGER outbox_keeps_intent BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION mqk_refuse_rewriting(
    'status', 'attempt', 'claimed_by', 'claimed_at', 'dispatching_at', 'broker_order_id', 'sent_at', 'acked_at',
    'failed_at', 'reason');
CREATE TRIGGER outbox_moves BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION mqk_outbox_moves();
CREATE TRIGGER inbox_keeps_message BEFORE UPDATE ON inbox
    FOR EACH ROW EXECUTE FUNCTION mqk_refuse_rewriting('applied_at');
CREATE TRIGGER inbox_applied_once BEFORE UPDATE ON inbox FOR EACH ROW EXECUTE FUNCTION mqk_inbox_applied_once();
CREATE TRIGGER latches_keep_cause BEFORE UPDATE ON latches
    FOR EACH ROW EXECUTE FUNCTION mqk_refuse_rewriting('released_at', 'released_by');
"""

APPEND_ONLY = ("policy_bundles", "lifecycle_edges", "run_transitions", "decisions", "audit")
NEVER_DELETED = (*APPEND_ONLY, "runs", "leases", "outbox", "inbox", "latches")


def upgrade() -> None:
    """Create everything."""
    for statements in (POLICY, RUNS, ORDERS, RECORDS, CHANGES):
        op.execute(statements)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION mqk_refuse()"
        )
    for table in NEVER_DELETED:
        op.execute(
            f"CREATE TRIGGER {table}_never_deleted BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION mqk_refuse()"
        )
