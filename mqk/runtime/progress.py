"""How far a run is, for progress bars: figures of this process, not the record.

What is recorded is summary.py's to count.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """Instants done of those in the feed, the market's time, and what came of it since this process took the run up.

    `at` in epoch microseconds; `equity` in micros.
    """

    total: int
    done: int
    at: int = 0
    orders: int = 0
    fills: int = 0
    denied: int = 0
    equity: int = 0
