"""What renderers may show when a file holds something that looks like a secret: its place, and never its text.

What lives here: taking secrets out of lines and messages. What looks like a secret is decided where MQK-1120 is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from mqk.policy.diagnostics import LONGEST_QUOTE, Diagnostic, Span
from mqk.policy.source import split_lines

_CODE: Final = "MQK-1120"
# Always of one length: how long a secret is, is nobody's business either.
MASK: Final = "********"
_SHORTEST: Final = 4


class Screen:
    """Sources as they may be shown beside a list of diagnostics."""

    def __init__(self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> None:
        self.diagnostics = tuple(diagnostics)
        self._sources = sources
        self._lines: dict[str, list[str]] = {}
        self._secret = [each.span for each in self.diagnostics if each.code == _CODE]
        self._texts = sorted({text for span in self._secret for text in self._written(span)}, key=len, reverse=True)

    def screened(self) -> tuple[Diagnostic, ...]:
        """The diagnostics, none of which quotes a secret."""
        return tuple(self._screened(each) for each in self.diagnostics) if self._secret else self.diagnostics

    def excerpt(self, span: Span) -> tuple[str, str, str] | None:
        """The first line of a span as it may be shown: what stands before the token, the token, and what follows."""
        line = self._line(span.file, span.line)
        if line is None:
            return None
        start = span.column - 1
        end = span.end_column - 1 if span.end_line == span.line else len(line)
        for secret in self._secret:
            if secret.file == span.file and secret.line <= span.line <= secret.end_line:
                first = secret.column - 1 if secret.line == span.line else 0
                # What follows a secret on its line may be the rest of it, so nothing behind it is shown.
                line = line[:first] + MASK
                start, end = min(start, first), len(line) if end > first else end
        return line[:start], line[start:end], line[end:]

    def _screened(self, each: Diagnostic) -> Diagnostic:
        if each.code != _CODE and any(_overlap(each.span, secret) for secret in self._secret):
            return replace(each, message="a fault in a value that is not shown", help=None, notes=())
        return replace(
            each,
            message=self._without(each.message),
            help=None if each.help is None else self._without(each.help),
            notes=tuple((self._without(text), span) for text, span in each.notes),
        )

    def _without(self, text: str) -> str:
        for secret in self._texts:
            text = text.replace(secret, MASK)
        return text

    def _written(self, span: Span) -> set[str]:
        """The ways in which a message could quote what stands at a span."""
        lines = [self._line(span.file, number) or "" for number in range(span.line, span.end_line + 1)]
        lines[-1] = lines[-1][: span.end_column - 1]
        lines[0] = lines[0][span.column - 1 :]
        whole = " ".join(" ".join(lines).split())
        bare = whole.strip("\"'")
        return {text for text in (whole, bare, bare[:LONGEST_QUOTE]) if len(text) >= _SHORTEST}

    def _line(self, file: str, number: int) -> str | None:
        if file not in self._sources:
            return None
        if file not in self._lines:
            self._lines[file] = split_lines(self._sources[file])
        return self._lines[file][number - 1] if number <= len(self._lines[file]) else None


def _overlap(one: Span, other: Span) -> bool:
    return (
        one.file == other.file
        and (one.line, one.column) < (other.end_line, other.end_column)
        and (other.line, other.column) < (one.end_line, one.end_column)
    )
