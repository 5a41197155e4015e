"""What the store refuses, as exceptions with a message and, apart from it, help.

Violations of constraints that only a bug can cause are not here: they stay SQLAlchemy's own IntegrityError.
"""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot or will not do what was asked.

    `code` is stable and meant for programs, `message` says what is wrong, `help` (or None) what to do about it.
    """

    def __init__(self, code: str, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return self.message if self.help is None else f"{self.message}\nhelp: {self.help}"


class DatabaseUnavailable(StoreError):
    """No usable database: it cannot be started, reached, or is not at the revision this mqk needs."""


class Refused(StoreError):
    """A change of state that the policy or the database's constraints forbid; nothing was changed."""


class LeaseLost(StoreError):
    """The caller's fencing epoch is no longer the engine's: somebody else leads, and the caller must stop."""
