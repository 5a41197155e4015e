"""Reading of single fields of bar files: prices, volumes, moments, flags. Exact integers, never a float.

Rows and files are read in shapes.py. Whole columns are read at once, because a file has millions of fields; only when
that fails is each field read alone, to say which is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from mqk.market.bar import TIMEFRAMES
from mqk.market.errors import CalendarError
from mqk.quantity import MICROS, QuantityError, checked, parse_date, parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mqk.market.calendars import Calendar

SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9.\-]{0,14}")
_FACTOR: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,18})?")
_FLAGS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
# Twelve digits before the point always fit; longer numbers are left to the readers of one field, which look closer.
# Possessive, so that a long column neither backtracks nor remembers where it could.
_PRICES: Final = re.compile(r"[0-9]{1,12}+(?:\.[0-9]{1,6}+)?+(?:\n[0-9]{1,12}+(?:\.[0-9]{1,6}+)?+)*+")
_PRICES_OF: Final = tuple(
    re.compile(rf"[0-9]{{1,12}}+\.[0-9]{{{decimals}}}(?:\n[0-9]{{1,12}}+\.[0-9]{{{decimals}}})*+")
    for decimals in range(7)
)
_WHOLES: Final = re.compile(r"[0-9]{1,12}+(?:\n[0-9]{1,12}+)*+")
_PADDING: Final = tuple("0" * (6 - decimals) for decimals in range(7))


class FieldError(ValueError):
    """A field that cannot be read; `help` is what would have been right, where that is not obvious."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message, help)
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class Reader:
    """How a column is read: `one` field, saying what is wrong with it, or `many` at once, saying only that one is."""

    one: Callable[[str], Any]
    many: Callable[[Sequence[str]], list[Any]]


class _Memory(dict[str, Any]):
    """What texts mean, read once each and remembered."""

    __slots__ = ("_one",)

    def __init__(self, one: Callable[[str], Any]) -> None:
        super().__init__()
        self._one = one

    def __missing__(self, text: str) -> Any:
        value = self[text] = self._one(text)
        return value


def by_value(one: Callable[[str], Any]) -> Reader:
    """A reader, for one file, of a column that repeats itself."""
    memory = _Memory(one)
    return Reader(one, lambda texts: list(map(memory.__getitem__, texts)))


def instants() -> Reader:
    """A reader, for one file, of instants: it has few days and few times of day, but as many instants as rows."""
    days = _Memory(lambda day: instant(f"{day}T00:00:00Z"))
    times = _Memory(lambda time: instant(f"1970-01-01{time}"))
    return Reader(instant, lambda texts: [days[text[:10]] + times[text[10:]] for text in texts])


def _price_column(texts: Sequence[str]) -> list[int]:
    joined = "\n".join(texts)
    decimals = len(texts[0].partition(".")[2])
    if 0 < decimals <= 6 and _PRICES_OF[decimals].fullmatch(joined):
        # All have as many decimals as the first: without their points, and padded, they are micros.
        padding = "0" * (6 - decimals)
        return list(map(int, (joined.replace(".", "").replace("\n", f"{padding}\n") + padding).split("\n")))
    if _PRICES.fullmatch(joined) is None:
        raise FieldError("not all are prices")
    parts = [text.partition(".") for text in texts]
    return [int(whole + fraction + _PADDING[len(fraction)]) for whole, _, fraction in parts]


def _whole_column(texts: Sequence[str]) -> list[int]:
    if _WHOLES.fullmatch("\n".join(texts)) is None:
        raise FieldError("not all are whole numbers")
    return list(map(int, texts))


def _seconds_column(texts: Sequence[str]) -> list[int]:
    return [seconds * MICROS for seconds in _whole_column(texts)]


def price_micros(text: str) -> int:
    """Read a price, `470.12`, as micros: digits, at most six decimals, no sign. Raises FieldError."""
    whole, dot, fraction = text.partition(".")
    if not (text.isascii() and whole.isdigit() and (fraction.isdigit() or not dot)):
        raise FieldError(f"expected a price, found `{text}`", "a price is written as `470.12`")
    if len(fraction) > 6:
        raise FieldError(f"expected a price of at most 6 decimals, found `{text}`")
    return _bounded(whole + fraction.ljust(6, "0"), text)


def volume_shares(text: str) -> int:
    """Read a volume, a whole number of shares without a sign. Raises FieldError."""
    if not (text.isascii() and text.isdigit()):
        raise FieldError(f"expected a volume, found `{text}`", "a volume is a whole number of shares, zero or above")
    return _bounded(text, text)


def epoch_seconds(text: str) -> int:
    """Read seconds since 1970 UTC as micros. Raises FieldError."""
    if not (text.isascii() and text.isdigit()):
        raise FieldError(f"expected seconds since 1970, found `{text}`")
    return _bounded(text + "000000", text)


def flag(text: str) -> bool:
    """Read `true`, `1`, `yes`, `false`, `0` or `no`, in any case. Raises FieldError."""
    value = _FLAGS.get(text.lower())
    if value is None:
        raise FieldError(f"expected true or false, found `{text}`")
    return value


def symbol_name(text: str) -> str:
    """Read a symbol: capitals, digits, `.` and `-`. Raises FieldError."""
    if SYMBOL.fullmatch(text) is None:
        raise FieldError(f"expected a symbol, found `{text}`", "a symbol is written in capitals, as `SPY`")
    return text


def timeframe_name(text: str) -> str:
    """Read a timeframe, a key of TIMEFRAMES. Raises FieldError."""
    if text not in TIMEFRAMES:
        raise FieldError(f"expected a timeframe, found `{text}`", "timeframes are " + ", ".join(TIMEFRAMES))
    return text


def factor(text: str) -> Fraction:
    """Read a dividend or a split, exactly and without a sign. Raises FieldError."""
    if _FACTOR.fullmatch(text) is None:
        raise FieldError(f"expected a number, found `{text}`")
    return Fraction(text)


def split_factor(text: str) -> Fraction:
    """Read a split, shares after for each share before: above zero, `1` on a day without one. Raises FieldError."""
    value = factor(text)
    if value == 0:
        raise FieldError("a split of zero", "write `1` on a day without a split")
    return value


def instant(text: str) -> int:
    """Read an instant, `2026-01-05T15:00:00Z`, as micros since 1970 UTC. Raises FieldError."""
    try:
        return parse_instant(text)
    except QuantityError as error:
        raise FieldError(f"expected an instant, found `{text}`", error.help or error.message) from error


def session_end(calendar: Calendar) -> Reader:
    """A reader of dates (`2026-01-05`) as the instant that session closes, in micros since 1970 UTC."""

    def read(text: str) -> int:
        try:
            return calendar.session_close(parse_date(text))
        except QuantityError as error:
            raise FieldError(f"expected a date, found `{text}`", error.help or error.message) from error
        except CalendarError as error:
            raise FieldError(f"expected a session of {calendar.name}, found `{text}`", str(error)) from error

    return by_value(read)


PRICE: Final = Reader(price_micros, _price_column)
VOLUME: Final = Reader(volume_shares, _whole_column)
SECONDS: Final = Reader(epoch_seconds, _seconds_column)


def _bounded(digits: str, text: str) -> int:
    """Convert digits, refusing what 64 bits cannot hold before it costs anything."""
    if len(digits) > 40:
        raise FieldError(f"`{text[:40]}…` does not fit in 64 bits")
    try:
        return checked(int(digits))
    except QuantityError as error:
        raise FieldError(f"`{text}` does not fit in 64 bits") from error
