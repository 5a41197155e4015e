"""`start_or_resume_paper_run`: a recorded feed through an engine, a real outbox and the paper broker.

What lives here: the way in. What does not: what then happens (session.py).
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from mqk.brokers import PaperBroker
from mqk.runtime import lifecycle
from mqk.runtime.clock import SystemClock
from mqk.runtime.errors import LifecycleRefused
from mqk.runtime.feed import Feed
from mqk.runtime.probe import LogProbe
from mqk.runtime.selection import MODE
from mqk.runtime.session import Plan, Session
from mqk.store import DatabaseUnavailable
from mqk.store.database import open_engine, require_current
from mqk.venue import FillRules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from mqk.engine import EngineState
    from mqk.guards import GuardSet
    from mqk.market import Bar
    from mqk.runtime.clock import WallClock
    from mqk.runtime.leader import Lead
    from mqk.runtime.probe import Probe
    from mqk.runtime.progress import Progress
    from mqk.runtime.session import InProgress, OpenBroker
    from mqk.runtime.summary import PaperSummary
    from mqk.strategies import StrategyHost


def open_paper_broker(url: str, state: EngineState, lead: Lead, in_progress: InProgress) -> PaperBroker:
    """The paper broker's account of a run, on the market that the engine's policy describes."""
    bundle = state.guards.bundle
    return PaperBroker(
        url,
        state.run_id,
        opening_cash=bundle.capital.micros,
        costs=state.costs,
        epoch=lead.epoch,
        bundle=bundle.sha256,
        latency=bundle.execution.latency_bars,
        rules=FillRules.of_policy(bundle.execution),
        in_progress=in_progress,
    )


def start_or_resume_paper_run(
    url: str,
    guards: GuardSet,
    bars: Sequence[Bar],
    *,
    run_id: UUID | None = None,
    fresh: bool = False,
    pace: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    actor: str = lifecycle.OPERATOR,
    wall: WallClock | None = None,
    probe: Probe | None = None,
    open_broker: OpenBroker = open_paper_broker,
    host: StrategyHost | None = None,
) -> PaperSummary:
    """Play recorded bars through an engine, with every order through outbox, gate, broker and inbox, to their end.

    Without `run_id` the engine's latest run is taken up when it was left before its end, under the same policy on the
    same bars; otherwise, or with `fresh`, a new one is made. `pace` is the time between two instants in micros, 0 for
    as fast as it goes, None for the policy's. `on_progress` is told after each instant, from another thread. `actor` is
    who asks. `wall`, `probe`, `open_broker` and `host` (instead of the policy's strategies) can be given by tests.

    A run that is halted while it plays comes back as a summary that says so. Interrupted (KeyboardInterrupt), the run
    is stopped and can be taken up again, as can one whose process was killed.

    Raises LifecycleRefused with the reasons when the run may not start; FeedError for bars that nobody can run on;
    LeadLost when another process took over; ReplayDiffers when the record does not fit; DatabaseUnavailable;
    BrokerUnavailable; StrategyError; CalendarError for bars outside the calendar.
    """
    bundle = guards.bundle
    if bundle.mode != MODE:
        raise LifecycleRefused([f"engine `{bundle.engine}` is of mode {bundle.mode}, and this is a {MODE} run"])
    lifecycle.machine_of(guards)
    feed = Feed(bars, bundle)
    require_current(url)
    plan = Plan(
        url=url,
        guards=guards,
        feed=feed,
        run_id=run_id,
        fresh=fresh,
        pace=bundle.schedule.replay_pace.micros if pace is None else pace,
        on_progress=on_progress,
        actor=actor,
        wall=wall or SystemClock(),
        probe=probe or LogProbe(),
        open_broker=open_broker,
        host=host,
    )
    with ExitStack() as stack:
        database = open_engine(url, poolclass=NullPool)
        stack.callback(database.dispose)
        try:
            return Session(plan, database, stack).play()
        except OperationalError as error:
            raise DatabaseUnavailable("connection", f"the database was lost: {str(error.orig).strip()}") from error
