"""The figures of a run: from capital, equity curve and booked entries to exact ratios, rounded against the run.

What lives here: their definitions, for metrics.json and for promotions alike. What does not: reading files
(mqk.promotion.evidence), thresholds, which are the policy's, and the arithmetic (exact.py).

A figure without a meaning is None, never zero, infinite or not a number: a run without a losing order has no profit
factor, and one without movement no Sharpe ratio. A year has 365.25 days, or 252 sessions.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.exact import down, growth, root_down, root_up, up
from mqk.backtest.trades import trading
from mqk.market import CalendarError
from mqk.quantity import DAY_MICROS, MICROS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from mqk.backtest.trades import Closing, Trading
    from mqk.market import Calendar
    from mqk.portfolio import Entry

YEAR: Final = (365 * 24 + 6) * 3_600 * MICROS
SESSIONS: Final = 252
# Returns are kept to 18 decimals, rounded down.
_RETURN: Final = 10**18
# Below a hundredth of a basis point a session, what looks like volatility is the rounding of equity to micros.
_FLOOR: Final = Fraction(1, 10**6) ** 2
_SPAN: Final = 5
# Below it, differences of two amounts fit in 64 bits.
_BOUND: Final = 2**62


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run shows. Ratios are fractions (1/20 is 5 %) of nine decimals, None where they have no meaning.

    Returns are from the last point of a session to that of the next, the capital before the first. No risk-free rate
    is taken off.

    - `total_return`: final equity over capital, less one.
    - `cagr`: (final / capital) to the power of one over the years from the first point to the last, less one.
    - `max_drawdown`: the deepest fall below the highest equity until then, over that; at every point, not by session.
    - `drawdown_days`: the longest time from a highest equity until it was reached again, or until the end, in days of
      24 hours, rounded up.
    - `volatility`: sample deviation of returns, times the root of 252.
    - `sharpe`: mean of returns over their sample deviation, times the root of 252.
    - `sortino`: mean of returns over the root of the mean square of those below zero, times the root of 252.
    - `calmar`: `cagr` over `max_drawdown`.
    - `profit_factor`: what closing orders gained over what others lost and all fees; none without a losing order.
    - `exposure`: the part of sessions that ended with a position.
    - `turnover`: the value of all fills, a year, over the mean equity at the ends of sessions.
    - `worst_5_days`: the worst return over at most five sessions; zero when none lost.
    - `profitable_months`: the part of whole months that gained. A month is whole when the run has its first session and
      its last; `whole_months` counts those, `partial_months` the others, which say nothing.
    - `trades`: orders that closed shares; `days`: sessions with a point; `fills`: fills booked.
    """

    total_return: Fraction | None
    cagr: Fraction | None
    max_drawdown: Fraction
    drawdown_days: int
    sharpe: Fraction | None
    sortino: Fraction | None
    calmar: Fraction | None
    profit_factor: Fraction | None
    profitable_months: Fraction | None
    whole_months: int
    partial_months: int
    volatility: Fraction | None
    exposure: Fraction | None
    turnover: Fraction | None
    worst_5_days: Fraction
    trades: int
    days: int
    fills: int


def measure(capital: int, curve: Sequence[tuple[int, int]], entries: Iterable[Entry], calendar: Calendar) -> Figures:
    """Measure a run of some `capital` in micros: its curve of (instant, equity), its entries in the order of booking.

    Raises as `measure_columns` does.
    """
    return measure_columns(capital, [at for at, _ in curve], [equity for _, equity in curve], entries, calendar)


def measure_columns(
    capital: int, ends: Sequence[int], equities: Sequence[int], entries: Iterable[Entry], calendar: Calendar
) -> Figures:
    """The same of a curve in columns: instants, and equity at each.

    The capital counts as the point before the first, so that what the first bar cost is not hidden. Raises
    ValueError for a curve that runs backwards, CalendarError for a point outside the calendar.
    """
    import numpy as np  # noqa: PLC0415 - heavy

    instants = np.asarray(ends, np.int64)
    if (instants[1:] < instants[:-1]).any():
        raise ValueError("the equity curve runs backwards in time")
    sessions = _sessions(ends, equities, calendar)
    closes = [capital, *(equity for _, equity in sessions.values())]
    elapsed = ends[-1] - ends[0] if ends else 0
    yearly = _cagr(closes, elapsed)
    deepest, longest = _drawdown(capital, instants, equities)
    fallen = up(deepest)
    mean_squared, variance, downside = _moments(_returns(closes))
    trades = trading(entries)
    months = _months(capital, sessions, calendar)
    whole = [later > earlier for earlier, later in months if earlier is not None]
    return Figures(
        total_return=down(Fraction(closes[-1], capital) - 1) if capital > 0 else None,
        cagr=yearly,
        max_drawdown=fallen,
        drawdown_days=-(-longest // DAY_MICROS),
        sharpe=_over(mean_squared, variance),
        sortino=_over(mean_squared, downside),
        calmar=down(yearly / fallen) if yearly is not None and fallen else None,
        profit_factor=_profit_factor(trades.closings, trades.fees),
        profitable_months=Fraction(sum(whole), len(whole)) if whole else None,
        whole_months=len(whole),
        partial_months=len(months) - len(whole),
        volatility=None if variance is None else root_up(variance * SESSIONS),
        exposure=_exposure(sessions, trades),
        turnover=_turnover(closes[1:], trades.traded, elapsed),
        worst_5_days=_worst(closes),
        trades=len(trades.closings),
        days=len(sessions),
        fills=trades.fills,
    )


def _sessions(ends: Sequence[int], equities: Sequence[int], calendar: Calendar) -> dict[date, tuple[int, int]]:
    """The last point of every session. The calendar is asked once a session, not at every point."""
    found: dict[date, tuple[int, int]] = {}
    place = 0
    while place < len(ends):
        day = calendar.session_of(ends[place])
        try:
            until = calendar.session_open(calendar.next_session(day))
        except CalendarError:
            # The calendar ends with this session: each point is asked about.
            until = ends[place]
        place = bisect_right(ends, until, lo=place)
        found[day] = ends[place - 1], equities[place - 1]
    return found


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


def _drawdown(capital: int, instants: Any, equities: Sequence[int]) -> tuple[Fraction, int]:
    """The deepest fall from the highest equity until then, above 1 when equity falls below zero; the longest one."""
    import numpy as np  # noqa: PLC0415 - heavy

    if not equities:
        return Fraction(0), 0
    # Differences fit in 64 bits, or the numbers are kept as they are: slowly, and never wrong.
    highest, lowest = max(equities), min(equities)
    kind = np.int64 if max(capital, highest, -lowest) < _BOUND else object
    levels = np.concatenate((np.array([capital], kind), np.array(equities, kind)))
    peaks = np.maximum.accumulate(levels)
    # Where equity was as high as ever: of two that are equally high the later one is the peak.
    highs = np.flatnonzero(levels[1:] >= peaks[:-1])
    begins = np.concatenate(([0], highs + 1))
    deepest = Fraction(0)
    for fall, peak in zip(np.maximum.reduceat(peaks - levels, begins).tolist(), peaks[begins].tolist(), strict=True):
        if peak > 0 and fall * deepest.denominator > deepest.numerator * peak:
            deepest = Fraction(fall, peak)
    # From each peak to the next, or to the end; where nothing lies between the two, nothing fell.
    marks = np.concatenate(([-1], highs, [len(equities)]))
    at = np.concatenate((instants[:1], instants[highs], instants[-1:]))
    fell = np.diff(marks) > 1
    return deepest, int(np.diff(at)[fell].max(initial=0))


def _worst(closes: Sequence[int]) -> Fraction:
    """The worst return over at most five sessions; zero when none lost."""
    worst = Fraction(0)
    for start, before in enumerate(closes):
        if before > 0:
            lowest = min(closes[start : start + _SPAN + 1])
            worst = min(worst, Fraction(lowest, before) - 1)
    return down(worst)


def _profit_factor(closings: Sequence[Closing], fees: int) -> Fraction | None:
    """Profits over losses and all fees; None without a losing order, which would make it say anything."""
    losses = -sum(closing.result for closing in closings if closing.result < 0)
    if not losses:
        return None
    return down(Fraction(sum(closing.result for closing in closings if closing.result > 0), losses + fees))


def _months(capital: int, sessions: dict[date, tuple[int, int]], calendar: Calendar) -> list[tuple[int | None, int]]:
    """Equity before and after each month; before is None for a month that is not there from first to last session."""
    before = capital
    months: dict[tuple[int, int], list[date]] = {}
    for day in sessions:
        months.setdefault((day.year, day.month), []).append(day)
    found: list[tuple[int | None, int]] = []
    for days in months.values():
        after = sessions[days[-1]][1]
        ends = calendar.next_session(days[-1]).month != days[-1].month
        whole = ends and calendar.sessions_between(days[0].replace(day=1), days[0]) == (days[0],)
        found.append((before if whole else None, after))
        before = after
    return found


def _exposure(sessions: dict[date, tuple[int, int]], trades: Trading) -> Fraction | None:
    """The part of sessions that ended with a position."""
    exposed, held, place = 0, False, 0
    for at, _ in sessions.values():
        while place < len(trades.holding) and trades.holding[place][0] <= at:
            held = trades.holding[place][1]
            place += 1
        exposed += held
    return up(Fraction(exposed, len(sessions))) if sessions else None


def _turnover(closes: Sequence[int], traded: int, elapsed: int) -> Fraction | None:
    """Value traded a year over the mean equity."""
    equity = sum(closes)
    if elapsed <= 0 or equity <= 0:
        return None
    return up(Fraction(traded * YEAR * len(closes), elapsed * equity))
