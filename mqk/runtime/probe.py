"""The named steps of a run, told to whoever watches: progress and logs in production, faults in tests.

A probe sees; it decides nothing. What it raises ends the run where it stands, as a crash would.
"""

from __future__ import annotations

import logging
from enum import StrEnum, unique
from typing import Final, Protocol


@unique
class Step(StrEnum):
    """The steps, in the order in which a run comes by them. A crash at any of them loses and repeats nothing."""

    LEAD_TAKEN = "lead.taken"
    RUN_CREATED = "run.created"
    RUN_FOUND = "run.found"
    STATE_REBUILT = "state.rebuilt"
    OUTBOX_SETTLED = "outbox.settled"
    RECONCILED = "reconciled"
    RUN_MOVED = "run.moved"
    TICK_BEGUN = "tick.begun"
    MARKET_SHOWN = "market.shown"
    MESSAGES_FETCHED = "messages.fetched"
    MESSAGES_RECEIVED = "messages.received"
    EVENTS_APPLIED = "events.applied"
    TICK_STAGED = "tick.staged"
    TICK_COMMITTED = "tick.committed"
    CANCEL_SENT = "cancel.sent"
    ORDER_CLAIMED = "order.claimed"
    ORDER_DISPATCHING = "order.dispatching"
    ORDER_SUBMITTED = "order.submitted"
    ORDER_STAGED = "order.staged"
    ORDER_ACKED = "order.acked"
    ORDER_FAILED = "order.failed"
    BROKER_AWAITED = "broker.awaited"
    TICK_DONE = "tick.done"
    RUN_HALTED = "run.halted"
    RUN_ENDED = "run.ended"


class Probe(Protocol):
    """Told each step as it is passed; `detail` names the order, state or instant it is about."""

    def passed(self, step: Step, detail: str = "") -> None:
        """A step was passed. Called from the thread that does the work."""


# What somebody who looks after runs wants to read; all other steps are for those who look for a fault.
_NEWS: Final = {
    Step.RUN_CREATED: logging.INFO,
    Step.RUN_FOUND: logging.INFO,
    Step.RUN_MOVED: logging.INFO,
    Step.OUTBOX_SETTLED: logging.INFO,
    Step.ORDER_FAILED: logging.INFO,
    Step.BROKER_AWAITED: logging.WARNING,
    Step.RUN_HALTED: logging.WARNING,
    Step.RUN_ENDED: logging.INFO,
}


class LogProbe:
    """Writes the steps to the log `mqk.runtime`."""

    def __init__(self) -> None:
        self._log = logging.getLogger("mqk.runtime")

    def passed(self, step: Step, detail: str = "") -> None:
        """Log the step: as news when it is some, otherwise for debugging."""
        self._log.log(_NEWS.get(step, logging.DEBUG), "%s %s", step.value, detail)
