"""A paper run as a command plays it: the database made ready, a progress bar, and what came of it in a few lines.

What lives here: what `mqk run paper` and `mqk demo` share. The run itself is mqk.runtime's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from uuid import UUID

from mqk.cli.bound import Bound
from mqk.cli.output import note, progress, table
from mqk.market import Bar
from mqk.runtime import PaperSummary, Progress, start_or_resume_paper_run


def played(
    url: str,
    bound: Bound,
    bars: Sequence[Bar],
    *,
    run_id: UUID | None = None,
    fresh: bool = False,
    pace: int | None = None,
    actor: str | None = None,
) -> PaperSummary:
    """Start or resume a paper run under a progress bar, and play it to the end of its bars."""
    with progress(f"paper run of {bound.bundle.engine}", "ticks") as move:
        before: int | None = None

        def show(now: Progress) -> None:
            nonlocal before
            # Told for the first time after one instant: whatever else is done was done by an earlier process.
            before = max(now.done - 1, 0) if before is None else before
            detail = f"orders {now.orders}  fills {now.fills}  denied {now.denied}"
            move(now.done, now.total, detail, before=before)

        who = actor or whoami()
        try:
            return start_or_resume_paper_run(
                url, bound.guards, bars, run_id=run_id, fresh=fresh, pace=pace, on_progress=show, actor=who
            )
        except KeyboardInterrupt:
            note("interrupted: the run is stopped, and the same command takes it up again")
            raise


def whoami() -> str:
    """Who asks, for the record: the user of this process."""
    return os.environ.get("USER") or os.environ.get("LOGNAME") or f"uid {os.getuid()}"


def summary_lines(summary: PaperSummary) -> list[str]:
    """What came of a run, in a few lines."""
    figures = summary.to_json()
    books = summary.reconcile
    denied = ", ".join(f"{rule} {count}" for rule, count in summary.denied_by_rule.items())
    verdict = f"{'clean' if books.clean else 'NOT CLEAN'}, compared {books.times:,} times"
    rows = [
        ["run", f"{summary.run_id}" + (" (resumed)" if summary.resumed else "")],
        ["state", summary.state + (f": {summary.halt_reason}" if summary.halt_reason else "")],
        ["ticks", f"{summary.ticks:,}"],
        ["orders", f"{summary.orders:,}, fills {summary.fills:,}"],
        ["denied", f"{summary.denied:,}" + (f" ({denied})" if denied else "")],
        ["equity", str(figures["final_equity"])],
        ["ledger against broker", f"{verdict} ({books.notes} notes, {books.halts} halts)"],
        ["bundle", summary.bundle],
    ]
    return [f"paper run of {summary.engine}", *table(rows)]
