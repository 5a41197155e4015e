"""Why nothing can be said of a candidate at all. What speaks against one that can be judged is a decision, no error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class PromotionError(Exception):
    """Files that are no backtest's, or not as it wrote them, or no gates to judge by; `reasons` names every fault."""

    def __init__(self, reasons: Sequence[str], help: str | None = None) -> None:
        super().__init__(*reasons)
        self.reasons = tuple(reasons)
        self.help = help

    def __str__(self) -> str:
        return "; ".join(self.reasons)
