"""How bars fill the paper broker's orders: every type, what a fill takes off others, days, and what comes late."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from mqk.brokers.paper_matching import Resting, Told, played
from mqk.market import Bar
from mqk.orders import CostModel
from mqk.quantity import DAY_MICROS

USD = 1_000_000
# Ten basis points against the trader on whatever is not a limit.
COSTS = CostModel(10, 0, Fraction(0), 10)


def resting(number: int, **asked: object) -> Resting:
    row = {
        "number": number, "client_order_id": f"MAIN_r_{number}", "symbol": "SPY", "side": "SELL", "qty": 10,
        "type": "MARKET", "limit_price": None, "stop_price": None, "status": "ACCEPTED", "filled": 0, "tif": "GTC",
        "parent_id": "", "leg": None, "reduced": 0, "set_off": False, "met_day": None, "worst": None, "due": 1,
        "cancel_due": None, "change_due": None, "new_qty": None, "new_limit": None, "new_stop": None,
    }  # fmt: skip
    return Resting(SimpleNamespace(**{**row, **asked}))


def shown(
    book: list[Resting], open_: int, high: int, low: int, close: int, *, bars: int = 1, day: int = 9
) -> list[Told]:
    bar = Bar("SPY", day * DAY_MICROS + 60 * USD, open_ * USD, high * USD, low * USD, close * USD, 100, True, "1m")
    return list(played(book, bar, day * DAY_MICROS, bars, COSTS))


@pytest.mark.parametrize(
    ("asked", "bar", "price"),
    [
        ({"type": "STOP", "stop_price": 95 * USD}, (100, 101, 94, 96), 94_905_000),
        ({"type": "STOP", "stop_price": 95 * USD}, (90, 92, 89, 91), 89_910_000),
        ({"type": "STOP", "stop_price": 95 * USD}, (100, 101, 96, 97), None),
        ({"type": "LIMIT", "limit_price": 105 * USD}, (100, 106, 99, 100), 105 * USD),
        ({"type": "LIMIT", "limit_price": 105 * USD}, (108, 109, 107, 108), 105 * USD),
        ({"type": "LIMIT", "limit_price": 105 * USD}, (100, 105, 99, 100), None),
        ({"type": "STOP_LIMIT", "stop_price": 95 * USD, "limit_price": 94 * USD}, (100, 101, 93, 95), 94 * USD),
        ({"type": "STOP_LIMIT", "stop_price": 95 * USD, "limit_price": 94 * USD}, (90, 92, 89, 91), None),
    ],
)
def test_each_type_fills_at_the_worst_that_the_bar_can_mean(
    asked: dict[str, object], bar: tuple[int, int, int, int], price: int | None
) -> None:
    told = shown([resting(1, **asked)], *bar)
    assert [(each.what, each.price) for each in told] == ([] if price is None else [("filled", price)])


def test_where_a_bar_touches_a_stop_and_a_target_it_has_touched_the_stop() -> None:
    target = resting(1, type="LIMIT", limit_price=105 * USD, parent_id="p", leg="TARGET")
    stop = resting(2, type="STOP", stop_price=95 * USD, parent_id="p", leg="STOP")
    told = shown([target, stop], 100, 110, 90, 100)
    assert [(each.what, each.number) for each in told] == [("filled", 2), ("cancelled", 1)]


def test_an_exit_takes_its_shares_off_the_stop() -> None:
    stop = resting(1, type="STOP", stop_price=95 * USD, parent_id="p", leg="STOP")
    out = resting(2, qty=4, parent_id="p", leg="EXIT")
    assert [each.number for each in shown([stop, out], 100, 101, 99, 100)] == [2]
    assert (stop.order.leaves, stop.changed) == (6, True)
    (told,) = shown([stop], 90, 90, 90, 90, bars=2)
    assert (told.number, told.qty) == (1, 6)


def test_without_linking_a_bar_fills_both_of_one_position() -> None:
    stop = resting(1, type="STOP", stop_price=95 * USD, parent_id="p", leg="STOP")
    out = resting(2, parent_id="p", leg="EXIT")
    bar = Bar("SPY", 60 * USD, 100 * USD, 100 * USD, 90 * USD, 90 * USD, 100, True, "1m")
    told = list(played([stop, out], bar, 0, 1, COSTS, linked=False))
    assert [(each.number, each.qty, each.taken_off) for each in told] == [(2, 10, ()), (1, 10, ())]


def test_an_order_of_the_day_meets_no_other_day() -> None:
    limit = resting(1, type="LIMIT", limit_price=105 * USD, tif="DAY")
    assert shown([limit], 100, 101, 99, 100) == []
    assert limit.met_day == 9
    assert [each.what for each in shown([limit], 110, 111, 109, 110, bars=2, day=10)] == ["expired"]


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
def test_what_may_not_wait_is_gone_after_its_first_open(tif: str) -> None:
    assert [
        each.what for each in shown([resting(1, type="LIMIT", limit_price=105 * USD, tif=tif)], 100, 110, 99, 100)
    ] == ["expired"]
    assert [
        each.what for each in shown([resting(1, type="LIMIT", limit_price=95 * USD, tif=tif)], 100, 110, 99, 100)
    ] == ["filled"]


def test_a_change_that_is_on_its_way_counts_after_the_bar() -> None:
    stop = resting(1, type="STOP", stop_price=90 * USD, change_due=1, new_qty=12, new_limit=None, new_stop=95 * USD)
    assert [each.what for each in shown([stop], 100, 101, 93, 94)] == ["changed"]
    (told,) = shown([stop], 100, 101, 93, 94, bars=2)
    assert (told.what, told.qty, told.mark) == ("filled", 12, 95 * USD)


def test_an_order_that_comes_late_never_does_better_than_it_could_have() -> None:
    late = resting(1, due=2)
    assert shown([late], 90, 90, 90, 90) == []
    (told,) = shown([late], 100, 100, 100, 100, bars=2)
    assert told.price == 89_910_000
