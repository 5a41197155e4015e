"""Changes of policies: revisions, proposals with their verdicts, approvals, rejections, activations per engine.

Plain SQL, so that what is reviewed is what runs. The tables mirror mqk/store/policy_tables.py (a test compares them);
the triggers are written here alone. Nothing here is ever changed or deleted: what is active follows from what was
activated last.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Names of people: one way of writing each, and compared by their letters and digits, so that nobody is two.
NAME = "~ '^(?=.{1,64}$)[a-z0-9]+([ ._@+-][a-z0-9]+)*$'"

TABLES = f"""
CREATE TABLE policy_revisions (
    revision    bigint NOT NULL,
    sha256      text NOT NULL,
    payload     text NOT NULL,
    signatures  jsonb NOT NULL,
    kept_at     timestamptz NOT NULL,
    CONSTRAINT pk_policy_revisions PRIMARY KEY (revision),
    CONSTRAINT uq_policy_revisions_revision_sha256 UNIQUE (revision, sha256),
    CONSTRAINT ck_policy_revisions_revision CHECK (revision > 0),
    CONSTRAINT ck_policy_revisions_sha256 CHECK (sha256 = encode(sha256(convert_to(payload, 'UTF8')), 'hex')),
    CONSTRAINT ck_policy_revisions_payload CHECK ((payload::jsonb ->> 'revision') = revision::text)
);

CREATE TABLE policy_proposals (
    id        bigint GENERATED ALWAYS AS IDENTITY,
    revision  bigint NOT NULL,
    sha256    text NOT NULL,
    proposer  text NOT NULL,
    account   text NOT NULL,
    reason    text NOT NULL,
    at        timestamptz NOT NULL,
    CONSTRAINT pk_policy_proposals PRIMARY KEY (id),
    CONSTRAINT uq_policy_proposals_id_revision UNIQUE (id, revision),
    CONSTRAINT uq_policy_proposals_id_sha256_proposer UNIQUE (id, sha256, proposer),
    CONSTRAINT ck_policy_proposals_proposer CHECK (proposer {NAME}),
    CONSTRAINT ck_policy_proposals_reason CHECK (reason <> '' AND account <> ''),
    CONSTRAINT fk_policy_proposals_revision FOREIGN KEY (revision, sha256)
        REFERENCES policy_revisions (revision, sha256)
);

CREATE TABLE policy_verdicts (
    proposal_id  bigint NOT NULL,
    engine_id    text NOT NULL,
    revision     bigint NOT NULL,
    base_seq     integer NOT NULL,
    verdict      text NOT NULL,
    needs        integer NOT NULL,
    changes      jsonb NOT NULL,
    CONSTRAINT pk_policy_verdicts PRIMARY KEY (proposal_id, engine_id),
    CONSTRAINT uq_policy_verdicts_proposal_id_engine_id_base_seq_revision
        UNIQUE (proposal_id, engine_id, base_seq, revision),
    CONSTRAINT ck_policy_verdicts_engine_id CHECK (engine_id <> ''),
    CONSTRAINT ck_policy_verdicts_base_seq CHECK (base_seq >= 0),
    CONSTRAINT ck_policy_verdicts_verdict
        CHECK (verdict IN ('EQUAL', 'TIGHTER', 'LOOSER', 'INCOMPARABLE', 'UNDECIDED')),
    CONSTRAINT ck_policy_verdicts_needs
        CHECK (needs = CASE WHEN verdict IN ('EQUAL', 'TIGHTER') AND base_seq > 0 THEN 1 ELSE 2 END),
    CONSTRAINT fk_policy_verdicts_proposal FOREIGN KEY (proposal_id, revision)
        REFERENCES policy_proposals (id, revision)
);

CREATE TABLE policy_approvals (
    proposal_id  bigint NOT NULL,
    approver     text NOT NULL,
    letters      text NOT NULL,
    proposer     text NOT NULL,
    account      text NOT NULL,
    sha256       text NOT NULL,
    at           timestamptz NOT NULL,
    CONSTRAINT pk_policy_approvals PRIMARY KEY (proposal_id, approver),
    CONSTRAINT uq_policy_approvals_proposal_id_letters UNIQUE (proposal_id, letters),
    CONSTRAINT ck_policy_approvals_approver CHECK (approver {NAME} AND account <> ''),
    CONSTRAINT ck_policy_approvals_letters CHECK (letters = regexp_replace(approver, '[^a-z0-9]', '', 'g')),
    CONSTRAINT ck_policy_approvals_of_another CHECK (letters <> regexp_replace(proposer, '[^a-z0-9]', '', 'g')),
    CONSTRAINT fk_policy_approvals_proposal FOREIGN KEY (proposal_id, sha256, proposer)
        REFERENCES policy_proposals (id, sha256, proposer)
);

CREATE TABLE policy_rejections (
    proposal_id  bigint NOT NULL,
    actor        text NOT NULL,
    reason       text NOT NULL,
    at           timestamptz NOT NULL,
    CONSTRAINT pk_policy_rejections PRIMARY KEY (proposal_id),
    CONSTRAINT ck_policy_rejections_accounted_for CHECK (actor {NAME} AND reason <> ''),
    CONSTRAINT fk_policy_rejections_policy_proposals FOREIGN KEY (proposal_id) REFERENCES policy_proposals (id)
);

-- What is active is the last of an engine. Each follows the one that its proposal was compared with, and only one can.
CREATE TABLE policy_activations (
    engine_id     text NOT NULL,
    seq           integer NOT NULL,
    previous_seq  integer,
    proposal_id   bigint NOT NULL,
    base_seq      integer NOT NULL,
    revision      bigint NOT NULL,
    actor         text NOT NULL,
    at            timestamptz NOT NULL,
    CONSTRAINT pk_policy_activations PRIMARY KEY (engine_id, seq),
    CONSTRAINT ck_policy_activations_actor CHECK (actor {NAME}),
    CONSTRAINT ck_policy_activations_follows
        CHECK (seq = base_seq + 1 AND base_seq = coalesce(previous_seq, 0) AND (seq = 1) = (previous_seq IS NULL)),
    CONSTRAINT fk_policy_activations_previous FOREIGN KEY (engine_id, previous_seq)
        REFERENCES policy_activations (engine_id, seq),
    CONSTRAINT fk_policy_activations_verdict FOREIGN KEY (proposal_id, engine_id, base_seq, revision)
        REFERENCES policy_verdicts (proposal_id, engine_id, base_seq, revision)
);
"""

# One lock for the desk: a change of what is active and the beginning of a run happen one after the other.
CHANGES = """
CREATE FUNCTION mqk_revision_grows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('policy revisions', 0));
    SELECT max(revision) INTO newest FROM policy_revisions;
    IF NEW.revision <= newest THEN
        RAISE EXCEPTION 'a revision only grows: % is not after %', NEW.revision, newest
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- What anybody may propose must not use the numbers up.
    IF NEW.revision > coalesce(newest, 0) + 1000 THEN
        RAISE EXCEPTION 'revision % is more than 1000 after %', NEW.revision, coalesce(newest, 0)
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION mqk_verdict_of_a_known_engine() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM policy_revisions
        WHERE revision = NEW.revision AND payload::jsonb -> 'engines' -> NEW.engine_id IS NOT NULL
    ) AND NOT EXISTS (SELECT FROM policy_activations WHERE engine_id = NEW.engine_id) THEN
        RAISE EXCEPTION 'revision % has no engine %', NEW.revision, NEW.engine_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

-- Approvals, a rejection and activations of one proposal happen one after the other.
CREATE FUNCTION mqk_proposal_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM policy_proposals WHERE id = NEW.proposal_id FOR UPDATE;
    IF EXISTS (SELECT FROM policy_rejections WHERE proposal_id = NEW.proposal_id) THEN
        RAISE EXCEPTION 'proposal % was rejected', NEW.proposal_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_TABLE_NAME <> 'policy_activations'
        AND EXISTS (SELECT FROM policy_activations WHERE proposal_id = NEW.proposal_id)
    THEN
        RAISE EXCEPTION 'proposal % was activated', NEW.proposal_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION mqk_activation_is_approved() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    given bigint;
    needed integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('policy control', 0));
    SELECT needs INTO needed FROM policy_verdicts
        WHERE proposal_id = NEW.proposal_id AND engine_id = NEW.engine_id;
    SELECT count(*) INTO given FROM policy_approvals WHERE proposal_id = NEW.proposal_id;
    IF needed IS NULL OR given < needed THEN
        RAISE EXCEPTION 'proposal % has % of the % approvals that engine % needs', NEW.proposal_id, given, needed,
            NEW.engine_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

-- Engines share capital, symbols and promises to each other, which were checked for a revision as a whole.
CREATE FUNCTION mqk_one_revision_rules() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    revisions bigint[];
BEGIN
    SELECT array_agg(DISTINCT revision) INTO revisions FROM (
        SELECT DISTINCT ON (engine_id) revision FROM policy_activations ORDER BY engine_id, seq DESC
    ) AS active;
    IF cardinality(revisions) > 1 THEN
        RAISE EXCEPTION 'all engines are ruled by one revision, and these would be %', revisions
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

-- The bundle of an engine on a day, by what is active now; NULL when nothing is, or there is none that is whole.
CREATE FUNCTION mqk_active_bundle(engine text, day date) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT spell ->> 'sha256'
    FROM policy_activations
        JOIN policy_revisions USING (revision),
        jsonb_array_elements(payload::jsonb -> 'engines' -> engine) AS spell
    WHERE engine_id = engine AND (spell ->> 'since')::date <= day
    ORDER BY seq DESC, (spell ->> 'since')::date DESC
    LIMIT 1
$$;

-- A run begins, or is taken up by a process, on what is active. Once anything was activated every engine is asked.
CREATE FUNCTION mqk_run_on_the_active_policy() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    active text;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('policy control', 0));
    IF EXISTS (SELECT FROM policy_activations) THEN
        active := mqk_active_bundle(NEW.engine_id, (NEW.created_at AT TIME ZONE 'UTC')::date);
        IF active IS DISTINCT FROM NEW.bundle_sha256 THEN
            RAISE EXCEPTION 'the active policy of engine % is %, not %', NEW.engine_id, active, NEW.bundle_sha256
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER policy_revisions_grow BEFORE INSERT ON policy_revisions
    FOR EACH ROW EXECUTE FUNCTION mqk_revision_grows();
CREATE TRIGGER policy_verdicts_of_a_known_engine BEFORE INSERT ON policy_verdicts
    FOR EACH ROW EXECUTE FUNCTION mqk_verdict_of_a_known_engine();
CREATE TRIGGER policy_approvals_of_an_open_proposal BEFORE INSERT ON policy_approvals
    FOR EACH ROW EXECUTE FUNCTION mqk_proposal_is_open();
CREATE TRIGGER policy_rejections_of_an_open_proposal BEFORE INSERT ON policy_rejections
    FOR EACH ROW EXECUTE FUNCTION mqk_proposal_is_open();
CREATE TRIGGER policy_activations_of_an_open_proposal BEFORE INSERT ON policy_activations
    FOR EACH ROW EXECUTE FUNCTION mqk_proposal_is_open();
CREATE TRIGGER policy_activations_approved BEFORE INSERT ON policy_activations
    FOR EACH ROW EXECUTE FUNCTION mqk_activation_is_approved();
CREATE CONSTRAINT TRIGGER policy_activations_of_one_revision AFTER INSERT ON policy_activations
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mqk_one_revision_rules();
CREATE TRIGGER runs_on_the_active_policy BEFORE INSERT OR UPDATE OF fencing_epoch ON runs
    FOR EACH ROW EXECUTE FUNCTION mqk_run_on_the_active_policy();
"""

APPEND_ONLY = (
    "policy_revisions",
    "policy_proposals",
    "policy_verdicts",
    "policy_approvals",
    "policy_rejections",
    "policy_activations",
)


def upgrade() -> None:
    """Create everything."""
    op.execute(TABLES)
    op.execute(CHANGES)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION mqk_refuse()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_never_deleted BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION mqk_refuse()"
        )
