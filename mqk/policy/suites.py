"""Test documents as data: suites of cases with the facts given, the outcome due and the rule that must decide.

Reading them from a document is reading.py's business, running them mqk.analysis.testing's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from mqk.policy.diagnostics import Span
from mqk.policy.nodes import Text
from mqk.policy.sources import ClaimSource


@dataclass(frozen=True, slots=True)
class GivenFact:
    """A fact's name, where it stands, and its value as written."""

    name: Text
    value: Text


@dataclass(frozen=True, slots=True)
class Given:
    """What a case or a baseline says of a moment: facts, and the elements of collections (`positions`, `working`)."""

    facts: tuple[GivenFact, ...]
    collections: Mapping[str, tuple[tuple[GivenFact, ...], ...]]
    span: Span


@dataclass(frozen=True, slots=True)
class CaseSource:
    """One case: at a point, with these facts, this outcome is due, by these rules, each in breach or in error."""

    name: str
    at: str
    baseline: Text | None
    given: Given
    expect: Text
    by: tuple[Text, ...]
    result: str | None
    missing: tuple[Text, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class TestSource:
    """A test document: which engines, on which day, with which named baselines, cases and claims."""

    # Not a test class, whatever pytest thinks of its name.
    __test__ = False

    id: str
    title: str
    owner: str
    engines: tuple[Text, ...]
    as_of: date | None
    baselines: Mapping[str, Given]
    cases: tuple[CaseSource, ...]
    claims: tuple[ClaimSource, ...]
    document: str
    span: Span
