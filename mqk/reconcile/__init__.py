"""Reconciliation: our book against the broker's, difference by difference, each judged by the engine's policy.

Pure comparison of two books of the same age. Fetching them, and stopping, are the runtime's business.
"""

from mqk.reconcile.book import Book, BookError, OrderView
from mqk.reconcile.compare import Difference, Kind, compare
from mqk.reconcile.freshness import freshness
from mqk.reconcile.judge import Judged, Severity, clean, judge

__all__ = [
    "Book",
    "BookError",
    "Difference",
    "Judged",
    "Kind",
    "OrderView",
    "Severity",
    "clean",
    "compare",
    "freshness",
    "judge",
]
