"""What a run is given: the guards of an engine and its bars, put in order and in columns, and what names the run.

What lives here: everything about a run that is known before its first instant. What does not: playing it (runner.py).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mqk.backtest.beside import parted
from mqk.backtest.stream import in_order
from mqk.market import columns_of, data_sha256
from mqk.quantity import format_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqk.guards import GuardSet
    from mqk.market import Bar

    Columns = tuple[list[tuple[str, str]], Any]


@dataclass(frozen=True, slots=True)
class RunInput:
    """An engine's guards and the bars that it is run over.

    `stream` are all bars by end, then symbol: those it is `traded` on, with their `columns`, and those `beside` them.
    `data` is the hash of the stream.
    """

    guards: GuardSet
    stream: Sequence[Bar]
    traded: Sequence[Bar]
    beside: Sequence[Bar]
    columns: Columns
    data: str

    @classmethod
    def of(cls, guards: GuardSet, bars: Sequence[Bar]) -> RunInput:
        """Bars in any order. Raises BacktestError "bars" for bars that no engine could run on."""
        stream = in_order(bars, guards)
        traded, beside = parted(stream)
        columns = columns_of(traded)
        data = data_sha256(stream, columns_of(stream) if beside else columns)
        return cls(guards, stream, traded, beside, columns, data)

    @property
    def engine(self) -> str:
        """The engine."""
        return self.guards.bundle.engine

    def run_id(self, others: Sequence[RunInput] = ()) -> str:
        """The name of the run: of the policy and the bars, and of those of the `others` that it depends on."""
        named = [self, *sorted(others, key=lambda other: other.engine)]
        lines = [line for each in named for line in (each.guards.bundle.sha256, each.data)]
        return "bt" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:14]

    def data_json(self) -> dict[str, Any]:
        """The bars, as a manifest tells them."""
        stream = self.stream
        return {
            "sha256": self.data,
            "bars": len(stream),
            "symbols": sorted({bar.symbol for bar in stream}),
            "timeframes": sorted({bar.timeframe for bar in stream}),
            "first": format_instant(stream[0].end),
            "last": format_instant(stream[-1].end),
        }
