"""The assessment as plain JSON values: what programs read, and what every page of the report is made from.

What lives here: the layout of the document. What does not: how anything in it was found.
"""

from __future__ import annotations

from typing import Any, Final

import mqk
from mqk.analysis.assess.assessment import Answer, Assessment, Status, by_rule
from mqk.analysis.assess.evidence import Source
from mqk.analysis.assess.gaps import Weight
from mqk.analysis.claims import Proof
from mqk.policy import Obligations
from mqk.quantity import format_date, format_instant

KIND: Final = "mqk assessment"


def to_json(made: Assessment) -> dict[str, Any]:
    """The whole assessment. The same inputs give the same document."""
    answered = {rule for answer in made.answers for rule in answer.rules}
    return {
        "kind": KIND,
        "mqk": mqk.__version__,
        "as_of": format_date(made.as_of),
        "since": made.since,
        "engines": [
            {"id": each.engine, "mode": each.mode, "capital": str(each.capital), "bundle": each.sha256}
            for each in made.bundles
        ],
        "summary": {
            "obligations": {str(status): sum(each.status is status for each in made.answers) for status in Status},
            "controls": len({each.rule.id for each in made.standings}),
            "findings": {str(weight): sum(each.weight is weight for each in made.gaps) for weight in Weight},
        },
        "gaps": [each.to_json() for each in made.gaps],
        "documents": [_document(document, answers) for document, answers in made.documents],
        "controls": {
            rule: {
                "title": standing[0].rule.title,
                "rationale": standing[0].rule.rationale,
                "cites": list(standing[0].rule.cites),
                "engines": [each.to_json() for each in standing],
            }
            for rule, standing in by_rule(made.standings).items()
        },
        "without_obligation": sorted({each.rule.id for each in made.standings} - answered),
        "claims": [_proof(each) for each in made.proofs],
        "tests": {
            "cases": made.tests.cases,
            "documents": made.tests.documents,
            "failed": list(made.tests.failed),
            "cells": made.tests.cells,
            "covered": made.tests.covered,
            "faults": [each.to_json() for each in made.tests.faults],
        },
        "evidence": {
            "decisions": made.evidence.decisions,
            "sources": [_source(each, made) for each in made.evidence.sources],
            "unread": list(made.evidence.unread),
        },
        "exceptions": _exceptions(made),
        "changes": {
            "since": made.review.since,
            "difference": made.review.difference,
            "log": None if made.review.log is None else list(made.review.log),
            "unseen": list(made.review.unseen),
        },
        "unseen": list(_unseen(made)),
    }


def _document(document: Obligations, answers: tuple[Answer, ...]) -> dict[str, Any]:
    return {
        "id": document.id,
        "title": document.title,
        "owner": document.owner,
        "source": document.source,
        "file": document.span.file,
        "line": document.span.line,
        "obligations": [_answer(each) for each in answers],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    asked = answer.obligation
    return {
        "id": asked.id,
        "article": asked.article,
        "title": asked.title,
        "asks": asked.asks,
        "status": answer.status.value,
        "controls": list(answer.rules),
        "claims": [_proof(each) for each in answer.proofs],
        "settings": _settings(answer),
        "built_in": list(asked.built_in),
        "by_hand": list(asked.by_hand),
        "gaps": [each.to_json() for each in answer.gaps if each.weight is not Weight.NOTE],
        "file": asked.span.file,
        "line": asked.span.line,
    }


def _settings(answer: Answer) -> list[dict[str, Any]]:
    """The settings that answer an obligation, those that are the same for several engines once."""
    found: dict[tuple[str, str, str, int], list[str]] = {}
    for engine, key, layer in answer.settings:
        found.setdefault((key, layer.text, layer.span.file, layer.span.line), []).append(engine)
    return [
        {"key": key, "value": value, "file": file, "line": line, "engines": engines}
        for (key, value, file, line), engines in found.items()
    ]


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "id": proof.id,
        "title": proof.title,
        "engine": proof.engine,
        "kind": proof.kind,
        "verdict": proof.answer.verdict.value,
        "file": proof.span.file,
        "line": proof.span.line,
    }


def _source(source: Source, made: Assessment) -> dict[str, Any]:
    current = {bundle.engine: bundle.sha256 for bundle in made.bundles}
    return {
        "name": source.name,
        "kind": source.kind,
        "engine": source.engine,
        "bundle": source.bundle,
        "current": current.get(source.engine) == source.bundle,
        "decisions": source.decisions,
        "points": list(source.points),
        "first": None if source.first is None else format_instant(source.first),
        "last": None if source.last is None else format_instant(source.last),
        "deciding_only": source.deciding_only,
    }


def _exceptions(made: Assessment) -> list[dict[str, Any]]:
    """Waivers and loosenings in force, by engine."""
    found = [
        {
            "what": "waiver",
            "name": each.id,
            "engine": bundle.engine,
            "of": f"rules.{each.rule}",
            "scope": None if each.scope is None else " ".join(each.scope.text.split()),
            "why": each.why,
            "ticket": each.ticket,
            "requested_by": each.requested_by,
            "approved_by": each.approved_by,
            "until": format_date(each.end),
            "file": each.span.file,
            "line": each.span.line,
        }
        for bundle in made.bundles
        for each in bundle.waivers
    ]
    found += [
        {
            "what": "loosening",
            "name": each.document,
            "engine": bundle.engine,
            "of": each.target,
            "scope": None,
            "why": each.why,
            "ticket": None,
            "requested_by": None,
            "approved_by": each.approved_by,
            "until": format_date(each.until),
            "file": each.span.file,
            "line": each.span.line,
        }
        for bundle in made.bundles
        for each in bundle.loosened
    ]
    return found


def _unseen(made: Assessment) -> list[str]:
    """What this report could not see: said rather than left out."""
    said = [*made.review.unseen, *made.evidence.unread]
    if not made.evidence.decisions:
        said.append("whether any control ever fired: no recorded decision was given")
    if made.evidence.outside:
        said.append(f"{made.evidence.outside:,} recorded decisions: they lie outside of the time assessed")
    if made.evidence.sources:
        said.append(
            "when a control fired by anybody's watch: instants are the market's, and of a replay those replayed"
        )
    stale = [each for each in made.evidence.sources if not _source(each, made)["current"]]
    if stale:
        decisions = sum(each.decisions for each in stale)
        said.append(
            f"{decisions:,} of {made.evidence.decisions:,} recorded decisions were made under other policies than those"
            " assessed: they show that a rule of that name fired, not that it did so as it stands now"
        )
    if any(each.deciding_only for each in made.evidence.sources):
        said.append("of some records only the rules that decided: that another was broken as well is not told")
    by_hand = sum(len(each.obligation.by_hand) for each in made.answers)
    if by_hand:
        said.append(f"{by_hand} things that people do: listed as such, and for people to attest")
    said.append("whether the obligations listed are all that bind the desk: the list is the desk's own to complete")
    return said
