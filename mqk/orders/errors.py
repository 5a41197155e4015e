"""What can go wrong with an order, its costs or its events.

Nothing here decides; the modules beside it raise these.
"""

from __future__ import annotations

from typing import Literal

OrderErrorCode = Literal["conflict", "event", "id", "overflow", "price", "quantity", "ratio", "symbol", "time", "type"]


class OrderError(ValueError):
    """An order, an intent or a cost that means nothing.

    `code` is stable and meant for programs: the part that is wrong ("id", "symbol", "quantity", "price", "type",
    "time", "ratio"), "overflow" (a result would leave 64 bits), or one of OrderEventError's. `message` says what is
    wrong, `help` what to do, where known.
    """

    def __init__(self, code: OrderErrorCode, message: str, help: str | None = None) -> None:
        super().__init__(code, message, help)
        self.code: OrderErrorCode = code
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return self.message


class OrderEventError(OrderError):
    """An event that cannot have happened to the order as we know it: our book and the broker's differ.

    `code` is "event" (impossible in this status), "quantity" (an overfill, a negative or an unasked total), "conflict"
    (an event id that came before with other contents) or "id". The order is unchanged, and the id may come again.
    """
