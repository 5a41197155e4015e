"""Reconciliation: our book against the broker's, difference by difference, and which of them must stop the engine.

Pure comparison of two books of the same age. Fetching them, and stopping, are the runtime's business.
"""

from mqk.reconcile.book import Book, BookError, OrderView
from mqk.reconcile.compare import Difference, Kind, Severity, clean, compare
from mqk.reconcile.freshness import freshness

__all__ = [
    "Book",
    "BookError",
    "Difference",
    "Kind",
    "OrderView",
    "Severity",
    "clean",
    "compare",
    "freshness",
]
