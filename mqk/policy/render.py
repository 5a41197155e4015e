"""Diagnostics for people (source line, caret under the token, help on its own line) and for programs (JSON).

What is wrong is decided elsewhere; nothing here changes a diagnostic.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from mqk.policy.diagnostics import Diagnostic, Severity, Span
from mqk.policy.secrecy import Screen

_RESET = "\x1b[0m"
_BOLD = "\x1b[1m"
_COLORS = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m"}
_BLUE = "\x1b[34m"
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def render_json(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str] = _NONE) -> str:
    """A JSON list of `{code, severity, message, help, file, line, column, end_line, end_column}`."""
    screened = Screen(diagnostics, sources).screened()
    return json.dumps([each.to_json() for each in screened], indent=2, ensure_ascii=False)


def render_text(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], *, color: bool = False) -> str:
    """Each diagnostic as a paragraph; `sources` are the texts of the files by the names that spans use."""
    screen = Screen(diagnostics, sources)
    paint = _painted if color else _plain
    return "\n".join(_paragraph(each, screen, paint) for each in screen.screened())


def _paragraph(diagnostic: Diagnostic, screen: Screen, paint: _Paint) -> str:
    color = _COLORS[diagnostic.severity]
    head = f"{paint(color, diagnostic.severity.value)}[{diagnostic.code}]"
    out = [f"{paint(_BOLD, str(diagnostic.span))}: {head}: {paint(_BOLD, _shown(diagnostic.message))}"]
    out += _excerpt(diagnostic.span, screen, paint, color, "^")
    if diagnostic.help is not None:
        out.append(f"   help: {_shown(diagnostic.help)}")
    for text, where in diagnostic.notes:
        out.append(f"   note: {_shown(text)} ({where})")
        out += _excerpt(where, screen, paint, _BLUE, "-")
    return "\n".join(out) + "\n"


def _excerpt(span: Span, screen: Screen, paint: _Paint, color: str, mark: str) -> list[str]:
    """The line of a span with its number, and under the token a row of marks; nothing of a file meant as a whole."""
    whole = (span.line, span.column) == (span.end_line, span.end_column)
    parts = None if whole else screen.excerpt(span)
    if parts is None:
        return []
    before, token, after = parts
    margin = " " * len(str(span.line))
    bar = paint(_BLUE, "|")
    row = " " * _width(before) + mark * max(_width(token), 1)
    return [
        f" {paint(_BLUE, str(span.line))} {bar} {_shown(before + token + after)}".rstrip(),
        f" {margin} {bar} {paint(color, row)}",
    ]


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
