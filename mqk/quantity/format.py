"""Canonical text of every value: exactly one way to write each, which parse.py reads back to the same value.

No reading here, and no rounding except in format_ratio, which marks a rounded text with a leading `~`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from mqk.quantity.errors import QuantityError
from mqk.quantity.exact import DAY_MICROS, MICROS, Rounding, divide

if TYPE_CHECKING:
    from mqk.quantity.values import Count, Rate, SessionSpan

RatioUnit = Literal["%", "bps", "x"]

RATIO_SCALE: Final[dict[str, int]] = {"%": 100, "bps": 10_000, "x": 1}
DURATION_MICROS: Final[dict[str, int]] = {
    "h": 3_600 * MICROS,
    "m": 60 * MICROS,
    "s": MICROS,
    "ms": 1_000,
    "us": 1,
}
RATIO_DECIMALS: Final = 12
_SIGNIFICANT: Final = 6
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _decimal(scaled: int, decimals: int, minimum: int = 0) -> str:
    """Write scaled / 10**decimals with grouped digits; trailing zeros go, down to `minimum` decimals when any stay."""
    whole, fraction = divmod(abs(scaled), 10**decimals)
    sign = "-" if scaled < 0 else ""
    if fraction == 0:
        return f"{sign}{whole:_}"
    tail = f"{fraction:0{decimals}d}".rstrip("0").ljust(minimum, "0")
    return f"{sign}{whole:_}.{tail}"


def format_money(micros: int, currency: str = "USD") -> str:
    """Write micros of a currency, `25_000 USD` or `470.12 USD`: no decimals or at least two, at most six."""
    return f"{_decimal(micros, 6, minimum=2)} {currency}"


def format_ratio(value: Fraction, unit: RatioUnit = "%") -> str:
    """Write a ratio in `%`, `bps` or `x`.

    Exact when 12 decimals hold it; otherwise six significant digits behind a `~`, which no parser accepts, so that a
    rounded ratio is never read back as if it were the real one.
    """
    scaled = value * RATIO_SCALE[unit] * 10**RATIO_DECIMALS
    if scaled.denominator == 1:
        return f"{_decimal(scaled.numerator, RATIO_DECIMALS)}{unit}"
    shown = value * RATIO_SCALE[unit]
    # The power of ten of the first digit: estimated from lengths, which is never more than one too high.
    exponent = len(str(abs(shown.numerator))) - len(str(shown.denominator))
    if abs(shown) < Fraction(10) ** exponent:
        exponent -= 1
    decimals = max(_SIGNIFICANT - 1 - exponent, 0)
    rounded = divide(shown.numerator * 10**decimals, shown.denominator, Rounding.HALF_EVEN)
    return f"~{_decimal(rounded, decimals)}{unit}"


def format_duration(micros: int) -> str:
    """Write a duration in the largest unit of `h m s ms us` that holds it whole: `90s`, `5m`, `250ms`; zero is `0s`."""
    if micros == 0:
        return "0s"
    unit = next(name for name, size in DURATION_MICROS.items() if micros % size == 0)
    return f"{micros // DURATION_MICROS[unit]:_}{unit}"


def format_quantity(value: int) -> str:
    """Write a signed number of shares: `-1_500`."""
    return f"{value:_}"


def format_count(count: Count) -> str:
    """Write a count with its noun, if it has one: `3`, `3 trades`, `1 trade`."""
    if count.noun is None:
        return f"{count.value:_}"
    return f"{count.value:_} {count.noun.removesuffix('s') if count.value == 1 else count.noun}"


def format_span(span: SessionSpan) -> str:
    """Write a number of sessions or business days: `3 sessions`, `5 business_days`; the unit stays plural."""
    return f"{span.count:_} {span.unit}"


def format_rate(rate: Rate) -> str:
    """Write a rate: `5 per 5m`."""
    return f"{rate.count:_} per {rate.window}"


def format_time(micros: int) -> str:
    """Write a time of day, given in micros since midnight: `09:30`, or `09:30:15` when it has seconds.

    Raises QuantityError "range" outside one day and "precision" for a fraction of a second.
    """
    if not 0 <= micros < DAY_MICROS:
        raise QuantityError("range", "a time of day lies within one day")
    seconds, rest = divmod(micros, MICROS)
    if rest:
        raise QuantityError("precision", "a time of day has whole seconds")
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}" if seconds else f"{hours:02d}:{minutes:02d}"


def format_date(value: date) -> str:
    """Write a date: `2026-06-04`."""
    return f"{value.year:04d}-{value.month:02d}-{value.day:02d}"


def format_instant(micros: int) -> str:
    """Write an instant, given in micros since 1970 UTC: `2026-06-04T13:30:00Z`, with a fraction only when it has one.

    Raises QuantityError "range" outside the years 1 to 9999.
    """
    seconds, rest = divmod(micros, MICROS)
    day, second = divmod(seconds, 86_400)
    fraction = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{_day(day)}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}{fraction}Z"


@lru_cache(maxsize=1024)
def _day(days: int) -> str:
    """The date of so many days since 1970. Raises QuantityError "range" outside the years 1 to 9999."""
    try:
        return format_date(_EPOCH + timedelta(days=days))
    except OverflowError as error:
        raise QuantityError("range", "an instant lies within the years 1 to 9999") from error
