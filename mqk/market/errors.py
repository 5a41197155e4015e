"""What goes wrong with market data: rows that cannot be read, calendars that do not reach, extras not installed.

Rows that can be read but look wrong (a high below its low) are no errors here: integrity policies judge those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class BarProblem:
    """One thing that keeps a bar file from being read, at a 1-based line and column of that file."""

    file: str
    line: int
    column: int
    message: str
    help: str | None = None

    def __str__(self) -> str:
        advice = f" ({self.help})" if self.help else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{advice}"


class BarDataError(ValueError):
    """Bar files that cannot be read. `problems` holds every problem of every file, in the order of the files."""

    def __init__(self, problems: Sequence[BarProblem]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            lines.append(f"… and {len(self.problems) - _SHOWN} more")
        return "\n".join(lines)


class CalendarError(ValueError):
    """An unknown calendar, a day that is no session, or a moment outside the range the calendar was built for."""


class SampleDataError(RuntimeError):
    """The sample data is not there; `help` names the extra of mqk that brings it."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message, help)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return f"{self.message}: {self.help}"
