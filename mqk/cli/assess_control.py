"""What change control has on record since the last review: what was activated, who asked, who agreed, what is open.

What lives here: reading the log of policies, and whether what is assessed is what is active. What does not: how changes
come to be (mqk.runtime.change_control).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from mqk.analysis.assess import Review
from mqk.cli.assess_evidence import Between
from mqk.quantity import format_instant


def with_log(review: Review, data_dir: Path, between: Between, bundles: Mapping[str, str], as_of: date) -> Review:
    """The review with the log of policies. `bundles` are the hashes assessed, by engine.

    Raises DatabaseUnavailable when there is no database.
    """
    from mqk.cli.database import reading  # noqa: PLC0415 - only those who ask it pay for the database
    from mqk.store import policies  # noqa: PLC0415

    with reading(data_dir) as connection:
        if not policies.controlled(connection):
            said = "who approved of changes: no policy was ever activated under change control"
            return replace(review, unseen=(*review.unseen, said))
        proposals = {each.row.id: each for each in policies.proposals(connection)}
        activations = policies.activations(connection)
        active = {engine: policies.active_bundle(connection, engine, as_of) for engine in bundles}
    log = [
        (each.at, _entry(proposals[each.proposal_id], each.engine_id, "activated", each.actor, each.at))
        for each in activations
        if between.has(each.at) and each.engine_id in bundles
    ]
    done = {each.proposal_id for each in activations}
    for id_, proposal in proposals.items():
        engines = ", ".join(each.engine_id for each in proposal.verdicts)
        if proposal.rejection is not None and between.has(proposal.rejection.at):
            at, actor = proposal.rejection.at, proposal.rejection.actor
            log.append((at, _entry(proposal, engines, "rejected", actor, at)))
        elif proposal.rejection is None and id_ not in done and between.has(proposal.row.at):
            log.append((proposal.row.at, _entry(proposal, engines, "proposed", proposal.row.proposer, proposal.row.at)))
    log.sort(key=lambda each: each[0])
    other = tuple(engine for engine, sha256 in bundles.items() if active[engine] != sha256)
    return replace(review, log=tuple(entry for _, entry in log), not_active=other)


def _entry(proposal: Any, engine: str, what: str, actor: str, at: int) -> dict[str, Any]:
    verdicts = [each.verdict for each in proposal.verdicts if each.engine_id in engine.split(", ")]
    return {
        "at": format_instant(at),
        "what": what,
        "engine": engine,
        "revision": proposal.row.revision,
        "verdict": ", ".join(dict.fromkeys(verdicts)),
        "proposed_by": proposal.row.proposer,
        "approved_by": [each.approver for each in proposal.approvals],
        "by": actor,
        "why": proposal.row.reason,
    }
