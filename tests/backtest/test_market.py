"""What the simulated market makes of every type of order: filled at the worst that a bar can mean, and told why not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from mqk.engine import Cancelled, CancelRejected, Expired, Filled, Rejected, Replaced, ReplaceRejected
from mqk.orders import CostModel, FeeModel, Leg, Side, TimeInForce
from mqk.policy import LatencyBars
from mqk.venue import FillRules
from tests.backtest.floor import Floor, dollars, order
from tests.engine.worlds import USD

BUY, SELL = Side.BUY, Side.SELL
CALM = dollars(1, 100, 101, 99, 100)


@pytest.mark.parametrize(
    ("side", "stop", "bars", "price"),
    [
        (SELL, 95, [dollars(1, 100, 101, 94, 96)], 95),
        (SELL, 95, [dollars(1, 90, 92, 89, 91)], 90),
        (SELL, 95, [dollars(1, 95, 96, 95, 96)], 95),
        (BUY, 105, [dollars(1, 100, 106, 99, 101)], 105),
        (BUY, 105, [dollars(1, 110, 111, 108, 109)], 110),
        (SELL, 95, [CALM, dollars(2, 99, 99, 80, 85)], 95),
    ],
)
def test_a_stop_fills_at_its_price_and_where_the_open_has_gone_through_it_at_the_open(
    side: Side, stop: float, bars: list, price: float
) -> None:
    floor = Floor()
    floor.send(order("a", side, 10, stop=stop))
    floor.show(*bars)
    assert floor.prices() == [price]


@pytest.mark.parametrize(
    ("side", "limit", "bar", "price"),
    [
        (BUY, 95, dollars(1, 100, 101, 94, 96), 95),
        (BUY, 95, dollars(1, 90, 96, 89, 91), 95),
        (BUY, 95, dollars(1, 100, 101, 95, 96), None),
        (BUY, 95, dollars(1, 100, 101, 96, 96), None),
        (SELL, 105, dollars(1, 100, 106, 99, 101), 105),
        (SELL, 105, dollars(1, 110, 111, 108, 109), 105),
        (SELL, 105, dollars(1, 100, 105, 99, 101), None),
    ],
)
def test_a_limit_never_improves_and_fills_only_beyond_itself(
    side: Side, limit: float, bar: object, price: float | None
) -> None:
    dear = Floor(CostModel(30, 50, 1, 10_000))
    dear.send(order("a", side, 10, limit=limit))
    dear.show(bar)  # type: ignore[arg-type] # a bar
    assert dear.prices() == ([] if price is None else [price]), "costs never lead beyond a limit"


def test_a_limit_that_is_only_touched_fills_where_the_policy_says_so() -> None:
    floor = Floor(rules=FillRules(through=False))
    floor.send(order("a", BUY, 10, limit=95))
    floor.show(dollars(1, 100, 101, 95, 96))
    assert floor.prices() == [95]


@pytest.mark.parametrize(
    ("stop", "limit", "bars", "price"),
    [
        (95, 94, [dollars(1, 100, 101, 90, 92)], 94),
        # Through both at the open: it waits until the market comes back, and then gets its limit.
        (95, 94, [dollars(1, 90, 92, 89, 91)], None),
        (95, 94, [dollars(1, 90, 92, 89, 91), dollars(2, 91, 97, 90, 96)], 94),
        (95, 94, [dollars(1, 90, 97, 89, 91)], 94),
        # Where limit and stop are one, the bar does not say whether it traded above again, unless it closes there.
        (95, 95, [dollars(1, 100, 101, 90, 92)], None),
        (95, 95, [dollars(1, 100, 101, 90, 96)], 95),
        (95, 94, [CALM], None),
    ],
)
def test_a_stop_limit_becomes_a_limit_at_its_stop(stop: float, limit: float, bars: list, price: float | None) -> None:
    floor = Floor()
    floor.send(order("a", SELL, 10, stop=stop, limit=limit))
    floor.show(*bars)
    assert floor.prices() == ([] if price is None else [price])


def bracket() -> list:
    return [
        order("p-target", SELL, 10, limit=105, leg=Leg.TARGET, parent="p"),
        order("p-stop", SELL, 10, stop=95, leg=Leg.STOP, parent="p"),
    ]


def test_a_bar_that_touches_stop_and_target_has_touched_the_stop() -> None:
    floor = Floor()
    floor.send(*bracket())
    floor.show(dollars(1, 104, 106, 94, 104), dollars(2, 104, 110, 104, 109))
    assert [(each.order_id, each.price) for each in floor.fills] == [("p-stop", 95 * USD)]
    assert not floor.market.busy, "what the stop traded is taken off the target"


def test_the_nearer_extreme_comes_first_where_the_policy_says_so() -> None:
    for open_, name in ((104, "p-target"), (96, "p-stop")):
        floor = Floor(rules=FillRules(worst_case=False))
        floor.send(*bracket())
        floor.show(dollars(1, open_, 106, 94, 100))
        assert [each.order_id for each in floor.fills] == [name]


def test_an_open_beyond_the_target_fills_it_before_the_bar_comes_to_the_stop() -> None:
    floor = Floor()
    floor.send(*bracket())
    floor.show(dollars(1, 107, 108, 90, 92))
    assert [(each.order_id, each.price) for each in floor.fills] == [("p-target", 105 * USD)]


def test_a_stop_born_of_the_open_protects_in_the_same_bar() -> None:
    floor = Floor(children={"p": bracket()})
    floor.send(order("p", BUY, 10))
    floor.show(dollars(1, 100, 110, 90, 108))
    assert [(each.order_id, each.at) for each in floor.fills] == [("p", 1), ("p-stop", 10)]


def test_what_is_born_within_a_bar_is_only_ever_hurt_by_it() -> None:
    floor = Floor(children={"p": bracket()})
    floor.send(order("p", BUY, 10, limit=98))
    floor.show(dollars(1, 100, 110, 97, 108))
    assert [each.order_id for each in floor.fills] == ["p"], "the target may have been touched before the entry"
    deep = Floor(children={"p": bracket()})
    deep.send(order("p", BUY, 10, limit=98))
    deep.show(dollars(1, 100, 110, 94, 108))
    assert [each.order_id for each in deep.fills] == ["p", "p-stop"]
    lenient = Floor(rules=FillRules(worst_case=False), children={"p": bracket()})
    lenient.send(order("p", BUY, 10, limit=98))
    lenient.show(dollars(1, 100, 110, 94, 108))
    assert [each.order_id for each in lenient.fills] == ["p"]


def test_volume_leaves_a_remainder_that_never_does_better() -> None:
    floor = Floor(rules=FillRules(participation=Fraction(1, 10)))
    floor.send(order("a", BUY, 25), order("b", BUY, 5))
    floor.show(dollars(1, 100, 100, 100, 100, 105), dollars(2, 90, 90, 90, 90, 100), dollars(3, 110, 110, 110, 110, 99))
    assert [(each.order_id, each.qty, each.price // USD) for each in floor.fills] == [
        ("a", 10, 100),
        ("a", 10, 100),
        ("a", 5, 110),
        ("b", 4, 110),
    ]
    assert [each.fill_id for each in floor.fills] == ["a-1", "a-2", "a-3", "b-1"]


@pytest.mark.parametrize(("tif", "filled"), [(TimeInForce.IOC, 10), (TimeInForce.FOK, 0)])
def test_an_order_that_may_not_wait_takes_what_there_is_or_nothing(tif: TimeInForce, filled: int) -> None:
    floor = Floor(rules=FillRules(participation=Fraction(1, 10)))
    floor.send(order("a", BUY, 25, tif=tif))
    told = floor.show(dollars(1, 100, 100, 100, 100, 100))
    assert sum(each.qty for each in floor.fills) == filled
    assert told[-1] == Expired("a", f"nothing of it may wait, as `{tif.value}` says", 1)
    assert not floor.market.busy
    enough = Floor(rules=FillRules(participation=Fraction(1, 10)))
    enough.send(order("a", BUY, 25, tif=tif))
    enough.show(dollars(1, 100, 100, 100, 100, 250))
    assert [each.qty for each in enough.fills] == [25]


def test_an_order_of_the_day_expires_with_the_session_that_it_was_at_the_market_in() -> None:
    floor = Floor()
    floor.send(order("old", BUY, 10, limit=90, tif=TimeInForce.DAY), order("kept", BUY, 10, limit=90))
    floor.show(CALM)
    # What is sent when the session has closed is for the next one.
    floor.send(order("new", BUY, 10, limit=90, tif=TimeInForce.DAY), at=10)
    assert floor.market.expire(10, 10) == [Expired("old", "its day is over", 10)]
    floor.show(dollars(2, 80, 80, 80, 80))
    assert [each.order_id for each in floor.fills] == ["kept", "new"]


def test_a_change_takes_effect_at_once_or_late_and_never_undoes_a_trade() -> None:
    floor = Floor()
    old = order("a", SELL, 10, stop=95)
    floor.send(old)
    floor.change(replace(old, stop_price=98 * USD))
    floor.show(dollars(1, 100, 101, 97, 99))
    assert floor.prices() == [98]
    floor.change(replace(old, stop_price=99 * USD), 20)
    assert floor.told[-1] == ReplaceRejected("a", "nothing of it is left to change", 20)

    late = Floor(latency=LatencyBars(0, 0, 1))
    late.send(old)
    late.change(replace(old, stop_price=98 * USD))
    assert late.show(dollars(1, 100, 101, 97, 99)) == [Replaced("a", 10, None, 98 * USD, 10)]
    late.show(dollars(2, 99, 99, 97, 98))
    assert late.prices() == [98]

    crossed = Floor(latency=LatencyBars(0, 0, 1), rules=FillRules(participation=Fraction(1, 10)))
    crossed.send(old)
    crossed.change(replace(old, qty=4))
    told = crossed.show(dollars(1, 94, 95, 93, 94, 50))
    assert [type(each) for each in told] == [Filled, ReplaceRejected]
    crossed.change(replace(old, stop_price=90 * USD))
    assert crossed.show(dollars(2, 94, 95, 93, 94, 10))[-1] == ReplaceRejected("a", "its stop has been reached", 20)


def test_a_cancel_that_is_late_loses_to_what_the_bar_trades_at() -> None:
    late = LatencyBars(0, 1, 0)
    floor = Floor(latency=late)
    floor.send(order("a", BUY, 10, limit=95), order("b", BUY, 10, limit=90))
    floor.cancel("a")
    floor.cancel("b")
    assert [type(each) for each in floor.show(dollars(1, 100, 101, 94, 99))] == [Filled, Cancelled]
    floor.cancel("a", 20)
    assert floor.told[-1] == CancelRejected("a", "nothing of it is left to cancel", 20)


def test_an_order_does_not_meet_a_bar_that_began_before_it_was_sent() -> None:
    floor = Floor()
    floor.send(order("a", BUY, 10), order("b", BUY, 10, limit=99), at=5)
    assert floor.show(dollars(1, 50, 101, 40, 99), began=0) == []
    floor.show(dollars(2, 100, 101, 98, 99), began=10)
    assert floor.prices() == [100, 99]


def test_rejects_and_parts_are_of_the_orders_id_and_the_seed_alone() -> None:
    names = [f"o{n}" for n in range(400)]
    rules = FillRules(seed=3, rejects=Fraction(1, 4), partial_fills=Fraction(1, 2))

    def outcome(names: list[str], rules: FillRules) -> dict[str, list[int]]:
        floor = Floor(rules=rules)
        floor.send(*(order(name, BUY, 100) for name in names))
        floor.show(*(dollars(n, 100, 100, 100, 100) for n in range(1, 40)))
        rejected = {each.client_order_id for each in floor.told if isinstance(each, Rejected)}
        return {
            name: [fill.qty for fill in floor.fills if fill.order_id == name] for name in names if name not in rejected
        }

    found = outcome(names, rules)
    assert found == outcome(names[::-1], rules)
    assert found != outcome(names, replace(rules, seed=4))
    assert 250 < len(found) < 350
    assert 120 < sum(len(parts) > 1 for parts in found.values()) < 240
    assert all(sum(parts) == 100 for parts in found.values())


@pytest.mark.parametrize(
    ("fees", "parts", "charged"),
    [
        (FeeModel(5), [10, 10], [5, 0]),
        (FeeModel(0, 5_000), [10, 10], [50_000, 50_000]),
        (FeeModel(0, 0, Fraction(1, 10_000)), [10, 10], [100_000, 100_000]),
        (FeeModel(0, 0, Fraction(1, 10_000), 150_000), [10, 10], [150_000, 50_000]),
        (FeeModel(0, 5_000, 0, 0, 60_000), [10, 10], [50_000, 10_000]),
    ],
)
def test_an_order_in_parts_is_charged_once(fees: FeeModel, parts: list[int], charged: list[int]) -> None:
    floor = Floor(CostModel(0, 0, 0, 0, fees=fees), rules=FillRules(participation=Fraction(1)))
    floor.send(order("a", BUY, sum(parts)))
    floor.show(*(dollars(n, 100, 100, 100, 100, qty) for n, qty in enumerate(parts, 1)))
    assert [each.fee for each in floor.fills] == charged
