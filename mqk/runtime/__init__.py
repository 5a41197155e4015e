"""Running an engine for real: lifecycle, lead, the loop of turns, dispatch through the outbox, recovery (floor 8).

Nothing in here decides what to trade, and nothing but the gate lets an order out.
"""

from mqk.runtime.clock import SystemClock, WallClock
from mqk.runtime.errors import (
    FeedError,
    LeadLost,
    LifecycleRefused,
    ReleaseRefused,
    ReplayDiffers,
    RunError,
    RunHalted,
    RunStopped,
)
from mqk.runtime.operator import halt_run, move_run
from mqk.runtime.paper import start_or_resume_paper_run
from mqk.runtime.probe import LogProbe, Probe, Step
from mqk.runtime.progress import Progress
from mqk.runtime.release import release_latch
from mqk.runtime.status import RunStatus, run_status
from mqk.runtime.summary import PaperSummary, Reconciled

__all__ = [
    "FeedError",
    "LeadLost",
    "LifecycleRefused",
    "LogProbe",
    "PaperSummary",
    "Probe",
    "Progress",
    "Reconciled",
    "ReleaseRefused",
    "ReplayDiffers",
    "RunError",
    "RunHalted",
    "RunStatus",
    "RunStopped",
    "Step",
    "SystemClock",
    "WallClock",
    "halt_run",
    "move_run",
    "release_latch",
    "run_status",
    "start_or_resume_paper_run",
]
