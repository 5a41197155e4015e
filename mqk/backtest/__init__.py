"""Backtests: recorded bars through the same engine and the same guards that trade live (floor 7).

The loop, a simulated market and byte-identical artifacts; nothing in here decides.
"""

from mqk.backtest.artifacts import artifacts_sha256, write_artifacts
from mqk.backtest.audit import AuditTrail, verify_audit
from mqk.backtest.battery import Battery, Seat, run_backtest, run_batteries, run_battery
from mqk.backtest.between import held_by, in_progress
from mqk.backtest.errors import BacktestError
from mqk.backtest.feed import RecordedFeed
from mqk.backtest.runs import run_files
from mqk.backtest.summary import BacktestSummary

__all__ = [
    "AuditTrail",
    "BacktestError",
    "BacktestSummary",
    "Battery",
    "RecordedFeed",
    "Seat",
    "artifacts_sha256",
    "held_by",
    "in_progress",
    "run_backtest",
    "run_batteries",
    "run_battery",
    "run_files",
    "verify_audit",
    "write_artifacts",
]
