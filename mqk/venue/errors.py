"""What a simulated market refuses to be asked. What a policy refuses is no error, and is not here."""

from __future__ import annotations


class VenueError(Exception):
    """An order reached the market without leave, which is a defect of whoever sent it; nothing was done.

    `code` is "permit"; `message` says what is wrong with it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message
