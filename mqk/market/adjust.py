"""Splits and dividends: prices and volumes of earlier days restated in today's shares, exactly, and rounded once.

Which days there are comes from reader.py; nothing here reads a file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from mqk.quantity import Rounding, checked, divide

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Day:
    """One raw session of one symbol: prices in micros as they were traded, volume in shares of that day.

    `dividend` is in dollars per share that goes ex before this session opens; `split` is how many shares each share
    became then (1 when none). `source` and `line` say where the day was written.
    """

    end: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    dividend: Fraction
    split: Fraction
    source: str
    line: int

    @property
    def is_plain(self) -> bool:
        """Whether nothing but trading happened."""
        return self.dividend == 0 and self.split == 1


class AdjustmentError(ValueError):
    """A day whose dividend cannot be taken off the price before it."""

    def __init__(self, day: Day, message: str) -> None:
        super().__init__(message)
        self.day = day
        self.message = message


def back_adjusted(days: Sequence[Day]) -> list[Day]:
    """Restate each day in the shares and prices of the last one.

    A split of s divides all earlier prices by s and multiplies earlier volumes by it; a dividend d multiplies earlier
    prices by 1 - d / c, where c is the close before it in shares after the split. Factors are exact; each price and
    volume is rounded once, half to even, which keeps low <= open, close <= high.
    `days` are in ascending order. Raises AdjustmentError when a dividend is not below the close before it, and
    QuantityError "overflow" when a number leaves 64 bits.
    """
    price, volume = Fraction(1), Fraction(1)
    adjusted: list[Day] = []
    for position in range(len(days) - 1, -1, -1):
        day = days[position]
        adjusted.append(day if price == 1 and volume == 1 else _scaled(day, price, volume))
        if day.is_plain or position == 0:
            continue
        price /= day.split
        volume *= day.split
        if day.dividend:
            before = Fraction(days[position - 1].close, 1_000_000) / day.split
            if day.dividend >= before:
                raise AdjustmentError(day, "the dividend is not below the close before it")
            price *= 1 - day.dividend / before
    adjusted.reverse()
    return adjusted


def _scaled(day: Day, price: Fraction, volume: Fraction) -> Day:
    def times(value: int, factor: Fraction) -> int:
        return checked(divide(value * factor.numerator, factor.denominator, Rounding.HALF_EVEN), "an adjusted number")

    return replace(
        day,
        open=times(day.open, price),
        high=times(day.high, price),
        low=times(day.low, price),
        close=times(day.close, price),
        volume=times(day.volume, volume),
    )
