"""From paths to bars: finds the files, names their symbols, reads what went ex, sorts, and refuses what is ambiguous.

How one file is read lives in shapes.py. Nothing is judged here: an implausible bar is a bar, and policies reject it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, repeat
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from mqk.market.adjust import split_ratio
from mqk.market.bar import TIMEFRAMES, Bar, Ex
from mqk.market.calendars import Calendar, calendar_of
from mqk.market.collector import without_garbage_collection
from mqk.market.errors import BarDataError, BarProblem
from mqk.market.fields import SYMBOL
from mqk.market.shapes import BarFile, Shape, read_file
from mqk.quantity import (
    MICROS,
    Rounding,
    divide,
    format_duration,
    format_instant,
    format_money,
    format_ratio,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

CorporateActions = Literal["adjust", "forbid"]

_NAMED: Final = re.compile(r"([A-Z][A-Z0-9.\-]{0,14})=(.+)", re.DOTALL)
_BY_LENGTH: Final = {length: name for name, length in TIMEFRAMES.items()}
# The shortest time between two daily closes: a half day after a full one, when the clocks change too.
_SHORTEST_DAY: Final = 20 * 3_600 * MICROS
_KEY: Final = attrgetter("end", "symbol", "timeframe")


@dataclass(frozen=True, slots=True)
class _Source:
    """A file with the symbol and timeframe of all its rows; None where rows say so themselves, or where it failed."""

    file: BarFile
    symbol: str | None
    timeframe: str | None


def read_bars(
    paths: Sequence[Path | str],
    *,
    symbol: str | None = None,
    calendar: str | Calendar = "XNYS",
    corporate_actions: CorporateActions = "adjust",
) -> list[Bar]:
    """Read all bars of these files and folders, sorted by end, then symbol, then timeframe.

    A path is a csv or csv.gz file, a folder of such files, or either as `SYMBOL=path`. Files have one of three
    headers: `ts_close_utc,open,high,low,close,volume` (timeframe from the smallest spacing),
    `date,open,high,low,close,volume[,dividend,split]` (ends at the close of that session of `calendar`), or
    `symbol,timeframe,end_ts,open,high,low,close,volume,is_complete` (end in seconds since 1970 UTC). The symbol of the
    first two is `SYMBOL=`, else `symbol`, else the file's name up to its first `_`.
    Prices are as they were traded. With "adjust" a daily bar tells the split and dividend that went ex before it, for
    the books to follow on that day; with "forbid" a split or dividend is a problem. The other two shapes have none.

    Raises BarDataError with every problem of every file, and CalendarError for an unknown calendar.
    """
    problems: list[BarProblem] = []
    found = _find(paths, symbol, problems)
    bars: list[Bar] = []
    with without_garbage_collection():
        sources = [
            _source(name, path, lambda: calendar if isinstance(calendar, Calendar) else calendar_of(calendar))
            for name, path in found
        ]
        for source in sources:
            bars += _own_bars(source)
            problems += source.file.problems
        bars += _daily_bars(sources, corporate_actions, problems)
        bars.sort(key=_KEY)
        problems += _duplicates(bars, sources)
    if problems:
        raise BarDataError(problems)
    return bars


def _find(paths: Sequence[Path | str], symbol: str | None, problems: list[BarProblem]) -> list[tuple[str | None, Path]]:
    """The files behind the paths, each with the symbol it was given, if any. Folders are read by name, not deeply."""
    found: list[tuple[str | None, Path]] = []
    for given in paths:
        named = _NAMED.fullmatch(str(given))
        own, path = (named[1], Path(named[2])) if named and not Path(given).exists() else (symbol, Path(given))
        if not path.is_dir():
            found.append((own, path))
            continue
        inside = sorted(file for file in path.iterdir() if file.name.endswith((".csv", ".csv.gz")) and file.is_file())
        if not inside:
            problems.append(BarProblem(str(path), 1, 1, "the folder has no csv or csv.gz file"))
        found += [(own, file) for file in inside]
    return found


def _source(given: str | None, path: Path, calendar: Callable[[], Calendar]) -> _Source:
    file = read_file(path, calendar)
    if file.shape is Shape.CONTRACT:
        return _Source(file, given, None)
    return _Source(file, given or _symbol_of(path, file), "1D" if file.shape is Shape.DAILY else _timeframe(file))


def _symbol_of(path: Path, file: BarFile) -> str | None:
    """The symbol a file is named after; None, and a problem, when it is not named after one."""
    stem = path.name.removesuffix(".gz").removesuffix(".csv").partition("_")[0]
    if SYMBOL.fullmatch(stem):
        return stem
    file.problem(1, 1, "the file's name does not begin with a symbol", f"write `--bars SPY={path}`")
    return None


def _timeframe(file: BarFile) -> str | None:
    """The timeframe a file of instants must have: its smallest spacing. None, and a problem, when that is no one's."""
    ends = sorted(set(file.columns.get("ts_close_utc", ())))
    if len(ends) < 2:
        if not file.problems:
            advice = "name it in a `timeframe` column, or give two bars or more"
            file.problem(1, 1, "one bar does not tell its timeframe", advice)
        return None
    spacing = min(later - earlier for earlier, later in pairwise(ends))
    timeframe = _BY_LENGTH.get(spacing, "1D" if spacing >= _SHORTEST_DAY else None)
    if timeframe is None and not file.problems:
        advice = "timeframes are " + ", ".join(TIMEFRAMES)
        file.problem(1, 1, f"bars {format_duration(spacing)} apart are of no known timeframe", advice)
    return timeframe


def _own_bars(source: _Source) -> Iterable[Bar]:
    """The bars of a file that need no other file: of the contract's shape, and of instants."""
    file, name, timeframe, column = source.file, source.symbol, source.timeframe, source.file.columns
    if not file.lines:
        return ()
    if file.shape is Shape.CONTRACT:
        if name is not None:
            for line, symbol in zip(file.lines, column["symbol"], strict=True):
                if symbol != name:
                    file.problem(line, 1, f"expected the symbol `{name}`, found `{symbol}`")
        return map(Bar, column["symbol"], column["end_ts"], *_values(file), column["is_complete"], column["timeframe"])
    if file.shape is Shape.INTRADAY and name is not None and timeframe is not None:
        return map(Bar, repeat(name), column["ts_close_utc"], *_values(file), repeat(True), repeat(timeframe))
    return ()


def _values(file: BarFile) -> list[list[int]]:
    return [file.columns[name] for name in ("open", "high", "low", "close", "volume")]


def _daily_bars(sources: Sequence[_Source], actions: CorporateActions, problems: list[BarProblem]) -> Iterator[Bar]:
    """Bars of all daily files. One symbol may be spread over several."""
    before: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    paying: list[tuple[str, Bar, str, int]] = []
    for source in sources:
        file, symbol = source.file, source.symbol
        if file.shape is not Shape.DAILY or symbol is None or not file.lines:
            continue
        dividends = file.columns.get("dividend", repeat(Fraction(0)))
        splits = file.columns.get("split", repeat(Fraction(1)))
        ex: list[Ex | None] = []
        for line, dividend, split in zip(file.lines, dividends, splits, strict=False):
            plain = not dividend and split == 1
            ex.append(None if plain else Ex(split_ratio(split), dividend * MICROS))
            if not plain and actions == "forbid":
                problems.append(_forbidden(file.name, line, dividend, split))
        bars = list(
            map(Bar, repeat(symbol), file.columns["date"], *_values(file), repeat(True), repeat("1D"), ex),
        )
        before[symbol] += [(bar.end, bar.close) for bar in bars]
        paying += [
            (symbol, bar, file.name, line)
            for bar, line in zip(bars, file.lines, strict=True)
            if bar.ex is not None and bar.ex.dividend
        ]
        yield from bars
    for closes in before.values():
        closes.sort()
    for symbol, bar, name, line in paying:
        assert bar.ex is not None
        place = bisect_left(before[symbol], (bar.end, 0))
        if place and bar.ex.dividend * bar.ex.split >= before[symbol][place - 1][1]:
            problems.append(BarProblem(name, line, 1, "the dividend is not below the close before it"))


def _forbidden(name: str, line: int, dividend: Fraction, split: Fraction) -> BarProblem:
    paid = divide(dividend.numerator * MICROS, dividend.denominator, Rounding.HALF_EVEN)
    what = f"a split of {format_ratio(split, 'x')}" if split != 1 else f"a dividend of {format_money(paid)}"
    advice = "the execution policy says `corporate_actions: forbid`; with `adjust` the books follow it on the day"
    return BarProblem(name, line, 1, f"found {what} on this day", advice)


def _duplicates(bars: Sequence[Bar], sources: Sequence[_Source]) -> list[BarProblem]:
    """Two bars of one symbol and timeframe that end together: which is right is not for a reader to guess."""
    doubled = {one for one, other in pairwise(map(_KEY, bars)) if one == other}
    if not doubled:
        return []
    problems: list[BarProblem] = []
    first: dict[tuple[int, str, str], str] = {}
    for source in sources:
        file, column = source.file, source.file.columns
        ends = column.get("ts_close_utc") or column.get("date") or column.get("end_ts") or []
        symbols = column.get("symbol") or repeat(source.symbol)
        timeframes = column.get("timeframe") or repeat(source.timeframe)
        for line, *place_parts in zip(file.lines, ends, symbols, timeframes, strict=False):
            place = tuple(place_parts)
            if place not in doubled:
                continue
            here = f"{file.name}:{line}"
            if place in first:
                what = f"a second bar of {place[1]} {place[2]} that ends at {format_instant(place[0])}"
                problems.append(BarProblem(file.name, line, 1, what, f"the first is at {first[place]}"))
            else:
                first[place] = here
    return problems
