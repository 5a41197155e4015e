"""Strategies: the plug-in contract, the registry, the host and the built-in ones (floor 5).

What a strategy wants is a target position; whether it gets it is decided elsewhere, and never here.
"""

from mqk.strategies.contract import (
    HOLD,
    ArrayStrategy,
    BarWindow,
    Context,
    Holding,
    HostWindow,
    Strategy,
    SymbolBars,
    Target,
    Targets,
)
from mqk.strategies.errors import StrategyError
from mqk.strategies.exp_meanrev import ExpMeanrev
from mqk.strategies.host import StrategyHost, failure
from mqk.strategies.params import Param, ParamKind, ParamValue, read_params
from mqk.strategies.registry import GROUP, Registry
from mqk.strategies.sma_cross import SmaCross
from mqk.strategies.swing_trend import SwingTrend
from mqk.strategies.weights import LONG_ONLY, Bound, Bounds, Rejection, Shared, broken, share_out, shares

__all__ = [
    "GROUP",
    "HOLD",
    "LONG_ONLY",
    "ArrayStrategy",
    "BarWindow",
    "Bound",
    "Bounds",
    "Context",
    "ExpMeanrev",
    "Holding",
    "HostWindow",
    "Param",
    "ParamKind",
    "ParamValue",
    "Registry",
    "Rejection",
    "Shared",
    "SmaCross",
    "Strategy",
    "StrategyError",
    "StrategyHost",
    "SwingTrend",
    "SymbolBars",
    "Target",
    "Targets",
    "broken",
    "failure",
    "read_params",
    "share_out",
    "shares",
]
