"""C-21 to C-23, defects of day trading: windows of business days, a rule of two conditions, trades found in fills.

A window was a difference of numbers that look like dates; accounts far above the minimum were blocked; what a day trade
is was left to the caller. Here a window is counted in sessions of the exchange, and the engine finds day trades itself:
each change from opening to closing within a session is one. The acceptance cases PDT are in test_cases_day_trading.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Final

import pytest

from mqk.engine import BarArrived, Refused, SessionPlanned
from mqk.guards import GuardSet, compile_bundle
from mqk.market import calendar_of
from mqk.policy import Span, Text
from mqk.quantity import Money
from tests.engine.worlds import MINUTE, USD, Desk, bar, guards, of, submits

XNYS: Final = calendar_of("XNYS")
# The pattern-day-trader rule as FINRA wrote it: the count and the share of all trades, and a minimum that lifts it.
PATTERN: Final = (
    "account.day_start_equity >= 25_000 USD"
    " or count(day_trades within 5 business_days) + 1 < 4"
    " or count(day_trades within 5 business_days) + 1 <= 6% of (count(trades within 5 business_days) + 1)"
)


@cache
def pattern(capital: int = 10_000) -> GuardSet:
    """An engine with so much capital and with the rule alone."""
    bundle = guards().bundle
    like = next(rule for rule in bundle.rules if rule.at == "order")
    rule = replace(like, id="PDT-01", require=Text(PATTERN, Span.nowhere("test")), when=None, exits_included=False)
    lives = {"order": bundle.lifecycles["order"]}
    content = replace(bundle, limits={}, rules=(rule,), lifecycles=lives, lets={}, tables={})
    return compile_bundle(replace(content, capital=Money(capital * USD)))


class Days:
    """A desk over several sessions, at a price that never moves."""

    def __init__(self, set_: GuardSet | None = None) -> None:
        self.desk = Desk(set_ or pattern())
        self.minute = 0

    def begin(self, day: date) -> None:
        """A new session, with its first bar."""
        self.day, self.minute = day, 0
        self.desk.tell(SessionPlanned(XNYS.plan(day)))
        self.bar()

    def bar(self) -> None:
        self.minute += 1
        end = XNYS.session_open(self.day) + self.minute * MINUTE
        self.desk.effects += self.desk.tell(BarArrived(bar("SPY", 1, 100 * USD, end=end), 0, self.day.toordinal(), end))

    def trade(self, target: int, parts: int = 1) -> bool:
        """Come to hold so many shares, each order in so many fills; whether it was let."""
        self.desk.wishes, before = {"SPY": target}, len(self.desk.effects)
        self.bar()
        self.desk.wishes = {}
        effects = self.desk.effects[before:]
        for order in submits(effects):
            left = order.qty
            for part in range(min(parts, left), 0, -1):
                qty = left if part == 1 else left // part
                self.desk.fill(order, 100 * USD, qty, name=str(part))
                left -= qty
        return not of(Refused, effects)

    def round_trips(self, count: int) -> None:
        """So many day trades."""
        for _ in range(count):
            self.trade(10)
            self.trade(0)

    def count(self, stream: str = "day_trades", days: int = 5) -> int:
        return int(vars(self.desk.state.windows.view)[f"{stream}_{days}_business_days"])


def test_c21_a_window_knows_months_and_weekends() -> None:
    desk = Days()
    for day in (25, 26, 27):
        desk.begin(date(2026, 2, day))
        desk.round_trips(1)
    counts = []
    for day in (2, 3, 4, 5, 6):
        desk.begin(date(2026, 3, day))
        counts.append(desk.count())
    assert counts == [3, 3, 2, 1, 0]


def test_c21_a_holiday_is_no_business_day() -> None:
    """Three day trades on Tuesday the 10th still count on Tuesday the 17th, for Monday was Presidents' Day."""
    desk = Days()
    desk.begin(date(2026, 2, 10))
    desk.round_trips(3)
    desk.begin(date(2026, 2, 17))
    assert desk.count() == 3
    assert not desk.trade(10)
    desk.begin(date(2026, 2, 18))
    assert desk.count() == 0
    assert desk.trade(10)


@pytest.mark.parametrize(("capital", "allowed"), [(10_000, False), (24_999, False), (25_000, True), (1_000_000, True)])
def test_c22_an_account_above_the_minimum_is_not_held_back(capital: int, allowed: bool) -> None:
    desk = Days(pattern(capital))
    desk.begin(date(2026, 2, 10))
    desk.round_trips(3)
    assert desk.trade(10) is allowed


@pytest.mark.parametrize(("busy", "allowed"), [(True, True), (False, False)])
def test_c22_few_day_trades_among_many_trades_are_no_pattern(busy: bool, allowed: bool) -> None:
    """A fourth day trade is one of 87 trades, and less than 6 percent of them; or one of a handful."""
    desk = Days()
    for day, targets in ((9, range(1, 21)), (10, range(19, -1, -1)), (11, range(1, 21)), (12, range(19, -1, -1))):
        desk.begin(date(2026, 2, day))
        for target in targets if busy else ():
            assert desk.trade(target)
    desk.begin(date(2026, 2, 13))
    desk.round_trips(3)
    assert (desk.count(), desk.count("trades")) == (3, 86 if busy else 6)
    assert desk.trade(10) is allowed


def test_c22_an_exit_is_never_held_back_whatever_it_completes() -> None:
    desk = Days()
    desk.begin(date(2026, 2, 10))
    desk.round_trips(2)
    assert desk.trade(10)
    assert desk.trade(5)
    assert desk.count() == 3
    assert not desk.trade(15)
    assert desk.trade(0)


@pytest.mark.parametrize(
    ("overnight", "targets", "count"),
    [
        pytest.param(0, [5, 10, 0], 1, id="bought twice and sold once"),
        pytest.param(0, [10, 0, 10, 0], 2, id="bought, sold, bought, sold"),
        pytest.param(10, [0], 0, id="an overnight position sold"),
        pytest.param(10, [0, 10], 0, id="an overnight position sold first, then bought"),
        pytest.param(10, [0, 10, 0], 1, id="and sold again"),
        pytest.param(5, [10, 5], 1, id="added to and reduced"),
        pytest.param(5, [10, 5, 0], 1, id="added to and sold in two"),
        pytest.param(0, [10, 5, 0], 1, id="bought once and sold twice"),
        pytest.param(0, [-10, 0], 1, id="sold short and bought"),
        pytest.param(-10, [0], 0, id="an overnight short bought"),
        pytest.param(-10, [0, -10, 0], 1, id="an overnight short bought, sold short, bought"),
        pytest.param(0, [10, -10, 0], 2, id="through zero and back"),
        pytest.param(0, [10], 0, id="only bought"),
    ],
)
@pytest.mark.parametrize("parts", [1, 3])
def test_c23_day_trades_are_found_in_the_fills_however_they_come(
    overnight: int, targets: Sequence[int], count: int, parts: int
) -> None:
    desk = Days(pattern(1_000_000))
    desk.begin(date(2026, 2, 10))
    desk.trade(overnight)
    desk.begin(date(2026, 2, 11))
    for target in targets:
        desk.trade(target, parts)
    assert desk.count() == count
