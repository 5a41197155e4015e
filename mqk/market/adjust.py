"""What a split makes of earlier prices and bars, exactly and with nothing but the split itself, rounded once.

What lives here: one price, one bar. What does not: which splits there are (reader.py reads them) and what is held
(mqk.portfolio). Earlier prices are restated on the day of the split and never before it: nobody knew of it then.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from mqk.quantity import INT64_MAX, Rounding, divide

if TYPE_CHECKING:
    from mqk.market.bar import Bar

# A split is a ratio of small whole numbers; feeds write its reciprocal in six decimals, or what that comes to.
_LARGEST: Final = 100
_TOLERANCE: Final = Fraction(1, 1_000_000)


def split_ratio(written: Fraction) -> Fraction:
    """The ratio that a feed meant: the nearest with a denominator up to 100 when it is within a millionth of it.

    `7.000007`, the reciprocal of a rounded 0.142857, is 7 for 1, and `1.49999925` 3 for 2. Others stay as written.
    """
    simple = written.limit_denominator(_LARGEST) if written >= 1 else 1 / (1 / written).limit_denominator(_LARGEST)
    return simple if abs(simple - written) <= written * _TOLERANCE else written


def split_price(price: int, split: Fraction, rounding: Rounding = Rounding.HALF_EVEN) -> int:
    """A price in micros after a split, rounded as told; at least one micro, and at most 64 bits."""
    exact = divide(price * split.denominator, split.numerator, rounding)
    return min(max(exact, 1), INT64_MAX)


def split_bar(bar: Bar, split: Fraction) -> Bar:
    """A bar of before a split in the shares of after it: what strategies see of the past from then on.

    Prices are rounded half to even, which keeps low <= open, close <= high; the volume is rounded down.
    """
    volume = divide(bar.volume * split.numerator, split.denominator, Rounding.FLOOR)
    return replace(
        bar,
        open=split_price(bar.open, split),
        high=split_price(bar.high, split),
        low=split_price(bar.low, split),
        close=split_price(bar.close, split),
        volume=min(volume, INT64_MAX),
    )
