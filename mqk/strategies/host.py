"""The host of an engine's strategies: one that may order, and any number in the shadow.

What lives here: building them from the policy and asking them. What does not: windows, which the engine keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mqk.strategies.contract import ArrayStrategy, Context, HostWindow, Strategy, SymbolBars, Targets
from mqk.strategies.errors import StrategyError
from mqk.strategies.registry import Registry

if TYPE_CHECKING:
    from mqk.policy import Bundle, StrategySpec


class StrategyHost:
    """The strategies of one engine. `lookback` is how much history, in bars, the ordering one sees.

    Each sees a window of its own length, so that a shadow beside it changes nothing for the one that orders.

    Raises StrategyError with every problem: unknown names, parameters that cannot be read, more than one strategy that
    may order (two of them would undo each other's positions).
    """

    __slots__ = ("_registry", "_specs", "ids", "lookback", "shadows", "strategy", "timeframes")

    def __init__(
        self, specs: Sequence[StrategySpec], timeframes: Sequence[str], registry: Registry | None = None
    ) -> None:
        registry = registry or Registry.installed()
        self._registry, self._specs = registry, tuple(specs)
        problems: list[str] = []
        built: list[tuple[StrategySpec, Strategy]] = []
        code = None
        for spec in specs:
            try:
                built.append((spec, registry.build(spec.id, spec.params)))
            except StrategyError as error:
                code = code or error.code
                problems += error.problems
        ordering = [spec.id for spec in specs if not spec.shadow]
        if len(ordering) > 1:
            code = code or "several"
            names = " and ".join(f"`{name}`" for name in ordering)
            problems.append(f"{names} would order for one engine: let all but one be `shadow: true`")
        if code is not None:
            raise StrategyError(code, problems)
        self.strategy = next((strategy for spec, strategy in built if not spec.shadow), None)
        self.shadows = tuple((spec.id, strategy) for spec, strategy in built if spec.shadow)
        self.ids = tuple(spec.id for spec in specs)
        self.timeframes = tuple(timeframes)
        self.lookback = 0 if self.strategy is None else self.strategy.lookback

    @classmethod
    def of(cls, bundle: Bundle, registry: Registry | None = None) -> StrategyHost:
        """The strategies that an effective bundle names."""
        return cls(bundle.strategies, bundle.timeframes, registry)

    def fresh(self) -> Strategy | None:
        """Another instance of the ordering strategy, which has seen nothing; None when there is none."""
        specs = (spec for spec in self._specs if not spec.shadow)
        return next((self._registry.build(spec.id, spec.params) for spec in specs), None)

    def renew(self) -> None:
        """Build the ordering strategy anew: it has seen nothing yet."""
        self.strategy = self.fresh()

    def require_timeframe(self, timeframe: str) -> None:
        """Raise StrategyError "timeframe" unless the policy trades this timeframe."""
        if timeframe not in self.timeframes:
            known = ", ".join(f"`{each}`" for each in self.timeframes)
            raise StrategyError("timeframe", [f"the engine trades {known}, not bars of `{timeframe}`"])

    def targets(self, context: Context) -> Targets | None:
        """What the ordering strategy wants; None when there is none, or it has nothing to say."""
        return None if self.strategy is None else ask(self.strategy, context)

    @property
    def in_arrays(self) -> ArrayStrategy | None:
        """The ordering strategy, where it can answer for all bars at once and nothing else is to be asked."""
        strategy: object = self.strategy
        return strategy if isinstance(strategy, ArrayStrategy) and not self.shadows else None

    def windows(self) -> tuple[HostWindow, tuple[HostWindow, ...]]:
        """Fresh windows for one symbol: the ordering strategy's, and one for each shadow."""
        return HostWindow(self.lookback), tuple(HostWindow(strategy.lookback) for _, strategy in self.shadows)

    def shadow_targets(self, context: Context, windows: Sequence[HostWindow]) -> list[tuple[str, Targets]]:
        """What each shadow strategy wants on its own window, where it says something."""
        wanted = []
        for (name, strategy), window in zip(self.shadows, windows, strict=True):
            context.bars = window
            targets = ask(strategy, context)
            if targets:
                wanted.append((name, targets))
        return wanted


def ask(strategy: Strategy, context: Context) -> Targets | None:
    """What a strategy wants. It may be anybody's code, so whatever it raises is its failure and no mystery.

    Raises StrategyError "failed", from what the strategy raised.
    """
    try:
        return strategy.on_bar(context)
    except Exception as fault:
        raise failure(fault, strategy, context.symbol) from fault


def ask_in_arrays(strategy: ArrayStrategy, bars: SymbolBars) -> Sequence[int]:
    """What a strategy wants at every bar of a symbol. Raises StrategyError "failed" as when it is asked of one."""
    try:
        return strategy.targets(bars)
    except Exception as fault:
        raise failure(fault, strategy, bars.symbol) from fault


def failure(fault: Exception, strategy: Strategy | ArrayStrategy, symbol: str) -> StrategyError:
    """What is said of a strategy that raised something on a bar of a symbol."""
    name = type(strategy).__name__
    what = f"strategy `{name}` failed on a bar of `{symbol}`: {type(fault).__name__}: {fault}"
    return StrategyError("failed", [what])
