"""What keeps a backtest from running: bars nobody can trade on, a folder that is not ours to write.

What lives here: one error type. What does not: what policies refuse, which is the result of a backtest.
"""

from __future__ import annotations

from typing import Literal

BacktestErrorCode = Literal["bars", "calendar", "data", "desk", "out", "run"]


class BacktestError(Exception):
    """A backtest that cannot run, or whose results cannot be written; nothing was written.

    `code` is stable: "bars" (none, or of a timeframe the engine does not trade),
    "calendar" (bars outside the days the calendar knows), "data" (the bars of a recorded run are not to be found),
    "desk" (an engine given twice), "out" (the folder is in use for something else), "run" (a folder that holds no run,
    or none that can be made again).
    `message` says what is wrong, `help` what to do.
    """

    def __init__(self, code: BacktestErrorCode, message: str, help: str | None = None) -> None:
        super().__init__(code, message, help)
        self.code: BacktestErrorCode = code
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return self.message
