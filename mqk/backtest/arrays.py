"""Bars as columns, and strategies that answer for all of them at once, played by the compiled kernel.

What lives here: columns, the run, and what comes of it. What does not: the kernel (mqk.engine.kernel), and artifacts:
those are a backtest's (runner.py), which this one agrees with order by order and instant by instant.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from ctypes import POINTER, Array, c_int64, cast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.errors import BacktestError
from mqk.backtest.feed import RecordedFeed
from mqk.backtest.plain import Instants
from mqk.backtest.playing import Playing, address
from mqk.backtest.stream import in_order
from mqk.backtest.targets import column_of
from mqk.engine.kernel import places as p
from mqk.engine.kernel.compiled import Kernel
from mqk.engine.kernel.memory import days_of, too_fine
from mqk.market import TIMEFRAMES, calendar_of, columns_of

if TYPE_CHECKING:
    from mqk.backtest.plain import Columns as Numbers
    from mqk.guards import GuardSet
    from mqk.market import Bar, Calendar, SessionPlan
    from mqk.policy import ExecutionPolicy
    from mqk.strategies import SymbolBars

    Rows = slice | Any
    """Which of all bars are those of a symbol: every so many, or the numbers of all of them."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The bars of one run, by end and then by symbol, and the instants that they make.

    Columns of bars: `symbols` are numbers of `names` (sorted), prices in micros, volumes in shares; `missing` how many
    bars of the symbol were due before and did not come, `starts` when the bar began and `due` when it ended. Columns of
    instants: `ends`, `firsts` (the first bar of each, and one more at the end), `sessions` (numbers of `plans`),
    `flags`: whether something other than plain bars comes then, and `stretches`: up to which instant, from there on,
    bars simply follow those of the instant before. `days` are the plans as the kernel has them, `series` the bars of
    each symbol once they are asked for.
    """

    names: tuple[str, ...]
    timeframe: str
    plans: tuple[SessionPlan, ...]
    days: array[int]
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
    stretches: array[int]
    due: array[int]
    series: list[tuple[Rows, SymbolBars]] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, bars: Sequence[Bar], guards: GuardSet) -> Columns:
        """The columns of bars in any order. Raises BacktestError as a run does, CalendarError outside the calendar."""
        stream = in_order(bars, guards)
        numbers, calendar = columns_of(stream), calendar_of(guards.bundle.calendar)
        return cls.read(stream, numbers, Instants.of(stream, numbers, calendar, guards), calendar)

    @classmethod
    def read(cls, stream: Sequence[Bar], numbers: Numbers, instants: Instants, calendar: Calendar) -> Columns:
        """The same of a stream in order whose numbers and instants are known."""
        return _Reading(stream, numbers, instants, calendar).columns()


class _Reading:
    """Bars on their way into columns: of those that are not plain, the feed is asked what a run would ask."""

    def __init__(self, stream: Sequence[Bar], numbers: Numbers, instants: Instants, calendar: Calendar) -> None:
        import numpy as np  # noqa: PLC0415 - only who plays arrays pays for it

        self._stream = stream
        self._series, self._table = numbers
        self._firsts, self._until = instants.starts, instants.until
        self._feed = RecordedFeed(calendar, stream)
        self._plans: list[SessionPlan] = []
        self._timeframe = stream[0].timeframe
        length = TIMEFRAMES[self._timeframe]
        count = len(self._until)
        self._sessions, self._flags = array("q", bytes(8 * count)), array("q", bytes(8 * count))
        self._missing = array("q", bytes(8 * len(stream)))
        self._starts = array("q", (self._table[:, 1] - length).astype(np.int64).tobytes())
        self._last: dict[str, Bar] = {}

    def columns(self) -> Columns:
        """The columns."""
        firsts, until = self._firsts, self._until
        instant, count, late, asked = 0, len(until), False, True
        while instant < count:
            stop = until[instant]
            if stop > instant and not late:
                # Plain bars follow each other: none is missing, none is late, and the session is the last one.
                self._sessions[instant:stop] = array("q", [len(self._plans) - 1]) * (stop - instant)
                last = range(max(firsts[stop] - len(self._series), firsts[instant]), firsts[stop])
                self._last |= {self._stream[row].symbol: self._stream[row] for row in last}
                instant, asked = stop, False
                continue
            if not asked:
                self._feed.passed((bar.symbol, bar.end, bar.timeframe) for bar in self._last.values())
                asked = True
            late = self._instant(instant, unusual=late)
            instant += 1
        self._flag_odd()
        ends = array("q", [self._stream[first].end for first in firsts[:-1]])
        return Columns(
            names=tuple(symbol for symbol, _ in self._series),
            timeframe=self._timeframe,
            plans=tuple(self._plans),
            days=days_of(self._plans),
            symbols=self._column(0),
            opens=self._column(2),
            highs=self._column(3),
            lows=self._column(4),
            closes=self._column(5),
            volumes=self._column(6),
            missing=self._missing,
            starts=self._starts,
            ends=ends,
            firsts=firsts,
            sessions=self._sessions,
            flags=self._flags,
            stretches=self._stretches(),
            due=ends if len(self._series) == 1 else self._column(1),
        )

    def _column(self, number: int) -> array[int]:
        return array("q", self._table[:, number].tobytes())

    def _instant(self, instant: int, *, unusual: bool) -> bool:
        """Take in the bars of one instant; whether some other symbol is late then."""
        feed, rows = self._feed, range(self._firsts[instant], self._firsts[instant + 1])
        end = self._stream[rows[0]].end
        session = feed.session if end <= feed.until else feed.enter(end)
        if not self._plans or session != self._plans[-1].day:
            self._plans.append(feed.plan())
        plan = self._plans[-1]
        unusual |= len(plan.trading) > 1 or len(plan.zones) > 2
        # Whether a symbol whose recording has ended is held is not known here: then it is not for the kernel.
        late = bool(feed.late(end, lambda _: True))
        for row in rows:
            bar = self._stream[row]
            self._missing[row] = feed.arrive(bar)
            self._starts[row] = feed.start(bar)
        self._sessions[instant] = len(self._plans) - 1
        self._flags[instant] = unusual or late
        return late

    def _stretches(self) -> array[int]:
        """For each instant, how far its stretch reaches: to the first whose bars do not simply follow those before."""
        import numpy as np  # noqa: PLC0415 - only who plays arrays pays for it

        firsts, session, flags, missing = (
            np.frombuffer(each, dtype=np.int64) for each in (self._firsts, self._sessions, self._flags, self._missing)
        )
        width = firsts[1:] - firsts[:-1]
        follows = flags == 0
        follows[0] = False
        follows[1:] &= (flags[:-1] == 0) & (session[1:] == session[:-1]) & (width[1:] == width[:-1])
        # The same symbols as in the instant before, bar by bar, and none of them has missed any.
        of = np.repeat(np.arange(len(width)), width)
        before = np.maximum(np.arange(len(of)) - width[of], 0)
        odd = (self._table[:, 0] != self._table[before, 0]) | (missing != 0)
        odd |= np.frombuffer(self._starts, dtype=np.int64) != self._table[before, 1]
        follows[of[odd]] = False
        breaks = np.append(np.flatnonzero(~follows), len(width))
        return array("q", breaks[np.searchsorted(breaks, np.arange(len(width)))].tobytes())

    def _flag_odd(self) -> None:
        """Say at which instants something other than plain bars of one timeframe comes, or two of one symbol."""
        import numpy as np  # noqa: PLC0415 - only who plays arrays pays for it

        table = self._table
        prices, volumes = table[:, 2:6], table[:, 6]
        odd = (table[:, 7] != 1) | (prices.min(axis=1) <= 0) | (prices.max(axis=1) >= p.PRICE_MOST)
        odd |= (volumes < 0) | (volumes >= p.PRICE_MOST)
        odd[1:] |= (table[1:, 1] == table[:-1, 1]) & (table[1:, 0] == table[:-1, 0])
        others = [number for number, (_, timeframe) in enumerate(self._series) if timeframe != self._timeframe]
        odd |= np.isin(table[:, 0], others)
        instants = set(np.searchsorted(self._firsts, np.flatnonzero(odd), "right") - 1)
        # What goes ex does so before its session, whichever of its bars tells of it.
        ex = [row for row, bar in enumerate(self._stream) if bar.ex is not None]
        sessions = np.frombuffer(self._sessions, np.int64)
        instants |= set(np.searchsorted(sessions, sessions[np.searchsorted(self._firsts, ex, "right") - 1], "left"))
        for instant in instants:
            self._flags[instant] = 1


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

    Everything is as it was after the last of these. `stopped` says why the kernel handed over there; None when it came
    to the end.
    """

    __slots__ = ("_columns", "_memory", "cash", "equity", "played", "stopped")

    def __init__(self, columns: Columns, run: Playing) -> None:
        self._columns, self._memory = columns, run.memory
        self.played = run.played
        self.equity, self.cash = run.curve()
        self.stopped = p.REASONS[run.stopped] if run.stopped else None

    @property
    def block(self) -> Array[c_int64]:
        """The memory of the kernel."""
        return self._memory.block

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

    def asked(self) -> list[int]:
        """The instants at which orders were asked for, in order, each once."""
        import numpy as np  # noqa: PLC0415 - only who plays arrays pays for it

        block = self._memory.block
        first = block[p.AT_ROWS]
        rows = np.frombuffer(memoryview(block), dtype=np.int64)[first : first + block[p.ROWS] * p.ROW].reshape(
            -1, p.ROW
        )
        bars = np.unique(rows[:, p.ROW_BAR])
        found: list[int] = np.unique(np.searchsorted(self._columns.firsts, bars, "right") - 1).tolist()
        return found

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


# The guards that were compiled last, and what came of it: the same are often played again.
_LATEST: Final[list[tuple[GuardSet, Kernel | str]]] = []
_MOST: Final = 4


def kernel_of(guards: GuardSet) -> Kernel | str:
    """The compiled kernel of a policy, or why there is none. It can be used for any number of runs, one at a time."""
    for known, found in _LATEST:
        if known is guards:
            return found
    kernel = _kernel_of(guards)
    _LATEST[:] = [(guards, kernel), *_LATEST[: _MOST - 1]]
    return kernel


def _kernel_of(guards: GuardSet) -> Kernel | str:
    refusal = Kernel.refusal(guards)
    execution = guards.bundle.execution
    costs = (execution.spread.value, execution.slippage.value, execution.volatility.value, execution.cap.value)
    if refusal is None and too_fine(*costs, execution.commission_per_order.micros):
        refusal = "the costs are finer than native code is made for"
    if refusal is None and not _plain_fills(execution):
        refusal = "orders are sized by lots, fill in parts, by chance, or for fees other than one an order"
    if refusal is not None:
        return refusal
    kernel = Kernel(guards)
    left = kernel.unsupplied()
    return f"no native code supplies {', '.join(f'`{name}`' for name in left)}" if left else kernel


def _plain_fills(policy: ExecutionPolicy) -> bool:
    """Whether a market order that fills always fills whole, for a fee that depends on nothing and all that it costs."""
    faults = policy.faults
    by_chance = faults.rejects.value or faults.partial_fills.value
    other_fees = policy.commission_per_share.micros or policy.commission_rate.value or policy.commission_minimum.micros
    other_costs = policy.commission_maximum or policy.borrow.value
    sized = policy.lot != 1 or policy.minimum.micros
    return not (by_chance or other_fees or other_costs or sized or policy.participation)


def play(
    kernel: Kernel, columns: Columns, targets: Sequence[int], *, keeps: bool = False, until: int | None = None
) -> Played:
    """Play all instants, or those before `until`, every rule enforced, as far as nothing unusual comes.

    `targets` are signed shares, one for each bar, `HOLD` where there is nothing to say. With `keeps`, the moment of
    each order is kept for the record. Raises BacktestError "data" for a target that is none.
    """
    wanted = column_of(targets)
    if len(wanted) != len(columns.symbols):
        raise BacktestError("data", f"{len(columns.symbols)} bars have {len(wanted)} targets")
    if not kernel.bounded(cast(address(wanted), POINTER(c_int64)), len(wanted)):
        raise BacktestError("data", f"a target is above {p.SHARES_MOST} shares")
    run = Playing(kernel, columns, targets=wanted, keeps=keeps)
    run.go(len(columns.ends) if until is None else until)
    return Played(columns, run)
