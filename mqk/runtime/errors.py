"""Why a run does not start, or does not go on. What each means for an exit code is the command line's business."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class RunError(Exception):
    """A run could not do what was asked. `reasons` are sentences for people, at least one; `help` says what to do."""

    def __init__(self, reasons: Sequence[str], help: str | None = None) -> None:
        super().__init__(*reasons)
        self.reasons = tuple(reasons)
        self.help = help

    def __str__(self) -> str:
        return "; ".join(self.reasons)


class FeedError(RunError):
    """Bars that no engine of this policy can run on."""


class LifecycleRefused(RunError):
    """A move of the run that the policy, the database or another leader refuses. Nothing was changed."""


class ReleaseRefused(RunError):
    """What a rule holds is not let go of: not by this role, not now, or not at all. Nothing was changed."""


class RunHalted(RunError):
    """The run was halted: by what just happened, or by somebody else while it ran. It stays so until it is cleared."""


class RunStopped(RunError):
    """Somebody else stopped the run while it played."""


class LeadLost(RunError):
    """Another process leads the engine now. This one stopped, and changed nothing since."""


class ReplayDiffers(RunError):
    """Playing the recorded feed and inbox again does not lead to what was recorded: other code, or a damaged record."""
