"""What the tests of brokers and runs set up: a small engine, and minutes of made-up prices."""

from __future__ import annotations

import random
import tempfile
from functools import cache
from pathlib import Path

from mqk.guards import GuardSet, compile_bundle
from mqk.market import Bar
from mqk.policy import effective_bundle, load_policies, shipped_policies_dir

MINUTE = 60_000_000
CENT = 10_000
T0 = 1_708_041_600_000_000  # Friday 2024-02-16 00:00 UTC, in epoch microseconds
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")


@cache
def desk_guards(*overlays: str, changes: tuple[tuple[str, str], ...] = (), engine: str = "DESK") -> GuardSet:
    """The guards of DESK, or of what `changes` (this text to that, in its documents) make of it, compiled once."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [shipped_policies_dir()]
        for document in sorted((Path(__file__).parent / "desk").iterdir()):
            written = text = document.read_text()
            for this, that in changes:
                text = text.replace(this, that)
            # Findings name files: what is not changed is read where it is, so that every process names the same.
            path = document if text == written else Path(folder) / document.name
            if path is not document:
                path.write_text(text)
            paths.append(path)
        policies = load_policies(paths)
    assert not policies.diagnostics
    return compile_bundle(effective_bundle(policies, engine, overlays=overlays))


@cache
def desk_bars(minutes: int = 60, *, seed: int = 1) -> tuple[Bar, ...]:
    """Random walks of four symbols, in cents, one bar a minute each; they begin one minute after the other."""
    chance = random.Random(seed)
    closes = {symbol: 10_000 + 1_000 * number for number, symbol in enumerate(SYMBOLS)}
    bars: list[Bar] = []
    for minute in range(minutes):
        for number, symbol in enumerate(SYMBOLS):
            if minute < number:
                continue
            opening = closes[symbol] + chance.randint(-20, 20)
            close = opening + chance.randint(-60, 60)
            high, low = max(opening, close) + chance.randint(0, 15), min(opening, close) - chance.randint(0, 15)
            closes[symbol] = close
            bars.append(
                Bar(
                    symbol=symbol,
                    end=T0 + (minute + 1) * MINUTE,
                    open=opening * CENT,
                    high=high * CENT,
                    low=low * CENT,
                    close=close * CENT,
                    volume=1_000,
                    complete=True,
                    timeframe="1m",
                )
            )
    return tuple(bars)
