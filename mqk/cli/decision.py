"""A decision as text for people: the outcome, and each finding with what was observed, what is allowed, and where.

Works on the JSON form of a decision, which is the same from a guard, the database and an audit file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_INDENT = " " * 4


def lines(decision: Mapping[str, Any]) -> list[str]:
    """The decision, a paragraph for each finding."""
    outcome, bundle = decision["outcome"], str(decision["bundle"])
    where = f"at {decision['point']} of {decision['engine']}" if "engine" in decision else f"at {decision['point']}"
    out = [f"{outcome} {where}  (bundle {bundle[:12]})"]
    findings = decision["findings"]
    if not findings:
        out.append("every rule passes")
    for finding in findings:
        out += finding_lines(finding)
    return out


def finding_lines(finding: Mapping[str, Any]) -> list[str]:
    """One finding: the rule, why, the room left, and where its limit is written."""
    enforcement = "" if finding["enforcement"] == "block" else f" ({finding['enforcement']})"
    asks = "" if finding["result"] == "PASS" else f" → {finding['outcome']}{enforcement}"
    # Backtests keep findings without titles and places; see why.py.
    title = finding.get("title", "")
    out = [f"  {finding['result']}{asks}  {finding['rule']}  {title}".rstrip(), f"{_INDENT}{finding['message']}"]
    figures = [f"{name} {finding[name]}" for name in ("observed", "limit", "headroom") if finding[name] is not None]
    if figures:
        out.append(f"{_INDENT}{', '.join(figures)}")
    if finding.get("file"):
        out.append(f"{_INDENT}set in {finding['file']}:{finding['line']} by {finding['layer']}")
    return out


def facts_lines(facts: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> list[str]:
    """The observed facts, one to a line."""
    pairs = sorted(dict(facts).items())
    width = max((len(name) for name, _ in pairs), default=0)
    return [f"{_INDENT}{name.ljust(width)}  {value}" for name, value in pairs]
