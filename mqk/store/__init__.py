"""The database: tables, migrations, embedded server, and the repositories (runs, outbox, inbox, decisions, audit, ...).

Repositories are modules of small functions over a connection whose transaction is the caller's; import them by name.
"""

from mqk.store.errors import DatabaseUnavailable, LeaseLost, Refused, StoreError

__all__ = ["DatabaseUnavailable", "LeaseLost", "Refused", "StoreError"]
