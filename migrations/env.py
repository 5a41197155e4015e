"""How Alembic reaches the database: over the connection that mqk.store.migrate hands it, in that one transaction.

There is no alembic.ini: migrations are run by `mqk db migrate`, which takes the lock and checks for live runs first.
"""

from alembic import context

from mqk.store.policy_tables import PolicyRevision  # noqa: F401 - its module has the tables of change control
from mqk.store.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    compare_type=True,
)
context.run_migrations()
