"""Values as they are written in documents: from text to mqk.quantity, by the format that the schema names.

What text is allowed where is the schemas' business; where a wrong one stands is validate.py's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from mqk import quantity
from mqk.quantity import Count, Duration, Money, Quantity, QuantityError, Rate, Ratio, SessionSpan

_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9_]{0,15}(?:\.[A-Z0-9]{1,4})?")
_WORD: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_BARE: Final = re.compile(r"[-+]?[0-9][0-9_,]*(?:\.[0-9]*)?|\.[0-9]+")


@dataclass(frozen=True, slots=True, order=True)
class TimeOfDay:
    """A time of day on the calendar's own clock, in microseconds since midnight."""

    micros: int

    def __str__(self) -> str:
        return quantity.format_time(self.micros)


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """A moment, in microseconds since 1970 UTC."""

    micros: int

    def __str__(self) -> str:
        return quantity.format_instant(self.micros)


LimitValue = (
    Ratio
    | Money
    | Duration
    | SessionSpan
    | Rate
    | Count
    | Quantity
    | bool
    | TimeOfDay
    | Instant
    | date
    | tuple[str, ...]
    | str
)


def read_value(format_: str, text: str) -> LimitValue:
    """The value that `text` stands for where the schema names `format_`. Raises QuantityError."""
    return _READERS[format_](text)


def read_limit(text: str) -> LimitValue:
    """The value of a limit that no schema knows: its written form must name its own unit. Raises QuantityError."""
    for reader in _SELF_DESCRIBING:
        try:
            return reader(text)
        except QuantityError:
            continue
    if _BARE.fullmatch(text):
        number = text.strip("+,.")
        raise QuantityError(
            "unit",
            f"`{text}` has no unit",
            f"write what it is, such as `{number}%`, `{number} USD` or `{number} trades`",
        )
    # Almost a value: the reader that knows its unit says what is wrong with it.
    for unit, reader in _BY_UNIT:
        if re.search(unit, text):
            reader(text)
    if text.lower() in ("yes", "no", "on", "off", "true", "false", "y", "n"):
        raise QuantityError("syntax", f"`{text}` is neither `true` nor `false`", f"write `{respelled_boolean(text)}`")
    raise QuantityError(
        "syntax",
        f"`{text}` is no value that names its own unit",
        "write a ratio, money, a duration, a rate, a count, a time, a date, `true`, `false` or a word in capitals",
    )


def read_any(text: str) -> LimitValue:
    """The value of a fact as written in a baseline: as a limit, but a whole number may stand alone."""
    try:
        return quantity.parse_quantity(text)
    except QuantityError:
        pass
    return _read_symbol(text) if _SYMBOL.fullmatch(text) else read_limit(text)


def canonical_text(value: LimitValue) -> str:
    """One text for one value, however it was written: the unit of a ratio and the noun of a count do not count."""
    match value:
        case bool():
            return "true" if value else "false"
        case Ratio():
            return quantity.format_ratio(value.value)
        case Count():
            return str(value.value)
        case date():
            return quantity.format_date(value)
        case tuple():
            return ", ".join(sorted(value))
        case _:
            return str(value)


def type_name(value: LimitValue) -> str:
    """What kind of value it is, in words for messages."""
    return _TYPES[type(value)][1]


def type_tag(value: LimitValue) -> str:
    """What kind of value it is, for programs and for the canonical form: these words never change."""
    return _TYPES[type(value)][0]


def respelled_boolean(text: str) -> str:
    """The `true` or `false` that a person meant by another word."""
    return "true" if text.strip().lower() in ("yes", "y", "on", "true", "1") else "false"


def _read_quantity(text: str) -> Quantity:
    match = re.fullmatch(r"(.+?) shares?", text)
    return quantity.parse_quantity(match[1] if match else text)


def _read_price(text: str) -> Money:
    price = quantity.parse_price(text)
    return Money(price.micros, price.currency)


def _read_time(text: str) -> TimeOfDay:
    return TimeOfDay(quantity.parse_time(text))


def _read_instant(text: str) -> Instant:
    return Instant(quantity.parse_instant(text))


def _read_boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise QuantityError("syntax", f"`{text}` is neither `true` nor `false`", f"write `{respelled_boolean(text)}`")
    return text == "true"


def _read_counted(text: str) -> Count:
    count = quantity.parse_count(text)
    if count.noun is None:
        raise QuantityError("unit", f"`{text}` has no unit")
    return count


def _read_word(text: str) -> str:
    if _WORD.fullmatch(text) is None:
        raise QuantityError("syntax", f"`{text}` is not a word in capitals")
    return text


def _read_symbol(text: str) -> str:
    if _SYMBOL.fullmatch(text) is None:
        upper = text.upper()
        advice = f"write `{upper}`" if _SYMBOL.fullmatch(upper) else "write it in capitals, such as `SPY` or `BRK.B`"
        raise QuantityError("syntax", f"`{text}` is not a symbol", advice)
    return text


def read_commission(text: str) -> Money:
    """What a broker takes for an order, `1 USD per order`. Raises QuantityError."""
    amount, per, unit = text.partition(" per ")
    if not per and re.search(r"\d(%|bps)$", text):
        advice = f"write `commission_rate: {text}`, beside `commission: 0 USD per order`"
        raise QuantityError("unit", f"`{text}` is a part of the value traded, not an amount for an order", advice)
    if unit in ("share", "shares"):
        advice = f"write `commission_per_share: {amount}`, beside `commission: 0 USD per order`"
        raise QuantityError("unit", f"`{text}` is charged for a share, not for an order", advice)
    if not per:
        raise QuantityError("unit", f"`{text}` does not say what it is charged for", f"write `{text} per order`")
    if unit != "order":
        raise QuantityError("unit", f"`{unit}` is nothing a commission is charged for", f"write `{amount} per order`")
    money = quantity.parse_money(amount)
    if money.micros < 0:
        raise QuantityError("sign", "a commission cannot be negative")
    return money


_READERS: Final[Mapping[str, Callable[[str], LimitValue]]] = MappingProxyType(
    {
        "ratio": quantity.parse_ratio,
        "money": quantity.parse_money,
        "price": _read_price,
        "duration": quantity.parse_duration,
        "span": quantity.parse_span,
        "count": quantity.parse_count,
        "quantity": _read_quantity,
        "rate": quantity.parse_rate,
        "time": _read_time,
        "date": quantity.parse_date,
        "instant": _read_instant,
        "boolean": _read_boolean,
        "symbol": _read_symbol,
        "word": _read_word,
        "commission": read_commission,
        "limit": read_limit,
        "quantity-any": read_any,
    }
)
_SELF_DESCRIBING: Final[tuple[Callable[[str], LimitValue], ...]] = (
    quantity.parse_ratio,
    quantity.parse_money,
    quantity.parse_duration,
    quantity.parse_span,
    quantity.parse_rate,
    _read_counted,
    _read_time,
    quantity.parse_date,
    _read_instant,
    _read_boolean,
    _read_word,
)
_BY_UNIT: Final[tuple[tuple[str, Callable[[str], LimitValue]], ...]] = (
    (r"\d *(%|bps|x)$", quantity.parse_ratio),
    (r"\d ?[A-Z]{3}$", quantity.parse_money),
    (r"\d *(us|ms|s|m|h|d|days?)$", quantity.parse_duration),
    (r"\d *(sessions?|business_days?)$", quantity.parse_span),
    (r" per ", quantity.parse_rate),
    (r"^\d{1,2}:\d", _read_time),
    (r"^\d{4}-\d+-\d+$", quantity.parse_date),
    (r"^\d{4}-\d+-\d+[T ]", _read_instant),
    (r"^[0-9_.-]+ [a-z]+$", quantity.parse_count),
)
_TYPES: Final[Mapping[type, tuple[str, str]]] = MappingProxyType(
    {
        Ratio: ("ratio", "a ratio"),
        Money: ("money", "money"),
        Duration: ("duration", "a duration"),
        SessionSpan: ("span", "a number of sessions"),
        Rate: ("rate", "a rate"),
        Count: ("count", "a count"),
        Quantity: ("quantity", "a quantity"),
        bool: ("boolean", "a yes or no"),
        TimeOfDay: ("time", "a time of day"),
        Instant: ("instant", "an instant"),
        date: ("date", "a date"),
        tuple: ("set", "a set"),
        str: ("word", "a word"),
    }
)
