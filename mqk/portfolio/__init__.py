"""The account: a FIFO ledger of fills, cash, dividends and splits, and its value at the last prices.

No orders, no prices of its own and no policy; everything other packages need is exported here.
"""

from mqk.portfolio.day_trades import DayTrades
from mqk.portfolio.entries import CashMovement, Dividend, Entry, Fill, Split
from mqk.portfolio.errors import LedgerError, LedgerErrorCode, MissingMark
from mqk.portfolio.ledger import Ledger, LedgerSnapshot
from mqk.portfolio.position import Position

__all__ = [
    "CashMovement",
    "DayTrades",
    "Dividend",
    "Entry",
    "Fill",
    "Ledger",
    "LedgerError",
    "LedgerErrorCode",
    "LedgerSnapshot",
    "MissingMark",
    "Position",
    "Split",
]
