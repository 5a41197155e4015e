"""How far a run has come within an instant of its feed, and in which part of it a message was taken in.

Plain SQL, so that what is reviewed is what runs. The columns mirror mqk/store/tables.py (a test compares them). Runs
and messages from before had one part of an instant only.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE runs ADD COLUMN feed_part smallint NOT NULL DEFAULT 0;
ALTER TABLE runs ALTER COLUMN feed_part DROP DEFAULT;
ALTER TABLE runs ADD CONSTRAINT ck_runs_feed_part CHECK (feed_part BETWEEN 0 AND 2);
ALTER TABLE inbox ADD COLUMN applied_part smallint;
ALTER TABLE inbox ADD CONSTRAINT ck_inbox_applied_part
    CHECK (applied_part IS NULL OR applied_part BETWEEN 0 AND 2 AND applied_at IS NOT NULL);
"""

CHANGES = """
CREATE OR REPLACE TRIGGER runs_keep_identity BEFORE UPDATE ON runs
    FOR EACH ROW EXECUTE FUNCTION mqk_refuse_rewriting(
    'state', 'transition_seq', 'fencing_epoch', 'feed_cursor', 'feed_part', 'armed_at', 'running_at', 'stopped_at',
    'halted_at', 'heartbeat_at', 'halt_reason');
CREATE OR REPLACE TRIGGER inbox_keeps_message BEFORE UPDATE ON inbox
    FOR EACH ROW EXECUTE FUNCTION mqk_refuse_rewriting('applied_at', 'applied_part');
"""


def upgrade() -> None:
    """Add the columns, and let them change."""
    op.execute(COLUMNS)
    op.execute(CHANGES)
