"""What changed since the last review: the policies at a revision of git against those assessed.

What lives here: finding the revision and comparing with it. What does not: what a change means (mqk.analysis.diff).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from mqk.analysis.assess import Review
from mqk.policy import PolicyError, PolicySet
from mqk.policy.revisions import day_of, last_before, opened
from mqk.quantity import QuantityError, parse_date


def review_day(since: str, policies: Path) -> date:
    """The day of the last review: the one given, or that of the revision. Raises PolicyError when it is neither."""
    try:
        return parse_date(since)
    except QuantityError:
        return day_of(since, policies)


def review_since(
    since: str | None, began: date | None, policies: Path, head: PolicySet, engines: Sequence[str], as_of: date
) -> Review:
    """The changes since then; why they cannot be told is told instead."""
    if since is None or began is None:
        return Review(unseen=("what changed since the last review: nobody said when that was",))
    dated = since == began.isoformat()
    revision = last_before(began, policies) if dated else since
    if revision is None:
        return Review(since, unseen=(f"what changed since {since}: no revision of the policies is as old as that",))
    from mqk.analysis.diff import compare  # noqa: PLC0415 - the comparison loads what no other part needs

    label = f"{since} ({revision[:12]})" if dated else since
    try:
        with opened(revision, policies if policies.is_dir() else policies.parent, policies) as old:
            base = old.load()
            found = compare(base, head, as_of=as_of, as_of_base=min(began, as_of), engines=frozenset(engines))
    except PolicyError as fault:
        first = fault.diagnostics[0]
        return Review(since, unseen=(f"what changed since {label}: {first.span}: {first.message}",))
    return Review(label, found.to_json())
