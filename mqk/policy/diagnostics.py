"""What is wrong with a policy, and where: Span, Severity, Diagnostic, and the error that carries them.

How diagnostics look on a screen or in JSON is render.py; what the codes stand for is codes.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

# What a message quotes of the user's text at most, so that one wrong value cannot fill a screen.
LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file. Lines and columns count characters from 1; the end column is the first one after it."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def nowhere(cls, what: str) -> Span:
        """The place of a fault that lies in no file, such as a word on the command line: it has no width."""
        return cls(what, 1, 1, 1, 1)

    def __str__(self) -> str:
        if (self.line, self.column) == (self.end_line, self.end_column):
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


class Severity(StrEnum):
    """How bad a diagnostic is: an error refuses the policy, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault: a stable code, what is wrong, how to mend it, the place, and other places that have to do with it."""

    code: str
    severity: Severity
    message: str
    help: str | None
    span: Span
    notes: tuple[tuple[str, Span], ...] = ()

    def to_json(self) -> dict[str, str | int | None]:
        """The fields that other tools rely on."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "help": self.help,
            "file": self.span.file,
            "line": self.span.line,
            "column": self.span.column,
            "end_line": self.span.end_line,
            "end_column": self.span.end_column,
        }


class PolicyError(Exception):
    """A policy that cannot be used; `diagnostics` says why, all of it."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return "; ".join(f"{each.span}: {each.message}" for each in self.diagnostics)


def error(
    code: str,
    message: str,
    span: Span,
    help: str | None = None,
    *,
    notes: Sequence[tuple[str, Span]] = (),
) -> Diagnostic:
    """A diagnostic that refuses the policy."""
    return Diagnostic(code, Severity.ERROR, message, help, span, tuple(notes))


def warning(
    code: str,
    message: str,
    span: Span,
    help: str | None = None,
    *,
    notes: Sequence[tuple[str, Span]] = (),
) -> Diagnostic:
    """A diagnostic that the policy may live with."""
    return Diagnostic(code, Severity.WARNING, message, help, span, tuple(notes))


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """By file, place and code, each once."""
    return tuple(sorted(dict.fromkeys(diagnostics), key=lambda each: (each.span, each.code, each.message)))


def quoted(text: str) -> str:
    """The user's text between back-quotes: one line, printable, and not longer than a glance."""
    line = re.sub(r"[ \n\r\t]+", " ", text)
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return f"`{line}`" if len(line) <= LONGEST_QUOTE else f"`{line[:LONGEST_QUOTE]}…`"


def listed(words: Iterable[str], last: str = "or") -> str:
    """Words between back-quotes as a list in a sentence: `a`, `b` or `c`."""
    ticked = [f"`{word}`" for word in words]
    if len(ticked) < 2:
        return "".join(ticked)
    return f"{', '.join(ticked[:-1])} {last} {ticked[-1]}"


def shown_path(path: Path) -> str:
    """A path as people see it: relative to the current folder when it lies under it, with forward slashes."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 (resolve would follow links to names the user never wrote)
    current = Path.cwd()
    shown = absolute.relative_to(current) if absolute.is_relative_to(current) else absolute
    return shown.as_posix()
