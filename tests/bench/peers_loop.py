"""The bars of loop.py given to other backtesters, each in a process of its own, in an environment of their own.

What lives here: handing over the bars and reading what came back. What does not: how each peer does the work
(backtesters.py), and what it is compared with (loop.py).
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mqk.market import Bar, columns_of
from tests.bench.loop import NAMES, Speed, minutes

HERE: Final = Path(__file__).parent
PYTHON: Final = HERE / ".venv" / "bin" / "python"
# Peers of one symbol only, and peers that would take minutes: those are given the first bars.
ALONE: Final = frozenset({"backtesting", "hftbacktest"})
FEWER: Final = {"nautilus_trader": 100_000}
PEERS: Final = ("vectorbt", "hftbacktest", "backtesting", "nautilus_trader")
SECONDS: Final = 120


def measure(bases: dict[int, float], *, one: int = 1_000_000, ten: int = 100_000) -> list[Speed]:
    """Every peer on one symbol and on ten; `bases` is how fast the bare loop was, by how many symbols.

    A peer that fails is told as one that did nothing.
    """
    found: list[Speed] = []
    for symbols, count in ((("SPY",), one), (NAMES, ten)):
        bars = minutes(symbols, count)
        with tempfile.TemporaryDirectory() as folder:
            for peer in PEERS:
                if len(symbols) == 1 or peer not in ALONE:
                    some = bars[: FEWER.get(peer, len(bars))]
                    found.append(_run(peer, some, len(symbols), Path(folder), bases[len(symbols)]))
    return found


def _run(peer: str, bars: Sequence[Bar], symbols: int, folder: Path, base: float) -> Speed:
    import numpy as np  # noqa: PLC0415 - heavy

    file = folder / f"{len(bars)}.npy"
    if not file.exists():
        np.save(file, columns_of(bars)[1][:, :6])
    name = f"{symbols} x {len(bars) // symbols:,}: {peer}"
    command = [str(PYTHON), "-W", "ignore", str(HERE / "backtesters.py"), peer, str(file)]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return Speed(f"{name} (failed)", len(bars), 0.0, 0.0, 0, 0, 0)
    read = json.loads(told.strip().splitlines()[-1])
    rate = read["bars"] / read["seconds"]
    return Speed(name, len(bars), rate, rate / base, read["megabytes"], read["orders"], 0)
