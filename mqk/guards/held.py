"""Values that policies write, as expressions hold them: what a limit or a cell is worth, and of what type it is."""

from __future__ import annotations

from datetime import date

from mqk.dsl import Type
from mqk.dsl import types as t
from mqk.dsl.syntax import Value
from mqk.policy import Instant, LimitValue, TimeOfDay
from mqk.quantity import Count, Duration, Money, Quantity, Ratio, SessionSpan


def held(value: LimitValue) -> tuple[Value, Type]:
    """A written value and its type. A rate is two values, and so none of these."""
    match value:
        case bool():
            return value, t.BOOL
        case Ratio(value=ratio):
            return ratio, t.RATIO
        case Money(micros=micros, currency=currency):
            return micros, t.money(currency)
        case Duration(micros=micros):
            return micros, t.DURATION
        case SessionSpan(count=count, unit=unit):
            return count, t.span_in(unit)
        case Count(value=count, noun=noun):
            return count, t.count_of(noun)
        case Quantity(value=quantity):
            # A bare whole number: shares or a count, as its place has it.
            return quantity, t.NUMBER
        case TimeOfDay(micros=micros):
            return micros, t.TIME
        case Instant(micros=micros):
            return micros, t.INSTANT
        case date():
            return value.toordinal(), t.DATE
        case tuple():
            return frozenset(value), t.set_of(t.SYMBOL)
        case str():
            return value, (t.SYMBOL if value.isupper() else t.TEXT)
        case _:
            raise AssertionError(f"unknown limit value {value!r}")
