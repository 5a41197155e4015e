"""What can be wrong with a strategy: its name, its parameters, its timeframe, or that it failed while it ran.

What lives here: the error with all its problems. What does not: what is done about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

StrategyErrorCode = Literal[
    "name",
    "duplicate",
    "unknown",
    "params",
    "several",
    "timeframe",
    "contract",
    "target",
    "failed",
    "contrary",
]


class StrategyError(ValueError):
    """A strategy that cannot be set up, or that failed; `problems` lists everything that is wrong, each with its mend.

    `code` is stable: "name" (blank), "duplicate", "unknown", "params", "several" (more than one that may order),
    "timeframe", "contract" (a plug-in that is no strategy), "target" (a target that means nothing), "failed" (it raised
    while it ran), "contrary" (what it says to all bars at once is not what it says to one of them).
    """

    def __init__(self, code: StrategyErrorCode, problems: Sequence[str]) -> None:
        super().__init__(code, tuple(problems))
        self.code: StrategyErrorCode = code
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "; ".join(self.problems)
