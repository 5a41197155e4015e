"""The original system's acceptance cases for fills and fees, under their numbers: re-derived where a policy can say so.

The original filled at the high or the low of the very bar that gave the signal; here an order fills at the open of the
next one (C-46). A bar that opens at what was the extreme gives the same base, and from there its figures follow: those
with a flat cost to the micro, those with a part of the range a basis point dearer, because it cut fractions of one off
in the trader's favour (C-47). Its fills by themselves, without a rule of ours, are BT-03, BT-13 and BT-16.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from mqk.guards import GuardSet, compile_bundle
from mqk.market import Bar
from mqk.orders import CostModel, FeeModel, OrderType, Side, TimeInForce
from mqk.policy import Faults
from mqk.portfolio import Ledger
from mqk.quantity import Money, Ratio
from mqk.strategies import Context, Target
from mqk.venue import FillRules
from tests.backtest.floor import Floor, dollars, equity, order
from tests.backtest.worlds import Run, micros, walk
from tests.engine.worlds import USD, bar, daily, guards
from tests.policy.support import load_texts

BUY, SELL = Side.BUY, Side.SELL


def bps(number: int | str) -> Ratio:
    return Ratio(Fraction(number) / 10_000)


def costing(spread: int = 0, volatility: str = "0", per_share: int = 0, **other: object) -> GuardSet:
    """MAIN with the original's way to charge: no cap that binds, and what it called slippage as one figure."""
    bundle = guards(shadow=("CAP-01", "LOSS-01", "LOSS-03")).bundle
    execution = replace(
        bundle.execution,
        spread=bps(spread),
        slippage=bps(0),
        volatility=Ratio(Fraction(volatility)),
        cap=bps(2_000),
        commission_per_share=Money(per_share),
        **other,  # type: ignore[arg-type] # whatever a test wants to be different
    )
    return compile_bundle(replace(bundle, execution=execution))


def round_trip(bars: tuple[float, float, float, float], set_: GuardSet, qty: int) -> Run:
    """A buy at an open at the high of such a bar and a sell at an open at its low: what the original filled at."""
    high, low, close, quiet = (round(each * USD) for each in bars)
    days = daily("SPY", [quiet] * 4)
    dear = replace(days[1], open=high, high=high, low=low, close=close)
    cheap = replace(days[2], open=low, high=high, low=low, close=close)
    return Run([days[0], dear, cheap, days[3]], {0: {"SPY": qty}, 1: {"SPY": 0}}, set_=set_)


def test_bt_03_13_16_the_next_open_fills_and_nothing_of_the_bar_that_gave_the_signal() -> None:
    """BT-03 and BT-13 took the bar's own low or high, BT-16 a price within it: known only when it was over."""
    bars = daily("SPY", [500 * USD, 510 * USD, 495 * USD])
    moved = replace(bars[1], open=506 * USD, high=516 * USD, low=492 * USD, close=511 * USD)
    (fill,) = Run([bars[0], moved, bars[2]], {0: {"SPY": 10}}, set_=costing()).fills()
    assert fill.price == moved.open
    assert not bars[0].low <= fill.price <= bars[0].high
    (dear,) = Run([bars[0], moved, bars[2]], {0: {"SPY": 10}}, set_=costing(10)).fills()
    assert dear.price not in (moved.open, moved.close)


@pytest.mark.parametrize(("spread", "final"), [(0, 98_000), (200, 96_000), (100, 97_000)])
def test_bt_05_29_flat_costs_come_to_the_originals_equity(spread: int, final: int) -> None:
    run = round_trip((510, 490, 505, 505), costing(spread), 100)
    assert run.summary.final_equity_micros == final * USD


def test_bt_28_half_the_range_and_a_fee_a_share_come_to_the_originals_equity() -> None:
    run = round_trip((510, 490, 500, 500), costing(5, "1/2", 5_000), 10)
    assert [each.price for each in run.fills()] == [520_455_000, 479_955_000]
    assert run.summary.final_equity_micros == 99_594_900_000
    assert run.summary.halts == 0
    assert round_trip((510, 490, 500, 500), costing(), 10).summary.final_equity_micros == 99_800 * USD


@pytest.mark.parametrize(
    ("bars", "spread", "volatility", "original", "ours"),
    [
        ((510, 490, 505, 505), 0, "1", 94_040, 94_030),
        ((550, 450, 505, 505), 0, "1", 70_200, 70_190),
        ((510, 490, 505, 505), 100, "1/2", 95_020, 95_010),
    ],
)
def test_bt_29_c47_the_range_is_rounded_up_to_a_basis_point_and_never_down(
    bars: tuple[float, float, float, float], spread: int, volatility: str, original: int, ours: int
) -> None:
    run = round_trip(bars, costing(spread, volatility), 100)
    # One more basis point of both prices, of a hundred shares: 10 dollars, against the trader.
    assert run.summary.final_equity_micros == ours * USD < original * USD


def test_bt_17_a_buy_is_never_filled_below_the_close_of_a_bar_it_opens_at_the_top_of() -> None:
    for side, open_ in ((BUY, 105), (SELL, 95)):
        floor = Floor(CostModel(0, 0, 1, 10_000))
        floor.send(order("a", side, 10))
        floor.show(dollars(1, open_, 105, 95, 100))
        assert (floor.fills[0].price - 100 * USD) * side.sign >= 5 * USD


@pytest.mark.parametrize(
    ("fees", "fee"),
    [
        (FeeModel(0, 5_000), 50_000),
        (FeeModel(0, 0, Fraction(1, 10_000)), 100_000),
        (FeeModel(0, 5_000, Fraction(1, 10_000)), 150_000),
        (FeeModel(), 0),
        (FeeModel(0, 0, Fraction(1, 10_000), 2 * USD), 2 * USD),
        (FeeModel(USD, 5_000, 0, 0, 1_020_000), 1_020_000),
    ],
)
def test_bt_20_fees_by_the_share_and_by_the_value(fees: FeeModel, fee: int) -> None:
    assert fees.of(10, 10 * 100 * USD) == fee
    assert fees.of(0, 0) == 0
    if not fees.minimum and fees.maximum is None:
        assert fees.of(100, 100 * 100 * USD) == 10 * fee


def test_c47_a_fraction_of_a_micro_is_charged_as_one() -> None:
    assert FeeModel(rate=Fraction(1, 10_000)).of(1, 1) == 1
    assert FeeModel(rate=Fraction(1, 10_000)).of(1, 10_001) == 2


@pytest.mark.parametrize("bad", [{"per_order": -1}, {"per_share": 0.5}, {"rate": Fraction(11, 10)}, {"maximum": -1}])
def test_bt_24_fees_below_zero_or_beyond_the_value_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="found `"):
        FeeModel(**bad)
    with pytest.raises(ValueError, match="above the maximum"):
        FeeModel(minimum=2, maximum=1)


def test_bt_24_a_cost_below_zero_is_a_diagnostic_at_its_place(tmp_path: Path) -> None:
    text = "kind: execution\nid: own\ntitle: Own\nowner: trading\ncosts:\n  spread: -1bps\n  slippage: -9_999bps\n"
    text += "  volatility: -5%\n  commission_per_share: -42 USD\nfills: {participation: 0%}\nfaults: {rejects: 101%}\n"
    policies = load_texts(tmp_path, {"own.yaml": text})
    assert [(each.code, each.span.line) for each in policies.diagnostics] == [
        ("MQK-1114", line) for line in (6, 7, 8, 9, 10, 11)
    ]
    assert "-42 USD" in text.splitlines()[policies.diagnostics[3].span.line - 1]


def test_bt_31_each_share_is_worth_its_own_mark() -> None:
    bars = [*daily("AAPL", [100 * USD] * 3), *daily("SPY", [50 * USD] * 3)]
    run = Run(bars, lambda c: {c.symbol: 100 if c.symbol == "AAPL" else 200}, set_=costing())
    assert run.summary.final_equity_micros == 100_000 * USD
    assert equity(Floor().fills, 0, 100_000 * USD) == 100_000 * USD
    floor = Floor()
    floor.send(order("a", BUY, 100))
    floor.show(dollars(1, 100, 100, 100, 100))
    assert equity(floor.fills, 50 * USD, 100_000 * USD) == 95_000 * USD
    assert Ledger.replay(100_000 * USD, floor.fills).realised == 0


def test_c45_c46_every_price_is_of_the_orders_own_symbol_and_of_a_bar_that_came_later() -> None:
    aaa = daily("AAPL", [10 * USD] * 4)
    bbb = daily("SPY", [500 * USD] * 4)
    run = Run([*aaa, *bbb], lambda c: {"AAPL": 0 if c.position("AAPL") else 1_000}, set_=costing())
    assert {each.price for each in run.fills()} == {10 * USD}
    assert all(row["at"] > f"{run.rows('equity_curve.csv')[0]['at']}" for row in run.rows("fills.csv"))
    assert run.summary.final_equity_micros == 100_000 * USD


def flat(number: int, price: float, volume: int = 1_000) -> Bar:
    return dollars(number, price, price, price, price, volume)


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (FillRules(participation=Fraction(1, 100)), 90),
        (FillRules(partial_fills=Fraction(1), seed=1), None),
        (FillRules(rejects=Fraction(1)), 100),
    ],
)
def test_c49_volume_parts_and_rejects_have_an_effect(rules: FillRules, left: int | None) -> None:
    floor = Floor(rules=rules)
    floor.send(order("a", BUY, 100))
    floor.show(flat(1, 100))
    open_ = 100 - sum(each.qty for each in floor.fills)
    assert open_ == left if left is not None else 0 < open_ < 100


def test_c49_fees_and_faults_of_the_policy_reach_the_fills() -> None:
    bars = daily("SPY", [100 * USD] * 5)
    script = {0: {"SPY": 40}, 2: {"SPY": 0}}
    plain = Run(bars, script, set_=guards())
    dear = Run(bars, script, set_=guards(overlays=("fees_high",)))
    # A dollar an order, a cent a share, two basis points of 40 shares at 100.25 and at 99.75.
    assert [each.fee for each in dear.fills()] == [2_200_640, 2_199_360]
    assert [each.price for each in dear.fills()] == [each.price for each in plain.fills()]
    # A share of the hundred of each bar; the rest of an order of the day is gone when its session is over.
    thin = Run(bars, script, set_=guards(overlays=("thin_volume",)))
    assert [(each.side, each.qty) for each in thin.fills()] == [("BUY", 1), ("SELL", 1)]
    assert [(row["status"], row["filled"], row["reason"]) for row in thin.rows("orders.csv")] == [
        ("EXPIRED", "1", "its day is over"),
        ("FILLED", "1", "target"),
    ]


@pytest.mark.parametrize(("qty", "days"), [(-10, [1, 3, 1, 1]), (10, [])])
def test_c49_borrowed_shares_cost_by_the_day_until_they_are_given_back(qty: int, days: list[int]) -> None:
    """From Thursday, over a weekend: 36 % of 100 dollars, a thousandth a day, for each of ten shares."""
    bundle = costing(borrow=Ratio(Fraction(36, 100))).bundle
    allowed = replace(bundle.limits["allow_short"], value=True)
    set_ = compile_bundle(replace(bundle, limits={**bundle.limits, "allow_short": allowed}))
    run = Run(daily("SPY", [100 * USD] * 7), {0: {"SPY": qty}, 4: {"SPY": 0}}, set_=set_)
    assert len(run.fills()) == 2
    charges = [micros(row["cash"]) for row in run.rows("corporate_actions.csv")]
    # Sold on Thursday the 4th, bought back on Wednesday the 10th, whose night before is paid for.
    assert charges == [-each * USD for each in days]
    assert run.summary.final_equity_micros == 100_000 * USD + sum(charges)
    assert [row["action_id"].endswith(":borrow") for row in run.rows("corporate_actions.csv")] == [True] * len(days)


def test_c48_rejects_at_the_market_count_and_their_storm_halts() -> None:
    bars = [bar("SPY", minute, 100 * USD) for minute in range(1, 30)]
    calm = Run(bars, lambda c: {"SPY": c.position("SPY") + 1})
    assert calm.summary.posture == "NORMAL"
    bundle = guards().bundle
    faults = Faults(1, Ratio(Fraction(1)), Ratio(Fraction(0)))
    stormy = compile_bundle(replace(bundle, execution=replace(bundle.execution, faults=faults)))
    run = Run(bars, lambda c: {"SPY": c.position("SPY") + 1}, set_=stormy)
    assert (run.summary.posture, run.summary.fills) == ("HALTED", 0)
    assert {row["status"] for row in run.rows("orders.csv")} == {"REJECTED"}
    assert run.summary.orders == 5, "the fifth reject within five minutes is a storm"


def test_c47_c49_flattening_takes_what_the_market_gives_and_goes_on_until_nothing_is_held() -> None:
    deep = [replace(each, volume=10**6) for each in daily("SPY", [100 * USD, 100 * USD])]
    after = daily("SPY", [100 * USD, 100 * USD, 81 * USD, 66 * USD, *[60 * USD] * 10])[2:]
    bars = [*deep, *(replace(each, volume=20_000) for each in after)]
    run = Run(bars, {0: {"SPY": 990}}, set_=guards(shadow=("CAP-01", "LOSS-01"), overlays=("thin_volume",)))
    sold = [each.qty for each in run.fills() if each.side == "SELL"]
    assert (run.summary.posture, run.summary.open_positions) == ("FLATTENING", {})
    assert sold == [200, 200, 200, 200, 190], "a hundredth of what was traded, every day"


STRESSES = ("slippage_x2", "latency_high", "partial_fills", "rejects", "fees_high", "thin_volume")


@pytest.mark.parametrize("stress", [None, *STRESSES])
def test_c49_every_type_of_order_lives_through_every_stress(stress: str | None) -> None:
    """Nothing is left working that the market does not know, the ledger comes to the fills, and twice is once."""
    bars = [replace(each, volume=3_000) for each in walk(["AAPL", "SPY"], 40, 5, swing=3)]

    def wish(context: Context) -> Mapping[str, int | Target] | None:
        last, turn = context.bars[-1], context.now // (86_400 * USD) % 5
        here = context.symbol
        if turn == 0:
            return {here: Target(50, type=OrderType.LIMIT, limit_price=last.close * 99 // 100, tif=TimeInForce.GTC)}
        if turn == 1:
            return {here: Target(80, type=OrderType.STOP, stop_price=last.close * 101 // 100)}
        if turn == 2:
            stop, limit = last.close * 101 // 100, last.close * 102 // 100
            return {here: Target(20, type=OrderType.STOP_LIMIT, stop_price=stop, limit_price=limit)}
        return {here: 0} if turn == 4 else None

    set_ = guards(overlays=() if stress is None else (stress,))
    run, again = Run(bars, wish, set_=set_), Run(bars, wish, set_=set_)
    assert run.files == again.files
    assert run.summary.orders > 10
    assert {row["status"] for row in run.rows("orders.csv")} <= {"FILLED", "CANCELLED", "EXPIRED", "REJECTED"}
    ledger = Ledger.replay(100_000 * USD, run.fills())
    assert ledger.realised == run.summary.realised_micros
    assert {symbol: ledger.qty(symbol) for symbol in ledger.positions} == run.summary.open_positions
