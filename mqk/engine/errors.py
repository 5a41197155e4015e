"""What can go wrong in the engine: events that do not fit its books, and permits that do not fit an order.

What lives here: one error type. What does not: refusals, which are decisions and no errors.
"""

from __future__ import annotations

from typing import Literal

EngineErrorCode = Literal["unknown_order", "unknown_event", "book", "latch", "permit", "strategy"]


class EngineError(Exception):
    """An event that cannot be true of the books as they stand. Nothing was changed; whoever runs the engine halts.

    `code` is stable: "unknown_order" (a fill or an answer for an order nobody placed), "book" (the order machine or the
    ledger refuses the event), "latch" (nothing to release, or the wrong role), "permit" (the gate was asked about an
    order it cannot permit), "strategy" (targets that are no shares), "unknown_event". `message` says what is wrong,
    `help` what to do.
    """

    def __init__(self, code: EngineErrorCode, message: str, help: str | None = None) -> None:
        super().__init__(code, message, help)
        self.code: EngineErrorCode = code
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return self.message
