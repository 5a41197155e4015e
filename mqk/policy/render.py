"""Diagnostics for people (source line, caret under the token, help on its own line) and for programs (JSON).

What is wrong is decided elsewhere; nothing here changes a diagnostic.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping

from mqk.policy.diagnostics import Diagnostic, Severity, Span
from mqk.policy.source import split_lines

_RESET = "\x1b[0m"
_BOLD = "\x1b[1m"
_COLORS = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m"}
_BLUE = "\x1b[34m"


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A JSON list of `{code, severity, message, help, file, line, column, end_line, end_column}`."""
    return json.dumps([each.to_json() for each in diagnostics], indent=2, ensure_ascii=False)


def render_text(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], *, color: bool = False) -> str:
    """Each diagnostic as a paragraph; `sources` are the texts of the files by the names that spans use."""
    lines_of: dict[str, list[str]] = {}

    def source_line(span: Span) -> str | None:
        if span.file not in lines_of:
            lines_of[span.file] = split_lines(sources.get(span.file, ""))
        lines = lines_of[span.file]
        return lines[span.line - 1] if span.file in sources and span.line <= len(lines) else None

    paint = _painted if color else _plain
    return "\n".join(_paragraph(each, source_line(each.span), paint) for each in diagnostics)


def _paragraph(diagnostic: Diagnostic, line: str | None, paint: _Paint) -> str:
    span = diagnostic.span
    head = f"{paint(_COLORS[diagnostic.severity], diagnostic.severity.value)}[{diagnostic.code}]"
    out = [f"{paint(_BOLD, str(span))}: {head}: {paint(_BOLD, _shown(diagnostic.message))}"]
    if line is not None:
        margin = len(str(span.line))
        bar = paint(_BLUE, "|")
        before, token = _split(line, span)
        caret = " " * _width(before) + "^" * max(_width(token), 1)
        out += [
            f" {paint(_BLUE, str(span.line))} {bar} {_shown(line)}".rstrip(),
            f" {' ' * margin} {bar} {paint(_COLORS[diagnostic.severity], caret)}",
        ]
    if diagnostic.help is not None:
        out.append(f"   help: {_shown(diagnostic.help)}")
    out += [f"   note: {_shown(text)} ({where})" for text, where in diagnostic.notes]
    return "\n".join(out) + "\n"


def _split(line: str, span: Span) -> tuple[str, str]:
    """What stands before the token on its first line, and the token, cut at the end of that line."""
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    return line[: span.column - 1], line[span.column - 1 : end]


def _shown(line: str) -> str:
    # A file under review must not be able to send control sequences to the reviewer's terminal.
    return "".join(char if char.isprintable() else (" " if char == "\t" else "�") for char in line)


def _width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


class _Paint:
    """Puts a colour around a text, or leaves it as it is."""

    def __init__(self, *, on: bool) -> None:
        self._on = on

    def __call__(self, color: str, text: str) -> str:
        return f"{color}{text}{_RESET}" if self._on else text


_painted = _Paint(on=True)
_plain = _Paint(on=False)
