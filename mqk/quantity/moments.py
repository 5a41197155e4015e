"""Reading of times of day, dates and instants. Amounts with units are read in parse.py.

Nothing here reads a clock or a time zone database: an instant is UTC and says so.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from mqk.quantity.errors import QuantityError
from mqk.quantity.exact import MICROS

_TIME: Final = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_INSTANT: Final = re.compile(r"([0-9-]{10})T([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,6}))?Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _quoted(text: str) -> str:
    return f"`{text}`" if len(text) <= 40 else f"`{text[:40]}…`"


def parse_time(text: str) -> int:
    """Read a time of day, `09:30` or `09:30:15`, as micros since midnight (of the market's own clock).

    Raises QuantityError "syntax", or "range" from 24:00 on.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        padded = f"0{text}" if _TIME.fullmatch(f"0{text}") else "09:30"
        raise QuantityError("syntax", f"{_quoted(text)} is not a time of day", f"write `{padded}`")
    hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or "0")
    if hours > 23 or minutes > 59 or seconds > 59:
        raise QuantityError("range", f"`{text}` is no time of day", "times run from `00:00` to `23:59:59`")
    return (hours * 3600 + minutes * 60 + seconds) * MICROS


def parse_date(text: str) -> date:
    """Read a date, `2026-06-04`. Raises QuantityError "syntax", or "range" for a day that does not exist."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise QuantityError("syntax", f"{_quoted(text)} is not a date", "write a date as `2026-06-04`")
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError as error:
        raise QuantityError("range", f"`{text}` is no day of the calendar") from error


def parse_instant(text: str) -> int:
    """Read an instant in UTC, `2026-06-04T13:30:00Z`, with up to six decimals, as micros since 1970.

    Raises QuantityError "syntax" (an offset other than `Z` too), or "range" for a moment that does not exist.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        advice = "write an instant in UTC as `2026-06-04T13:30:00Z`"
        raise QuantityError("syntax", f"{_quoted(text)} is not an instant", advice)
    day = parse_date(match[1])
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    fraction = int((match[3] or "").ljust(6, "0"))
    return (midnight - _EPOCH) // timedelta(microseconds=1) + parse_time(match[2]) + fraction
