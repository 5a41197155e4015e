"""One process's turn at one run, under one lead: taken up where it was left, armed, played to its end, stopped.

What lives here: the order of these, and what an interruption or a halt leaves. What does not: any of them themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from mqk.backtest import in_progress
from mqk.brokers import BrokerError
from mqk.engine import EngineState
from mqk.market import CalendarError
from mqk.runtime import lifecycle
from mqk.runtime.desk import Desk, MarketBroker
from mqk.runtime.dispatch import Dispatcher
from mqk.runtime.errors import LeadLost, RunError, RunHalted, RunStopped
from mqk.runtime.jobs import Jobs
from mqk.runtime.leader import Lead
from mqk.runtime.loop import Loop
from mqk.runtime.probe import Step
from mqk.runtime.recovery import Recovered, recover
from mqk.runtime.selection import ACTIVE, MODE, choose
from mqk.runtime.summary import PaperSummary, summarise
from mqk.store import StoreError, runs

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from mqk.guards import GuardSet
    from mqk.runtime.books import Reconciliation
    from mqk.runtime.clock import WallClock
    from mqk.runtime.feed import Feed
    from mqk.runtime.probe import Probe
    from mqk.runtime.progress import Progress
    from mqk.store.tables import Run
    from mqk.strategies import StrategyHost

InProgress = Callable[[str], int | None]
"""When the bar of a symbol began that is in progress, if one is, in epoch microseconds, whenever it is asked."""
OpenBroker = Callable[[str, EngineState, Lead, InProgress], MarketBroker]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be played, how, and for whom; see `start_or_resume_paper_run`."""

    url: str
    guards: GuardSet
    feed: Feed
    run_id: UUID | None
    fresh: bool
    pace: int
    on_progress: Callable[[Progress], None] | None
    actor: str
    wall: WallClock
    probe: Probe
    open_broker: OpenBroker
    host: StrategyHost | None


class Session:
    """Plays a plan. What it opens is closed with `stack`."""

    def __init__(self, plan: Plan, database: Engine, stack: ExitStack) -> None:
        self._plan = plan
        self._database = database
        self._stack = stack
        self._reconciled: Reconciliation | None = None

    def play(self) -> PaperSummary:
        """Lead the engine and play the run. The lead is given up in the end, unless this process dies."""
        plan = self._plan
        bundle = plan.guards.bundle
        lead = Lead.take(self._database, bundle.engine, ttl=bundle.schedule.deadman.micros, wall=plan.wall)
        plan.probe.passed(Step.LEAD_TAKEN, str(lead.epoch))
        try:
            summary = self._lead(lead)
        except (Exception, KeyboardInterrupt):
            lead.give_up(self._database, plan.wall)
            raise
        lead.give_up(self._database, plan.wall)
        plan.probe.passed(Step.RUN_ENDED, summary.state)
        return summary

    def _lead(self, lead: Lead) -> PaperSummary:
        plan = self._plan
        with self._database.begin() as conn:
            run, resumed = choose(
                conn,
                plan.guards,
                plan.feed,
                run_id=plan.run_id,
                fresh=plan.fresh,
                actor=plan.actor,
                wall=plan.wall.now(),
            )
            if not runs.adopt(conn, run.run_id, epoch=lead.epoch):
                raise LeadLost([f"another process leads run `{run.run_id}`"])
        plan.probe.passed(Step.RUN_FOUND if resumed else Step.RUN_CREATED, str(run.run_id))
        state = None
        if run.state != "STOPPED" or run.feed_cursor < len(plan.feed):
            try:
                state = self._play(run, lead)
            except (RunHalted, RunStopped) as end:
                plan.probe.passed(Step.RUN_HALTED, str(end))
        if state is None:
            # A halt may have taken a turn back after the engine had seen it: what counts is what was kept.
            state = self._recover(run.run_id).state
        with self._database.begin() as conn:
            return summarise(conn, run.run_id, state, resumed=resumed)

    def _play(self, run: Run, lead: Lead) -> EngineState:
        """Play a run from where it is. Raises RunHalted, or RunStopped by others, when that is how it ended."""
        plan = self._plan
        desk, dispatcher, loop = self._take_up(run.run_id, lead)
        try:
            dispatcher.settle(loop.now)
            self._compare(loop)
            self._move(desk, loop, "arm", from_=("CREATED", "STOPPED"), reason="the run is about to play its feed")
            self._move(desk, loop, "start", from_=("ARMED",), reason="the run is about to play its feed")
            Jobs(desk, loop, pace=plan.pace, on_progress=plan.on_progress).run()
            self._compare(loop)
        except RunHalted as halted:
            desk.halt(str(halted), market=loop.now)
            raise
        except (RunError, BrokerError, StoreError, CalendarError):
            # Told apart already: the run is another's, or can be taken up as it is.
            raise
        except Exception as fault:
            # Nobody leads a run whose process has failed: it must not look as if it were alive.
            desk.halt(f"an unforeseen failure: {type(fault).__name__}: {fault}", market=loop.now)
            raise
        except KeyboardInterrupt:
            self._move(desk, loop, "stop", from_=ACTIVE, reason=f"interrupted by {plan.actor}")
            raise
        self._move(desk, loop, "stop", from_=ACTIVE, reason="the feed has come to its end")
        return desk.state

    def _take_up(self, run_id: UUID, lead: Lead) -> tuple[Desk, Dispatcher, Loop]:
        """Everything as it was when the run was left, or at its beginning."""
        plan = self._plan
        left = self._recover(run_id)
        plan.probe.passed(Step.STATE_REBUILT, left.state.digest())
        broker = plan.open_broker(plan.url, left.state, lead, in_progress(left.state, left.instants.recorded))
        self._stack.callback(broker.close)
        desk = Desk(
            database=self._database,
            conn=self._stack.enter_context(self._database.connect()),
            broker=broker,
            guards=plan.guards,
            run_id=run_id,
            state=left.state,
            journal=left.journal,
            lead=lead,
            wall=plan.wall,
            probe=plan.probe,
        )
        dispatcher = Dispatcher(desk, ttl=plan.guards.bundle.schedule.deadman.micros)
        return desk, dispatcher, Loop(desk, dispatcher, plan.feed, left)

    def _recover(self, run_id: UUID) -> Recovered:
        plan = self._plan
        state = EngineState(
            plan.guards,
            run_id=str(run_id),
            mode=MODE,
            run_state=lifecycle.machine_of(plan.guards).initial,
            explain=True,
            host=plan.host,
        )
        with self._database.begin() as conn:
            return recover(conn, run_id, state, plan.feed)

    def _compare(self, loop: Loop) -> None:
        """Compare the books before the first order and after the last. Raises RunHalted when they differ."""
        found = self._reconciled = loop.reconcile()
        if not found.clean:
            raise RunHalted([found.reason])

    def _move(self, desk: Desk, loop: Loop, event: str, *, from_: Collection[str], reason: str) -> None:
        """Make a move when the run is where it leads on from. Raises LifecycleRefused."""
        plan = self._plan
        with desk.leading(running=False) as conn:
            run = runs.get(conn, desk.run_id)
            assert run is not None
            if run.state not in from_:
                return
            state = lifecycle.move(
                conn,
                plan.guards,
                run,
                event,
                judged_by=lifecycle.facts(run, loop.now, desk.state, self._reconciled),
                actor=plan.actor,
                role=lifecycle.OPERATOR,
                reason=reason,
                wall=plan.wall.now(),
                market=loop.now,
            )
        plan.probe.passed(Step.RUN_MOVED, state)
