"""What tests of histories share: a recorded backtest under every rule of an engine, and asking the real guards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mqk.analysis.history.replay import moment_of
from mqk.backtest import run_backtest
from mqk.guards import Decision, GuardSet, Point, compile_bundle
from mqk.policy import effective_bundle, load_policies, shipped_policies_dir
from mqk.strategies import Context
from tests.backtest.worlds import walk
from tests.engine.worlds import host

SYMBOLS = ("AAPL", "MSFT", "QQQ", "SPY")


def nervous(context: Context) -> Mapping[str, int] | None:
    """Up to sixty shares or none, by the last digits of the last two closes: trades often, for no reason."""
    if len(context.bars) < 2:
        return None
    change = context.bars[-1].close - context.bars[-2].close
    return {context.symbol: abs(change) % 60 if change % 3 else 0}


@cache
def shipped(engine: str = "MAIN") -> GuardSet:
    """A shipped engine with all of its rules."""
    return compile_bundle(effective_bundle(load_policies([shipped_policies_dir()]), engine))


def recorded(folder: Path, guards: GuardSet | None = None, *, days: int = 60, seed: int = 11) -> Path:
    """The decisions of a backtest that trades often, for no reason."""
    bars = [replace(bar, volume=1_000_000) for bar in walk(SYMBOLS, days, seed, swing=6)]
    run_backtest(guards or shipped(), bars, out=folder / "run", host=host(nervous, 2))
    return folder / "run" / "decisions.parquet"


def rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a file of decisions."""
    found: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return found


def judged(row: Mapping[str, Any], guards: GuardSet) -> Decision:
    """What the real guard says of a recorded decision."""
    point = Point(row["point"])
    moment = moment_of(row, point)
    return guards.guards[point].decide(moment.views, moment.problems)
