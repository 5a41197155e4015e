"""How change control reads: proposals, what they change and who must approve, and the log of what was active when.

What lives here: text and JSON. What does not: the commands (policy_control.py), and what any of it means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mqk.cli.output import table
from mqk.quantity import format_instant
from mqk.store.policies import Proposal
from mqk.store.policy_tables import PolicyActivation

_SHOWN = 16  # digits of a hash that people compare by eye
_MOST = 40  # changes that anybody reads on a screen; the JSON has all of them
_ORDER = ("LOOSER", "INCOMPARABLE", "UNDECIDED", "TIGHTER", "EQUAL")


def proposal_lines(proposal: Proposal, activations: Sequence[PolicyActivation]) -> list[str]:
    """A proposal, its verdicts and its changes, loosenings first; in the end, who must approve."""
    row = proposal.row
    bases = {(each.engine_id, each.seq): each.revision for each in activations}
    rows = [["engine", "against", "verdict", "takes"]]
    for each in proposal.verdicts:
        base = bases.get((each.engine_id, each.base_seq))
        rows.append(
            [
                each.engine_id,
                "nothing, the first one" if base is None else f"revision {base}",
                each.verdict,
                "one approval" if each.needs == 1 else "two approvals",
            ]
        )
    return [
        f"proposal {row.id}: revision {row.revision} ({row.sha256[:_SHOWN]}), by {row.proposer}",
        f"  {row.reason}",
        "",
        *table(rows),
        *_changes(proposal),
        "",
        *_standing(proposal),
    ]


def _changes(proposal: Proposal) -> Iterator[str]:
    found = [(each.engine_id, change) for each in proposal.verdicts for change in each.changes]
    found.sort(key=lambda pair: _ORDER.index(pair[1]["direction"]))
    if found:
        yield ""
    for engine, change in found[:_MOST]:
        yield f"  {change['direction']:<12}  {engine}  {change['path']}{_sides(change)}{_place(change)}"
        witness = change.get("witness")
        told = None if witness is None else witness.get("text")
        for text in (told, change.get("why")):
            if text:
                yield f"{'':16}{text}"
    if len(found) > _MOST:
        yield f"  … and {len(found) - _MOST} more (`--format json` has all)"


def _sides(change: Mapping[str, Any]) -> str:
    before, after = change.get("before"), change.get("after")
    return "" if before is None and after is None else f"  {before or 'nothing'} -> {after or 'nothing'}"


def _place(change: Mapping[str, Any]) -> str:
    at = change.get("after_at") or change.get("before_at")
    return "" if at is None else f"  ({at['file']}:{at['line']}:{at['column']})"


def _standing(proposal: Proposal) -> Iterator[str]:
    """Who has approved, and who must."""
    given = [each.approver for each in proposal.approvals]
    if proposal.rejection is not None:
        yield f"rejected by {proposal.rejection.actor}: {proposal.rejection.reason}"
        return
    if given:
        yield f"approved by {' and '.join(given)}"
    accounts = [proposal.row.account, *(each.account for each in proposal.approvals)]
    for account in dict.fromkeys(accounts):
        if accounts.count(account) > 1:
            yield f"caution: {accounts.count(account)} of these names were given by one user of this system, {account}"
    missing = proposal.needs - len(given)
    if missing > 0:
        people = "one more person" if given else "one person" if missing == 1 else "two people"
        others = " or ".join(dict.fromkeys([proposal.row.proposer, *given]))
        yield f"{people} other than {others} must approve: mqk policy approve {proposal.row.id} --as NAME"
    else:
        yield f"nothing is missing: mqk policy activate {proposal.row.id}"


def proposal_json(proposal: Proposal) -> dict[str, Any]:
    """A proposal as other tools read it."""
    row, rejection = proposal.row, proposal.rejection
    return {
        "proposal": row.id,
        "revision": row.revision,
        "sha256": row.sha256,
        "proposed_by": row.proposer,
        "account": row.account,
        "reason": row.reason,
        "at": format_instant(row.at),
        "needs": proposal.needs,
        "engines": {
            each.engine_id: {
                "verdict": each.verdict,
                "needs": each.needs,
                "against": each.base_seq or None,
                "changes": each.changes,
            }
            for each in proposal.verdicts
        },
        "approved_by": [
            {"name": each.approver, "account": each.account, "at": format_instant(each.at)}
            for each in proposal.approvals
        ],
        "rejected": None
        if rejection is None
        else {"by": rejection.actor, "reason": rejection.reason, "at": format_instant(rejection.at)},
    }


def history(proposals: Sequence[Proposal], activations: Sequence[PolicyActivation]) -> dict[str, list[dict[str, Any]]]:
    """By engine, everything that was ever active: from when, until when, by whom, and with what verdict."""
    by_id = {each.row.id: each for each in proposals}
    found: dict[str, list[dict[str, Any]]] = {}
    for each in activations:
        before = found.setdefault(each.engine_id, [])
        if before:
            before[-1]["active_until"] = format_instant(each.at)
        proposal = by_id[each.proposal_id]
        verdict = next(one.verdict for one in proposal.verdicts if one.engine_id == each.engine_id)
        before.append(
            {
                "activation": each.seq,
                "revision": each.revision,
                "sha256": proposal.row.sha256,
                "proposal": each.proposal_id,
                "verdict": verdict,
                "proposed_by": proposal.row.proposer,
                "approved_by": [one.approver for one in proposal.approvals],
                "activated_by": each.actor,
                "active_from": format_instant(each.at),
                "active_until": None,
                "reason": proposal.row.reason,
            }
        )
    return found


def log_lines(
    engines: Mapping[str, Sequence[Mapping[str, Any]]], proposals: Sequence[Proposal], only: str | None = None
) -> Iterator[str]:
    """The log as people read it: engine by engine, or of one alone, then what is still open and what was rejected."""
    if not proposals:
        yield "no policy was ever proposed" + ("" if only is None else f" for {only}")
        return
    head = ["revision", "hash", "verdict", "active from", "until", "proposed by", "approved by"]
    for engine, versions in engines.items():
        if only not in (None, engine):
            continue
        yield f"engine {engine}"
        yield from table(
            [
                head,
                *(
                    [
                        str(each["revision"]),
                        each["sha256"][:_SHOWN],
                        each["verdict"],
                        each["active_from"][:19],
                        "now active" if each["active_until"] is None else each["active_until"][:19],
                        each["proposed_by"],
                        ", ".join(each["approved_by"]),
                    ]
                    for each in versions
                ),
            ]
        )
        yield ""
    active = {each["proposal"] for versions in engines.values() for each in versions}
    last = {engine: versions[-1]["activation"] for engine, versions in engines.items()}

    def state(proposal: Proposal) -> str:
        if proposal.rejection is not None:
            return "rejected proposals"
        stale = any(last.get(each.engine_id, 0) != each.base_seq for each in proposal.verdicts)
        return "stale proposals, to be proposed again" if stale else "open proposals"

    for title in ("open proposals", "stale proposals, to be proposed again", "rejected proposals"):
        rows = [
            [
                f"{each.row.id}",
                f"revision {each.row.revision}",
                " ".join(f"{one.engine_id} {one.verdict}" for one in each.verdicts),
                f"by {each.row.proposer}",
                f"{len(each.approvals)} of {each.needs} approvals",
                each.row.reason,
            ]
            for each in proposals
            if each.row.id not in active and state(each) == title
        ]
        if rows:
            yield title
            yield from table(rows)
