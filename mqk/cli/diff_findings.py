"""Loosenings as diagnostics, for pull requests and code scanning: one for each change that lets more pass, or may.

What lives here: from changes to diagnostics at the changed lines. What does not: how diagnostics are rendered
(mqk.policy), which changes there are (mqk.analysis.diff).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from mqk.analysis.diff import Change, Direction
from mqk.cli.diff_report import told
from mqk.policy import Diagnostic, Severity, Span
from mqk.policy.source import split_lines

_CODES: Final = {
    Direction.LOOSER: ("MQK-1530", "it is looser"),
    Direction.INCOMPARABLE: ("MQK-1531", "it is looser in one place and tighter in another"),
    Direction.UNDECIDED: ("MQK-1532", "it is not proven to let nothing more pass"),
}


def findings(
    changes: Iterable[Change], sources: Mapping[str, str], folders: tuple[str, str], severity: Severity
) -> Iterator[Diagnostic]:
    """One diagnostic for each loosening, at its line in HEAD.

    What has gone has no line there: it is told at the line where it was, as far as its file, when that is still one of
    HEAD's `sources`, goes. `folders` are those of BASE and HEAD, within which a file is the same file.
    """
    for change in changes:
        if change.direction not in _CODES:
            continue
        code, what = _CODES[change.direction]
        message = f"`{change.path}`: {what}{_engines(change)}: {told(change)}"
        shows = change.witness.text if change.witness is not None else change.why
        if change.before_at is not None:
            shows = f"{shows}; was {change.before_at.file}:{change.before_at.line}" if shows else str(change.before_at)
        yield Diagnostic(code, severity, message, shows or None, _place(change, sources, folders))


def _engines(change: Change) -> str:
    return f" for {' and '.join(change.engines)}" if change.engines else ""


def _place(change: Change, sources: Mapping[str, str], folders: tuple[str, str]) -> Span:
    if change.after_at is not None:
        return change.after_at
    before, after = folders
    if change.before_at is not None and change.before_at.file.startswith(f"{before}/"):
        file = after + change.before_at.file.removeprefix(before)
        line = change.before_at.line
        if file in sources:
            line = max(1, min(line, len(split_lines(sources[file]))))
        return Span(file, line, 1, line, 2)
    return Span.nowhere(change.path)
