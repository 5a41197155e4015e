"""Diagnostics as SARIF 2.1.0, which code scanning and editors read; each rule carries its explanation page.

What is wrong is decided elsewhere; nothing here changes a diagnostic.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from mqk import __version__
from mqk.policy.diagnostics import Diagnostic, Span
from mqk.policy.explanations import explain
from mqk.policy.secrecy import Screen

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> str:
    """One run of mqk as a SARIF log."""
    screen = Screen(diagnostics, sources)
    screened = screen.screened()
    codes = sorted({each.code for each in screened})
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "mqk", "version": __version__, "rules": [_rule(code) for code in codes]},
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, codes.index(each.code), screen) for each in screened],
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False)


def _rule(code: str) -> dict[str, Any]:
    page = explain(code)
    return {
        "id": code,
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.meaning},
        "help": {"text": f"{page.meaning} `mqk explain {code}` shows an example and the mend.", "markdown": page.text},
        "defaultConfiguration": {"level": "error"},
    }


def _result(diagnostic: Diagnostic, index: int, screen: Screen) -> dict[str, Any]:
    message = diagnostic.message if diagnostic.help is None else f"{diagnostic.message}\nhelp: {diagnostic.help}"
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": index,
        "level": diagnostic.severity.value,
        "message": {"text": message},
        # A result stays the same one when lines above it come and go.
        "partialFingerprints": {"mqk/v1": _fingerprint(diagnostic)},
    }
    if str(diagnostic.span) != diagnostic.span.file:
        result["locations"] = [{"physicalLocation": _place(diagnostic.span, screen)}]
    if diagnostic.notes:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": text}, "physicalLocation": _place(span, screen)}
            for number, (text, span) in enumerate(diagnostic.notes, start=1)
        ]
    return result


def _fingerprint(diagnostic: Diagnostic) -> str:
    said = f"{diagnostic.code}\0{diagnostic.span.file}\0{diagnostic.message}"
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _place(span: Span, screen: Screen) -> dict[str, Any]:
    region: dict[str, Any] = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    parts = screen.excerpt(span)
    if parts is not None:
        region["snippet"] = {"text": parts[1]}
    return {"artifactLocation": {"uri": _uri(span.file)}, "region": region}


def _uri(file: str) -> str:
    """A path as a URI reference: relative to the folder of the run, unless it lies elsewhere."""
    path = PurePosixPath(file)
    return path.as_uri() if path.is_absolute() else quote(file)
