"""Facts as text and back: reading what a facts document says, and writing values in the units people use.

What lives here: one value at a time, by type. What does not: whole documents (facts.py).
"""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction

from mqk.dsl import Type
from mqk.dsl.syntax import Value
from mqk.dsl.types import Kind
from mqk.quantity import (
    INT64_MAX,
    QuantityError,
    format_date,
    format_duration,
    format_instant,
    format_money,
    format_ratio,
    format_time,
    parse_date,
    parse_duration,
    parse_instant,
    parse_money,
    parse_quantity,
    parse_ratio,
    parse_time,
)

_SYMBOL = re.compile(r"[A-Z][A-Z0-9_]*(\.[A-Z0-9]+)?")
_NUMERIC = frozenset(
    {Kind.MONEY, Kind.QUANTITY, Kind.COUNT, Kind.NUMBER, Kind.DURATION, Kind.INSTANT, Kind.TIME, Kind.DATE}
)


def parse_fact(text: str, kind: Type) -> Value:
    """The value of a fact written as in a policy. Raises QuantityError when it is not of that type."""
    match kind.kind:
        case Kind.BOOL:
            if text not in ("true", "false"):
                raise QuantityError("syntax", f"`{text}` is neither `true` nor `false`")
            return text == "true"
        case Kind.MONEY:
            amount = parse_money(text)
            if amount.currency != kind.currency:
                raise QuantityError("unit", f"`{text}` is not in {kind.currency}")
            return amount.micros
        case Kind.QUANTITY | Kind.COUNT | Kind.NUMBER:
            value = parse_quantity(text).value
            if kind.kind is Kind.COUNT and value < 0:
                raise QuantityError("sign", f"`{text}` counts something, and is below zero")
            return value
        case Kind.RATIO:
            return parse_ratio(text).value
        case Kind.DURATION:
            return parse_duration(text).micros
        case Kind.INSTANT:
            return parse_instant(text)
        case Kind.TIME:
            return parse_time(text)
        case Kind.DATE:
            return parse_date(text).toordinal()
        case Kind.ENUM:
            if text not in kind.members:
                raise QuantityError("syntax", f"`{text}` is not {kind}")
            return text
        case Kind.SYMBOL:
            if _SYMBOL.fullmatch(text) is None:
                raise QuantityError("syntax", f"`{text}` is not a symbol")
            return text
        case Kind.TEXT:
            return text
        case _:
            raise AssertionError(f"no fact is {kind}")


def well_typed(value: object, kind: Type) -> bool:
    """Whether a held value is of its type and within 64 bits: what the interpreter asks of every fact it reads."""
    if kind.kind in _NUMERIC:
        return type(value) is int and -INT64_MAX - 1 <= value <= INT64_MAX
    match kind.kind:
        case Kind.BOOL:
            return type(value) is bool
        case Kind.RATIO:
            return isinstance(value, Fraction)
        case Kind.ENUM:
            return isinstance(value, str) and value in kind.members
        case _:
            return isinstance(value, str)


def format_value(value: Value, kind: Type) -> str:
    """A value as people write it; a fraction of the smallest unit is rounded and marked with `~`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, frozenset):
        return "[" + ", ".join(sorted(value)) + "]"
    if isinstance(value, str):
        return value
    if kind.kind is Kind.RATIO:
        return format_ratio(Fraction(value))
    exact = Fraction(value)
    mark, whole = ("", exact.numerator) if exact.denominator == 1 else ("~", round(exact))
    match kind.kind:
        case Kind.MONEY:
            return mark + format_money(whole, kind.currency)
        case Kind.DURATION:
            return mark + ("-" if whole < 0 else "") + format_duration(abs(whole))
        case Kind.INSTANT | Kind.TIME:
            return mark + _moment(whole, kind)
        case Kind.DATE if 0 < whole <= date.max.toordinal():
            return mark + format_date(date.fromordinal(whole))
        case _:
            return mark + str(whole)


def _moment(micros: int, kind: Type) -> str:
    """A moment that no calendar holds is still shown: it is what somebody has to look for."""
    try:
        return format_instant(micros) if kind.kind is Kind.INSTANT else format_time(micros)
    except QuantityError:
        return f"{micros}us"
