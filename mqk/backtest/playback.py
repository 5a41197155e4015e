"""What the compiled kernel has played, written down and taken over: the record of it, and everything that goes on.

What lives here: from the kernel's memory and columns to the record, the engine, the market and the feed, all at once.
Nothing is decided again; but what each order came to is booked anew, and held against the kernel's books. What does
not: playing (arrays.py), the engine's own state (mqk.engine.kernel.adopting), and files (artifacts.py).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.arrays import Columns, Played, kernel_of, play
from mqk.backtest.asking import asked
from mqk.backtest.audit import quoted_json
from mqk.backtest.contrary import contrary
from mqk.backtest.targets import targets_of
from mqk.engine import Refused, Submit
from mqk.engine.kernel import places as p
from mqk.engine.kernel.adopting import Past, adopt
from mqk.engine.kernel.recalled import moments
from mqk.engine.kernel.rows import REASON, Rows
from mqk.guards import Point
from mqk.guards.catalogue import VIEWS
from mqk.market import calendar_of
from mqk.orders import Intent
from mqk.quantity import format_money
from mqk.strategies import ArrayStrategy, StrategyError
from mqk.venue.resting import Resting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mqk.backtest.feed import RecordedFeed
    from mqk.backtest.plain import Columns as Numbers
    from mqk.backtest.plain import Instants
    from mqk.backtest.recorder import Recorder
    from mqk.engine import EngineState
    from mqk.engine.kernel.compiled import Kernel
    from mqk.guards import Decision
    from mqk.guards.record_columns import Moments
    from mqk.market import Bar
    from mqk.orders import Side
    from mqk.venue.market import SimulatedMarket

# Below this many bars, compiling takes longer than what it saves.
WORTH: Final = 400_000
# Bars that say when a symbol's next one is due.
_GRID: Final = 2


def pays(bars: Sequence[Bar]) -> bool:
    """Whether so many bars are worth compiling a kernel for."""
    return len(bars) >= WORTH


def playback(
    state: EngineState, stream: Sequence[Bar], numbers: Numbers, instants: Instants, tell: Callable[[int], None]
) -> Playback | None:
    """Have the kernel play a run from its beginning; None where strategy or policy have none, or it could play none.

    `tell` is told the bars that were answered, now and then.
    """
    guards, host = state.guards, state.host
    alone = host.strategy is not None and not host.shadows
    kernel = kernel_of(guards) if alone and state.recording is not None and not state.explain else None
    if kernel is None or isinstance(kernel, str):
        return None
    columns = Columns.read(stream, numbers, instants, calendar_of(guards.bundle.calendar))
    tell(0)
    found, differing = _in_arrays(state, kernel, columns, stream)
    if found is None:
        run = asked(host, kernel, columns, stream, tell)
        found = None if run is None else Played(columns, run)
    return Playback(state, columns, stream, found, differing) if found is not None and found.played else None


def _in_arrays(
    state: EngineState, kernel: Kernel, columns: Columns, stream: Sequence[Bar]
) -> tuple[Played | None, StrategyError | None]:
    """Play what a strategy says to all bars at once; None where it cannot, and is asked bar by bar.

    Where it says something else to a bar of them, it is played up to there, and this is told. The instance that is
    asked has then seen all bars, and is asked nothing else.
    """
    strategy: object = None if state.host.in_arrays is None else state.host.fresh()
    if not isinstance(strategy, ArrayStrategy):
        return None, None
    try:
        targets = targets_of(strategy, columns)
    except StrategyError:
        # It is asked bar by bar instead, and what it says then is what counts.
        return None, None
    played = play(kernel, columns, targets, keeps=True)
    capital = state.guards.bundle.capital.micros
    found = contrary(state.host, columns, stream, targets, played, capital=capital, seed=state.run_id)
    if found is None:
        return played, None
    if not found.instant:
        state.context.now = columns.ends[0]
        raise found.fault
    return play(kernel, columns, targets, keeps=True, until=found.instant), found.fault


class Playback:
    """A run of the kernel, up to the end of the last of the `count` instants that it has played.

    `differing` says what a strategy in arrays says otherwise to the first bar after that; None where it does not.
    """

    def __init__(
        self,
        state: EngineState,
        columns: Columns,
        stream: Sequence[Bar],
        played: Played,
        differing: StrategyError | None,
    ) -> None:
        self._state, self._columns, self._stream, self._played = state, columns, stream, played
        self.count, self.differing = played.played, differing
        block = played.block
        self._rows = Rows(block, columns.names, state.engine, state.run_id)
        seen = self._seen(max(state.host.lookback, _GRID))
        self._past = Past(block, columns.names, columns.plans, columns.timeframe, seen, self._rows)

    def record(self, record: Recorder) -> None:
        """Write down all that happened: before the engine is brought to where it ends."""
        found = moments(self._state, self._past)
        recording = self._state.recording
        assert recording is not None
        recording.orders(self._state, lambda: self._heads(found), found, self._rows.failing)
        record.curve.extend(self._columns.ends[: self.count], self._played.equity, self._played.cash)
        rows = self._rows
        closing = rows.filled[rows.table[rows.filled, p.ROW_CLOSES] != 0]
        for gain in rows.column(p.ROW_GAIN, closing):
            record.trade(gain)
        self._tell(record, found)

    def hand_over(self, feed: RecordedFeed, market: SimulatedMarket) -> None:
        """Bring the engine, the feed and the market to the end of the last instant."""
        adopt(self._state, self._past)
        feed.come_to(sorted((bar for bars in self._past.seen.values() for bar in bars[-_GRID:]), key=_end))
        rows = self._rows
        late = bool(self._past.block[p.LATENCY])
        at_work = rows.placed[rows.table[rows.placed, p.ROW_STATE] == p.AT_WORK]
        parts = (
            rows.column(p.ROW_NUMBER, at_work),
            rows.column(p.ROW_WAIT, at_work),
            rows.column(p.ROW_PRICE, at_work),
        )
        for number, wait, worst in zip(*parts, strict=True):
            order = rows.orders[number]
            resting = Resting(order, 1 + wait, wait + late, order.created_at, plain=True)
            resting.worst = worst if late and worst else None
            # What came late has come with the last bar that it did not meet.
            if not late:
                resting.here = order.created_at
            elif not wait:
                resting.here = self._state.lines[order.symbol].previous_end
            market.resume(resting)

    def _seen(self, most: int) -> dict[str, Sequence[Bar]]:
        """The last bars of every symbol, in the order of their first ones."""
        import numpy as np  # noqa: PLC0415 - heavy

        columns, stream = self._columns, self._stream
        until = columns.firsts[self.count]
        symbols = np.frombuffer(columns.symbols, np.int64)[:until]
        if len(columns.names) == 1:
            return {columns.names[0]: stream[max(until - most, 0) : until]}
        numbers, firsts = np.unique(symbols, return_index=True)
        found: dict[str, Sequence[Bar]] = {}
        for number in numbers[np.argsort(firsts)].tolist():
            places = np.flatnonzero(symbols == number)[-most:]
            found[columns.names[number]] = [stream[place] for place in places.tolist()]
        return found

    def _heads(self, found: Moments) -> dict[str, Any]:
        """Which orders were decided about, as columns."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        rows, text = self._rows, pa.string()
        table = rows.table
        names = pa.array(rows.ids, text)
        numbers = pa.array(table[:, p.ROW_NUMBER], mask=table[:, p.ROW_STATE] == p.DENIED)
        worst = table[:, p.ROW_WORST]
        return {
            "at": pa.array(table[:, p.ROW_AT], pa.timestamp("us", "UTC")),
            "client_order_id": names.take(numbers),
            "symbol": found.facts["order.symbol"].to_arrow(text),
            "side": found.facts["order.side"].to_arrow(text),
            "qty": pa.array(table[:, p.ROW_QTY]),
            "price": pa.array(worst),
            "notional": pa.array(table[:, p.ROW_QTY] * worst),
        }

    def _tell(self, record: Recorder, found: Moments) -> None:
        """The lines of the audit trail: what is asked for at the end of bars, and then the fills at the next open."""
        import numpy as np  # noqa: PLC0415 - heavy

        rows, told = self._rows, _Telling(self._state, self._rows, found)
        table, fills = rows.table, rows.fills
        count = len(table)
        times = np.concatenate((table[:, p.ROW_AT], table[rows.filled, p.ROW_FILLED_AT]))
        kinds = np.repeat([0, 1], [count, len(fills)])
        placed, at, worst = rows.column(p.ROW_NUMBER), rows.column(p.ROW_AT), rows.column(p.ROW_WORST)
        ids, symbols = rows.ids, rows.symbols()
        text, unusual = told.submit, told.unusual()
        for place in np.lexsort((kinds, times)).tolist():
            if place >= count:
                record.filled(fills[place - count], fills[place - count].at)
            elif place in unusual:
                record.effect(told.effect(place))
            else:
                symbol, number = symbols[place], placed[place]
                told.forget(symbol)
                record.placed(ids[number], symbol, at[place], worst[place], text, number)


class _Telling:
    """What is said of orders: in full where a rule was broken or waived, or the engine would have said so."""

    def __init__(self, state: EngineState, rows: Rows, found: Moments) -> None:
        self._state, self._rows, self._found = state, rows, found
        self._views = {name: kind() for name, kind in VIEWS[Point.ORDER].items()}
        # The side and the rules of each symbol's last intent, when it was refused.
        self._refused: dict[str, tuple[Side, int]] = {}

    def unusual(self) -> frozenset[int]:
        """The rows that are told with the decision about them, or were denied."""
        failing = self._rows.failing
        if self._state.guards.order.waives:
            return frozenset(range(len(failing)))
        return frozenset(number for number, mask in enumerate(failing) if mask)

    def submit(self, number: int) -> str:
        """What is said of an order without a decision, as canonical JSON: its `Submit.to_json`."""
        return self._submits[number]

    @cached_property
    def _submits(self) -> list[str]:
        """The same of all orders, written out."""
        rows, at = self._rows, self._rows.placed
        names = {symbol: quoted_json(symbol) for symbol in set(rows.symbols(at))}
        parts = (rows.ids, rows.column(p.ROW_QTY, at), rows.sides(at), rows.symbols(at), rows.column(p.ROW_WORST, at))
        return [
            f'{{"client_order_id":{quoted_json(name)},"qty":{qty},"reason":"{REASON}","side":"{side.value}",'
            f'"symbol":{names[symbol]},"type":"MARKET","worst_price":"{format_money(worst)}"}}'
            for name, qty, side, symbol, worst in zip(*parts, strict=True)
        ]

    def forget(self, symbol: str) -> None:
        """An order of the symbol was placed: whatever is refused next is news."""
        if self._refused:
            self._refused.pop(symbol, None)

    def effect(self, number: int) -> Refused | Submit:
        """What the engine said of a row."""
        state, rows = self._state, self._rows
        row = rows.table[number]
        mask = rows.failing[number]
        symbol, side = rows.symbols([number])[0], rows.sides([number])[0]
        at, denied = int(row[p.ROW_AT]), mask & state.deny_bits
        if not denied:
            self.forget(symbol)
            order = rows.orders[int(row[p.ROW_NUMBER])]
            return Submit(order, int(row[p.ROW_WORST]), at, self._decision(number))
        intent = Intent(symbol, side, int(row[p.ROW_QTY]))
        if self._refused.get(symbol) == (side, denied):
            rules = tuple(rule.id for bit, rule in enumerate(state.guards.order.rules) if denied >> bit & 1)
            return Refused(intent, at, rules, None)
        self._refused[symbol] = (side, denied)
        decision = self._decision(number)
        return Refused(intent, at, decision.deciding, decision)

    def _decision(self, number: int) -> Decision:
        self._found.show(number, self._views)
        return self._state.guards.order.decide(self._views)


def _end(bar: Bar) -> int:
    return bar.end
