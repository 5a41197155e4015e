"""What tests of backtests share: runs of small worlds, and the recorded data where it is at hand.

Nothing here asserts; the tests beside it do.
"""

from __future__ import annotations

import csv
import io
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from mqk.backtest import BacktestSummary, run_backtest
from mqk.guards import GuardSet
from mqk.market import Bar
from mqk.portfolio import Fill
from mqk.quantity import parse_instant
from mqk.strategies import Context
from tests.engine.worlds import USD, daily, guards, host

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded bars are not beside this checkout")

Script = Mapping[int, Mapping[str, int]]


def scripted(script: Script, symbol: str = "SPY") -> Callable[[Context], Mapping[str, int] | None]:
    """A wish that says at its n-th bar of `symbol` (from 0) what the script says."""
    seen = [0]

    def wish(context: Context) -> Mapping[str, int] | None:
        if context.symbol != symbol:
            return None
        seen[0] += 1
        return script.get(seen[0] - 1)

    return wish


class Run:
    """A backtest with its files."""

    def __init__(
        self,
        bars: Sequence[Bar],
        wish: Callable[[Context], Mapping[str, int] | None] | Script | None = None,
        *,
        set_: GuardSet | None = None,
        lookback: int = 1,
    ) -> None:
        function = scripted(wish) if isinstance(wish, Mapping) else wish
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            self.summary: BacktestSummary = run_backtest(
                set_ or guards(), bars, out=out, host=None if function is None else host(function, lookback)
            )
            self.files = {path.name: path.read_bytes() for path in sorted(out.iterdir())}

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a table."""
        return list(csv.DictReader(io.StringIO(self.files[name].decode())))

    def fills(self) -> list[Fill]:
        """The fills as the table has them."""
        return [
            Fill(
                row["fill_id"],
                row["client_order_id"],
                row["symbol"],
                row["side"],
                int(row["qty"]),
                micros(row["price"]),
                micros(row["fee"]),
                parse_instant(row["at"]),
            )
            for row in self.rows("fills.csv")
        ]


def micros(text: str) -> int:
    """The micros of an amount as a table has it."""
    exact = Fraction(text) * USD
    assert exact.denominator == 1
    return exact.numerator


def walk(symbols: Sequence[str], days: int, seed: int, swing: int = 2) -> list[Bar]:
    """Daily bars of random walks, moving at most so many percent a day."""
    chance = random.Random(seed)
    bars: list[Bar] = []
    for symbol in symbols:
        closes = [chance.randint(50, 150) * USD]
        for _ in range(days - 1):
            closes.append(closes[-1] * (1_000 + chance.randint(-10 * swing, 10 * swing)) // 1_000)
        bars += daily(symbol, closes)
    return bars
