"""What more and less of each setting means, for the clock and for what trading costs in a backtest.

Tables only; comparing two policies by them is settings.py.
"""

from __future__ import annotations

from typing import Final, Literal

# What more of it means: for some the engine is watched less, for others a candidate is tried harder. Of words, they are
# listed from the strictest to the loosest. Then what more of it comes to, and less.
Sense = Literal["more is looser", "more is tighter", "neither", "nothing"] | tuple[str, ...]
_COSTS: Final = (
    "a backtest pays more, and is promoted less easily",
    "a backtest pays less, and is promoted more easily",
)
SCHEDULE: Final[dict[str, tuple[Sense, str, str]]] = {
    "calendar": ("neither", "other days and hours are sessions", "other days and hours are sessions"),
    "tick": ("more is looser", "the account is judged more seldom", "the account is judged more often"),
    "reconcile": ("more is looser", "the books are compared more seldom", "the books are compared more often"),
    "heartbeat": ("more is looser", "a dead run is noticed later", "a dead run is noticed sooner"),
    "deadman": ("more is looser", "silence is tolerated longer", "silence is tolerated less long"),
    "replay_pace": (
        "nothing",
        "how fast recorded bars are played decides nothing",
        "how fast recorded bars are played decides nothing",
    ),
}
EXECUTION: Final[dict[str, tuple[Sense, str, str]]] = {
    "market_fill": (
        "neither",
        "orders fill at other prices in a backtest",
        "orders fill at other prices in a backtest",
    ),
    "limit_fill": (
        ("through", "touch"),
        "limit orders fill in a backtest as soon as the market is at them",
        "limit orders fill in a backtest only beyond them",
    ),
    "ambiguity": (
        ("worst_case", "nearest_first"),
        "a backtest no longer takes a bar at its worst",
        "a backtest takes a bar at its worst",
    ),
    "participation": (
        "more is looser",
        "orders fill in a backtest with more of what was traded",
        "orders fill in a backtest with less of what was traded",
    ),
    "spread": ("more is tighter", *_COSTS),
    "slippage": ("more is tighter", *_COSTS),
    "volatility": ("more is tighter", *_COSTS),
    "cap": ("more is tighter", *_COSTS),
    "commission_per_order": ("more is tighter", *_COSTS),
    "commission_per_share": ("more is tighter", *_COSTS),
    "commission_rate": ("more is tighter", *_COSTS),
    "commission_minimum": ("more is tighter", *_COSTS),
    "commission_maximum": ("more is tighter", *_COSTS),
    "latency_bars.submit": (
        "more is tighter",
        "orders reach the market later in a backtest",
        "orders reach the market sooner in a backtest",
    ),
    "latency_bars.cancel": (
        "more is tighter",
        "cancels reach the market later in a backtest",
        "cancels reach the market sooner in a backtest",
    ),
    "latency_bars.replace": (
        "more is tighter",
        "changes reach the market later in a backtest",
        "changes reach the market sooner in a backtest",
    ),
    "borrow": ("more is tighter", *_COSTS),
    "faults.seed": (
        "neither",
        "other orders are met by faults in a backtest",
        "other orders are met by faults in a backtest",
    ),
    "faults.rejects": (
        "more is tighter",
        "more orders are rejected in a backtest",
        "fewer orders are rejected in a backtest",
    ),
    "faults.partial_fills": (
        "more is tighter",
        "more orders fill in parts in a backtest",
        "fewer orders fill in parts in a backtest",
    ),
    "lot": (
        "neither",
        "entries are rounded down to larger lots",
        "entries are rounded down to smaller lots",
    ),
    "minimum": ("more is tighter", "smaller entries are not placed any more", "smaller entries are placed, too"),
    "stop_within": (
        "more is looser",
        "a position stands longer without the stop that is to guard it",
        "a position without the stop that is to guard it is flattened sooner",
    ),
    "linking": (
        "neither",
        "it is for the engine to keep orders of one position apart, or no longer",
        "it is for the engine to keep orders of one position apart, or no longer",
    ),
    "corporate_actions": (
        "neither",
        "splits and dividends are treated otherwise in a backtest",
        "splits and dividends are treated otherwise in a backtest",
    ),
}
# How the documents call what the effective policy holds under another name.
KEYS: Final = {
    "schedule.tick": "jobs.tick.every",
    "schedule.reconcile": "jobs.reconcile.every",
    "schedule.heartbeat": "jobs.heartbeat.every",
    "schedule.replay_pace": "replay.pace",
    "execution.market_fill": "fills.market",
    "execution.limit_fill": "fills.limit",
    **{f"execution.{key}": f"fills.{key}" for key in ("ambiguity", "participation")},
    "execution.commission_per_order": "costs.commission",
    **{f"execution.commission_{key}": f"costs.commission_{key}" for key in ("per_share", "rate", "minimum", "maximum")},
    **{f"execution.{key}": f"costs.{key}" for key in ("spread", "slippage", "volatility", "cap", "borrow")},
    **{f"execution.{key}": f"entries.{key}" for key in ("lot", "minimum")},
    **{f"execution.{key}": f"protection.{key}" for key in ("stop_within", "linking")},
    **{f"execution.latency_bars.{key}": f"latency.{key}" for key in ("submit", "cancel", "replace")},
}
