"""The simulated market that backtests and paper runs trade on: one, so that both fill alike (between floors 6 and 7).

Orders come in through their permits and fill from bars, at the worst that bars can mean. Whose bars they are, when they
are shown, and what is kept of it all is the business of who runs the market (mqk.backtest, mqk.brokers).
"""

from mqk.venue.errors import VenueError
from mqk.venue.hours import borrowed, ended, met, within
from mqk.venue.kept import KeptMarket
from mqk.venue.market import SimulatedMarket
from mqk.venue.moments import Moment, Overnight, Part
from mqk.venue.resting import Resting
from mqk.venue.rules import FillRules

__all__ = [
    "FillRules",
    "KeptMarket",
    "Moment",
    "Overnight",
    "Part",
    "Resting",
    "SimulatedMarket",
    "VenueError",
    "borrowed",
    "ended",
    "met",
    "within",
]
