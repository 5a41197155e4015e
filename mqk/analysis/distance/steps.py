"""Quantities as steps on a line: how a fact or a limit is moved by its own smallest amount, and written down again.

What lives here: from a value to its neighbours. What does not: which of them make a rule pass (search.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final, Generic, TypeVar

from mqk.dsl.syntax import Value
from mqk.dsl.types import Kind, Type
from mqk.guards.values import format_value
from mqk.policy import Limit, LimitValue, TimeOfDay, canonical_text
from mqk.quantity import (
    DAY_MICROS,
    INT64_MAX,
    MICROS,
    Count,
    Duration,
    Money,
    Quantity,
    Rate,
    Ratio,
    SessionSpan,
    format_duration,
    format_money,
    format_ratio,
)

V = TypeVar("V")

_CENT: Final = 10_000
_HUNDREDTH_OF_A_CENT: Final = 100
_BASIS_POINT: Final = Fraction(1, 10_000)


@dataclass(frozen=True, slots=True)
class Line(Generic[V]):
    """A quantity that can be moved: where it stands, in steps that need not be whole, and what so many steps are.

    `least` and `most` are the outermost steps that make sense. `written` puts a value in words, `apart` a distance.
    """

    name: str
    now: V
    steps: Fraction
    value: Callable[[int], V]
    written: Callable[[V], str]
    apart: Callable[[Fraction], str | None]
    least: int
    most: int


def fact_line(name: str, kind: Type, value: Value, least: int | None) -> Line[Value] | None:
    """A fact's line; None for one that has no neighbours, such as a word."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    match kind.kind:
        case Kind.MONEY:
            # A price below a dollar moves by hundredths of a cent, as on the exchange.
            step = _HUNDREDTH_OF_A_CENT if abs(value) < MICROS else _CENT
        case Kind.DURATION:
            step = _second(value)
        case Kind.QUANTITY | Kind.COUNT:
            step = 1
        case _:
            return None
    most = INT64_MAX // 4 // step

    def apart(steps: Fraction) -> str | None:
        return _amount(kind, abs(steps) * step)

    return Line(
        name,
        value,
        Fraction(value, step),
        lambda steps: steps * step,
        lambda held: format_value(held, kind),
        apart,
        -most if least is None else -(-least // step),
        most,
    )


def limit_line(limit: Limit) -> Line[LimitValue] | None:
    """A limit's line; None for one that is yes or no, a word, a set or an instant."""
    name = f"limits.{limit.name}"
    match limit.value:
        case bool():
            return None
        case Ratio(value=ratio):
            return _line(name, limit, ratio / _BASIS_POINT, lambda n: Ratio(n * _BASIS_POINT), _ratio_apart)
        case Money(micros=micros, currency=currency):
            step = _HUNDREDTH_OF_A_CENT if micros % _CENT else _CENT
            return _line(
                name,
                limit,
                Fraction(micros, step),
                lambda n: Money(n * step, currency),
                lambda n: format_money(int(abs(n) * step), currency),
            )
        case Duration(micros=micros):
            each = _second(micros)
            return _line(
                name,
                limit,
                Fraction(micros, each),
                lambda n: Duration(n * each),
                lambda n: format_duration(int(abs(n) * each)),
            )
        case Count(value=count, noun=noun):
            return _line(name, limit, Fraction(count), lambda n: Count(n, noun), lambda n: str(abs(n)))
        case Quantity(value=quantity):
            return _line(name, limit, Fraction(quantity), Quantity, lambda n: str(abs(n)))
        case Rate(count=count, window=window):
            return _line(name, limit, Fraction(count), lambda n: Rate(n, window), lambda n: str(abs(n)), least=1)
        case SessionSpan(count=count, unit=unit):
            return _line(name, limit, Fraction(count), lambda n: SessionSpan(n, unit), lambda n: str(abs(n)), least=1)
        case TimeOfDay(micros=micros):
            minute = 60 * MICROS
            most = DAY_MICROS // minute - 1
            return _line(name, limit, Fraction(micros, minute), lambda n: TimeOfDay(n * minute), _none, most=most)
        case date():
            day = limit.value.toordinal()
            return _line(name, limit, Fraction(day), date.fromordinal, _none, least=1, most=date.max.toordinal())
        case _:
            return None


def _line(
    name: str,
    limit: Limit,
    steps: Fraction,
    value: Callable[[int], LimitValue],
    apart: Callable[[Fraction], str | None],
    *,
    least: int = 0,
    most: int = 1 << 44,
) -> Line[LimitValue]:
    return Line(name, limit.value, steps, value, canonical_text, apart, least, most)


def _second(micros: int) -> int:
    return MICROS if micros % MICROS == 0 else 1


def _ratio_apart(steps: Fraction) -> str:
    return format_ratio(abs(steps) * _BASIS_POINT)


def _none(_: Fraction) -> None:
    return None


def _amount(kind: Type, held: Fraction) -> str:
    text = format_value(held, kind)
    match kind.kind:
        case Kind.QUANTITY:
            return f"{text} share{'' if held == 1 else 's'}"
        case Kind.COUNT if kind.noun:
            return f"{text} {kind.noun if held != 1 else kind.noun.removesuffix('s')}"
        case _:
            return text
