"""The two clocks of a run: the wall's, by which leases and heartbeats live, and the market's, by which trading does.

Here alone is a clock read; everybody else is given one.
"""

from __future__ import annotations

import time
from typing import Protocol


class WallClock(Protocol):
    """What time it is outside."""

    def now(self) -> int:
        """The instant, in epoch microseconds."""


class SystemClock:
    """The computer's clock."""

    def now(self) -> int:
        """The instant, in epoch microseconds."""
        return time.time_ns() // 1000
