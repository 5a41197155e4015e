"""How a command ends: the exit codes, and known errors turned into text for people. No command is here.

Only errors that a user can mend are known; anything else is a fault of mqk and keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from enum import IntEnum
from pathlib import Path
from typing import Any, Final


class Exit(IntEnum):
    """What the exit status of every command means."""

    DONE = 0
    FINDING = 1
    BAD_INPUT = 2
    REFUSED = 3
    ENVIRONMENT = 4
    # Never a finding: a script that reads 1 as `the policy is invalid` must not read a crash as one.
    FAULT = 70


class Failure(Exception):
    """A command that cannot go on, with what to say, what to do about it, and how to end."""

    def __init__(self, message: str, help: str | None = None, *, code: Exit = Exit.BAD_INPUT) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.code = code


def paragraph(message: str, help: str | None = None, *, place: str | None = None, code: str | None = None) -> str:
    """An error in the house style: where, what, and on a line of its own what to do about it."""
    head = f"error: {message}" if code is None else f"error[{code}]: {message}"
    head = head if place is None else f"{place}: {head}"
    return head if help is None else f"{head}\n   help: {help}"


def explained(fault: BaseException) -> tuple[str, Exit] | None:
    """What to print for an error and how to end; None when it is a fault of mqk."""
    if isinstance(fault, Failure):
        return paragraph(fault.message, fault.help), fault.code
    for module, name, code, words in _KNOWN:
        # Commands load only what they need: an error of a module that is not loaded cannot have been raised.
        known = getattr(sys.modules.get(module), name, None)
        if known is not None and isinstance(fault, known):
            return words(fault), code
    if isinstance(fault, OSError):
        place = None if fault.filename is None else str(fault.filename)
        return paragraph((fault.strerror or "it failed").lower(), place=place), Exit.ENVIRONMENT
    return None


def _policy(fault: Any) -> str:
    from mqk.policy import render_text  # noqa: PLC0415 (loaded already, and needed for nothing else)

    return render_text(fault.diagnostics, _sources(each.span.file for each in fault.diagnostics)).rstrip("\n")


def _sources(files: Iterable[str]) -> dict[str, str]:
    """The texts that diagnostics point into; those of a file that is gone are shown without their line."""
    found: dict[str, str] = {}
    for file in set(files):
        path = Path(file)
        if path.is_file():
            found[file] = path.read_text("utf-8-sig", errors="replace")
    return found


def _problems(fault: Any) -> str:
    return "\n".join(paragraph(*halves(problem)) for problem in fault.problems)


def halves(problem: str) -> tuple[str, str | None]:
    """A problem and its mend, which some errors write as one sentence."""
    message, found, question = problem.partition(": did you mean ")
    return (message, f"did you mean {question}") if found else (problem, None)


def _bars(fault: Any) -> str:
    shown = fault.problems[:_MOST_PROBLEMS]
    lines = [paragraph(each.message, each.help, place=f"{each.file}:{each.line}:{each.column}") for each in shown]
    if len(fault.problems) > len(shown):
        lines.append(f"… and {len(fault.problems) - len(shown)} more")
    return "\n".join(lines)


def _reasons(fault: Any) -> str:
    *others, last = fault.reasons
    return "\n".join([*(paragraph(each) for each in others), paragraph(last, fault.help)])


def _with_help(fault: Any) -> str:
    # Codes with a page are shown; others are for programs.
    code = getattr(fault, "code", None)
    shown = code if isinstance(code, str) and code.startswith("MQK-") else None
    return paragraph(getattr(fault, "message", str(fault)), getattr(fault, "help", None), code=shown)


_MOST_PROBLEMS: Final = 50

# Where it is defined, its name, how the command ends, and its words. The more special before the more general.
_KNOWN: Final[tuple[tuple[str, str, Exit, Callable[[Any], str]], ...]] = (
    ("mqk.policy.diagnostics", "PolicyError", Exit.BAD_INPUT, _policy),
    ("mqk.guards.facts", "FactsError", Exit.BAD_INPUT, _problems),
    ("mqk.market.errors", "BarDataError", Exit.BAD_INPUT, _bars),
    ("mqk.market.errors", "CalendarError", Exit.BAD_INPUT, _with_help),
    ("mqk.market.errors", "SampleDataError", Exit.ENVIRONMENT, _with_help),
    ("mqk.strategies.errors", "StrategyError", Exit.BAD_INPUT, _problems),
    ("mqk.backtest.errors", "BacktestError", Exit.BAD_INPUT, _with_help),
    ("mqk.promotion.errors", "PromotionError", Exit.BAD_INPUT, _reasons),
    ("mqk.runtime.errors", "FeedError", Exit.BAD_INPUT, _reasons),
    ("mqk.runtime.errors", "RunError", Exit.REFUSED, _reasons),
    ("mqk.brokers.contract", "BrokerError", Exit.ENVIRONMENT, _with_help),
    ("mqk.analysis.history.records", "RecordsError", Exit.BAD_INPUT, _with_help),
    ("mqk.store.errors", "DatabaseUnavailable", Exit.ENVIRONMENT, _with_help),
    ("mqk.store.errors", "Refused", Exit.REFUSED, _with_help),
    ("mqk.store.errors", "LeaseLost", Exit.REFUSED, _with_help),
    ("mqk.store.errors", "StoreError", Exit.BAD_INPUT, _with_help),
)
