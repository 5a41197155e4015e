"""What can go wrong when something is entered in the ledger or read from it.

Nothing here computes; ledger.py and entries.py raise these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

LedgerErrorCode = Literal[
    "cash", "duplicate", "fee", "id", "mark", "overflow", "price", "quantity", "reason", "side", "symbol", "time"
]


class LedgerError(ValueError):
    """An entry that the ledger refuses, or a figure that it cannot give. Whatever was refused changed nothing.

    `code` is stable and meant for programs: the part of the entry that is wrong ("quantity", "price", "fee", "symbol",
    "side", "id", "reason", "time", "cash"), "duplicate" (an id that was used for something else), "overflow" (a total
    would leave 64 bits) or "mark" (see MissingMark). `message` says what is wrong, `help` what to do, where known.
    """

    def __init__(self, code: LedgerErrorCode, message: str, help: str | None = None) -> None:
        super().__init__(code, message, help)
        self.code: LedgerErrorCode = code
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return self.message


class MissingMark(LedgerError):
    """A figure was asked for that values a held symbol nobody has priced yet. Never answered as if the price were zero.

    `symbols` names the held symbols without a mark, sorted.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        names = tuple(sorted(symbols))
        shown = ", ".join(f"`{name}`" for name in names)
        super().__init__("mark", f"no price is known for {shown}", "mark every held symbol before valuing the book")
        self.symbols = names

    def __reduce__(self) -> tuple[type[MissingMark], tuple[tuple[str, ...]]]:
        return type(self), (self.symbols,)
