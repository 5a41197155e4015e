"""Promotion: what a finished backtest shows, measured exactly from its files, and whether that is enough (floor 8).

Thresholds are the policy's; a figure that cannot be had is missing, and what is missing is never enough.
"""

from mqk.backtest.figures import Figures, measure
from mqk.backtest.trades import Closing, closings
from mqk.promotion.candidate import Promotion, promote
from mqk.promotion.errors import PromotionError
from mqk.promotion.evidence import Evidence, read_evidence

__all__ = [
    "Closing",
    "Evidence",
    "Figures",
    "Promotion",
    "PromotionError",
    "closings",
    "measure",
    "promote",
    "read_evidence",
]
