"""Walk-forward: parameters chosen on some sessions, judged on later ones, again and again along the bars.

What lives here: the windows, the choice among a policy's grid, and what came of it. What does not: running (runner.py).

No session is in two tests, and none of a test is in the training before it: between them lies an embargo, over which no
position is carried. Before each test the strategy sees the bars of the embargo and of the training, so that it need not
warm up in the test; what it says before the test begins is not ordered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from mqk.backtest.artifacts import json_bytes
from mqk.backtest.battery import run_backtest
from mqk.backtest.errors import BacktestError
from mqk.quantity import DAY_MICROS, format_instant, format_money
from mqk.strategies import Context, Param, Registry, Strategy, StrategyError, StrategyHost, Targets

if TYPE_CHECKING:
    from mqk.backtest.summary import BacktestSummary
    from mqk.guards import GuardSet
    from mqk.market import Bar
    from mqk.policy import StrategySpec

KIND: Final = "mqk walk-forward"
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Windows:
    """How long each training and each test is, and how many sessions lie between them. In sessions that have bars."""

    train: int
    test: int
    embargo: int


@dataclass(frozen=True, slots=True)
class Fold:
    """One training and the test after it. Instants in epoch micros, both ends included; money in micros."""

    train: tuple[int, int]
    test: tuple[int, int]
    params: Mapping[str, str]
    trained: BacktestSummary
    tested: BacktestSummary

    def to_json(self) -> dict[str, Any]:
        """As the file holds it."""
        return {
            "train": [format_instant(at) for at in self.train],
            "test": [format_instant(at) for at in self.test],
            "params": dict(self.params),
            "in_sample": _figures(self.trained),
            "out_of_sample": _figures(self.tested),
        }


@dataclass(frozen=True, slots=True)
class WalkForward:
    """What came of all folds. `growth` is final over initial equity, each test begun with what the one before left."""

    engine: str
    bundle_sha256: str
    strategy: str
    grid: Mapping[str, Sequence[str]]
    windows: Windows
    folds: tuple[Fold, ...]

    @property
    def growth(self) -> float:
        """The tests' growth after each other, as a fraction of the capital."""
        grown = 1.0
        for fold in self.folds:
            grown *= fold.tested.final_equity_micros / fold.tested.initial_equity_micros
        return grown - 1

    @property
    def gained(self) -> int:
        """How many of the tests ended above their capital."""
        return sum(fold.tested.final_equity_micros > fold.tested.initial_equity_micros for fold in self.folds)

    def to_json(self) -> dict[str, Any]:
        """As the file holds it."""
        windows = self.windows
        return {
            "kind": KIND,
            "engine": self.engine,
            "bundle": self.bundle_sha256,
            "strategy": self.strategy,
            "grid": {name: list(values) for name, values in self.grid.items()},
            "windows": {"train": windows.train, "test": windows.test, "embargo": windows.embargo},
            "folds": [fold.to_json() for fold in self.folds],
            "out_of_sample_return": self.growth,
            "tests_that_gained": self.gained,
        }

    def to_bytes(self) -> bytes:
        """The file `walk_forward.json`."""
        return json_bytes(self.to_json())


def walk_forward(
    guards: GuardSet,
    bars: Sequence[Bar],
    windows: Windows,
    *,
    registry: Registry | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> WalkForward:
    """Choose among the grid of the ordering strategy on each training, and run the choice on the test after it.

    The choice is the highest final equity of the training; of equals, the first in the order of the grid. `on_progress`
    is told (runs done, runs in all).

    Raises BacktestError "bars" for windows that do not fit into the bars, and StrategyError "params" without a grid,
    for one of more than a thousand choices, and for values that the strategy does not take.
    """
    registry = registry or Registry.installed()
    spec = ordering(guards)
    choices = _choices(spec, registry)
    folds = list(_folds(sorted({bar.end // DAY_MICROS for bar in bars}), windows))
    if not folds:
        needed = windows.train + windows.embargo + windows.test
        count = len({bar.end // DAY_MICROS for bar in bars})
        help_ = f"give bars of {needed} sessions or more, or shorter windows"
        raise BacktestError("bars", f"the windows take {needed} sessions, and the bars have {count}", help_)
    stream = sorted(bars, key=attrgetter("end", "symbol", "timeframe"))
    total, done = len(folds) * (len(choices) + 1), 0
    found = []
    for train, test in folds:
        training = _within(stream, train)
        best: tuple[BacktestSummary, StrategySpec] | None = None
        for choice in choices:
            ran = _run(guards, choice, registry, training, training[0].end)
            done += 1
            if on_progress is not None:
                on_progress(done, total)
            if best is None or ran.final_equity_micros > best[0].final_equity_micros:
                best = ran, choice
        assert best is not None
        # From the training on, so that the strategy has seen what it needs to; it orders in the test alone.
        testing = _within(stream, (train[0], test[1]))
        begins = _within(stream, test)
        tested = _run(guards, best[1], registry, testing, begins[0].end)
        done += 1
        if on_progress is not None:
            on_progress(done, total)
        place = (training[0].end, training[-1].end), (begins[0].end, begins[-1].end)
        found.append(Fold(*place, best[1].params, best[0], tested))
    bundle = guards.bundle
    return WalkForward(bundle.engine, bundle.sha256, spec.id, spec.grid, windows, tuple(found))


def _folds(days: Sequence[int], windows: Windows) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """The first and last day of each training and of its test; tests follow each other without a gap."""
    start = 0
    while start + windows.train + windows.embargo + windows.test <= len(days):
        begins = start + windows.train + windows.embargo
        yield (days[start], days[start + windows.train - 1]), (days[begins], days[begins + windows.test - 1])
        start += windows.test


def _within(stream: Sequence[Bar], days: tuple[int, int]) -> list[Bar]:
    return [bar for bar in stream if days[0] <= bar.end // DAY_MICROS <= days[1]]


def ordering(guards: GuardSet) -> StrategySpec:
    """The strategy of an engine that may order. Raises StrategyError "params" where it has nothing to choose among."""
    bundle = guards.bundle
    spec = next((each for each in bundle.strategies if not each.shadow), None)
    if spec is None or not spec.grid:
        name = bundle.engine if spec is None else spec.id
        raise StrategyError(
            "params", [f"`{name}` has nothing to choose among: give its strategy a `grid` in the policy"]
        )
    return spec


def _choices(spec: StrategySpec, registry: Registry) -> list[StrategySpec]:
    """The strategy with every combination of the grid, in the grid's order. Raises StrategyError with all problems."""
    combinations = list(product(*spec.grid.values()))
    if len(combinations) > _MOST:
        raise StrategyError("params", [f"the grid of `{spec.id}` has {len(combinations):,} choices: at most {_MOST:,}"])
    choices = [
        replace(spec, params={**spec.params, **dict(zip(spec.grid, values, strict=True))}) for values in combinations
    ]
    problems: dict[str, None] = {}
    for choice in choices:
        try:
            registry.build(choice.id, choice.params)
        except StrategyError as fault:
            problems |= dict.fromkeys(fault.problems)
    if problems:
        raise StrategyError("params", list(problems))
    return choices


class _Waiting:
    """A strategy that is asked from the first bar on, and listened to from an instant on."""

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType({})

    def __init__(self, inner: Strategy, begins: int) -> None:
        self.lookback = inner.lookback
        self._inner = inner
        self._begins = begins

    def on_bar(self, context: Context) -> Targets | None:
        """What the strategy says, once it counts."""
        wanted = self._inner.on_bar(context)
        return wanted if context.now >= self._begins else None


class _Patient(Registry):
    """A registry whose strategies are listened to from an instant on."""

    def __init__(self, inner: Registry, begins: int) -> None:
        super().__init__()
        self._inner = inner
        self._begins = begins

    def build(self, name: str, params: Mapping[str, str]) -> Strategy:
        """A strategy with its parameters that waits."""
        return _Waiting(self._inner.build(name, params), self._begins)


def _run(guards: GuardSet, spec: StrategySpec, registry: Registry, bars: Sequence[Bar], begins: int) -> BacktestSummary:
    host = StrategyHost([spec], guards.bundle.timeframes, _Patient(registry, begins))
    ran = run_backtest(guards, bars, host=host)
    if ran.failed is not None:
        raise StrategyError("failed", [ran.failed])
    return ran


def _figures(ran: BacktestSummary) -> dict[str, Any]:
    return {
        "final_equity": format_money(ran.final_equity_micros),
        "return": ran.final_equity_micros / ran.initial_equity_micros - 1,
        "max_drawdown": ran.max_drawdown,
        "orders": ran.orders,
        "denied": ran.denied,
        "halts": ran.halts,
    }
