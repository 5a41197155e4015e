"""Which strategies there are, by name: the built-in ones and those that installed packages bring.

What lives here: names to classes. What does not: parameters (params.py) and running them (host.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Final

from mqk.strategies.contract import Strategy
from mqk.strategies.errors import StrategyError
from mqk.strategies.exp_meanrev import ExpMeanrev
from mqk.strategies.params import read_params
from mqk.strategies.sma_cross import SmaCross
from mqk.strategies.swing_trend import SwingTrend

GROUP: Final = "mqk.strategies"


class Registry:
    """Strategies by name, in the order in which they were registered."""

    def __init__(self) -> None:
        self._strategies: dict[str, type[Strategy]] = {}

    @classmethod
    def installed(cls) -> Registry:
        """The built-in strategies, then those of installed packages (entry points `mqk.strategies`), by name.

        Raises StrategyError when a plug-in takes a name that is taken, or is no strategy.
        """
        registry = cls()
        registry.register("swing_trend_v1", SwingTrend)
        registry.register("exp_meanrev_v1", ExpMeanrev)
        registry.register("sma_cross_v1", SmaCross)
        for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
            registry.register(point.name, point.load())
        return registry

    def register(self, name: str, strategy: type[Strategy]) -> None:
        """Add a strategy. Raises StrategyError "name", "duplicate" or "contract"."""
        if not name.strip():
            raise StrategyError("name", ["a strategy has a name"])
        if name in self._strategies:
            raise StrategyError("duplicate", [f"there is a strategy `{name}` already"])
        if not (isinstance(getattr(strategy, "PARAMS", None), Mapping) and callable(getattr(strategy, "on_bar", None))):
            raise StrategyError("contract", [f"`{name}` is no strategy: it needs `PARAMS` and `on_bar`"])
        self._strategies[name] = strategy

    def deregister(self, name: str) -> None:
        """Remove a strategy. Raises StrategyError "unknown"."""
        self.strategy(name)
        del self._strategies[name]

    def names(self) -> tuple[str, ...]:
        """All names, in the order of registration."""
        return tuple(self._strategies)

    def strategy(self, name: str) -> type[Strategy]:
        """The class behind a name. Raises StrategyError "unknown"."""
        found = self._strategies.get(name)
        if found is None:
            close = get_close_matches(name, self._strategies, n=1, cutoff=0.6)
            known = ", ".join(f"`{each}`" for each in self._strategies) or "none"
            help_ = f"did you mean `{close[0]}`?" if close else f"installed are {known}"
            raise StrategyError("unknown", [f"there is no strategy `{name}`: {help_}"])
        return found

    def build(self, name: str, params: Mapping[str, str]) -> Strategy:
        """A strategy with its parameters as a policy writes them. Raises StrategyError "unknown" or "params"."""
        strategy = self.strategy(name)
        # Built by keyword from its own declaration, which no static type can follow.
        return strategy(**read_params(name, strategy.PARAMS, params))
