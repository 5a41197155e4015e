"""What each engine's account came to when it was last recorded, so that rules can speak of the whole desk.

Plain SQL, so that what is reviewed is what runs. The table mirrors mqk/store/tables.py (a test compares them).
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ACCOUNTS = """
CREATE TABLE engine_accounts (
    engine_id       text NOT NULL,
    mode            text NOT NULL,
    run_id          uuid NOT NULL,
    equity          bigint NOT NULL,
    gross_exposure  bigint NOT NULL,
    at              timestamptz NOT NULL,
    CONSTRAINT pk_engine_accounts PRIMARY KEY (engine_id, mode),
    CONSTRAINT ck_engine_accounts_mode CHECK (mode IN ('PAPER', 'LIVE')),
    CONSTRAINT ck_engine_accounts_gross_exposure CHECK (gross_exposure >= 0),
    CONSTRAINT fk_engine_accounts_runs FOREIGN KEY (run_id) REFERENCES runs (run_id)
);
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(ACCOUNTS)
