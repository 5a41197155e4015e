"""What can be wrong with an expression: as text or types (DslError), and at the moment of judging (EvaluationError).

Positions are offsets into the expression's own text; mapping them to a file is the business of mqk.policy.
"""

from __future__ import annotations

from enum import StrEnum


class DslError(Exception):
    """An expression that does not parse or does not type-check.

    `code` is one of `syntax`, `name`, `type`, `unit`, `value`, `limit`; `start` and `end` are 0-based character
    offsets of the offending text; `help` says how to mend it.
    """

    def __init__(self, code: str, message: str, start: int, end: int, help: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.start = start
        self.end = end
        self.help = help


class Fault(StrEnum):
    """Why a rule could not be judged. Every fault blocks exactly like a breach."""

    MISSING = "missing"
    INVALID = "invalid"
    STALE = "stale"
    DIVISION_BY_ZERO = "division_by_zero"


class EvaluationError(Exception):
    """A rule that could not be judged: `fault` says why, `subject` names the fact or the expression at fault."""

    def __init__(self, fault: Fault, subject: str, detail: str = "") -> None:
        super().__init__(f"{subject}: {fault.value}")
        self.fault = fault
        self.subject = subject
        self.detail = detail
