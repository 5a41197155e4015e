"""Strategies: the plug-in contract, the registry, the host and the built-in ones (floor 5).

What a strategy wants is a target position; whether it gets it is decided elsewhere, and never here.
"""

from mqk.strategies.contract import BarWindow, Context, Holding, HostWindow, Strategy, Target, Targets
from mqk.strategies.errors import StrategyError
from mqk.strategies.exp_meanrev import ExpMeanrev
from mqk.strategies.host import StrategyHost, failure
from mqk.strategies.params import Param, ParamKind, ParamValue, read_params
from mqk.strategies.registry import GROUP, Registry
from mqk.strategies.swing_trend import SwingTrend

__all__ = [
    "GROUP",
    "BarWindow",
    "Context",
    "ExpMeanrev",
    "Holding",
    "HostWindow",
    "Param",
    "ParamKind",
    "ParamValue",
    "Registry",
    "Strategy",
    "StrategyError",
    "StrategyHost",
    "SwingTrend",
    "Target",
    "Targets",
    "failure",
    "read_params",
]
