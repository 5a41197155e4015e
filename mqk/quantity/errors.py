"""The one error of mqk.quantity: what was wrong with a number or with its unit.

Nothing here computes; arithmetic lives in exact.py, reading of text in parse.py.
"""

from __future__ import annotations

from typing import Literal

ErrorCode = Literal["syntax", "unit", "precision", "overflow", "sign", "range"]


class QuantityError(ValueError):
    """A number that cannot be held exactly, or an operation between units that do not mix.

    `code` is stable and meant for programs: "syntax" (not written as the type is written), "unit" (no unit, or one
    that does not fit), "precision" (more digits than the type holds), "overflow" (outside 64 bits), "sign" (negative
    where only zero and above make sense), "range" (an impossible time, date, divisor or window).
    `message` says what is wrong, `help` how to write it instead, where that is known.
    """

    def __init__(self, code: ErrorCode, message: str, help: str | None = None) -> None:
        # All three go to args, so that the error survives pickling between processes.
        super().__init__(code, message, help)
        self.code: ErrorCode = code
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return self.message
