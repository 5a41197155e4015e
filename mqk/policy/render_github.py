"""Diagnostics as workflow commands, which GitHub shows beside the lines of a pull request.

What is wrong is decided elsewhere; nothing here changes a diagnostic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mqk.policy.diagnostics import Diagnostic
from mqk.policy.secrecy import Screen


def render_github(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> str:
    """One `::error file=…,line=…::message` a line."""
    return "\n".join(_command(each) for each in Screen(diagnostics, sources).screened())


def _command(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    properties: dict[str, str] = {}
    if str(span) != span.file:
        properties = {"file": span.file, "line": str(span.line), "endLine": str(span.end_line)}
        if span.line == span.end_line:
            # Columns of a stretch over several lines are refused; the last column is the last one meant.
            properties |= {"col": str(span.column), "endColumn": str(max(span.end_column - 1, span.column))}
    properties["title"] = diagnostic.code
    parts = [diagnostic.message]
    if diagnostic.help is not None:
        parts.append(f"help: {diagnostic.help}")
    parts += [f"note: {text} ({where})" for text, where in diagnostic.notes]
    parts.append(f"mqk explain {diagnostic.code}")
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{diagnostic.severity.value} {told}::{_data(chr(10).join(parts))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
