"""The values with units: Money, Price, Quantity, Count, Ratio, Duration, SessionSpan, Rate.

Each is immutable, bounded to 64 bits and mixes only with its own unit. Reading lives in parse.py, writing in format.py.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, Literal, Self

from mqk.quantity import format as fmt
from mqk.quantity.errors import QuantityError
from mqk.quantity.exact import Rounding, checked, mul_div

SpanUnit = Literal["sessions", "business_days"]
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


class _Exact(ABC):
    """What all values share: an exact magnitude, a unit, and an order that holds only within one unit."""

    __slots__ = ()

    @abstractmethod
    def _magnitude(self) -> int | Fraction:
        """The number that is compared within one unit."""

    def _mates(self, other: object, action: str) -> None:
        """Raise unless `other` has this very unit."""
        if _unit_of(other) != _unit_of(self):
            raise QuantityError("unit", f"cannot {action} {_unit_of(self)} and {_unit_of(other)}")

    def __lt__(self, other: Self) -> bool:
        self._mates(other, "compare")
        return self._magnitude() < other._magnitude()

    def __le__(self, other: Self) -> bool:
        self._mates(other, "compare")
        return self._magnitude() <= other._magnitude()

    def __gt__(self, other: Self) -> bool:
        self._mates(other, "compare")
        return self._magnitude() > other._magnitude()

    def __ge__(self, other: Self) -> bool:
        self._mates(other, "compare")
        return self._magnitude() >= other._magnitude()


def _unit_of(value: object) -> str:
    """The unit, as messages name it: two values mix only when these texts are equal."""
    match value:
        case Money():
            return f"money in {value.currency}"
        case Price():
            return f"a price in {value.currency}"
        case Quantity():
            return "a quantity"
        case Count():
            return "a count"
        case Ratio():
            return "a ratio"
        case Duration():
            return "a duration"
        case SessionSpan():
            return f"a span of {value.unit}"
        case Rate():
            return f"a rate per {value.window}"
        case _:
            return f"a bare `{value!r}`"


def _not_negative(value: int, what: str) -> None:
    if checked(value, what) < 0:
        raise QuantityError("sign", f"{what} cannot be negative")


def _currency(code: str) -> None:
    if _CURRENCY.fullmatch(code) is None:
        raise QuantityError("unit", f"`{code}` is not a currency", "a currency has three capitals, as `USD`")


def _factor(owner: _Exact, factor: object) -> int:
    """A bare number to multiply by; anything with a unit, and any float, is refused."""
    if type(factor) is not int:
        advice = "use `Ratio.of` with a stated rounding" if isinstance(factor, Ratio) else None
        raise QuantityError("unit", f"cannot multiply {_unit_of(owner)} and {_unit_of(factor)}", advice)
    return factor


@dataclass(frozen=True, slots=True)
class Money(_Exact):
    """An amount of one currency, in integer micros (millionths); may be negative.

    Raises QuantityError "overflow" outside 64 bits and "unit" for a malformed currency.
    """

    micros: int
    currency: str = "USD"

    def __post_init__(self) -> None:
        checked(self.micros, "money")
        _currency(self.currency)

    def _magnitude(self) -> int:
        return self.micros

    def __add__(self, other: Money) -> Money:
        self._mates(other, "add")
        return Money(self.micros + other.micros, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._mates(other, "subtract")
        return Money(self.micros - other.micros, self.currency)

    def __mul__(self, factor: int) -> Money:
        return Money(self.micros * _factor(self, factor), self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(-self.micros, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.micros), self.currency)

    def __str__(self) -> str:
        return fmt.format_money(self.micros, self.currency)


@dataclass(frozen=True, slots=True)
class Price(_Exact):
    """Micros of one currency per share, zero or above. Times a whole number of shares it is Money.

    The difference of two prices is Money per share and may be negative. Raises QuantityError "sign" below zero.
    """

    micros: int
    currency: str = "USD"

    def __post_init__(self) -> None:
        _not_negative(self.micros, "a price")
        _currency(self.currency)

    def _magnitude(self) -> int:
        return self.micros

    def __sub__(self, other: Price) -> Money:
        self._mates(other, "subtract")
        return Money(self.micros - other.micros, self.currency)

    def __mul__(self, shares: int) -> Money:
        return Money(self.micros * _factor(self, shares), self.currency)

    __rmul__ = __mul__

    def __str__(self) -> str:
        return fmt.format_money(self.micros, self.currency)


@dataclass(frozen=True, slots=True)
class Quantity(_Exact):
    """A signed whole number of shares: long above zero, short below."""

    value: int

    def __post_init__(self) -> None:
        checked(self.value, "a quantity")

    def _magnitude(self) -> int:
        return self.value

    def __add__(self, other: Quantity) -> Quantity:
        self._mates(other, "add")
        return Quantity(self.value + other.value)

    def __sub__(self, other: Quantity) -> Quantity:
        self._mates(other, "subtract")
        return Quantity(self.value - other.value)

    def __mul__(self, factor: int) -> Quantity:
        return Quantity(self.value * _factor(self, factor))

    __rmul__ = __mul__

    def __neg__(self) -> Quantity:
        return Quantity(-self.value)

    def __abs__(self) -> Quantity:
        return Quantity(abs(self.value))

    def __str__(self) -> str:
        return fmt.format_quantity(self.value)


@dataclass(frozen=True, slots=True)
class Count(_Exact):
    """How many of something, zero or above. The noun (plural, as `trades`) is for people and takes no part in `==`."""

    value: int
    noun: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        _not_negative(self.value, "a count")

    def _magnitude(self) -> int:
        return self.value

    def __add__(self, other: Count) -> Count:
        self._mates(other, "add")
        return Count(self.value + other.value, self.noun)

    def __sub__(self, other: Count) -> Count:
        self._mates(other, "subtract")
        return Count(self.value - other.value, self.noun)

    def __str__(self) -> str:
        return fmt.format_count(self)


@dataclass(frozen=True, slots=True)
class Ratio(_Exact):
    """An exact ratio; `unit` remembers how it was written (`20%` and `0.2x` are equal).

    Numerator and denominator each fit in 64 bits, so that a comparison can be cross-multiplied within 128.
    Raises QuantityError "overflow" when they do not, and "precision" for anything but a Fraction.
    """

    value: Fraction
    unit: fmt.RatioUnit = field(default="%", compare=False)

    def __post_init__(self) -> None:
        if type(self.value) is not Fraction:
            raise QuantityError("precision", f"a ratio takes a Fraction, found {type(self.value).__name__}")
        if self.unit not in fmt.RATIO_SCALE:
            raise QuantityError("unit", f"`{self.unit}` is not a unit of ratios", "ratios are in `%`, `bps` or `x`")
        checked(self.value.numerator, "a ratio's numerator")
        checked(self.value.denominator, "a ratio's denominator")

    def _magnitude(self) -> Fraction:
        return self.value

    def of(self, base: Money, rounding: Rounding) -> Money:
        """Return this share of an amount, in whole micros, rounded as stated; QuantityError "overflow" past 64 bits."""
        if not isinstance(base, Money):
            raise QuantityError("unit", "a ratio is taken of money here")
        micros = mul_div(base.micros, self.value.numerator, self.value.denominator, rounding)
        return Money(micros, base.currency)

    def __add__(self, other: Ratio) -> Ratio:
        self._mates(other, "add")
        return Ratio(self.value + other.value, self.unit)

    def __sub__(self, other: Ratio) -> Ratio:
        self._mates(other, "subtract")
        return Ratio(self.value - other.value, self.unit)

    def __mul__(self, other: Ratio | int) -> Ratio:
        factor = other.value if isinstance(other, Ratio) else _factor(self, other)
        return Ratio(self.value * factor, self.unit)

    __rmul__ = __mul__

    def __neg__(self) -> Ratio:
        return Ratio(-self.value, self.unit)

    def __abs__(self) -> Ratio:
        return Ratio(abs(self.value), self.unit)

    def __str__(self) -> str:
        return fmt.format_ratio(self.value, self.unit)


@dataclass(frozen=True, slots=True)
class Duration(_Exact):
    """A length of time in integer microseconds, zero or above. Calendar lengths are SessionSpan."""

    micros: int

    def __post_init__(self) -> None:
        _not_negative(self.micros, "a duration")

    def _magnitude(self) -> int:
        return self.micros

    def __add__(self, other: Duration) -> Duration:
        self._mates(other, "add")
        return Duration(self.micros + other.micros)

    def __sub__(self, other: Duration) -> Duration:
        self._mates(other, "subtract")
        return Duration(self.micros - other.micros)

    def __mul__(self, factor: int) -> Duration:
        return Duration(self.micros * _factor(self, factor))

    __rmul__ = __mul__

    def __str__(self) -> str:
        return fmt.format_duration(self.micros)


@dataclass(frozen=True, slots=True)
class SessionSpan(_Exact):
    """A number of exchange sessions or of business days. How long that is only a calendar can say."""

    count: int
    unit: SpanUnit

    def __post_init__(self) -> None:
        _not_negative(self.count, "a number of sessions")
        if self.unit not in ("sessions", "business_days"):
            raise QuantityError("unit", f"`{self.unit}` is not a span", "spans are in `sessions` or `business_days`")

    def _magnitude(self) -> int:
        return self.count

    def __str__(self) -> str:
        return fmt.format_span(self)


@dataclass(frozen=True, slots=True)
class Rate(_Exact):
    """At most `count` (one or more) within any `window` (longer than zero). Only rates of one window have an order.

    The window is a duration, or a number of sessions or business days.
    """

    count: int
    window: Duration | SessionSpan

    def __post_init__(self) -> None:
        _not_negative(self.count, "the count of a rate")
        if self.count == 0:
            raise QuantityError("range", "the count of a rate must be above zero")
        if (self.window.micros if isinstance(self.window, Duration) else self.window.count) == 0:
            raise QuantityError("range", "the window of a rate must be longer than zero")

    def _magnitude(self) -> int:
        return self.count

    def __str__(self) -> str:
        return fmt.format_rate(self)
