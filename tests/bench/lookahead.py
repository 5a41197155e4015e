"""How many seeded leaks the look-ahead prover finds, and how many honest strategies it accuses."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from mqk.backtest.lookahead import Leak, prove_each
from mqk.market import Bar
from mqk.policy import Span, StrategySpec
from tests.backtest.worlds import walk
from tests.bench.lookahead_honest import HONEST
from tests.bench.lookahead_leaks import BEYOND, LEAKS
from tests.engine.worlds import guards


@dataclass(frozen=True)
class Rate:
    """What came of the corpus: by strategy its leak, None where none was found."""

    leaks: dict[str, Leak | None]
    honest: dict[str, Leak | None]
    seconds: float

    @property
    def found(self) -> int:
        """Leaks that were found."""
        return sum(leak is not None for leak in self.leaks.values())

    @property
    def accused(self) -> int:
        """Honest strategies that were accused."""
        return sum(leak is not None for leak in self.honest.values())

    @property
    def findable(self) -> int:
        """Leaks that running can find at all."""
        return len(self.leaks) - len(BEYOND)


def measure(days: int = 60, cuts: int = 12) -> Rate:
    """Prove every strategy of the corpus on two symbols of daily bars."""
    bars = [_gapped(number, bar) for number, bar in enumerate(walk(["AAPL", "SPY"], days, 5, swing=4))]
    began = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / "prices.csv", bars)
        os.environ["LOOKAHEAD_CSV"] = str(Path(folder) / "prices.csv")
        modules = {each.__name__: f"{each.__module__}:{each.__name__}" for each in (*LEAKS, *HONEST)}
        specs = [StrategySpec(name, {}, shadow=False, span=Span.nowhere(name)) for name in modules]
        proofs = prove_each(guards().bundle, bars, specs, modules=modules, cuts=cuts)
        del os.environ["LOOKAHEAD_CSV"]
    found = {name: proof.leaks[0] if proof.leaks else None for name, proof in proofs.items()}
    leaks = {each.__name__: found[each.__name__] for each in LEAKS}
    return Rate(leaks, {each.__name__: found[each.__name__] for each in HONEST}, perf_counter() - began)


def _gapped(number: int, bar: Bar) -> Bar:
    """A bar that does not open where the one before closed: now above, now below."""
    open_ = bar.close * (1_000 + number * 7 % 13 - 6) // 1_000
    return replace(bar, open=open_, high=max(bar.high, open_), low=min(bar.low, open_))


def _write(path: Path, bars: list[Bar]) -> None:
    """The prices of one symbol as files that leaks look into."""
    own = [(bar.end, bar.close) for bar in bars if bar.symbol == "SPY"]
    path.write_text("\n".join(["at,close", *(f"{at},{close}" for at, close in own), ""]), "utf-8")
    with sqlite3.connect(path.with_suffix(".sqlite")) as connection:
        connection.execute("create table prices (at integer, close integer)")
        connection.executemany("insert into prices values (?, ?)", own)
    connection.close()
