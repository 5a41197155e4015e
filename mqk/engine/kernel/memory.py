"""The memory that one run of the kernel works on: made before the first bar, made larger when orders need more room.

What lives here: tables and their sizes. What does not: what the places mean (places.py).
"""

from __future__ import annotations

import mmap
from array import array
from ctypes import Array, addressof, c_int64, memmove
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Final

from mqk.engine.kernel import places as p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqk.engine.kernel.compiled import Kernel
    from mqk.market import SessionPlan

# A large page, in bytes, where there are any.
_LARGE: Final = 2 << 20
_HELD: Final = 8
"""How many symbols are held or at work, on average, as an order is judged, before more room is needed."""
_FEW: Final = 2**20
"""What the parts of a cost model keep to, so that prices times them stay within 64 bits."""


def mapped(count: int) -> mmap.mmap:
    """Room for so many numbers, all zero: mapped, not filled, as most of it may never be touched.

    In large pages where the system has them, or asking for each small one costs more than playing what it holds.
    """
    room = mmap.mmap(-1, -(-8 * max(count, 1) // _LARGE) * _LARGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        room.madvise(mmap.MADV_HUGEPAGE)
    return room


@dataclass(slots=True)
class Memory:
    """The block of numbers of one run, and what is needed to make it again with more room."""

    block: Array[c_int64]
    rows_most: int

    @classmethod
    def of(
        cls,
        kernel: Kernel,
        symbols: Sequence[str],
        days: array[int],
        rows_most: int,
        *,
        keeps: bool = False,
    ) -> Memory:
        """The memory of a run that has not begun; one that `keeps` the moment in which each order is judged, or not.

        `days` are its sessions, as `days_of` has them.
        """
        windows = kernel.guards.windows
        alike = 1 << (2 * rows_most).bit_length()
        moment = p.MOMENT_ENGINE + p.MOMENT_LINE + 2 + len(windows)
        held_most = _HELD * rows_most if keeps else 0
        sizes = (
            (p.AT_LINES, p.LINE * len(symbols)),
            (p.AT_SESSIONS, len(days)),
            (p.AT_WINDOWS, p.WINDOW * len(windows)),
            (p.AT_LOGS, p.EVENT * len(p.STREAMS) * rows_most),
            (p.AT_ROWS, p.ROW * rows_most),
            (p.AT_ALIKE, p.ALIKE * alike),
            (p.AT_ACTIVE, p.ACTIVE_MOST),
            (p.AT_FILLS, 2 * p.ACTIVE_MOST),
            (p.AT_MOMENTS, moment * rows_most if keeps else 0),
            (p.AT_HELD, p.HOLDING * held_most),
            (p.AT_BUSY, len(symbols)),
            (p.AT_GROUP, 4 * len(symbols)),
            (p.AT_STREAMS, (len(windows) + 1) * len(p.STREAMS)),
        )
        length = p.SCALARS + sum(size for _, size in sizes)
        block = (c_int64 * length).from_buffer(mapped(length))
        at = p.SCALARS
        for place, size in sizes:
            block[place] = at
            at += size
        memory = cls(block, rows_most)
        memory._begin(kernel, len(symbols), alike)
        block[p.KEEPS], block[p.MOMENT], block[p.HELD_MOST] = keeps, moment, held_most
        for number, symbol in enumerate(symbols):
            line = block[p.AT_LINES] + number * p.LINE
            block[line + p.WORD] = kernel.layout.word(symbol)
            block[line + p.CLOSED_AT] = block[line + p.BAR_SESSION] = -1
            block[line + p.CEILING] = p.PRICE_MOST
        memmove(addressof(block) + 8 * block[p.AT_SESSIONS], days.buffer_info()[0], 8 * len(days))
        for number, spec in enumerate(windows):
            first = block[p.AT_WINDOWS] + number * p.WINDOW
            micros = -1 if spec.micros is None else spec.micros
            shown = 2 * kernel.layout.windows[spec.slot]
            of = [p.STREAMS.index(spec.stream), micros, spec.sessions or 0, spec.unit == "business_days", spec.total]
            block[first : first + p.WINDOW] = [*map(int, of), 0, 0, shown]
            theirs = block[p.AT_STREAMS] + of[0] * (len(windows) + 1)
            block[theirs] += 1
            block[theirs + block[theirs]] = first
        return memory

    def _begin(self, kernel: Kernel, symbols: int, alike: int) -> None:
        """What the engine remembers before the first bar."""
        block, bundle = self.block, kernel.guards.bundle
        capital = bundle.capital.micros
        execution = bundle.execution
        base = (execution.spread.value + execution.slippage.value) * p.BPS
        cap, volatility = execution.cap.value * p.BPS, execution.volatility.value
        unit = lcm(base.denominator, cap.denominator)
        values = {
            p.SESSION: -1,
            p.EQUITY: capital,
            p.CASH: capital,
            p.PEAK: capital,
            p.DAY_START: capital,
            p.NEXT: p.NEVER,
            p.COMMISSION: execution.commission_per_order.micros,
            p.BASE: int(base * unit),
            p.CAP: int(cap * unit),
            p.UNIT: unit,
            p.VOLATILITY_TOP: p.BPS * volatility.numerator,
            p.VOLATILITY_BOTTOM: volatility.denominator,
            p.BORROWS: bool(execution.borrow.value),
            p.LATENCY: execution.latency_bars.submit,
            p.SYMBOLS: symbols,
            p.ROWS_MOST: self.rows_most,
            p.LOG_MOST: self.rows_most,
            p.WINDOWS: len(kernel.guards.windows),
            p.ALIKE_MASK: alike - 1,
        }
        for place, value in values.items():
            block[place] = value


def days_of(plans: Sequence[SessionPlan]) -> array[int]:
    """Sessions as the kernel has them: the places of `p.PLAN`, one after the other."""
    days = array("q")
    for plan in plans:
        changes, after = plan.zones[1] if len(plan.zones) > 1 else (p.NEVER, 0)
        days.extend((plan.opens, plan.closes, plan.day, plan.place, plan.business_day))
        days.extend((plan.zones[0][1], changes, after))
    return days


def too_fine(spread: Fraction, slippage: Fraction, volatility: Fraction, cap: Fraction, commission: int) -> bool:
    """Whether a cost model's numbers are larger than native code is made for."""
    base, most = (spread + slippage) * p.BPS, cap * p.BPS
    unit = lcm(base.denominator, most.denominator)
    whole = (unit * p.BPS, p.BPS * volatility.numerator, volatility.denominator)
    return max(*whole, int(base * unit), int(most * unit)) > _FEW or commission > p.MONEY_MOST
