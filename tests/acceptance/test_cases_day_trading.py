"""The acceptance cases PDT of the original system, and the two of risk that are about day trades.

Said otherwise here: whether a day trade is one is never the caller's word; a window is of business days; the rule binds
below 25_000 USD and never above; and nothing is flagged for ever: what has left the window is forgotten.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import pytest

from tests.acceptance.test_defects_day_trading import Days, pattern
from tests.engine.worlds import USD, Desk, guards, submits

TENTH, ELEVENTH, TWELFTH, THIRTEENTH = (date(2026, 2, day) for day in (10, 11, 12, 13))


def traded(*days: tuple[date, int], capital: int = 10_000) -> Days:
    """A desk that made so many day trades on each of these days, and is still in the last of them."""
    desk = Days(pattern(capital))
    for day, count in days:
        desk.begin(day)
        desk.round_trips(count)
    return desk


def test_rsk_05_a_day_trade_too_many_is_not_begun() -> None:
    assert not traded((TENTH, 3)).trade(10)


def test_rsk_06_what_reduces_is_allowed() -> None:
    desk = traded((TENTH, 2))
    assert desk.trade(10)
    assert desk.trade(5)
    assert desk.trade(0)


def test_pdt_01_an_engine_without_the_rule_is_not_held_to_it() -> None:
    assert not [rule for rule in guards().order.rules if "day_trades" in repr(rule.require)]
    assert submits(Desk().want({"SPY": 1}, "SPY", 1, 100 * USD))


def test_pdt_03_a_fresh_account_has_made_none() -> None:
    desk = traded((TENTH, 0))
    assert desk.count() == 0
    assert desk.trade(10)


@pytest.mark.parametrize(("capital", "allowed"), [(10_000, False), (30_000, True)])
def test_pdt_04_the_fourth_is_refused_to_a_small_account_only(capital: int, allowed: bool) -> None:
    desk = traded((TENTH, 1), (ELEVENTH, 1), (TWELFTH, 1), capital=capital)
    assert desk.count() == 3
    assert desk.trade(10) is allowed


def test_pdt_05_four_days_with_one_each_are_four() -> None:
    desk = traded((TENTH, 1), (ELEVENTH, 1), (TWELFTH, 1), (THIRTEENTH, 1), capital=30_000)
    assert desk.count() == 4


def test_pdt_08_when_they_have_left_the_window_nothing_is_held_back_any_more() -> None:
    desk = traded((TENTH, 3))
    assert not desk.trade(10)
    desk.begin(date(2026, 2, 18))
    assert desk.trade(10)


def test_pdt_10_days_apart_count_together() -> None:
    assert traded((TENTH, 1), (THIRTEENTH, 1)).count() == 2


def test_pdt_13_two_on_one_day_are_two() -> None:
    assert traded((TENTH, 2)).count() == 2


ELSEWHERE: Final[dict[str, str]] = {
    "PDT-12": "tests/acceptance/test_defects_day_trading.py::test_c21_a_window_knows_months_and_weekends",
}
ANSWERED: Final[dict[str, str]] = {
    "PDT-09": "It is C-21 itself: from Tuesday the 10th to Tuesday the 17th of February 2026 there are five business"
    " days, Monday being a holiday, so that three day trades of the first still count on the last.",
}
