"""Bars as columns, and strategies that answer for all of them at once, played by the compiled kernel.

What lives here: columns, the run, and what comes of it. What does not: the kernel (mqk.engine.kernel), and artifacts:
those are a backtest's (runner.py), which this one agrees with order by order and instant by instant.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from ctypes import POINTER, c_int64, cast
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.errors import BacktestError
from mqk.backtest.feed import RecordedFeed
from mqk.engine.kernel import places as p
from mqk.engine.kernel.compiled import Kernel
from mqk.engine.kernel.memory import Memory, too_fine
from mqk.market import calendar_of
from mqk.strategies import HOLD, ArrayStrategy, SymbolBars

if TYPE_CHECKING:
    from mqk.guards import GuardSet
    from mqk.market import Bar, Calendar, SessionPlan

_IN_ORDER: Final = attrgetter("end", "symbol", "timeframe")
# Orders that there is room for at first, when more targets than that are given.
_ROOM: Final = 65_536
_PRICES: Final = ("opens", "highs", "lows", "closes")


@dataclass(frozen=True, slots=True)
class Columns:
    """The bars of one run, by end and then by symbol, and the instants that they make.

    Columns of bars: `symbols` are numbers of `names` (sorted), prices in micros, volumes in shares; `missing` how many
    bars of the symbol were due before and did not come, `starts` when the bar began. Columns of instants: `ends`,
    `firsts` (the first bar of each, and one more at the end), `sessions` (numbers of `plans`), and `flags`: whether
    something other than plain bars comes then.
    """

    names: tuple[str, ...]
    timeframe: str
    plans: tuple[SessionPlan, ...]
    symbols: array[int]
    opens: array[int]
    highs: array[int]
    lows: array[int]
    closes: array[int]
    volumes: array[int]
    missing: array[int]
    starts: array[int]
    ends: array[int]
    firsts: array[int]
    sessions: array[int]
    flags: array[int]

    @classmethod
    def of(cls, bars: Sequence[Bar], calendar: str) -> Columns:
        """The columns of bars in any order. Raises BacktestError without bars, CalendarError outside the calendar."""
        stream = sorted(bars, key=_IN_ORDER)
        if not stream:
            raise BacktestError("bars", "there are no bars to run on")
        return _Reading(stream, calendar_of(calendar)).columns()


class _Reading:
    """Bars on their way into columns: the feed is asked of each what a run would ask."""

    def __init__(self, stream: Sequence[Bar], calendar: Calendar) -> None:
        self._stream = stream
        self._feed = RecordedFeed(calendar, stream)
        self._plans: list[SessionPlan] = []
        self._ends, self._firsts, self._sessions, self._flags, self._missing, self._starts = (
            array("q") for _ in range(6)
        )

    def columns(self) -> Columns:
        """The columns."""
        stream = self._stream
        names = tuple(sorted({bar.symbol for bar in stream}))
        numbers = {name: number for number, name in enumerate(names)}
        total, position, was_late = len(stream), 0, False
        while position < total:
            stop = position + 1
            while stop < total and stream[stop].end == stream[position].end:
                stop += 1
            late = self._instant(stream[position:stop], position, unusual=was_late)
            was_late = late
            position = stop
        self._firsts.append(total)
        return Columns(
            names,
            stream[0].timeframe,
            tuple(self._plans),
            array("q", [numbers[bar.symbol] for bar in stream]),
            array("q", [bar.open for bar in stream]),
            array("q", [bar.high for bar in stream]),
            array("q", [bar.low for bar in stream]),
            array("q", [bar.close for bar in stream]),
            array("q", [bar.volume for bar in stream]),
            self._missing,
            self._starts,
            self._ends,
            self._firsts,
            self._sessions,
            self._flags,
        )

    def _instant(self, group: Sequence[Bar], position: int, *, unusual: bool) -> bool:
        """Take in the bars of one instant; whether some other symbol is late then."""
        feed, end = self._feed, group[0].end
        session = feed.session if end <= feed.until else feed.enter(end)
        if not self._plans or session != self._plans[-1].day:
            self._plans.append(feed.plan())
            plan = self._plans[-1]
            unusual |= len(plan.trading) > 1 or len(plan.zones) > 2
        late = bool(feed.late(end))
        for bar in group:
            self._missing.append(feed.arrive(bar))
            self._starts.append(feed.start(bar))
            unusual |= self._odd(bar)
        self._ends.append(end)
        self._firsts.append(position)
        self._sessions.append(len(self._plans) - 1)
        self._flags.append(unusual or late or len({bar.symbol for bar in group}) < len(group))
        return late

    def _odd(self, bar: Bar) -> bool:
        plain = bar.complete and bar.ex is None and bar.timeframe == self._stream[0].timeframe
        prices = min(bar.open, bar.low, bar.close) > 0 and max(bar.open, bar.high, bar.close) < p.PRICE_MOST
        return not (plain and prices and 0 <= bar.volume < p.PRICE_MOST)


@dataclass(frozen=True, slots=True)
class Decided:
    """One order as it was asked for, and what became of it. Money in micros, instants in epoch micros.

    `number` counts orders that were placed, -1 for one that was denied; `broken` and `errors` have a bit for each rule
    of orders; `filled_at`, `price` and `gain` (realised before fees, None when nothing was closed) are those of its
    fill, None without one.
    """

    at: int
    symbol: str
    buys: bool
    qty: int
    worst_price: int
    reduces: bool
    number: int
    broken: int
    errors: int
    filled_at: int | None
    price: int | None
    gain: int | None


class Played:
    """What came of a run of the kernel. `equity` and `cash` are columns of instants, of as many as were `played`.

    `stopped` says why the kernel handed over before the end; None when it came to the end.
    """

    __slots__ = ("_columns", "_memory", "cash", "equity", "played", "stopped")

    def __init__(self, columns: Columns, memory: Memory, played: int, equity: array[int], cash: array[int]) -> None:
        self._columns, self._memory = columns, memory
        self.played = played
        self.equity, self.cash = equity, cash
        reason = memory.block[p.STOPPED]
        self.stopped = p.REASONS[reason] if reason else None

    @property
    def orders(self) -> int:
        """How many orders were placed."""
        return self._memory.block[p.PLACED]

    @property
    def denied(self) -> int:
        """How many were denied."""
        return self._memory.block[p.ROWS] - self.orders

    @property
    def fees(self) -> int:
        """All fees paid, in micros."""
        return self._memory.block[p.FEES]

    @property
    def realised(self) -> int:
        """The profit of closed lots before fees, in micros."""
        return self._memory.block[p.REALISED]

    def decisions(self) -> list[Decided]:
        """Every order that was asked for, in order."""
        block, names = self._memory.block, self._columns.names
        found = []
        for number in range(block[p.ROWS]):
            first = block[p.AT_ROWS] + number * p.ROW
            row = block[first : first + p.ROW]
            filled = row[p.ROW_STATE] == p.FILLED
            found.append(
                Decided(
                    row[p.ROW_AT],
                    names[row[p.ROW_SYMBOL]],
                    row[p.ROW_SIDE] > 0,
                    row[p.ROW_QTY],
                    row[p.ROW_WORST],
                    bool(row[p.ROW_REDUCES]),
                    row[p.ROW_NUMBER],
                    row[p.ROW_BROKEN] % 2**64,
                    row[p.ROW_ERRORS] % 2**64,
                    row[p.ROW_FILLED_AT] if filled else None,
                    row[p.ROW_PRICE] if filled else None,
                    row[p.ROW_GAIN] if filled and row[p.ROW_CLOSES] else None,
                )
            )
        return found


def kernel_of(guards: GuardSet) -> Kernel | str:
    """The compiled kernel of a policy, or why there is none. It can be used for any number of runs, one at a time."""
    refusal = Kernel.refusal(guards)
    execution = guards.bundle.execution
    costs = (execution.spread.value, execution.slippage.value, execution.volatility.value, execution.cap.value)
    if refusal is None and too_fine(*costs, execution.commission_per_order.micros):
        refusal = "the costs are finer than native code is made for"
    if refusal is not None:
        return refusal
    kernel = Kernel(guards)
    left = kernel.unsupplied()
    return f"no native code supplies {', '.join(f'`{name}`' for name in left)}" if left else kernel


def targets_of(strategy: ArrayStrategy, columns: Columns) -> array[int]:
    """What a strategy wants at every bar: it is asked once for each symbol, with the bars of that one alone.

    Raises BacktestError "data" for an answer that is not one target for each bar.
    """
    import numpy as np  # noqa: PLC0415 - only who plays arrays pays for it

    if len(columns.names) == 1:
        bars = (columns.opens, columns.highs, columns.lows, columns.closes, columns.volumes)
        return _asked(strategy, SymbolBars(columns.names[0], columns.ends, *bars))
    targets = array("q", [HOLD]) * len(columns.symbols)
    answers, symbols = np.frombuffer(targets, dtype=np.int64), np.frombuffer(columns.symbols, dtype=np.int64)
    instants = np.frombuffer(columns.ends, dtype=np.int64)
    firsts = np.frombuffer(columns.firsts, dtype=np.int64)
    ends = np.repeat(instants, firsts[1:] - firsts[:-1])
    for number, name in enumerate(columns.names):
        theirs = symbols == number
        parts = [ends, *(np.frombuffer(getattr(columns, each), dtype=np.int64) for each in (*_PRICES, "volumes"))]
        answers[theirs] = _asked(strategy, SymbolBars(name, *(array("q", part[theirs].tobytes()) for part in parts)))
    return targets


def _asked(strategy: ArrayStrategy, bars: SymbolBars) -> array[int]:
    found = strategy.targets(bars)
    answer = found if isinstance(found, array) else array("q", found)
    if len(answer) != len(bars.closes):
        raise BacktestError("data", f"{len(bars.closes)} bars of `{bars.symbol}` have {len(answer)} targets")
    return answer


def play(kernel: Kernel, columns: Columns, targets: Sequence[int]) -> Played:
    """Play all instants, every rule enforced, as far as nothing unusual comes.

    `targets` are signed shares, one for each bar, `HOLD` where there is nothing to say. Raises BacktestError "data"
    for a target that is none.
    """
    if columns.timeframe not in kernel.guards.bundle.timeframes:
        raise BacktestError("bars", f"the engine does not trade bars of `{columns.timeframe}`")
    import numpy as np  # noqa: PLC0415 - only who plays arrays pays for it

    wanted = targets if isinstance(targets, array) else array("q", targets)
    if len(wanted) != len(columns.symbols):
        raise BacktestError("data", f"{len(columns.symbols)} bars have {len(wanted)} targets")
    numbers = np.frombuffer(wanted, dtype=np.int64)
    given = numbers[numbers != HOLD]
    if given.size and max(abs(int(given.min())), abs(int(given.max()))) > p.SHARES_MOST:
        raise BacktestError("data", f"a target is above {p.SHARES_MOST} shares")
    last = len(columns.ends)
    equity, cash = array("q", bytes(8 * last)), array("q", bytes(8 * last))
    # No bar makes more than two orders, one out of a position and one into another.
    room = min(2 * given.size + p.ACTIVE_MOST, _ROOM)
    while True:
        # More orders than there is room for: from the beginning, with more of it. The same comes of it.
        memory = Memory.of(kernel, columns.names, columns.plans, room)
        facts = kernel.buffer(columns.timeframe)
        arrays = (
            *(getattr(columns, name) for name in ("ends", "firsts", "sessions", "flags", "symbols", *_PRICES)),
            *(columns.volumes, columns.missing, columns.starts, wanted, equity, cash),
        )
        played = kernel.play(memory.block, facts, kernel.answer, *map(_pointer, arrays), 0, last)
        if memory.block[p.STOPPED] != p.NO_ROOM or memory.block[p.ROWS] < room // 2:
            return Played(columns, memory, played, equity[:played], cash[:played])
        room *= 8


def _pointer(column: array[int]) -> Any:
    return cast(column.buffer_info()[0], POINTER(c_int64))
