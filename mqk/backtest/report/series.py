"""What the files of a run say over time: equity, drawdown, exposure day by day, and the caps that held it.

What lives here: integers in micros, by instant. What does not: pixels (charts.py) and words (page.py).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from math import floor
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from mqk.quantity import DAY_MICROS, MICROS, parse_instant, parse_money, parse_ratio

if TYPE_CHECKING:
    from mqk.market import Bar

_AMOUNT: Final = re.compile(r"(-?)(\d+)\.(\d{6})")
# The caps that a curve can be drawn against: what the rule holds, and the limit it reads.
_CAP: Final = re.compile(
    r"projected\.(position_value|gross_exposure|net_exposure) <= limits\.(\w+) of (?:account|projected)\.equity"
)
Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Point:
    """The account at an instant, in micros."""

    at: int
    equity: int
    cash: int


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


def rows(content: bytes) -> Iterator[dict[str, str]]:
    """The rows of a table."""
    return csv.DictReader(io.StringIO(content.decode()))


def amount(text: str) -> int:
    """The micros of an amount as tables write it."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text}` is not an amount with six decimals")
    sign, whole, rest = found.groups()
    value = int(whole) * MICROS + int(rest)
    return -value if sign else value


def curve(files: Files) -> list[Point]:
    """The equity curve."""
    return [
        Point(parse_instant(row["at"]), amount(row["equity"]), amount(row["cash"]))
        for row in rows(files["equity_curve.csv"])
    ]


def daily(points: Iterable[Point]) -> list[Point]:
    """The last point of each UTC day."""
    last: dict[int, Point] = {}
    for point in points:
        last[point.at // DAY_MICROS] = point
    return list(last.values())


def drawdowns(initial: int, points: Sequence[Point]) -> list[tuple[int, int]]:
    """How far equity is below its highest until then, in millionths of that, at each point; zero at a high."""
    peak, found = initial, []
    for point in points:
        peak = max(peak, point.equity)
        found.append((point.at, (peak - point.equity) * MICROS // peak if peak > 0 else 0))
    return found


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


def exposures(lines: Sequence[Mapping[str, Any]], bars: Sequence[Bar], points: Sequence[Point]) -> list[Exposure]:
    """What was held at the end of every day, at the last price that was used: from the audit trail and the bars."""
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
    stream = sorted((bar for bar in bars if bar.symbol in traded), key=attrgetter("end"))
    ats = [parse_instant(line["at"]) for line in moves]
    found, next_bar, next_move = [], 0, 0
    for point in daily(points):
        while next_bar < len(stream) and stream[next_bar].end <= point.at:
            bar = stream[next_bar]
            next_bar += 1
            if not unused_at or (bar.symbol, bar.end) not in unused_at:
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
    qty: Fraction
    price: Fraction


def _closed(at: int, data: Mapping[str, Any], lots: list[_Lot]) -> Trade | None:
    """What a fill closes of the lots, which change; what is left of it is a new one."""
    price, left = parse_money(data["price"]).micros, Fraction(_signed(data))
    closed = spent = Fraction(0)
    opened = lots[0].at if lots else at
    while left and lots and (lots[0].qty > 0) != (left > 0):
        lot = lots[0]
        part = lot.qty if abs(lot.qty) <= abs(left) else -left
        closed, spent, left = closed + part, spent + part * lot.price, left + part
        lot.qty -= part
        if not lot.qty:
            lots.pop(0)
    if left:
        lots.append(_Lot(at, left, Fraction(price)))
    if not closed:
        return None
    entry, gain = spent / closed, closed * price - spent
    return Trade(at, opened, data["symbol"], int(closed), int(entry), price, floor(gain))


def months(initial: int, points: Sequence[Point]) -> dict[int, dict[int, Fraction | None]]:
    """By year and month: what equity gained over it, as a fraction; None where it began at nothing."""
    found: dict[int, dict[int, Fraction | None]] = {}
    start, before, key = initial, initial, (0, 0)
    for point in points:
        when = _year_month(point.at)
        if when != key:
            start, key = before, when
        before = point.equity
        found.setdefault(key[0], {})[key[1]] = Fraction(before - start, start) if start > 0 else None
    return found


def years(initial: int, points: Sequence[Point]) -> dict[int, Fraction | None]:
    """By year: what equity gained over it, as a fraction; None where it began at nothing."""
    found: dict[int, Fraction | None] = {}
    start, before, year = initial, initial, 0
    for point in points:
        this = _year_month(point.at)[0]
        if this != year:
            start, year = before, this
        before = point.equity
        found[year] = Fraction(before - start, start) if start > 0 else None
    return found


def _year_month(at: int) -> tuple[int, int]:
    day = datetime.fromtimestamp(at // MICROS, tz=UTC)
    return day.year, day.month
