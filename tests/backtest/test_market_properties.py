"""What holds of every sequence of orders: dearer or later is never better, nothing beats the worst, volume is kept.

For one fixed sequence of orders, with ids, and one series of bars:

- Dearer costs (spread, slippage, volatility, cap, and every part of the fees) never raise final equity: for orders of
  every type, with changes and cancels, under any latency, any volume limit and any faults. What fills, how much and
  when never depends on costs, so that costs only move prices against the trader.
- More submit latency never raises final equity: for market and stop orders that stay until they fill (GTC), neither
  changed nor cancelled, without faults, under any volume limit, when the bars go on until all of them have filled. Late
  or left over, an order pays the worst of what it could have had. A limit order that comes late may miss its price, and
  missing a trade may be luck; an order that never fills is no worse for being late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mqk.market import Bar
from mqk.orders import CostModel, FeeModel, Order, OrderType, Side, TimeInForce
from mqk.policy import LatencyBars
from mqk.venue import FillRules
from tests.backtest.floor import Floor, bar, equity

CENT = 10_000
prices = st.integers(9_000, 11_000).map(lambda cents: cents * CENT)
volumes = st.integers(0, 60)


@st.composite
def series(draw: st.DrawFn, most: int = 8) -> list[Bar]:
    """Some bars of one symbol."""
    found = []
    for number in range(1, draw(st.integers(2, most)) + 1):
        four = draw(st.lists(prices, min_size=4, max_size=4))
        found.append(bar(number, four[0], max(four), min(four), four[1], draw(volumes)))
    return found


@dataclass(frozen=True)
class Sent:
    """An order, the bar after which it is sent, and those after which it is cancelled or moved, if at all."""

    order: Order
    after: int
    cancelled: int | None = None
    moved: tuple[int, Order] | None = None


@st.composite
def sendings(draw: st.DrawFn, kinds: Sequence[OrderType], tifs: Sequence[TimeInForce], last: int = 6) -> list[Sent]:
    """Orders in the order in which they are sent."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(kinds))
        after = draw(st.integers(0, last))
        made = Order(
            f"o{number}",
            "SPY",
            draw(st.sampled_from(Side)),
            draw(st.integers(1, 30)),
            kind,
            draw(prices) if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
            draw(prices) if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
            tif=draw(st.sampled_from(tifs)),
        )
        moved = None
        if kind is OrderType.LIMIT and draw(st.booleans()):
            moved = (after + 1, replace(made, limit_price=draw(prices)))
        cancelled = draw(st.one_of(st.none(), st.integers(after, after + 3)))
        found.append(Sent(made, after, cancelled, moved))
    return sorted(found, key=lambda each: each.after)


everything = sendings(list(OrderType), list(TimeInForce))
plain = sendings([OrderType.MARKET, OrderType.STOP], [TimeInForce.GTC])
parts = st.one_of(st.none(), st.fractions(Fraction(1, 20), 1, max_denominator=20))
chances = st.fractions(0, 1, max_denominator=4)
rulings = st.builds(FillRules, st.booleans(), st.booleans(), parts, st.integers(0, 9), chances, chances)
latencies = st.builds(LatencyBars, st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
bps = st.fractions(0, 300, max_denominator=4)
# Spread, slippage, volatility, cap; then per order, per share, rate, minimum.
costings = st.tuples(
    bps, bps, st.fractions(0, 2, max_denominator=4), bps,
    st.integers(0, 10**6), st.integers(0, 10**4), st.fractions(0, Fraction(1, 50), max_denominator=1000),
    st.integers(0, 10**6),
)  # fmt: skip


def model(costs: Sequence[int | Fraction]) -> CostModel:
    spread, slippage, volatility, cap, per_order, per_share, rate, minimum = costs
    return CostModel(
        spread, slippage, volatility, cap, fees=FeeModel(int(per_order), int(per_share), rate, int(minimum))
    )


def play(bars: Sequence[Bar], sent: Sequence[Sent], costs: CostModel, latency: LatencyBars, rules: FillRules) -> Floor:
    """A run of a market: what is to happen after each bar happens there, before the first bar at 0."""
    floor = Floor(costs, latency, rules)
    for now in range(len(bars) + 1):
        if now:
            floor.show(bars[now - 1])
        for each in sent:
            if each.after == now:
                floor.send(each.order, at=now * 10)
            if each.moved is not None and each.moved[0] == now:
                floor.change(each.moved[1], now * 10)
            if each.cancelled == now:
                floor.cancel(each.order.client_order_id, now * 10)
    return floor


@settings(max_examples=60)
@given(series(), everything, costings, st.integers(0, 7), st.integers(1, 10**6), latencies, rulings)
def test_dearer_costs_never_raise_the_final_equity(
    bars: list[Bar],
    sent: list[Sent],
    costs: tuple[int | Fraction, ...],
    which: int,
    more: int,
    latency: LatencyBars,
    rules: FillRules,
) -> None:
    # Basis points and ratios rise by up to a hundredth of themselves' unit, amounts in micros by up to a dollar.
    scale = {0: 10_000, 1: 10_000, 2: 10**6, 3: 10_000, 6: 10**8}.get(which)
    step = more if scale is None else Fraction(more, scale)
    dear = tuple(value + step if index == which else value for index, value in enumerate(costs))
    one, other = (play(bars, sent, model(each), latency, rules) for each in (costs, dear))
    assert [(each.fill_id, each.qty, each.at) for each in one.fills] == [
        (each.fill_id, each.qty, each.at) for each in other.fills
    ], "what fills does not depend on costs"
    assert equity(other.fills, bars[-1].close) <= equity(one.fills, bars[-1].close)


@settings(max_examples=60)
@given(series(12), plain, costings, st.integers(0, 2), st.integers(1, 3), parts)
def test_later_orders_never_raise_the_final_equity(
    bars: list[Bar],
    sent: list[Sent],
    costs: tuple[int | Fraction, ...],
    latency: int,
    more: int,
    participation: Fraction | None,
) -> None:
    rules = FillRules(participation=participation)
    calm = [replace(each, cancelled=None) for each in sent]
    one, other = (play(bars, calm, model(costs), LatencyBars(late, 0, 0), rules) for late in (latency, latency + more))
    assume(not other.market.busy)
    assert equity(other.fills, bars[-1].close) <= equity(one.fills, bars[-1].close)


@settings(max_examples=40)
@given(series(), everything, costings, latencies, rulings)
def test_no_fill_is_better_than_the_worst_that_a_bar_can_mean(
    bars: list[Bar], sent: list[Sent], costs: tuple[int | Fraction, ...], latency: LatencyBars, rules: FillRules
) -> None:
    """A market order pays its bar's open, or worse; a stop no less than its own price; a limit exactly itself."""
    floor = play(bars, sent, model(costs), latency, rules)
    asked = {each.order.client_order_id: each.order for each in sent}
    moved = {each.order.client_order_id: each.moved[1].limit_price for each in sent if each.moved is not None}
    by_start = {each.end - 9: each for each in bars}
    for fill in floor.fills:
        order = asked[fill.order_id]
        sign = order.side.sign
        if order.limit_price is not None:
            assert fill.price in {order.limit_price, moved.get(fill.order_id)}
            continue
        if fill.at in by_start:
            assert fill.price * sign >= by_start[fill.at].open * sign
        if order.stop_price is not None:
            assert fill.price * sign >= order.stop_price * sign
    for name, order in asked.items():
        assert sum(fill.qty for fill in floor.fills if fill.order_id == name) <= order.qty


@settings(max_examples=40)
@given(series(), everything, latencies, rulings)
def test_never_more_than_our_part_of_a_bars_volume(
    bars: list[Bar], sent: list[Sent], latency: LatencyBars, rules: FillRules
) -> None:
    floor = play(bars, sent, CostModel(0, 0, 0, 0), latency, rules)
    for each in bars:
        traded = sum(fill.qty for fill in floor.fills if fill.at in {each.end - 9, each.end})
        room = rules.room(each.volume)
        assert room is None or traded <= room
