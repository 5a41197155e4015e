"""Which instants of a recorded stream are plain: bars that simply follow each other, late nowhere, and pass every rule.

What lives here: looking at all bars beforehand, which only a recording allows; it decides nothing. What is not plain is
played one event at a time, and so is everything where there is doubt. What does not: playing (mqk.engine.ahead).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Final

from mqk.dsl import FactRef, syntax
from mqk.dsl.emit_scan import emit_scan
from mqk.dsl.reading import opened
from mqk.engine import HIGHEST
from mqk.market import TIMEFRAMES, CalendarError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mqk.guards import Guard, GuardRule, GuardSet
    from mqk.market import Bar, Calendar

    Columns = tuple[list[tuple[str, str]], Any]

# Where the facts of a plain bar are read: it comes at its end, in one piece, from one feed, and none is missing.
_FACTS: Final[Mapping[str, str]] = {
    **{
        f"bar.{name}": f"it.{name}"
        for name in ("symbol", "timeframe", "open", "high", "low", "close", "volume", "complete", "end")
    },
    "bar.missing": "0",
    "bar.other_close": "MISSING",
    "bar.received": "MISSING",
    "bar.previous_end": "previous_end",
    "bar.previous_close": "previous_close",
    "clock.now": "it.end",
    "run.mode": "'BACKTEST'",
}
_BEFORE: Final[Mapping[str, str]] = {"previous_end": "it.end", "previous_close": "it.close"}


class Instants:
    """The instants of a stream: `starts` says where in it each begins, one more than there are.

    `until` says for each how far the plain ones reach from there: to the instant that it names, which is the first that
    is not plain or of another session. An instant that names itself is not plain.
    """

    __slots__ = ("starts", "until")

    def __init__(self, starts: array[int], until: array[int]) -> None:
        self.starts = starts
        self.until = until

    @classmethod
    def of(cls, stream: Sequence[Bar], columns: Columns, calendar: Calendar, guards: GuardSet | None) -> Instants:
        """Look at all bars of a stream that is in order of its ends; `columns` are its numbers.

        Without `guards`, plain are all bars that simply follow each other, whatever the rules say of them.
        """
        import numpy as np  # noqa: PLC0415 - heavy

        series, table = columns
        ends = table[:, 1]
        first = np.flatnonzero(np.concatenate(([True], ends[1:] != ends[:-1])))
        starts = np.concatenate((first, [len(ends)]))
        at = ends[first]
        try:
            days = calendar.sessions_between(calendar.session_of(int(at[0])), calendar.session_of(int(at[-1])))
        except CalendarError:
            # Whoever plays the bars will come to where the calendar ends, and say so.
            return cls(array("q", starts.tobytes()), array("q", range(len(first))))
        opens = np.array([calendar.session_open(day) for day in days], np.int64)
        closes = np.array([calendar.session_close(day) for day in days], np.int64)
        session = np.searchsorted(opens, at, "left") - 1
        plain = np.ones(len(first), bool)
        place = np.searchsorted(first, np.arange(len(ends)), "right") - 1
        scans: dict[tuple[int, ...], Callable[..., bytearray] | None] = {}
        for number, (symbol, timeframe) in enumerate(series):
            rows = np.flatnonzero(table[:, 0] == number)
            regular = _regular(calendar, opens, closes, timeframe)
            good = _follows(table[rows], session[place[rows]], opens, closes, regular, TIMEFRAMES[timeframe])
            if guards is not None:
                rules = enumerate(guards.bar.rules)
                ours = tuple(i for i, rule in rules if rule.symbols is None or symbol in rule.symbols)
                if ours not in scans:
                    scans[ours] = _scan(guards.bar, ours)
                good &= _passes(scans[ours], stream, rows, good)
            for bad in np.flatnonzero(~good):
                # From the bar before on, it was awaited: whether it was late is for the clock to say.
                begin = place[rows[bad - 1]] + 1 if bad else place[rows[bad]]
                plain[begin : place[rows[bad]] + 1] = False
        breaks = np.concatenate((~plain | np.concatenate(([True], session[1:] != session[:-1])), [True]))
        # The first break after each instant; the breaks at the beginning of a session are never plain themselves.
        following = np.flatnonzero(breaks)
        until = following[np.searchsorted(following, np.arange(len(first)), "left")]
        return cls(array("q", starts.astype(np.int64).tobytes()), array("q", until.astype(np.int64).tobytes()))


def _passes(scan: Callable[..., bytearray] | None, stream: Sequence[Bar], rows: Any, good: Any) -> Any:
    """For each bar of one symbol, whether it passes every rule, of those that are good so far."""
    import numpy as np  # noqa: PLC0415 - heavy

    found = np.zeros(len(rows), bool)
    if scan is not None:
        there = np.flatnonzero(good)
        judged = scan([stream[row] for row in rows.tolist()], None, None)
        found[there] = np.frombuffer(judged, np.uint8)[there] == 1
    return found


def _regular(calendar: Calendar, opens: Any, closes: Any, timeframe: str) -> Any:
    """For each session, whether bars of a timeframe simply follow each other from its open to its close."""
    import numpy as np  # noqa: PLC0415 - heavy

    step = TIMEFRAMES[timeframe]
    found = []
    for begin, stop in zip(opens.tolist(), closes.tolist(), strict=True):
        whole, rest = divmod(stop - begin, step)
        found.append(rest == 0 and calendar.missing_bars(begin + 1, stop, timeframe) == whole - 1)
    return np.array(found, bool)


def _follows(bars: Any, session: Any, opens: Any, closes: Any, regular: Any, step: int) -> Any:
    """For each bar of one symbol, whether it follows the one before in the same session."""
    import numpy as np  # noqa: PLC0415 - heavy

    end, close, whole = bars[:, 1], bars[:, 5], bars[:, 7]
    begin = opens[session]
    fine = (whole == 1) & (close > 0) & (close <= HIGHEST)
    good = fine & regular[session] & ((end - begin) % step == 0) & (end <= closes[session])
    good[1:] &= fine[:-1] & (end[1:] - end[:-1] == step) & (end[:-1] >= begin[1:])
    good[:1] = False
    assert isinstance(good, np.ndarray)
    return good


def _scan(guard: Guard, ours: Sequence[int]) -> Callable[..., bytearray] | None:
    """What judges a series of plain bars by some of the rules; None where one asks for more than a bar tells."""
    if not all(_tells(guard.rules[i]) for i in ours):
        return None
    compiled = guard.compiled
    return emit_scan([compiled[i] for i in ours], _FACTS, _BEFORE)


def _tells(rule: GuardRule) -> bool:
    """Whether all that a rule reads is told by a plain bar itself."""
    return all(
        node.ref.name in _FACTS and node.ref.max_age is None
        for expr in rule.expressions
        for node in opened(expr)
        if isinstance(node, syntax.Name) and isinstance(node.ref, FactRef)
    )
