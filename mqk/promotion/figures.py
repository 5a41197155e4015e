"""The figures of a candidate: from capital, equity curve and fills to exact ratios, rounded against the candidate.

What lives here: definitions. What does not: reading files (evidence.py) and thresholds, which are the policy's.

A figure without a meaning is None, never zero, infinite or not a number: a run without a losing order has no profit
factor, and one without movement no Sharpe ratio. A year has 365.25 days, or 252 sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from mqk.promotion.exact import down, growth, root_down, root_up, up
from mqk.promotion.trades import closings
from mqk.quantity import MICROS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from mqk.market import Calendar
    from mqk.portfolio import Fill

YEAR: Final = (365 * 24 + 6) * 3_600 * MICROS
SESSIONS: Final = 252
# Returns are kept to 18 decimals, rounded down.
_RETURN: Final = 10**18
# Below a hundredth of a basis point a session, what looks like volatility is the rounding of equity to micros.
_FLOOR: Final = Fraction(1, 10**6) ** 2
_SPAN: Final = 5


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run shows. Ratios are fractions (1/20 is 5 %) of nine decimals, None where they have no meaning."""

    cagr: Fraction | None
    max_drawdown: Fraction
    sharpe: Fraction | None
    sortino: Fraction | None
    calmar: Fraction | None
    profit_factor: Fraction | None
    profitable_months: Fraction | None
    volatility: Fraction | None
    exposure: Fraction | None
    turnover: Fraction | None
    worst_5_days: Fraction
    trades: int
    days: int
    fills: int


def measure(capital: int, curve: Sequence[tuple[int, int]], fills: Sequence[Fill], calendar: Calendar) -> Figures:
    """Measure a run of some `capital` in micros: its curve of (instant, equity) in time order, its fills as booked.

    The capital counts as the point before the first, so that what the first bar cost is not hidden. Raises
    CalendarError for a point outside the calendar.
    """
    sessions = _sessions(curve, calendar)
    closes = [capital, *(equity for _, equity in sessions.values())]
    elapsed = curve[-1][0] - curve[0][0] if curve else 0
    returns = _returns(closes)
    yearly = _cagr(closes, elapsed)
    fallen = up(_drawdown(capital, curve))
    mean_squared, variance, downside = _moments(returns)
    return Figures(
        cagr=yearly,
        max_drawdown=fallen,
        sharpe=_over(mean_squared, variance),
        sortino=_over(mean_squared, downside),
        calmar=down(yearly / fallen) if yearly is not None and fallen else None,
        profit_factor=_profit_factor(fills),
        profitable_months=_months(capital, sessions, calendar),
        volatility=None if variance is None else root_up(variance * SESSIONS),
        exposure=_exposure(sessions, fills),
        turnover=_turnover(closes[1:], fills, elapsed),
        worst_5_days=_worst(closes),
        trades=len(closings(fills)),
        days=len(sessions),
        fills=len(fills),
    )


def _sessions(curve: Sequence[tuple[int, int]], calendar: Calendar) -> dict[date, tuple[int, int]]:
    """The last point of every session."""
    return {calendar.session_of(at): (at, equity) for at, equity in curve}


def _returns(closes: Sequence[int]) -> list[int] | None:
    """Returns from session to session; None once equity is zero or less, after which a return has no meaning."""
    if any(close <= 0 for close in closes[:-1]):
        return None
    return [(later - earlier) * _RETURN // earlier for earlier, later in pairwise(closes)]


def _moments(returns: Sequence[int] | None) -> tuple[Fraction, Fraction | None, Fraction | None]:
    """The squared mean with the mean's sign, the sample variance, and the mean square of what was lost."""
    if returns is None or len(returns) < 2:
        return Fraction(0), None, None
    count, total = len(returns), sum(returns)
    variance = Fraction(
        count * sum(each * each for each in returns) - total * total, count * (count - 1) * _RETURN * _RETURN
    )
    downside = Fraction(sum(each * each for each in returns if each < 0), count * _RETURN * _RETURN)
    return Fraction(total * abs(total), count * count * _RETURN * _RETURN), variance, downside


def _over(mean_squared: Fraction, square: Fraction | None) -> Fraction | None:
    """Mean over deviation, annualised; None without a deviation worth the name."""
    if square is None or square < _FLOOR:
        return None
    ratio = mean_squared * SESSIONS / square
    return root_down(ratio) if ratio >= 0 else -root_up(-ratio)


def _cagr(closes: Sequence[int], elapsed: int) -> Fraction | None:
    if elapsed <= 0 or closes[0] <= 0:
        return None
    if closes[-1] <= 0:
        return Fraction(-1)
    return growth(Fraction(closes[-1], closes[0]), Fraction(elapsed, YEAR))


def _drawdown(capital: int, curve: Sequence[tuple[int, int]]) -> Fraction:
    """The deepest fall from the highest equity until then; above 1 when equity falls below zero."""
    peak, worst = capital, Fraction(0)
    for _, equity in curve:
        if equity > peak:
            peak = equity
        elif peak > 0 and (peak - equity) * worst.denominator > worst.numerator * peak:
            worst = Fraction(peak - equity, peak)
    return worst


def _worst(closes: Sequence[int]) -> Fraction:
    """The worst return over at most five sessions; zero when none lost."""
    worst = Fraction(0)
    for start, before in enumerate(closes):
        if before > 0:
            lowest = min(closes[start : start + _SPAN + 1])
            worst = min(worst, Fraction(lowest, before) - 1)
    return down(worst)


def _profit_factor(fills: Sequence[Fill]) -> Fraction | None:
    """Profits over losses and all fees; None without a losing order, which would make it say anything."""
    results = [closing.result for closing in closings(fills)]
    losses = -sum(result for result in results if result < 0)
    if not losses:
        return None
    return down(Fraction(sum(result for result in results if result > 0), losses + sum(fill.fee for fill in fills)))


def _months(capital: int, sessions: dict[date, tuple[int, int]], calendar: Calendar) -> Fraction | None:
    """The part of whole months that gained; a month that the run does not cover from first to last session is none."""
    gained = [later > earlier for earlier, later in _whole_months(capital, sessions, calendar)]
    return Fraction(sum(gained), len(gained)) if gained else None


def _whole_months(capital: int, sessions: dict[date, tuple[int, int]], calendar: Calendar) -> Iterator[tuple[int, int]]:
    """Equity before and after each month that is whole."""
    before = capital
    months: dict[tuple[int, int], list[date]] = {}
    for day in sessions:
        months.setdefault((day.year, day.month), []).append(day)
    for days in months.values():
        after = sessions[days[-1]][1]
        inside = calendar.next_session(days[-1]).month != days[-1].month
        if inside and calendar.sessions_between(days[0].replace(day=1), days[0]) == (days[0],):
            yield before, after
        before = after


def _exposure(sessions: dict[date, tuple[int, int]], fills: Sequence[Fill]) -> Fraction | None:
    """The part of sessions that ended with a position."""
    held: dict[str, int] = {}
    booked, exposed = 0, 0
    for at, _ in sessions.values():
        while booked < len(fills) and fills[booked].at <= at:
            fill = fills[booked]
            held[fill.symbol] = held.get(fill.symbol, 0) + (fill.qty if fill.side == "BUY" else -fill.qty)
            booked += 1
        exposed += any(held.values())
    return up(Fraction(exposed, len(sessions))) if sessions else None


def _turnover(closes: Sequence[int], fills: Sequence[Fill], elapsed: int) -> Fraction | None:
    """Value traded a year over the mean equity."""
    equity = sum(closes)
    if elapsed <= 0 or equity <= 0:
        return None
    traded = sum(fill.qty * fill.price for fill in fills)
    return up(Fraction(traded * YEAR * len(closes), elapsed * equity))
