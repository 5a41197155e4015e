"""What an equity curve amounts to: return, growth, drawdown, volatility, Sharpe. For reports and charts only.

Floats live here and nowhere else in this package; no decision reads them, and the ledger knows nothing of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY: Final = 86_400_000_000
YEAR: Final = 365 * DAY + DAY // 4
TRADING_DAYS: Final = 252
# Below a hundredth of a basis point a day, what looks like volatility is the rounding of equity to micros.
VOLATILITY_FLOOR: Final = 1e-6

# exp and ln of `decimal` are correctly rounded, so that every machine writes the same digits; those of libm are not.
_EXACT: Final = Context(prec=40)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures of one equity curve, as fractions (0.05 is 5 %). None where a figure has no meaning, never NaN or inf."""

    total_return: float | None
    cagr: float | None
    max_drawdown: float
    volatility: float | None
    sharpe: float | None


def measure(initial_equity: int, curve: Sequence[tuple[int, int]]) -> Metrics:
    """Measure a curve of (instant in epoch microseconds, equity in micros), in time order, from the initial equity on.

    The initial equity counts as the point before the first, so that what the first bar cost is not hidden. Sharpe and
    volatility are of daily returns (the last point of each UTC day), sample standard deviation, no risk-free rate,
    times the root of 252. CAGR counts years of 365.25 days between the first and the last point.

    Raises ValueError when the curve runs backwards.
    """
    if any(later[0] < earlier[0] for earlier, later in pairwise(curve)):
        raise ValueError("the equity curve runs backwards in time")
    final = curve[-1][1] if curve else initial_equity
    returns = _daily_returns(initial_equity, curve)
    deviation = _deviation(returns)
    sharpe = None
    if returns and deviation is not None and deviation >= VOLATILITY_FLOOR:
        sharpe = math.fsum(returns) / len(returns) / deviation * math.sqrt(TRADING_DAYS)
    return Metrics(
        total_return=final / initial_equity - 1 if initial_equity > 0 else None,
        cagr=_cagr(initial_equity, final, curve[-1][0] - curve[0][0]) if curve else None,
        max_drawdown=max_drawdown(initial_equity, curve),
        volatility=None if deviation is None else deviation * math.sqrt(TRADING_DAYS),
        sharpe=sharpe,
    )


def max_drawdown(initial_equity: int, curve: Sequence[tuple[int, int]]) -> float:
    """The deepest fall from the highest equity seen until then, as a fraction of it; zero for a curve that never falls.

    Above 1 when equity falls below zero. A peak of zero or less is none to fall from.
    """
    peak = initial_equity
    worst = 0.0
    for _, equity in curve:
        if equity > peak:
            peak = equity
        elif peak > 0:
            worst = max(worst, (peak - equity) / peak)
    return worst


def _cagr(initial: int, final: int, elapsed: int) -> float | None:
    """Yearly growth; None without elapsed time or capital, or when the figure is too large to mean anything."""
    if elapsed <= 0 or initial <= 0:
        return None
    if final <= 0:
        return -1.0
    years = _EXACT.divide(Decimal(elapsed), Decimal(YEAR))
    growth = _EXACT.divide(_EXACT.ln(_EXACT.divide(Decimal(final), Decimal(initial))), years)
    # A gain of minutes, compounded over a year, has more digits than a float: it says nothing, so nothing is said.
    return float(_EXACT.subtract(_EXACT.exp(growth), Decimal(1))) if growth < 700 else None


def _daily_returns(initial: int, curve: Sequence[tuple[int, int]]) -> list[float] | None:
    """Simple returns from day to day; None once equity is zero or less, after which a return has no meaning."""
    closes = [initial]
    day = None
    for at, equity in curve:
        if at // DAY == day:
            closes[-1] = equity
        else:
            closes.append(equity)
            day = at // DAY
    if any(close <= 0 for close in closes[:-1]):
        return None
    return [later / earlier - 1 for earlier, later in pairwise(closes)]


def _deviation(returns: Sequence[float] | None) -> float | None:
    """Sample standard deviation; None for fewer than two returns."""
    if returns is None or len(returns) < 2:
        return None
    mean = math.fsum(returns) / len(returns)
    return math.sqrt(math.fsum((value - mean) * (value - mean) for value in returns) / (len(returns) - 1))
