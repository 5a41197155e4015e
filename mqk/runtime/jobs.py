"""When things happen: the turns at their pace, the heartbeat, and the deadman who listens for it, as scheduled jobs.

The heartbeat falls silent when the loop hangs, and the deadman, who shares nothing with the loop but the database, then
halts the run. What is due by market time (reconciliation) is the loop's, because only there market time moves.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC
from threading import Event
from typing import TYPE_CHECKING, Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from mqk.quantity import format_duration
from mqk.runtime.errors import RunHalted
from mqk.store import runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from mqk.runtime.desk import Desk
    from mqk.runtime.loop import Loop
    from mqk.runtime.progress import Progress

SECOND: Final = 1_000_000
# Without a pace, turns follow each other for as long as this before the scheduler is asked again.
SLICE_SECONDS: Final = 0.2
BETWEEN_SLICES: Final = 0.005
# How long an interrupt may go unheard, in seconds.
HEARS_WITHIN: Final = 0.25


class Jobs:
    """Runs a loop to its end on a scheduler. `pace` is the time between two turns in micros, 0 for none."""

    def __init__(
        self, desk: Desk, loop: Loop, *, pace: int, on_progress: Callable[[Progress], None] | None = None
    ) -> None:
        schedule = desk.guards.bundle.schedule
        self._desk = desk
        self._loop = loop
        self._pace = pace
        self._heartbeat = schedule.heartbeat.micros
        self._deadman = schedule.deadman.micros
        self._on_progress = on_progress
        self._turning_since: int | None = None
        self._ended = Event()
        self._failure: BaseException | None = None
        self._hangs = False

    def run(self) -> None:
        """Turn until the feed is over. Raises what ended it before: RunHalted, LeadLost, or whatever a turn raised.

        Interrupted, it lets the turn in hand come to its end, and raises KeyboardInterrupt.
        """
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(3)},
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
            timezone=UTC,
            logger=_quiet("mqk.runtime.scheduler"),
        )
        pace = self._pace / SECOND if self._pace else BETWEEN_SLICES
        for job, seconds in (
            (self._turn, pace),
            (self._beat, self._heartbeat / SECOND),
            (self._listen, self._heartbeat / SECOND),
        ):
            scheduler.add_job(self._guarded, IntervalTrigger(seconds=seconds, timezone=UTC), args=[job])
        # However long the run had lain there, from now on it is listened for.
        self._beat()
        scheduler.start()
        try:
            # In spells: a library may have told the kernel to take a wait up again after an interrupt, and a wait
            # without a limit would then not hear of it.
            while not self._ended.wait(HEARS_WITHIN):
                continue
        finally:
            # What hangs is not waited for: it finds out that it may no longer write when it wakes up.
            self._ended.set()
            scheduler.shutdown(wait=not self._hangs)
        if self._failure is not None:
            raise self._failure

    def _guarded(self, job: Callable[[], None]) -> None:
        """Run a job unless all is over; what it raises ends the run, in the thread that waits for it."""
        if self._ended.is_set():
            return
        try:
            job()
        except BaseException as failure:  # noqa: BLE001  (handed over to the waiting thread, which raises it)
            if self._failure is None:
                self._failure = failure
            self._ended.set()

    def _turn(self) -> None:
        """One turn; without a pace, as many as fit into a slice of time."""
        until = time.monotonic() + (0 if self._pace else SLICE_SECONDS)
        while not self._ended.is_set():
            self._turning_since = self._desk.wall.now()
            more = self._loop.tick()
            self._turning_since = None
            if not more:
                self._ended.set()
            elif self._on_progress is not None:
                self._on_progress(self._loop.progress)
            if self._loop.waits or time.monotonic() >= until:
                return

    def _beat(self) -> None:
        """Say that the run is alive, unless a turn has been going on for too long; and hold on to the lead."""
        desk = self._desk
        since = self._turning_since
        if since is not None and desk.wall.now() - since > self._deadman:
            return
        with desk.database.begin() as conn:
            runs.heartbeat(conn, desk.run_id, epoch=desk.lead.epoch, at=desk.wall.now())
        if not desk.lead.renew(desk.database, desk.wall):
            # Raises LeadLost when another process has taken it up; otherwise nobody leads, and nobody may trade.
            self._halt("the lead of the engine was lost: its lease had expired")

    def _listen(self) -> None:
        """Halt the run when there has been no sign of life for too long."""
        desk = self._desk
        with desk.database.begin() as conn:
            overdue = runs.overdue(conn, ttl=self._deadman, at=desk.wall.now())
        if any(run.run_id == desk.run_id for run in overdue):
            self._hangs = self._turning_since is not None
            self._halt(f"no sign of life for more than {format_duration(self._deadman)}")

    def _halt(self, reason: str) -> None:
        self._desk.halt(reason, market=self._loop.now)
        raise RunHalted([reason])


def _quiet(name: str) -> logging.Logger:
    """A logger for the scheduler that keeps to itself that a turn takes longer than its pace, which is no news."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.ERROR)
    return logger
