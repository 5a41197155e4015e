"""Whether a strategy that was played from its arrays says the same bar by bar, which is how live trading asks it.

What lives here: which bars of a run are asked about again, on the account of that moment, and holding both answers
against each other. What does not: the run (arrays.py), and what becomes of it (playback.py).

Asked about are the bars on which orders were asked for, and others by the run's own seeded chance: all of them, or so
many that the asking does not take longer than the run. A fresh instance is asked, which has seen nothing else, with the
window that it would have had. Both say the same where the same is ordered: who names a position that is held or on its
way already orders nothing, and neither does who says nothing.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mqk.engine.kernel import places as p
from mqk.quantity import format_instant
from mqk.strategies import HOLD, Context, HostWindow, StrategyError, Target
from mqk.strategies.host import ask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mqk.backtest.arrays import Columns, Played
    from mqk.market import Bar
    from mqk.strategies import StrategyHost, Targets

MOST: Final = 4_096
"""As many bars with orders are asked about at most, and as many others."""


@dataclass(frozen=True, slots=True)
class Contrary:
    """The first bar found on which both answers differ: its instant, and what is said of the strategy."""

    instant: int
    fault: StrategyError


def contrary(
    host: StrategyHost,
    columns: Columns,
    stream: Sequence[Bar],
    targets: Sequence[int],
    played: Played,
    *,
    capital: int,
    seed: str,
) -> Contrary | None:
    """Ask about bars that were played from `targets`; None where both answers are the same on all of them.

    `seed` is what the choice of bars comes from, together with the number of the choice.
    """
    asking = _Asking(host, columns, stream, played, capital)
    for bar in _chosen(asking.bars, columns.firsts[played.played], seed):
        fault = asking.fault(bar, targets[bar])
        if fault is not None:
            return Contrary(bisect_right(columns.firsts, bar) - 1, fault)
    return None


def _chosen(ordering: Sequence[int], count: int, seed: str) -> list[int]:
    """The bars to ask about, in order: of those on which orders were asked for, and of all."""
    found = set(ordering if len(ordering) <= MOST else (ordering[n] for n in _choices(len(ordering), f"{seed}/orders")))
    found.update(range(count) if count <= MOST else _choices(count, f"{seed}/bars"))
    return sorted(found)


def _choices(count: int, seed: str) -> list[int]:
    digests = (hashlib.sha256(f"{seed}/{number}".encode()).digest() for number in range(MOST))
    return [int.from_bytes(digest[:8]) % count for digest in digests]


class _Asking:
    """A fresh instance of a strategy, and the account of a run at any of its bars."""

    def __init__(
        self, host: StrategyHost, columns: Columns, stream: Sequence[Bar], played: Played, capital: int
    ) -> None:
        import numpy as np  # noqa: PLC0415 - heavy

        strategy = host.fresh()
        assert strategy is not None
        self._strategy, self._lookback = strategy, host.lookback
        self._columns, self._stream, self._equity = columns, stream, played.equity
        block = played.block
        first, count = block[p.AT_ROWS], block[p.ROWS]
        table = np.frombuffer(memoryview(block), np.int64)[first : first + count * p.ROW].reshape(-1, p.ROW)
        self.bars: list[int] = np.unique(table[:, p.ROW_BAR]).tolist()
        symbols = np.frombuffer(columns.symbols, np.int64)
        self._places: dict[str, Any] = {}
        self._holdings: dict[str, _Holding] = {}
        for number, name in enumerate(columns.names):
            theirs = table[(table[:, p.ROW_SYMBOL] == number) & (table[:, p.ROW_STATE] != p.DENIED)]
            self._holdings[name] = _Holding(theirs)
            if len(columns.names) > 1:
                self._places[name] = np.flatnonzero(symbols == number)
        self._context = Context(capital, self._holdings)

    def fault(self, number: int, target: int) -> StrategyError | None:
        """What is said of the strategy for its answers about a bar; None where they are the same."""
        bar, context = self._stream[number], self._context
        instant = bisect_right(self._columns.firsts, number) - 1
        for holding in self._holdings.values():
            holding.come_to(number, bar.end)
        context.symbol, context.bar, context.now = bar.symbol, bar, bar.end
        context.equity, context.bars = self._equity[instant], self._window(bar.symbol, number)
        try:
            answer = ask(self._strategy, context)
        except StrategyError as fault:
            return fault
        committed = context.committed(bar.symbol)
        if _orders(answer, bar.symbol, committed) == (None if target in (HOLD, committed) else target):
            return None
        what = (
            f"strategy `{type(self._strategy).__name__}` says one thing bar by bar and another to all bars at once:"
            f" on the bar of `{bar.symbol}` that ends at {format_instant(bar.end)}, with {committed} shares held or on"
            f" their way, `on_bar` wants {_told(answer)} and `targets` {'nothing' if target == HOLD else target}"
        )
        return StrategyError("contrary", [what])

    def _window(self, symbol: str, number: int) -> HostWindow:
        """What the strategy would have been shown of the symbol, up to a bar."""
        size, stream = self._lookback, self._stream
        window = HostWindow(size)
        places = self._places.get(symbol)
        if places is None:
            window.extend(stream[max(number + 1 - size, 0) : number + 1])
        else:
            upto = int(places.searchsorted(number, "right"))
            window.extend([stream[place] for place in places[max(upto - size, 0) : upto].tolist()])
        return window


class _Holding:
    """What was held of one symbol, and worked, when a strategy was asked about a bar."""

    __slots__ = ("_asked", "_filled", "_fills", "_orders", "_working", "qty")

    def __init__(self, rows: Any) -> None:
        signed = rows[:, p.ROW_QTY] * rows[:, p.ROW_SIDE]
        self._asked: list[int] = rows[:, p.ROW_BAR].tolist()
        self._orders: list[int] = [0, *signed.cumsum().tolist()]
        done = rows[:, p.ROW_STATE] == p.FILLED
        order = rows[done, p.ROW_FILLED_AT].argsort(kind="stable")
        self._filled: list[int] = rows[done, p.ROW_FILLED_AT][order].tolist()
        self._fills: list[int] = [0, *signed[done][order].cumsum().tolist()]
        self.qty = self._working = 0

    def come_to(self, bar: int, now: int) -> None:
        """Be what it was when a bar that ends now was asked about: orders of bars before it, and fills before now."""
        self.qty = self._fills[bisect_left(self._filled, now)]
        self._working = self._orders[bisect_left(self._asked, bar)] - self.qty

    def committed(self) -> tuple[int, int]:
        """Shares at work, bought and sold."""
        return max(self._working, 0), max(-self._working, 0)


def _orders(answer: Targets | None, symbol: str, committed: int) -> object:
    """The position that an answer leads to, where it orders anything; whatever else it says, as it says it."""
    if not answer:
        return None
    wanted = answer.get(symbol) if len(answer) == 1 else None
    if isinstance(wanted, Target) and wanted == Target(wanted.qty):
        wanted = wanted.qty
    if type(wanted) is not int:
        return answer
    return None if wanted == committed else wanted


def _told(answer: Targets | None) -> str:
    if not answer:
        return "nothing"
    plain: Mapping[str, object] = {
        symbol: want.to_json() if isinstance(want, Target) else want for symbol, want in answer.items()
    }
    return str(next(iter(plain.values()))) if len(plain) == 1 else str(dict(plain))
