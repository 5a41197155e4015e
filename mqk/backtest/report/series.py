"""What the files of a run say over time: equity, drawdown, exposure day by day, and the caps that held it.

What lives here: integers in micros, by instant. What does not: pixels (charts.py) and words (page.py).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from math import floor
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from mqk.quantity import DAY_MICROS, MICROS, parse_instant, parse_money, parse_ratio

if TYPE_CHECKING:
    from mqk.market import Bar

_END: Final = attrgetter("end")
# The caps that a curve can be drawn against: what the rule holds, and the limit it reads.
_CAP: Final = re.compile(
    r"projected\.(position_value|gross_exposure|net_exposure) <= limits\.(\w+) of (?:account|projected)\.equity"
)
Files = Mapping[str, bytes]
# A thousand times as much fits in 64 bits.
_ROOMY: Final = 2**53


@dataclass(frozen=True, slots=True)
class Point:
    """The account at an instant, in micros."""

    at: int
    equity: int
    cash: int


@dataclass(frozen=True, slots=True)
class Points:
    """The account at every instant, as columns of 64-bit numbers: micros, in order of time."""

    at: Any
    equity: Any
    cash: Any


@dataclass(frozen=True, slots=True)
class Exposure:
    """What was held at the end of a day: longs and shorts in micros at their last prices, and the largest position."""

    at: int
    equity: int
    long: int
    short: int
    largest: int
    symbol: str

    @property
    def gross(self) -> int:
        """Longs and shorts added up."""
        return self.long + self.short

    @property
    def net(self) -> int:
        """Longs less shorts."""
        return self.long - self.short


@dataclass(frozen=True, slots=True)
class Cap:
    """A rule that holds an exposure to a part of equity."""

    rule: str
    measure: str
    limit: str
    ratio: Fraction

    def of(self, exposure: Exposure) -> int:
        """What the rule is about, of a day, in micros."""
        return {
            "position_value": exposure.largest,
            "gross_exposure": exposure.gross,
            "net_exposure": abs(exposure.net),
        }[self.measure]


@dataclass(frozen=True, slots=True)
class Trade:
    """A fill that closed shares, with what it gained before fees, first in first out. Micros."""

    at: int
    opened: int
    symbol: str
    qty: int
    entry: int
    price: int
    gain: int


def curve(files: Files) -> Points:
    """The equity curve. Raises ValueError for a table that is none."""
    import numpy as np  # noqa: PLC0415 - heavy
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import csv  # noqa: PLC0415 - heavy

    amount = pa.decimal128(38, 6)
    kinds = {"at": pa.timestamp("us", "UTC"), "equity": amount, "cash": amount}
    told = csv.ConvertOptions(column_types=kinds, include_columns=list(kinds))
    table = csv.read_csv(pa.py_buffer(files["equity_curve.csv"]), convert_options=told).combine_chunks()
    # Of decimals of six places the lower half is the micros.
    amounts = [np.frombuffer(table[name].combine_chunks().buffers()[1] or b"", np.int64) for name in ("equity", "cash")]
    count = len(table)
    at = table["at"].cast(pa.int64()).to_numpy()
    return Points(at, *(each[: 2 * count : 2] for each in amounts))


def daily(points: Points) -> list[Point]:
    """The last point of each UTC day."""
    import numpy as np  # noqa: PLC0415 - heavy

    days = points.at // DAY_MICROS
    last = np.flatnonzero(np.append(days[1:] != days[:-1], [True] * (len(days) > 0)))
    columns = (points.at[last].tolist(), points.equity[last].tolist(), points.cash[last].tolist())
    return [Point(*each) for each in zip(*columns, strict=True)]


def drawdowns(initial: int, points: Points) -> Any:
    """How far equity is below its highest until then, in millionths of that, at each point; zero at a high."""
    import numpy as np  # noqa: PLC0415 - heavy

    peaks = np.maximum(np.maximum.accumulate(points.equity), initial)
    falls = peaks - points.equity
    if len(peaks) and max(peaks.max(), falls.max()) > _ROOMY:
        peaks, falls = peaks.astype(object), falls.astype(object)
    # In two steps of a thousand, so that no product leaves 64 bits.
    above = np.where(peaks > 0, peaks, 1)
    thousandths = falls * 1_000 // above
    return np.where(peaks > 0, thousandths * 1_000 + (falls * 1_000 - thousandths * above) * 1_000 // above, 0)


def caps(manifest: Mapping[str, Any]) -> list[Cap]:
    """The caps of the run's policy that block at any time, by rule; one that holds now and then is no level to draw."""
    content = manifest["bundle"]["content"]
    found = []
    for name, rule in sorted(content["rules"].items()):
        match = _CAP.fullmatch(rule["require"])
        if match is None or rule["at"] != "order" or rule["enforce"] != "block" or rule["when"] is not None:
            continue
        limit = content["limits"][match[2]]
        if limit["type"] == "ratio":
            found.append(Cap(name, match[1], match[2], parse_ratio(limit["value"]).value))
    return found


def audit(files: Files) -> list[dict[str, Any]]:
    """The lines of the audit trail."""
    return [json.loads(line) for line in files["audit.jsonl"].splitlines()]


def exposures(lines: Sequence[Mapping[str, Any]], bars: Sequence[Bar], days: Sequence[Point]) -> list[Exposure]:
    """What was held at the end of each of some days, at the last price used: from the audit trail and the bars."""
    moves = [line for line in lines if line["kind"] in {"fill", "adjusted"}]
    traded = {line["data"]["symbol"] for line in moves}
    unused = {(line["data"]["symbol"], line["data"]["end"]) for line in lines if line["kind"] == "bar_rejected"}
    unused_at = {(symbol, parse_instant(end)) for symbol, end in unused}
    held: dict[str, int] = {}
    prices: dict[str, int] = {}
    ends: dict[str, int] = {}
    filled: dict[str, list[int]] = {}
    for line in moves:
        filled.setdefault(line["data"]["symbol"], []).append(parse_instant(line["at"]))
    stream = sorted((bar for bar in bars if bar.symbol in traded), key=_END)
    stops = [bisect_right(stream, day.at, key=_END) for day in days]
    ats = [parse_instant(line["at"]) for line in moves]
    found, next_bar, next_move = [], 0, 0
    for point, stop in zip(days, stops, strict=True):
        group, next_bar = stream[next_bar:stop], stop
        for bar in group if unused_at else _last(group, len(traded)):
            if (bar.symbol, bar.end) not in unused_at:
                prices[bar.symbol] = bar.close
            elif any(ends.get(bar.symbol, 0) < at <= bar.end for at in filled.get(bar.symbol, ())):
                # Nobody used the bar, but an order filled at its open, and that was a price.
                prices[bar.symbol] = bar.open
            ends[bar.symbol] = bar.end
        while next_move < len(moves) and ats[next_move] <= point.at:
            line = moves[next_move]
            data = line["data"]
            symbol = data["symbol"]
            held[symbol] = data["holds"] if line["kind"] == "adjusted" else held.get(symbol, 0) + _signed(data)
            next_move += 1
        found.append(_valued(point, held, prices))
    return found


def _last(bars: Sequence[Bar], symbols: int) -> Iterable[Bar]:
    """The last bar of each symbol, of so many."""
    found: dict[str, Bar] = {}
    for bar in reversed(bars):
        found.setdefault(bar.symbol, bar)
        if len(found) == symbols:
            break
    return found.values()


def _valued(point: Point, held: Mapping[str, int], prices: Mapping[str, int]) -> Exposure:
    long = short = largest = 0
    symbol = ""
    for name, qty in sorted(held.items()):
        value = qty * prices.get(name, 0)
        long, short = (long + value, short) if qty > 0 else (long, short - value)
        if abs(value) > largest:
            largest, symbol = abs(value), name
    return Exposure(point.at, point.equity, long, short, largest, symbol)


def _signed(data: Mapping[str, Any]) -> int:
    return int(data["qty"]) if data["side"] == "BUY" else -int(data["qty"])


def trades(lines: Sequence[Mapping[str, Any]]) -> list[Trade]:
    """Every fill that closed something, against the lots it closed, oldest first; a split changes lots, not costs."""
    lots: dict[str, list[_Lot]] = {}
    found = []
    for line in lines:
        data = line["data"]
        if line["kind"] == "adjusted":
            split = Fraction(data["split"])
            lots[data["symbol"]] = [
                _Lot(lot.at, lot.qty * split, lot.price / split) for lot in lots.get(data["symbol"], ())
            ]
        elif line["kind"] == "fill":
            trade = _closed(parse_instant(line["at"]), data, lots.setdefault(data["symbol"], []))
            found += [] if trade is None else [trade]
    return found


@dataclass(slots=True)
class _Lot:
    """Shares that were bought or sold together; after a split there may be parts of one."""

    at: int
    qty: int | Fraction
    price: int | Fraction


def _closed(at: int, data: Mapping[str, Any], lots: list[_Lot]) -> Trade | None:
    """What a fill closes of the lots, which change; what is left of it is a new one."""
    price = parse_money(data["price"]).micros
    left: int | Fraction = _signed(data)
    closed: int | Fraction = 0
    spent: int | Fraction = 0
    opened = lots[0].at if lots else at
    while left and lots and (lots[0].qty > 0) != (left > 0):
        lot = lots[0]
        rest = lot.qty + left
        part = lot.qty if not rest or (rest > 0) == (left > 0) else -left
        closed, spent, left = closed + part, spent + part * lot.price, left + part
        lot.qty -= part
        if not lot.qty:
            lots.pop(0)
    if left:
        lots.append(_Lot(at, left, price))
    if not closed:
        return None
    entry, gain = Fraction(spent) / closed, closed * price - spent
    return Trade(at, opened, data["symbol"], int(closed), int(entry), price, floor(gain))


def months(initial: int, days: Sequence[Point]) -> dict[int, dict[int, Fraction | None]]:
    """By year and month: what equity gained over it, as a fraction; None where it began at nothing."""
    found: dict[int, dict[int, Fraction | None]] = {}
    start, before, key = initial, initial, (0, 0)
    for point in days:
        when = _year_month(point.at)
        if when != key:
            start, key = before, when
        before = point.equity
        found.setdefault(key[0], {})[key[1]] = Fraction(before - start, start) if start > 0 else None
    return found


def years(initial: int, days: Sequence[Point]) -> dict[int, Fraction | None]:
    """By year: what equity gained over it, as a fraction; None where it began at nothing."""
    found: dict[int, Fraction | None] = {}
    start, before, year = initial, initial, 0
    for point in days:
        this = _year_month(point.at)[0]
        if this != year:
            start, year = before, this
        before = point.equity
        found[year] = Fraction(before - start, start) if start > 0 else None
    return found


def _year_month(at: int) -> tuple[int, int]:
    day = datetime.fromtimestamp(at // MICROS, tz=UTC)
    return day.year, day.month
