"""A strategy of your own behind the shipped policies, on real daily bars: what it wanted, and what it was not given.

Run it with the Python that mqk[demo] is installed in. Nothing is written but a temporary folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from mqk.backtest import run_backtest
from mqk.guards import compile_bundle
from mqk.market import demo_bars, read_bars
from mqk.policy import Span, StrategySpec, effective_bundle, load_policies, shipped_policies_dir
from mqk.strategies import Context, Param, Registry, StrategyHost


class AllIn:
    """Puts `size` of equity into whatever rose over its window, and leaves when it fell. Greedy on purpose."""

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType(
        {
            "window": Param("count", "60", "bars looked back on", least=2),
            "size": Param("ratio", "30%", "of equity, put into one position"),
        }
    )

    def __init__(self, *, window: int, size: Fraction) -> None:
        self.lookback = window
        self._size = size

    def on_bar(self, context: Context) -> Mapping[str, int] | None:
        """The position wanted in the bar's symbol, in shares, or None for no change."""
        if len(context.bars) < self.lookback:
            return None
        first, last = context.bars[0].close, context.bars[-1].close
        held = context.committed(context.symbol)
        if last <= first:
            return {context.symbol: 0} if held else None
        if held:
            return None
        return {context.symbol: context.equity * self._size.numerator // (self._size.denominator * last)}


def main() -> None:
    """Run it twice: once as greedy as it is, once within what the policies allow."""
    bundle = effective_bundle(load_policies([shipped_policies_dir()]), "MAIN")
    guards = compile_bundle(bundle)
    registry = Registry()
    registry.register("all_in_v1", AllIn)
    with tempfile.TemporaryDirectory() as folder:
        bars = read_bars(demo_bars(Path(folder)))
    for size in ("30%", "15%"):
        spec = StrategySpec("all_in_v1", {"size": size}, shadow=False, span=Span.nowhere("example"))
        summary = run_backtest(guards, bars, host=StrategyHost([spec], bundle.timeframes, registry))
        rules = ", ".join(f"{rule} {count}" for rule, count in summary.denied_by_rule.items()) or "none"
        print(f"size {size}: {summary.orders} orders, {summary.denied} denied ({rules}), equity {summary.final_equity}")


if __name__ == "__main__":
    main()
